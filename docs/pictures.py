"""Draw the pictures of ``README.md`` and of some pages: ``python docs/pictures.py``, or with the names of some."""

import re
import sys
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from fastgmm import GaussianMixture, select
from fastgmm.data.datasets import OLD_FAITHFUL_COLUMNS, load_old_faithful
from fastgmm.data.table import Table

FOLDER = Path(__file__).parent
N_ROWS = 1_000_000
# fastgmm in blue, in C and in Numba; the others in the order of the table.
RIVALS = ("#1b6ca8", "#5fa8d3", "#e08e45", "#8c564b", "#7a9e3f")


def classification() -> Figure:
    """What the first block of ``pictures.md`` draws."""
    points = Table(load_old_faithful(), OLD_FAITHFUL_COLUMNS)
    return GaussianMixture(2, random_state=0).fit(points).plot(points).figure_


def many_rows() -> Figure:
    """A million rows around eight centers."""
    rng = np.random.default_rng(3)
    centers = 4.0 * rng.normal(size=(8, 2))
    rows = centers[rng.integers(8, size=N_ROWS)] + rng.normal(size=(N_ROWS, 2))
    return GaussianMixture(8, random_state=0).fit(rows).plot(rows).figure_


def choice() -> Figure:
    """What the README's lines on the number of components draw."""
    return select(load_old_faithful(), 9, random_state=0).plot().figure_


def speed() -> Figure:
    """The table of ``benchmarks.md``, of the full family in float64: milliseconds for one iteration."""
    rows = re.findall(r"^\| (.+) \|$", (FOLDER / "benchmarks.md").read_text(encoding="utf-8"), flags=re.MULTILINE)
    _, _, _, *names = rows[0].split(" | ")[:-2]  # but for gmmx, which has float32 alone
    problems = [cells for cells in (row.split(" | ") for row in rows) if cells[0] == "full"]
    figure = Figure(figsize=(9.0, 4.0), layout="constrained")
    axes = figure.subplots()
    positions = np.arange(len(problems))
    for number, (name, color) in enumerate(zip(names, RIVALS, strict=True)):
        times = [float(re.sub(r"[≈',]|\(.*", "", cells[3 + number])) for cells in problems]
        axes.bar(positions + 0.16 * (number - 2), times, 0.16, color=color, label=name)
    shapes = [shape.replace(" ×", "\n×") + f"\nK = {k}" for _, shape, k, *_ in problems]
    axes.set_xticks(positions, shapes)
    axes.set(yscale="log", ylabel="milliseconds for an iteration", title="Full covariances, float64, two threads")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(loc="upper left", ncols=5, fontsize=8, frameon=False)
    axes.set_ylim(top=30_000)
    return figure


PICTURES = {
    "pictures-classification": classification,
    "pictures-many-rows": many_rows,
    "choosing-old-faithful": choice,
    "benchmarks-full": speed,
}

if __name__ == "__main__":
    for name in sys.argv[1:] or PICTURES:
        PICTURES[name]().savefig(FOLDER / f"{name}.png", dpi=100, metadata={"Software": None})
