"""Comparing pictures with references, so coarsely that fonts and versions of matplotlib do not matter.

To draw the references anew: ``python -m tests.show.test_references``.
"""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

FOLDER = Path(__file__).parent / "references"
_LINES, _COLUMNS = 30, 40


def coarse(figure: Any) -> NDArray[np.uint8]:
    """The figure as an image (30, 40, 3) of mean colors, those of fields of equal size."""
    canvas = figure.canvas
    canvas.draw()
    image = np.asarray(canvas.buffer_rgba())[..., :3].astype(np.float64)
    lines = np.array_split(image, _LINES, axis=0)
    fields = [[field.mean(axis=(0, 1)) for field in np.array_split(line, _COLUMNS, axis=1)] for line in lines]
    return np.round(fields).astype(np.uint8)


def difference(figure: Any, name: str) -> float:
    """The root mean square of how far the colors (0 to 255) are from those of the reference."""
    reference = np.load(FOLDER / f"{name}.npy")
    return float(np.sqrt(np.mean((coarse(figure).astype(np.float64) - reference) ** 2)))


def save_reference(figure: Any, name: str) -> None:
    FOLDER.mkdir(exist_ok=True)
    np.save(FOLDER / f"{name}.npy", coarse(figure))
