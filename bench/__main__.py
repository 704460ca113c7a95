"""Print the table of the README: milliseconds per EM iteration, beside scikit-learn and beside the machine's limit."""

import argparse
import sys

from bench import rivals
from bench.problems import FULL, OTHERS, Problem, generate
from bench.yardstick import gemm_flops_per_second
from fastgmm import show_backend

_MANY = 2


BACKENDS = ("c", "numba")


def measure(problem: Problem, with_rival: bool, rounds: int) -> str:
    """One row of the table."""
    data, start = generate(problem)
    gemm = gemm_flops_per_second(problem.dtype)
    own = {
        backend: rivals.seconds_per_iteration(
            rivals.ours(backend), data, start, few=2, many=2 + 4 * _MANY, rounds=rounds
        )[0]
        for backend in BACKENDS
    }
    shape = f"{problem.n_rows:,} × {problem.n_features}"
    row = [problem.covariance_type, shape, str(problem.n_components), *(f"{1e3 * own[each]:.1f}" for each in BACKENDS)]
    if with_rival:
        other, other_bound = rivals.seconds_per_iteration(
            rivals.scikit_learn(), data, start, few=2, many=2 + _MANY, rounds=1
        )
        for backend in BACKENDS:
            # The bounds are compared after the same number of iterations.
            _, bound = rivals.seconds_per_iteration(rivals.ours(backend), data, start, few=2, many=2 + _MANY, rounds=1)
            if not rivals.agree(bound, other_bound):
                raise SystemExit(f"{problem.name}: the likelihoods differ, {bound!r} and {other_bound!r}")
        row += [f"{1e3 * other:,.0f}", f"{other / own['c']:.0f}"]
    shares = [f"{problem.flops_per_sweep / own[each] / gemm:.2f}" for each in BACKENDS]
    row += shares if problem.covariance_type == "full" else ["", ""]
    return "| " + " | ".join(row) + " |"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--alone", action="store_true", help="do not time scikit-learn")
    parser.add_argument("--rounds", type=int, default=3, help="rounds of which the best counts (default 3)")
    arguments = parser.parse_args()
    show_backend()
    rival_columns = [] if arguments.alone else ["scikit-learn ms", "C times faster"]
    columns = ["family", "rows × features", "K", "C ms", "Numba ms", *rival_columns, "C of dgemm", "Numba of dgemm"]
    print("\n| " + " | ".join(columns) + " |\n|" + "---|" * len(columns))
    for problem in (*FULL, *OTHERS):
        print(measure(problem, not arguments.alone, arguments.rounds))
        sys.stdout.flush()


main()
