"""The results as a table for people, and as JSON for programs."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench.fits import LIKELIHOOD_TOLERANCE, SEEDS, is_as_good
from bench.problems import DISTANCE
from bench.suite import Results, Row
from bench.timing import NOT_OFFERED, LeftOut, Timing

FEW = 3
OURS = "fastgmm C"


def write(results: Results, folder: Path) -> str:
    """Write ``results.json`` and ``results.md`` into the folder; returns the latter's text."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "results.json").write_text(json.dumps(as_json(results), indent=1) + "\n", encoding="utf-8")
    text = as_markdown(results)
    (folder / "results.md").write_text(text, encoding="utf-8")
    return text


def as_json(results: Results) -> dict[str, Any]:
    """Everything, with each time's share of the limit."""
    found = asdict(results)
    for row, plain in zip(results.rows, found["rows"], strict=True):
        plain["problem"]["name"] = row.problem.name
        for name, timing in plain["timings"].items():
            timing["share_of_limit"] = row.share_of_limit(name, results.yardstick)
    return found


def as_markdown(results: Results) -> str:
    """The machine, the table of sweeps, and a line for everything else."""
    notes: list[str] = []
    head = ["family", "rows × features", "K", *results.rivals, "C against the next best"]
    lines = [" | ".join(["", *head, ""]).strip(), "|" + "---|" * len(head)]
    lines += [_line(row, results, notes) for row in results.rows]
    explained = [f"{_mark(number)} {note}" for number, note in enumerate(notes)]
    parts = [_machine_line(results), "\n".join(lines), _legend(), "\n".join(explained), _whole_calls(results)]
    return "\n\n".join(part for part in [*parts, "\n".join(results.missing)] if part) + "\n"


def _line(row: Row, results: Results, notes: list[str]) -> str:
    problem = row.problem
    kind = [problem.covariance_type]
    kind += ["float32"] if problem.dtype == "float32" else []
    kind += [problem.separation] if problem.separation != "overlapping" else []
    cells = [", ".join(kind), f"{problem.n_rows:,} × {problem.n_features}", str(problem.n_components)]
    cells += [_cell(row, name, results, notes) for name in results.rivals]
    return "| " + " | ".join([*cells, _lead(row)]) + " |"


def _cell(row: Row, name: str, results: Results, notes: list[str]) -> str:
    """Milliseconds and the share of the limit; or the mark of a note that says why there is no time."""
    timing = row.timings[name]
    if timing == NOT_OFFERED:
        return "–"
    if isinstance(timing, LeftOut):
        note = f"{name}: {timing.reason}"
        if note not in notes:
            notes.append(note)
        return _mark(notes.index(note))
    share = row.share_of_limit(name, results.yardstick)
    part = "≈ " if timing.plan.n_rows < row.problem.n_rows else ""
    few = "'" if timing.plan.rounds < FEW else ""
    return f"{part}{milliseconds(timing.seconds)}{few} ({share:.1%})"


def _lead(row: Row) -> str:
    """How many times the time of our C kernels the fastest of the others needs."""
    ours = row.timings.get(OURS)
    others = {
        name: timing.seconds
        for name, timing in row.timings.items()
        if not name.startswith("fastgmm") and isinstance(timing, Timing)
    }
    if not isinstance(ours, Timing) or not others:
        return ""
    best = min(others, key=lambda name: others[name])
    return f"{others[best] / ours.seconds:.1f} × ({best})"


def milliseconds(seconds: float) -> str:
    return f"{1e3 * seconds:,.1f}" if seconds < 0.1 else f"{1e3 * seconds:,.0f}"


def _mark(number: int) -> str:
    return f"[{number + 1}]"


def _machine_line(results: Results) -> str:
    about, limits = results.machine, results.yardstick
    versions: Any = about["versions"]
    everyone = {name: number for name, number in results.rivals.items() if not name.startswith("fastgmm")} | versions
    return (
        f"{about['cpu']}, {about['threads']} threads, {about['system']}, Python {about['python']}, {about['date']}; "
        + ", ".join(f"{name} {number}" for name, number in everyone.items())
        + f". In the same run: dgemm {limits.dgemm / 1e9:.0f} and sgemm {limits.sgemm / 1e9:.0f} Gflop/s "
        f"({about['blas']}), numpy.exp {limits.exp_seconds * 1e9:.2f} ns, "
        f"memory read at {limits.read_bytes / 1e9:.0f} GB/s. {results.seconds:.0f} s in all, during which other "
        f"processes used {results.busy:.0%} of the CPUs."
    )


def _legend() -> str:
    return (
        "Milliseconds for one EM iteration of all rows, from the same start, without regularization, on as many "
        "threads; in parentheses the useful operations per second as a share of NumPy's dgemm (float32: sgemm). "
        "A time is shown where the mean log-likelihoods after as many iterations agree (relative, 1e-9 in float64 and "
        "1e-5 in float32; pomegranate, which mixes in single precision, 1e-6 and 1e-4). "
        f"Means are typically {DISTANCE['overlapping']:g} standard deviations apart, "
        f"{DISTANCE['separated']:g} where separated. ≈: timed on a part of the rows, since all would take too long, "
        f"and scaled in proportion, which overstates what an iteration costs whatever the rows. "
        f"': fewer than {FEW} rounds. "
        "–: the rival does not have this family in this precision."
    )


def _whole_calls(results: Results) -> str:
    lines = []
    if results.fits:
        ours, theirs = results.fits["fastgmm"], results.fits["scikit-learn"]
        lines.append(
            f"Whole default fit, 1,000,000 × 8, K = 16: {ours.seconds:.2f} s and {ours.iterations} iterations, "
            f"scikit-learn {theirs.seconds:.1f} s and {theirs.iterations}; mean log-likelihood of {SEEDS} such fits of "
            f"a tenth of the rows {ours.log_likelihood:.5f}, scikit-learn {theirs.log_likelihood:.5f}: "
            + (
                f"{theirs.seconds / ours.seconds:.0f} times as long."
                if is_as_good(ours, theirs)
                else f"NOT comparable, ours is lower by more than {LIKELIHOOD_TOLERANCE:g}."
            )
        )
    if results.predictions:
        mine, other = results.predictions["fastgmm"], results.predictions["scikit-learn"]
        lines.append(
            f"predict: {milliseconds(mine)} ms, scikit-learn {milliseconds(other)} ms, "
            f"{other / mine:.0f} times as long."
        )
    if results.peak_bytes is not None:
        shape = results.memory_problem
        lines.append(
            f"Peak memory of a fit above the data, {shape.n_rows:,} × {shape.n_features}, K = {shape.n_components}: "
            f"{results.peak_bytes / 2**20:.0f} MiB."
        )
    return "\n".join(f"- {line}" for line in lines)
