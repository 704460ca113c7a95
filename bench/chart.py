"""The results as a picture: everyone's seconds per iteration, and how near the machine's limit they come."""

from pathlib import Path
from typing import Any

from bench.suite import Results, Row
from bench.timing import Timing

COLORS = ("#1b6ca8", "#5fa8d3", "#e08e45", "#8c564b", "#7a9e3f", "#8e6bbf")


def draw(results: Results, path: Path) -> None:
    """Two panels, of the full family in float64 with overlapping components."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 4.8), layout="constrained")
    FigureCanvasAgg(figure)
    times, shares = figure.subplots(1, 2)
    rows = [row for row in results.rows if row.problem.name.endswith("float64") and row.problem.name.startswith("full")]
    for number, name in enumerate(results.rivals):
        color = COLORS[number % len(COLORS)]
        _bars(times, rows, name, number, len(results.rivals), color)
        _line(shares, rows, name, results, color)
    times.set_yscale("log")
    times.set_ylabel("seconds per EM iteration")
    labels = [f"{row.problem.n_rows:,}\n× {row.problem.n_features}\nK={row.problem.n_components}" for row in rows]
    times.set_xticks(range(len(rows)), labels, fontsize=8)
    figure.legend(*times.get_legend_handles_labels(), loc="outside lower center", ncols=len(results.rivals), fontsize=8)
    shares.set_xscale("log", base=2)
    features = sorted({row.problem.n_features for row in rows})
    shares.set_xticks(features, [str(each) for each in features])
    shares.set_ylim(bottom=0)
    shares.set_xlabel("features")
    shares.set_ylabel("useful operations, of dgemm's")
    figure.suptitle(f"full covariances, float64: {results.machine['cpu']}, {results.machine['threads']} threads")
    figure.savefig(path, dpi=120)


def _bars(axes: Any, rows: list[Row], name: str, number: int, of: int, color: str) -> None:
    width = 0.8 / of
    found = [(place, row.timings[name]) for place, row in enumerate(rows)]
    timed = [(place, timing.seconds) for place, timing in found if isinstance(timing, Timing)]
    if timed:
        places = [place + (number - (of - 1) / 2) * width for place, _ in timed]
        axes.bar(places, [seconds for _, seconds in timed], width, label=name, color=color)


def _line(axes: Any, rows: list[Row], name: str, results: Results, color: str) -> None:
    # One shape for each number of features: the one with most components has a line of its own in the table.
    by_features = {row.problem.n_features: row for row in reversed(rows)}
    points = [
        (n_features, share)
        for n_features, row in sorted(by_features.items())
        if (share := row.share_of_limit(name, results.yardstick)) is not None
    ]
    if points:
        axes.plot(*zip(*points, strict=True), "o-", color=color, label=name)
