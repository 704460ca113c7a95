"""What is believed of the components of a row before it is looked at: log-priors of its group.

Joint log-densities become cₖ − ½‖L⁻¹ₖ(x − μₖ)‖² + prior[group, k]. A prior of −∞ excludes a component, which then lies
below those that are allowed, however far these are.
"""

from typing import Any

import numpy as np

from fastgmm.kernels.numba_.jit import inline, inner
from fastgmm.kernels.numba_.rows import place_of
from fastgmm.kernels.numba_.vector import is_single, number, put


@inner
def find_members(rows: Any, n_components: int, tile: Any, first: int, n_valid: int) -> int:
    """List the components that any of the rows ``first … first + n_valid`` may belong to; return how many these are.

    All of them where there are no groups, or none is left.
    """
    n_members = 0
    if rows.has_groups:
        for k in range(n_components):
            if _is_allowed(rows, n_components, first, n_valid, k):
                put(tile.members, n_members, k)
                n_members += 1
    if n_members == 0:
        for k in range(n_components):
            put(tile.members, k, k)
        return n_components
    return n_members


@inline
def _is_allowed(rows: Any, n_components: int, first: int, n_valid: int, k: int) -> bool:
    t = 0
    while t < n_valid and prior_of(rows, n_components, first + t, k) == -np.inf:
        t += 1
    return t < n_valid


@inline
def prior_of(rows: Any, n_components: int, at: int, k: int) -> float:
    """0 where nothing is believed of the row: its group is none of the table."""
    group = int(number(rows.groups, place_of(rows, at)))
    return number(rows.group_prior, group * n_components + k) if 0 <= group < rows.n_groups else 0.0


@inner
def add_priors(rows: Any, n_components: int, tile: Any, first: int, n_valid: int, n_members: int) -> None:
    """Add the priors to the lines of the members."""
    excluded = -3.3e38 if is_single(tile.joint) else -1.79e308
    for t in range(n_valid):
        for line in range(n_members):
            at = line * tile.stride + t
            joint = number(tile.joint, at) + prior_of(rows, n_components, first + t, number(tile.members, line))
            put(tile.joint, at, joint if joint > excluded else excluded)
