"""Draw the pictures of ``pictures.md``: ``python docs/pictures.py``."""

from pathlib import Path

import numpy as np

from fastgmm import GaussianMixture, MixtureDisplay
from fastgmm.data.datasets import OLD_FAITHFUL_COLUMNS, load_old_faithful
from fastgmm.data.table import Table

FOLDER = Path(__file__).parent
N_ROWS = 1_000_000


def classification() -> MixtureDisplay:
    """The one that the first block of the page draws."""
    points = Table(load_old_faithful(), OLD_FAITHFUL_COLUMNS)
    return GaussianMixture(2, random_state=0).fit(points).plot(points)


def many_rows() -> MixtureDisplay:
    """A million rows around eight centers."""
    rng = np.random.default_rng(3)
    centers = 4.0 * rng.normal(size=(8, 2))
    rows = centers[rng.integers(8, size=N_ROWS)] + rng.normal(size=(N_ROWS, 2))
    return GaussianMixture(8, random_state=0).fit(rows).plot(rows)


if __name__ == "__main__":
    for name, draw in (("classification", classification), ("many-rows", many_rows)):
        draw().figure_.savefig(FOLDER / f"pictures-{name}.png", dpi=100)
