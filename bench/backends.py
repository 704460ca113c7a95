"""C beside Numba, and two threads beside one: ``python -m bench.backends``. Figures are ratios within one run."""

from collections.abc import Callable
from typing import Any, get_args

from bench.problems import FULL, OTHERS, SINGLE, Problem, generate
from bench.yardstick import best_times
from fastgmm import show_backend
from fastgmm.data.facts import Facts
from fastgmm.families import FAMILIES, FOUR
from fastgmm.kernels import get_backend
from fastgmm.kernels.backend import Backend
from fastgmm.machine.threads import resolve_n_threads
from fastgmm.rows import Rows
from fastgmm.sweeps.in_memory import Wanted, evaluate, make_sweep

ROUNDS = 5
MANY_ROWS = tuple(
    Problem(covariance_type, 100_000, *shape)
    for covariance_type in FOUR
    for shape in ((2, 3), (8, 16))  # the least work of 100,000 rows, and a common shape
)


def jobs(problem: Problem, backend: Backend, n_threads: int) -> dict[str, Callable[[], Any]]:
    """A sweep, and every kind of scoring."""
    data, start = generate(problem)
    family = FAMILIES[problem.covariance_type]
    rows, prepared = Rows(data), family.prepare(start, data.dtype)
    sweep = make_sweep(Facts(rows), family, backend, n_threads)

    def score(wanted: Wanted) -> Callable[[], Any]:
        return lambda: evaluate(rows, prepared, backend, n_threads, wanted)

    return {"sweep": lambda: sweep.moments(prepared)} | {wanted: score(wanted) for wanted in get_args(Wanted)}


def ratios(slow: dict[str, Callable[[], Any]], fast: dict[str, Callable[[], Any]]) -> list[str]:
    """How many times faster ``fast`` is at each job, the best of several alternating rounds for both."""
    for job in (*slow.values(), *fast.values()):
        job()  # warms up
    both = {(name, side): chosen[name] for side, chosen in (("slow", slow), ("fast", fast)) for name in slow}
    best = best_times(both, ROUNDS)
    return [f"{best[name, 'slow'] / best[name, 'fast']:.2f}" for name in slow]


def main() -> None:
    show_backend()
    columns = ["problem", "sweep", *get_args(Wanted)]
    head = "\n| " + " | ".join(columns) + " |\n|" + "---|" * len(columns)
    c, n_threads = get_backend("c"), resolve_n_threads(None)
    print("\nC, times faster than Numba:", head)
    for problem in (*FULL, *OTHERS, *SINGLE):
        times = ratios(jobs(problem, get_backend("numba"), n_threads), jobs(problem, c, n_threads))
        print("| " + " | ".join([problem.name, *times]) + " |", flush=True)
    print("\nC, times faster on two threads than on one:", head)
    for problem in (*MANY_ROWS, *FULL):
        print("| " + " | ".join([problem.name, *ratios(jobs(problem, c, 1), jobs(problem, c, 2))]) + " |", flush=True)


main()
