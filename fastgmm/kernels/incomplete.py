"""What passes between the library and a backend where rows lack some of their values: a NaN is a missing value.

Kernels visit the rows that an ``order`` names, in which rows that lack the same features, a *pattern*, stand next to
each other; those of one tile and pattern, a *run*, are computed together. For a run and a component, with O the
observed features and M the missing ones, δ = x − μ, and A the exponent of ``Model``, 1 as a rule:

    L Lᵀ = Σ_OO,   y = L⁻¹δ_O,   joint log-density = A·(log w − ½(|O| log 2π + 2 Σ log L_jj + yᵀy)) + log-prior
    V = L⁻¹Σ_OM,   E[δ_M | x_O] = Vᵀy,   Cov[x_M | x_O] = C = Σ_MM − VᵀV

A row's numbers depend on the row and the parameters alone, to the last bit, whatever stands next to it. All arithmetic
is in float64, whatever the dtype of the rows.

References
----------
Z. Ghahramani and M. I. Jordan, "Supervised learning from incomplete data via an EM approach", NIPS 6 (1994).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from fastgmm.kernels.contract import Outputs, Section
from fastgmm.parameters import FloatArray, PreparedIncomplete
from fastgmm.rows import Rows

Order: TypeAlias = NDArray[np.int32]


class IncompleteSlots(NamedTuple):
    """One slot for each chunk, as ``contract.Slots``; of matrices kernels fill the lower triangles.

    Of full and tied components missing values are averaged over: with e = (δ_O, E[δ_M | x_O]),
    ``counts`` (n_chunks, K) = Σwr, ``first`` (n_chunks, K, d) = Σwr·e, ``second`` = Σwr(e·eᵀ + C on the block MM),
    (n_chunks, K, d, d), or summed over components (n_chunks, d, d). ``observed`` is empty.
    Of variances alone, sums are over the rows that have the feature: ``first`` = Σwr·δⱼ, ``second`` = Σwr·δⱼ²,
    ``observed`` = Σwr, each (n_chunks, K, d).
    ``totals`` (n_chunks, 2) are Σw and Σw·log Σₖ exp(joint).
    """

    counts: FloatArray
    first: FloatArray
    second: FloatArray
    totals: FloatArray
    observed: FloatArray


@dataclass(frozen=True)
class IncompleteKernels:
    """Those of a backend. The section's chunks are cut from ``order``; ``outputs`` are of all rows, in their places."""

    sweep: Callable[[Rows, PreparedIncomplete, Order, Section, IncompleteSlots, int], None]
    log_density: Callable[[Rows, PreparedIncomplete, Order, Section, Outputs, int], None]
