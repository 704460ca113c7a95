"""Print the table of the README: milliseconds per EM iteration, beside scikit-learn and beside the machine's limit."""

import argparse
import sys

from bench import rivals
from bench.problems import FULL, OTHERS, Problem, generate
from bench.yardstick import gemm_flops_per_second
from fastgmm import show_backend

_MANY = 2


def measure(problem: Problem, with_rival: bool, rounds: int) -> str:
    """One row of the table."""
    data, start = generate(problem)
    gemm = gemm_flops_per_second(problem.dtype)
    own, _ = rivals.seconds_per_iteration(rivals.ours(), data, start, few=2, many=2 + 4 * _MANY, rounds=rounds)
    share = f"{problem.flops_per_sweep / own / gemm:.2f}" if problem.covariance_type == "full" else ""
    shape = f"{problem.n_rows:,} × {problem.n_features}"
    row = [problem.covariance_type, shape, str(problem.n_components), f"{1e3 * own:.1f}"]
    if with_rival:
        other, other_bound = rivals.seconds_per_iteration(
            rivals.scikit_learn(), data, start, few=2, many=2 + _MANY, rounds=1
        )
        # The bounds are compared after the same number of iterations.
        _, same_bound = rivals.seconds_per_iteration(rivals.ours(), data, start, few=2, many=2 + _MANY, rounds=1)
        if not rivals.agree(same_bound, other_bound):
            raise SystemExit(f"{problem.name}: the likelihoods differ, {same_bound!r} and {other_bound!r}")
        row += [f"{1e3 * other:,.0f}", f"{other / own:.0f}"]
    return "| " + " | ".join([*row, share]) + " |"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--alone", action="store_true", help="do not time scikit-learn")
    parser.add_argument("--rounds", type=int, default=3, help="rounds of which the best counts (default 3)")
    arguments = parser.parse_args()
    show_backend()
    rival_columns = [] if arguments.alone else ["scikit-learn ms", "times faster"]
    columns = ["family", "rows × features", "K", "fastgmm ms", *rival_columns, "share of dgemm"]
    print("\n| " + " | ".join(columns) + " |\n|" + "---|" * len(columns))
    for problem in (*FULL, *OTHERS):
        print(measure(problem, not arguments.alone, arguments.rounds))
        sys.stdout.flush()


main()
