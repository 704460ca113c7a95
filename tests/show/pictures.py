"""Comparing pictures with references, without their words and coarsely, so that fonts and versions do not matter.

To draw the references anew: ``python -m tests.show.test_references``.
"""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

FOLDER = Path(__file__).parent / "references"
_LINES, _COLUMNS = 30, 40


def coarse(figure: Any) -> NDArray[np.uint8]:
    """The figure without words as an image (30, 40, 3) of mean colors, those of fields of equal size."""
    figure.set_layout_engine("none")  # which makes room for words
    for axes in figure.axes:
        axes.set_axis_off()
        axes.set_title("")
        for words in filter(None, [axes.get_legend(), *axes.texts]):
            words.remove()
    figure.canvas.draw()
    image = np.asarray(figure.canvas.buffer_rgba())[..., :3].astype(np.float64)
    lines = np.array_split(image, _LINES, axis=0)
    fields = [[field.mean(axis=(0, 1)) for field in np.array_split(line, _COLUMNS, axis=1)] for line in lines]
    return np.round(fields).astype(np.uint8)


def difference(picture: NDArray[np.uint8], name: str) -> float:
    """The root mean square of how far the colors (0 to 255) are from those of the reference."""
    reference = np.load(FOLDER / f"{name}.npy")
    return float(np.sqrt(np.mean((picture.astype(np.float64) - reference) ** 2)))


def save_reference(figure: Any, name: str) -> None:
    FOLDER.mkdir(exist_ok=True)
    np.save(FOLDER / f"{name}.npy", coarse(figure))
