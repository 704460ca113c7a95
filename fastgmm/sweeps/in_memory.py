"""One pass over all rows in memory: in which order they are visited, and how the results come together."""

import math
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from fastgmm.data.facts import Facts
from fastgmm.families import FAMILIES, CovarianceFamily
from fastgmm.families.factors import symmetric_from_lower
from fastgmm.families.tied import second_about_means
from fastgmm.kernels.backend import Backend
from fastgmm.kernels.contract import (
    ONE_SMALL_TILE,
    SMALLEST_TILE,
    WORK_OF_AN_EXPONENTIAL,
    Bounds,
    ChunkPlan,
    Outputs,
    Slots,
    plan_chunks,
)
from fastgmm.kernels.incomplete import Order
from fastgmm.machine.threads import resolve_n_threads
from fastgmm.machine.waiting import check
from fastgmm.moments import Moments
from fastgmm.parameters import Array, FloatArray, Model, Prepared
from fastgmm.rows import Rows
from fastgmm.sweeps.sweep import Machinery, Question, check_deadline

T = TypeVar("T")
Wanted = Literal["log_density", "labels", "joint", "responsibilities"]


@dataclass(frozen=True, eq=False)
class Scatter:
    """The scatter of all rows about a center: moments of a single component, which no iteration changes."""

    moments: Moments
    center: FloatArray


@dataclass(frozen=True, eq=False)
class InMemory:
    """A :class:`Sweep` over rows in memory; over those alone that an ``order`` names, where there is one.

    Second moments follow from the ``scatter``, where there is one; without ``has_second`` they are left out, since
    whoever adds up the moments of parts has the scatter of all. Raises ``DeadlineError`` once ``time.perf_counter()``
    is past the ``deadline``, also in the middle of a sweep.
    """

    facts: Facts
    family: CovarianceFamily
    backend: Backend
    n_threads: int
    scatter: Scatter | None = None
    deadline: float = math.inf
    order: Order | None = None
    has_second: bool = True
    plans: dict[int, ChunkPlan] = field(default_factory=dict, init=False)

    @property
    def rows(self) -> Rows:
        return self.facts.rows

    def check_deadline(self) -> None:
        """Raise where no time is left, or nobody waits for the result any more."""
        check_deadline(self.deadline)

    def __call__(self, models: Sequence[Model]) -> list[Moments]:
        return [self.moments(model.prepared) for model in models]

    def ask(self, question: Question[T]) -> Generator[T, None, None]:
        yield question(self.rows, Machinery(self.family, self.backend, self.n_threads))

    def tempered(self, exponent: float) -> "InMemory":
        """The same, what is believed of rows raised to a power."""
        groups, table = self.rows.groups, self.rows.group_prior
        if exponent == 1.0 or groups is None or table is None:
            return self
        return replace(self, facts=self.facts.believing(groups, table * exponent))

    def believing(self, groups: NDArray[np.int32], table: FloatArray) -> "InMemory":
        """The same sweep over rows of whose components something else is believed."""
        return replace(self, facts=self.facts.believing(groups, table))

    def total_scatter(self) -> Scatter:
        """That of all rows, which only some families need in their sweeps."""
        return self.scatter or total_scatter(self.facts, self.backend, self.n_threads)

    def moments(self, prepared: Prepared, bounds: Bounds | None = None) -> Moments:
        """Those of all rows."""
        moments = _collect_moments(self, prepared, bounds)
        if self.scatter is not None:
            second = second_about_means(self.scatter.moments, self.scatter.center, moments, prepared.means)
            return replace(moments, second=second)
        return replace(moments, second=symmetric_from_lower(moments.second)) if self.family.is_shared else moments


def make_sweep(
    facts: Facts,
    family: CovarianceFamily,
    backend: Backend,
    n_threads: int,
    deadline: float = math.inf,
    order: Order | None = None,
) -> InMemory:
    """A sweep over rows in memory, or over those that an order names.

    Where components share a covariance, second moments follow from the scatter of all rows, since responsibilities sum
    to 1. To compute it once is worth its time where rows are swept again and again. For rows with groups the kernel
    collects second moments instead, which keep their last digits also where clusters are far apart.
    """
    is_from_scatter = family.is_shared and facts.rows.groups is None and (order is None or len(order) > 0)
    scatter = total_scatter(facts, backend, n_threads, order) if is_from_scatter else None
    return InMemory(facts, family, backend, n_threads, scatter, deadline, order)


def plan_of(sweep: InMemory, prepared: Prepared) -> ChunkPlan:
    """How a sweep cuts its rows, which depends on the number of components alone."""
    n_components, n_features = prepared.means.shape
    if n_components not in sweep.plans:
        second_numbers = math.prod(_second_shape(sweep, prepared, 1))
        extra = sweep.family.extra_shape
        extra_numbers = 0 if extra is None else math.prod(extra(n_components, n_features))
        slot_numbers = n_components * (1 + n_features) + second_numbers + extra_numbers + 2
        n_rows = sweep.rows.shape[0] if sweep.order is None else len(sweep.order)
        itemsize = sweep.rows.values.itemsize
        sweep.plans[n_components] = plan_chunks(n_rows, n_features, n_components, itemsize, slot_numbers)
    return sweep.plans[n_components]


def _second_shape(sweep: InMemory, prepared: Prepared, n_chunks: int) -> tuple[int, ...]:
    """The shape of the second moments in the slots: of length 0 where they follow from a scatter."""
    return (
        n_chunks if sweep.scatter is None and sweep.has_second else 0,
        *sweep.family.second_shape(*prepared.means.shape),
    )


