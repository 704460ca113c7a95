"""Sweeps that remember which components are too far from a tile of rows to matter, and leave these out.

Rows are put in an order in which neighbors have the same label, once, so that a tile of them has few components near.
For a tile and a component a sweep leaves behind a lower bound of the Mahalanobis distance m(x) = ‖L⁻¹(x − μ)‖ of its
rows. When parameters change, with M = L⁻¹'·L the triangle inequality moves the bound along:

    m'(x) = ‖M·L⁻¹(x − μ) − L⁻¹'(μ' − μ)‖ ≥ s·m(x) − δ,   s ≤ σ_min(M),   δ = ‖L⁻¹'(μ' − μ)‖

A component whose log-density cₖ − ½m² is thus known to lie further below another one than rounding reaches, for all
rows of a tile, is not evaluated there. The result is that of an ordinary sweep but for the order of sums.
Where many components matter to most rows there is little to leave out, so sweeps stay ordinary ones. So they do where
rows have groups, since a prior may raise a component that is far from all of a tile. The order takes four bytes a row,
bounds at most 64 MB.
"""

from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from fastgmm.data.facts import Facts
from fastgmm.families import CovarianceFamily
from fastgmm.kernels.backend import Backend
from fastgmm.kernels.contract import Bounds
from fastgmm.moments import Moments
from fastgmm.parameters import Model, Prepared
from fastgmm.sweeps.in_memory import InMemory, evaluate, plan_of
from fastgmm.sweeps.sweep import Question

T = TypeVar("T")

# Two ordinary sweeps are made before the first look, since a start moves too much for bounds to hold. Later looks come
# each time that the number of sweeps has doubled, so that all of them cost little however long a fit is.
_SWEEPS_BEFORE_A_LOOK = 2
# With K components a sweep cannot cost less than 1/K of an ordinary one, and rows out of order take some of that gain.
# Eight components of one mixture took 0.47 of the time, 32 took 0.27; fewer than eight were not measured.
_FEWEST_COMPONENTS = 8
# A component should fill a tile of 256 float64 rows or more: in smaller ones every tile is near to several.
_ROWS_OF_A_COMPONENT = 256
# From so many rows a share of a quarter is known to about a hundredth.
_ROWS_LOOKED_AT = 1024
# The largest shares of all pairs, of a row or a tile and a component, that may matter. Measured with 8 to 32 components
# and 8 features, where a quarter of the pairs of rows matters, so do two thirds to four fifths of those of tiles, and a
# sweep takes 0.9 (full) to 1.1 (diag) of the time without bounds: half of the tiles is on the safe side.
_SHARE_OF_ROWS = 0.25
_SHARE_OF_TILES = 0.5
# Bounds are judged from the fourth sweep on, by the mean share of all: the first one evaluates everything.
_BOUNDED_SWEEPS_TO_JUDGE = 4
# Bounds take five bytes for each pair of a tile and a component. The limit was chosen by hand.
_MOST_BYTES = 64 * 2**20
# A block that is sorted by label has so many rows for each component, two to four tiles of one label.
_BLOCK_ROWS_OF_A_COMPONENT = 1024


