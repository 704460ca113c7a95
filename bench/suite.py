"""What ``python -m bench`` measures: every sweep by everyone, whole calls, and the memory of a fit."""

import sys
import time
from dataclasses import dataclass, replace

from bench import fits, machine, yardstick
from bench.problems import DIAG, FULL, OTHERS, SINGLE, Problem
from bench.rivals import MODULES, Missing
from bench.timing import LeftOut, Timing
from bench.workers import Introduction, Worker, ask_all, limit_threads, meet, start_worker
from bench.yardstick import Yardstick
from fastgmm.kernels import available_backends
from fastgmm.machine.threads import usable_cpus

LIGHT = tuple(problem for problem in OTHERS if problem.covariance_type != "diag")
# Separated components are another matter: what bounds save begins after some iterations (`bench/lab/bounds.py`).
TABLE = (*FULL, *SINGLE, *DIAG, *LIGHT)
# One of each kind, with a tenth of the rows.
QUICK = tuple(
    replace(problem, n_rows=problem.n_rows // 10) for problem in (FULL[1], FULL[3], SINGLE[0], DIAG[1], LIGHT[0])
)


@dataclass(frozen=True)
class Options:
    """How much time to spend.

    Attributes
    ----------
    budget : float
        Seconds for each rival and problem, at most.
    seconds : float
        For all sweeps together: what a slow rival or a busy machine has taken is missing later.
    """

    quick: bool
    alone: bool
    budget: float
    seconds: float
    n_threads: int

    @property
    def problems(self) -> tuple[Problem, ...]:
        return QUICK if self.quick else TABLE


@dataclass(frozen=True)
class Row:
    """One problem, and what everyone needed for one iteration of it."""

    problem: Problem
    timings: dict[str, Timing | LeftOut]

    def share_of_limit(self, name: str, limits: Yardstick) -> float | None:
        """Useful operations per second, of those of the matrix product."""
        timing = self.timings[name]
        if isinstance(timing, LeftOut):
            return None
        return self.problem.flops_per_sweep / timing.seconds / limits.limit(self.problem.dtype)


@dataclass(frozen=True)
class Results:
    """All that one run has found."""

    machine: dict[str, object]
    yardstick: Yardstick
    rivals: dict[str, str]
    missing: tuple[str, ...]
    rows: tuple[Row, ...]
    fits: dict[str, fits.Fitted]
    predictions: dict[str, float]
    peak_bytes: int | None
    memory_problem: Problem
    seconds: float
    busy: float


def run(options: Options) -> Results:
    """Measure everything; says on standard error what is being measured."""
    began, others = time.perf_counter(), machine.cpu_seconds_of_others()
    limit_threads(options.n_threads)
    workers, rivals, absent = _hire(options)
    limits = yardstick.measure(options.n_threads)
    try:
        rows = _rows(workers, options)
    finally:
        for worker in workers.values():
            worker.close()
    # Measured before and after: a machine that was busy for a while could do more than it showed then.
    limits = limits.best_of(yardstick.measure(options.n_threads))
    whole = "scikit-learn" in rivals and not options.quick
    memory = replace(fits.MEMORY, n_rows=fits.MEMORY.n_rows // 10) if options.quick else fits.MEMORY
    predicted = replace(fits.WHOLE, n_rows=fits.WHOLE.n_rows // 10) if options.quick else fits.WHOLE
    _say("whole fits, predict, memory")
    return Results(
        machine=machine.describe(options.n_threads),
        yardstick=limits,
        rivals=rivals,
        missing=absent,
        rows=tuple(possible(row, limits) for row in rows),
        fits=fits.whole_fits() if whole else {},
        predictions=fits.predictions(predicted) if "scikit-learn" in rivals else {},
        peak_bytes=fits.peak_bytes_above_the_data(memory) if sys.platform.startswith("linux") else None,
        memory_problem=memory,
        seconds=(seconds := time.perf_counter() - began),
        busy=(machine.cpu_seconds_of_others() - others) / (seconds * usable_cpus()),
    )


def possible(row: Row, limits: Yardstick) -> Row:
    """Without times that would be faster than the matrix product: no kernel is, so the clock was disturbed."""
    shares = {name: row.share_of_limit(name, limits) for name in row.timings}
    timings = {
        name: LeftOut(f"an impossible time, {share:.1f} times the speed of the matrix product: disturbed by other work")
        if (share := shares[name]) is not None and share > 1
        else timing
        for name, timing in row.timings.items()
    }
    return replace(row, timings=timings)


def _hire(options: Options) -> tuple[dict[str, Worker], dict[str, str], tuple[str, ...]]:
    """A worker and a version by name of every rival that is here, and a line for each that is not."""
    # Everyone is compared with the first of ours that is here.
    reference = "fastgmm_c" if available_backends()["c"] == "available" else "fastgmm_numba"
    modules = [module for module in MODULES if module.startswith("fastgmm") or not options.alone]
    started = [start_worker(module, reference) for module in modules]
    met = [(worker, meet(worker)) for worker in started]
    absent = tuple(f"{each.name} is not here: {each.reason}" for _, each in met if isinstance(each, Missing))
    for line in absent:
        _say(line)
    present = [(worker, each) for worker, each in met if isinstance(each, Introduction)]
    return {each.name: worker for worker, each in present}, {each.name: each.version for _, each in present}, absent


def _rows(workers: dict[str, Worker], options: Options) -> tuple[Row, ...]:
    """One problem after the other, each with its part of the time that is left."""
    end = time.perf_counter() + options.seconds
    rows = []
    for number, problem in enumerate(options.problems):
        left = (end - time.perf_counter()) / (len(options.problems) - number)
        # The pilot of a rival takes about as long as half of its rounds do.
        budget = max(options.budget / 10, min(options.budget, left / (1.5 * len(workers))))
        _say(f"{problem.name}, {budget:.2f} s for each")
        rows.append(Row(problem, ask_all(workers, problem, options.n_threads, budget)))
    return tuple(rows)


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