def _collect_moments(sweep: InMemory, prepared: Prepared, bounds: Bounds | None) -> Moments:
    """Run the sweep kernel over all sections, and add the slots in the order of the chunks."""
    n_components, n_features = prepared.means.shape
    plan = plan_of(sweep, prepared)
    slots = Slots(
        counts=np.zeros((plan.n_chunks, n_components)),
        first=np.zeros((plan.n_chunks, n_components, n_features)),
        second=np.zeros(_second_shape(sweep, prepared, plan.n_chunks)),
        totals=np.zeros((plan.n_chunks, 2)),
    )
    if (extra_shape := sweep.family.extra_shape) is not None:
        slots = slots._replace(extra=np.zeros((plan.n_chunks, *extra_shape(n_components, n_features))))
    n_threads = min(sweep.n_threads, plan.useful_threads)
    for section in plan.sections(n_threads):
        sweep.check_deadline()
        if bounds is None or sweep.backend.bounded_sweep is None:
            sweep.backend.sweep(sweep.rows, prepared, section, slots, n_threads, sweep.order)
        else:
            sweep.backend.bounded_sweep(sweep.rows, prepared, section, slots, bounds, n_threads)
    counts, first, second, totals, extra = (slot[0] if len(slot) == 1 else slot.sum(axis=0) for slot in slots)
    moments = Moments(
        counts,
        first,
        second,
        float(totals[0]),
        float(totals[1]),
        sweep.facts.n_counted,
        prepared.means,
        sweep.family.kernel,
    )
    return moments if extra_shape is None else replace(moments, extra=extra.reshape(n_components, -1))


def total_scatter(facts: Facts, backend: Backend, n_threads: int, order: Order | None = None) -> Scatter:
    """Σ w(x − c)(x − c)ᵀ by the full kernel with a single component at c, near the mean of the rows."""
    return Scatter(moments_about(facts.center, facts, backend, n_threads, order), facts.center)


def moments_about(
    center: FloatArray, facts: Facts, backend: Backend, n_threads: int, order: Order | None = None
) -> Moments:
    """Those of a single component at the center."""
    full = FAMILIES["full"]
    if facts.rows.groups is not None:  # their table has a column for every component, and there is one here
        facts = Facts(replace(facts.rows, groups=None, group_prior=None))
    prepared = full.assemble(np.ones(1), center[np.newaxis, :], np.eye(len(center))[np.newaxis], np.float64)
    moments = InMemory(facts, full, backend, n_threads, order=order).moments(prepared)
    return replace(moments, second=symmetric_from_lower(moments.second))


def evaluate(rows: Rows, prepared: Prepared, backend: Backend, n_threads: int | None, wanted: Wanted) -> Array:
    """One output of all rows; ``n_threads`` is looked up where it is None and the rows are many.

    Parameters
    ----------
    wanted : {"log_density", "labels", "joint", "responsibilities"}
        Log-densities (n,) or labels (n,); joint log-densities or responsibilities (n, K).
    """
    result, outputs = outputs_for(rows, len(prepared.log_constants), wanted)
    if len(result) <= SMALLEST_TILE:
        backend.log_density(rows, prepared, ONE_SMALL_TILE, outputs, 1)
    else:
        fill(outputs, rows, prepared, backend, n_threads)
    return result


def fill(outputs: Outputs, rows: Rows, prepared: Prepared, backend: Backend, n_threads: int | None) -> None:
    """Fill the outputs of many rows; those of a row without all of its values are left to be filled by others."""
    plan = plan_chunks(*rows.shape, len(prepared.log_constants), rows.values.itemsize, slot_numbers=1)
    useful_threads = plan.useful_threads
    if useful_threads > 1:
        useful_threads = max(1, min(useful_threads, resolve_n_threads(n_threads)))
    # Each row takes about one multiply-add for every number of the parameters.
    work_per_row = sum(array.size for array in prepared) + WORK_OF_AN_EXPONENTIAL * len(prepared.log_constants)
    for block, section in plan.blocks(rows.shape[0], useful_threads, work_per_row, bytes_of_a_row(rows, outputs)):
        check()
        backend.log_density(rows.take(block), prepared, section, part_of(outputs, block), useful_threads)


def bytes_of_a_row(rows: Rows, outputs: Outputs) -> int:
    """Those that are read and written."""
    return (rows.values.nbytes + sum(output.nbytes for output in outputs[:3])) // rows.shape[0]


def part_of(outputs: Outputs, block: slice) -> Outputs:
    """The outputs of a block of rows; arrays that are not wanted stay empty."""
    return Outputs(outputs.log_density[block], outputs.labels[block], outputs.joint[block], outputs.normalize)


# Log-densities, labels and table that nobody asked for, by the size of the data's numbers.
_UNWANTED = {
    np.dtype(dtype).itemsize: (np.empty(0, dtype), np.empty(0, np.int64), np.empty((0, 0), dtype))
    for dtype in (np.float32, np.float64)
}


def outputs_for(rows: Rows, n_components: int, wanted: Wanted) -> tuple[Array, Outputs]:
    """The array that is wanted, and the outputs it is one of."""
    return outputs_of(len(rows.values), rows.values.dtype, n_components, wanted)


def outputs_of(n_rows: int, dtype: np.dtype[Any], n_components: int, wanted: Wanted) -> tuple[Array, Outputs]:
    """The same of so many rows, in a dtype."""
    log_density, labels, joint = _UNWANTED[dtype.itemsize]
    result: Array
    if wanted == "log_density":
        result = log_density = np.empty(n_rows, dtype)
    elif wanted == "labels":
        result = labels = np.empty(n_rows, np.int64)
    else:
        result = joint = np.empty((n_rows, n_components), dtype)
    return result, Outputs(log_density, labels, joint, wanted == "responsibilities")
