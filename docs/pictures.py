"""Draw the pictures of ``README.md``, ``pictures.md`` and ``choosing.md``: ``python docs/pictures.py``."""

from pathlib import Path

import numpy as np

from fastgmm import GaussianMixture, MixtureDisplay, SelectionDisplay, select
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


def choice() -> SelectionDisplay:
    """The one that the README's lines on the number of components draw."""
    return select(load_old_faithful(), 9, random_state=0).plot()


PICTURES = {
    "pictures-classification": classification,
    "pictures-many-rows": many_rows,
    "choosing-old-faithful": choice,
}

if __name__ == "__main__":
    for name, draw in PICTURES.items():
        draw().figure_.savefig(FOLDER / f"{name}.png", dpi=100, metadata={"Software": None})
