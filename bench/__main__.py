"""The table of ``docs/benchmarks.md``: milliseconds per EM iteration, beside rivals and the machine's limit."""

import argparse
from pathlib import Path

from bench.chart import draw
from bench.report import write
from bench.suite import Options, run
from fastgmm.machine.threads import resolve_n_threads

DEFAULT_FOLDER = Path(__file__).parent / "results"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of the rows, some of the shapes: a minute")
    parser.add_argument("--alone", action="store_true", help="time fastgmm only")
    parser.add_argument("--seconds", type=float, help="for all sweeps together (default 450, quick 25)")
    parser.add_argument("--output", type=Path, default=DEFAULT_FOLDER, help="folder of the results")
    arguments = parser.parse_args()
    seconds = arguments.seconds or (25.0 if arguments.quick else 450.0)
    budget = 0.3 if arguments.quick else 4.0
    results = run(Options(arguments.quick, arguments.alone, budget, seconds, resolve_n_threads(None)))
    print(write(results, arguments.output))
    try:
        draw(results, arguments.output / "results.png")
    except ModuleNotFoundError as error:
        print(f"No chart: {error}; python -m pip install -e '.[bench]' brings it.")


if __name__ == "__main__":  # workers import this module too
    main()
