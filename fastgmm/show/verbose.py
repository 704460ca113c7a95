"""``verbose=``: what scikit-learn prints while it fits, as an observer of EM."""

import sys

from fastgmm.fit.steps import Observer, Step


def print_progress(verbose: int, interval: int, max_iter: int, wanders: bool = False) -> Observer:
    """An observer that prints restarts and every ``interval``-th iteration; from ``verbose=2`` with times.

    A run that ``wanders`` has done what was asked once it has taken its iterations.
    """
    at_most = "took its iterations" if wanders else "did not converge"
    elapsed: list[float] = []  # seconds of this restart's iterations so far

    def observe(step: Step) -> None:
        if step.iteration == 1:
            elapsed.clear()
            _print(f"Initialization {step.restart}")
        elapsed.append(step.seconds)
        if step.iteration % interval == 0:
            line = f"  Iteration {step.iteration}"
            if verbose >= 2:
                lapse = sum(elapsed[-interval:])
                line += f"\t time lapse {lapse:.5f}s\t ll change {step.change:.5f}"
            _print(line)
        if step.converged or step.iteration == max_iter:
            line = f"Initialization {'converged' if step.converged else at_most}."
            if verbose >= 2:
                line += f" time lapse {sum(elapsed):.5f}s\t lower bound {step.lower_bound:.5f}."
            _print(line)

    return observe


def _print(line: str) -> None:
    sys.stdout.write(line + "\n")