@dataclass(eq=False)
class BoundedSweep:
    """A sweep with a memory: for one run of EM, whose parameters change little from call to call."""

    sweep: InMemory
    _n_sweeps: int = field(default=0, init=False)
    _n_bounded: int = field(default=0, init=False)
    _next_look: int = field(default=_SWEEPS_BEFORE_A_LOOK, init=False)
    _previous: Prepared | None = field(default=None, init=False)
    _bounds: Bounds | None = field(default=None, init=False)

    @property
    def facts(self) -> Facts:
        return self.sweep.facts

    @property
    def family(self) -> CovarianceFamily:
        return self.sweep.family

    @property
    def backend(self) -> Backend:
        return self.sweep.backend

    @property
    def n_threads(self) -> int:
        return self.sweep.n_threads

    def ask(self, question: Question[T]) -> Generator[T, None, None]:
        return self.sweep.ask(question)

    def __call__(self, models: Sequence[Model]) -> list[Moments]:
        """Moments of one model, with bounds that follow from the call before, or of several, without bounds."""
        return [self.moments(model.prepared) for model in models] if len(models) == 1 else self.sweep(models)

    def moments(self, prepared: Prepared) -> Moments:
        """Those of all rows."""
        if self._bounds is not None and self._previous is not None:
            shrink, drift = self.family.movement(self._previous, prepared)
            self._bounds = self._bounds._replace(shrink=shrink, drift=drift)
        elif self._n_sweeps >= self._next_look:
            self._next_look = 2 * self._n_sweeps
            if _few_components_matter(self.sweep, prepared):
                self._bounds = first_bounds(self.sweep, prepared)
                self._n_bounded = 0
        moments = self.sweep.moments(prepared, self._bounds)
        self._n_sweeps += 1
        self._previous = prepared
        if self._bounds is not None:
            self._n_bounded += 1
            if self._n_bounded >= _BOUNDED_SWEEPS_TO_JUDGE and self._share_evaluated() > _SHARE_OF_TILES:
                self._bounds = None
                self._next_look = 2 * self._n_sweeps
        return moments

    def _share_evaluated(self) -> float:
        """The share of pairs of a tile and a component that the bounded sweeps so far have evaluated."""
        assert self._bounds is not None
        return float(self._bounds.evaluated.sum()) / (self._n_bounded * self._bounds.matters.size)


def _few_components_matter(sweep: InMemory, prepared: Prepared) -> bool:
    """Whether rows have few components near, by a look at some of them."""
    n_components = len(prepared.log_constants)
    n_rows = sweep.rows.shape[0]
    if sweep.backend.bounded_sweep is None or n_components < _FEWEST_COMPONENTS or sweep.rows.groups is not None:
        return False
    if not n_components * _ROWS_OF_A_COMPONENT <= n_rows < 2**31:
        return False
    if _count_tiles(sweep, prepared) * n_components * 5 > _MOST_BYTES:
        return False
    some = sweep.facts.sample.thinned(_ROWS_LOOKED_AT)
    responsibilities = evaluate(some, prepared, sweep.backend, sweep.n_threads, "responsibilities")
    matters = responsibilities > np.finfo(responsibilities.dtype).eps / n_components
    return len(matters) > 0 and bool(matters.mean() <= _SHARE_OF_ROWS)


def _count_tiles(sweep: InMemory, prepared: Prepared) -> int:
    return -(-sweep.rows.shape[0] // plan_of(sweep, prepared).tile_rows)


def first_bounds(sweep: InMemory, prepared: Prepared) -> Bounds:
    """Rows in the order of their labels; every component matters until a sweep has found otherwise."""
    n_components, n_tiles = len(prepared.log_constants), _count_tiles(sweep, prepared)
    return Bounds(
        order=_order_by_label(sweep, prepared),
        distances=np.zeros((n_tiles, n_components), np.float32),
        matters=np.ones((n_tiles, n_components), np.uint8),
        shrink=np.ones(n_components),
        drift=np.zeros(n_components),
        evaluated=np.zeros(plan_of(sweep, prepared).n_chunks, np.int64),
    )


def _order_by_label(sweep: InMemory, prepared: Prepared) -> NDArray[np.int32]:
    """Positions of the rows, sorted by label within blocks, so that rows that are read together lie near each other."""
    rows = sweep.rows
    order = np.empty(rows.shape[0], np.int32)
    block_rows = _BLOCK_ROWS_OF_A_COMPONENT * len(prepared.log_constants)
    for begin in range(0, len(order), block_rows):
        sweep.check_deadline()
        block = rows.take(slice(begin, begin + block_rows))
        labels = evaluate(block, prepared, sweep.backend, sweep.n_threads, "labels")
        if block.weights is not None:  # rows that do not count are no neighbors of those that do
            labels[block.weights == 0] = len(prepared.log_constants)
        order[begin : begin + block_rows] = begin + np.argsort(labels, kind="stable")
    return order
