"""The regression gate: ``python -m bench.gate`` compares with ``baseline.json``, ``--renew`` replaces it on purpose.

Baselines belong to a CPU: on a model without one the gate measures, keeps the result, says loudly that it has nothing
to compare with, and passes. Then ``--renew`` adds that model's.
"""

import argparse
import json
import sys
from functools import reduce
from pathlib import Path
from typing import Any

from bench import machine
from bench.figures import Figure, all_figures, measure
from bench.gate_rule import ALLOWED_RATIO, Reading, Verdict, judge

BASELINE = Path(__file__).parent / "baseline.json"
# A baseline taken at a bad moment would let regressions pass, or fail what is sound.
RENEWALS = 3
RESULT = Path(__file__).parent / "results" / "gate.json"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.gate", description=__doc__)
    parser.add_argument(
        "--renew", nargs="*", metavar="FIGURE", help="make this run the baseline of this CPU, or these figures of it"
    )
    parser.add_argument("--baseline", type=Path, default=BASELINE)
    parser.add_argument("--output", type=Path, default=RESULT, help="where the result is kept, as JSON")
    arguments = parser.parse_args()
    about = machine.describe(n_threads=1)
    baselines = _read(arguments.baseline)
    known = baselines.get(about["cpu"], {})
    figures = {figure.limit.name: figure for figure in all_figures()}
    names = frozenset(figures)
    if unknown := set(arguments.renew or ()) - names:
        parser.error(f"there is no {', '.join(sorted(unknown))}")
    if renewing := arguments.renew is not None:
        figures = {name: figures[name] for name in arguments.renew or figures}
    limits = tuple(figure.limit for figure in figures.values())
    rounds = RENEWALS if renewing else 1
    expected = {} if renewing else known.get("figures", {})
    verdicts = judge(limits, lambda name: measure_often(figures[name], rounds), expected)
    for verdict in verdicts:
        print(line_of(verdict))
    _write(arguments.output, {"machine": about, "figures": [_as_json(verdict) for verdict in verdicts]})
    if renewing:
        ratios = {verdict.name: float(f"{verdict.reading.ratio:.4g}") for verdict in verdicts}
        # Of all that are still measured.
        kept = {name: ratio for name, ratio in known.get("figures", {}).items() if arguments.renew and name in names}
        _write(arguments.baseline, baselines | {about["cpu"]: {"machine": about, "figures": kept | ratios}})
        print(f"This run is the baseline of {about['cpu']} now{', for these figures' if arguments.renew else ''}.")
        return 0
    for remark in remarks(about, known, verdicts):
        print(remark)
    return 1 if any(verdict.failed for verdict in verdicts) else 0


def measure_often(figure: Figure, times: int) -> Reading:
    """The best of several measurements."""
    return reduce(Reading.best_of, [measure(figure) for _ in range(times)])


def line_of(verdict: Verdict) -> str:
    """One figure for people."""
    milliseconds = f"{1e3 * verdict.reading.seconds:9.3f} ms"
    if verdict.change is None:
        return f"     {milliseconds}  {'':>6}  {verdict.name}"
    return f"{'SLOW' if verdict.failed else 'ok':4} {milliseconds}  {verdict.change:+6.0%}  {verdict.name}"


def remarks(about: dict[str, Any], known: dict[str, Any], verdicts: tuple[Verdict, ...]) -> list[str]:
    """What a person must know to read the outcome."""
    if not known:
        return [
            f"!!! NOTHING TO COMPARE WITH: no baseline of {about['cpu']}.",
            "!!! The result is kept; python -m bench.gate --renew makes it this CPU's baseline.",
        ]
    found = []
    if (then := known["machine"]["versions"]) != (now := about["versions"]):
        found.append(f"The baseline was made with other versions: {then}, now {now}.")
    if gone := sorted(set(known["figures"]) - {verdict.name for verdict in verdicts}):
        found.append(f"In the baseline, but not measured: {', '.join(gone)}.")
    if new := [verdict.name for verdict in verdicts if verdict.expected is None]:
        found.append(f"Not in the baseline: {', '.join(new)}.")
    slow = [verdict.name for verdict in verdicts if verdict.failed]
    if slow:
        found.append(f"Slower than the baseline by more than {ALLOWED_RATIO - 1:.0%}: {', '.join(slow)}.")
        found.append("Where that is the price of something better: python -m bench.gate --renew, and say why.")
    return found or ["No figure is slower than its baseline."]


def _read(path: Path) -> dict[str, Any]:
    if not path.exists():
        return {}
    baselines: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return baselines


def _write(path: Path, content: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def _as_json(verdict: Verdict) -> dict[str, Any]:
    reading = verdict.reading
    return {
        "name": verdict.name,
        "seconds": reading.seconds,
        "yardstick_seconds": reading.yardstick,
        "ratio": reading.ratio,
        "expected_seconds": verdict.expected,
        "failed": verdict.failed,
    }


if __name__ == "__main__":
    sys.exit(main())
