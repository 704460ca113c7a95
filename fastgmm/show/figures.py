"""Figures: made without asking for a window, saved as a file or as bytes; their axes, legends and colors."""

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from fastgmm.machine.whole_file import AnyPath, whole_file
from fastgmm.parameters import FloatArray

# matplotlib has no types that a checker could follow.
Axes: TypeAlias = Any
Figure: TypeAlias = Any

# A picture of this many dots an inch is 600 wide; files have more of them.
_DOTS_ON_SCREEN = 100
_DOTS_IN_FILES = 150
_INCHES = (6.0, 4.5)
# matplotlib's ``tab10`` has so many colors that anyone tells apart.
_NAMED_COLORS = 10


def new_figure(inches: tuple[float, float] = _INCHES) -> Figure:
    """A figure that no window and no state of pyplot knows of.

    Raises
    ------
    ImportError
        Where matplotlib is not installed.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError("drawing needs matplotlib: pip install 'fastgmm[plot]'") from error
    figure = Figure(figsize=inches, dpi=_DOTS_ON_SCREEN, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def save_figure(figure: Figure, path: AnyPath) -> None:
    """A file whose suffix says its format, and which appears whole or not at all."""
    picture_format = Path(path).suffix.removeprefix(".").lower() or "png"
    with whole_file(path) as file:
        figure.savefig(file, format=picture_format, dpi=_DOTS_IN_FILES)


def png_of(figure: Figure) -> bytes:
    """The figure as it is shown on a screen."""
    file = BytesIO()
    figure.savefig(file, format="png", dpi=_DOTS_ON_SCREEN)
    return file.getvalue()


def colors_of(n_components: int) -> FloatArray:
    """A color (red, green, blue) for every component, no two of which are the same."""
    from matplotlib import colormaps

    if n_components <= _NAMED_COLORS:
        return np.array(colormaps["tab10"](np.arange(n_components))[:, :3], np.float64)
    # Neighbors in hue differ in how dark they are.
    hues = np.asarray(colormaps["turbo"]((np.arange(n_components) + 0.5) / n_components)[:, :3], np.float64)
    hues[1::2] *= 0.65
    return hues


def darker(color: FloatArray) -> FloatArray:
    """Of the same hue, so that lines are seen above markers."""
    return 0.6 * color


def add_legend(axes: Axes, title: str | None, is_alone: bool) -> None:
    """Beside the axes in a figure of ours, which makes room for it; in that of others where it hides least.

    There is none where nothing has a label.
    """
    if not axes.get_legend_handles_labels()[0]:
        return
    place = {"loc": "upper left", "bbox_to_anchor": (1.0, 1.0)} if is_alone else {"loc": "best"}
    axes.legend(title=title, fontsize="small", title_fontsize="small", framealpha=0.8, **place)


def axes_of_pairs(host: Axes, n_features: int, names: Sequence[str]) -> NDArray[np.object_]:
    """Axes (n, n) in the place of others, for features in pairs, with names at the margins; None above the diagonal.

    Raises
    ------
    ValueError
        Where the others have no place in a grid, in which to make a finer one.
    """
    place = host.get_subplotspec()
    if place is None:
        raise ValueError("ax has no place in a grid, in which pairs could stand: use one of figure.add_subplot().")
    host.set_axis_off()
    cells = place.subgridspec(n_features, n_features)
    grid = np.full((n_features, n_features), None, np.object_)
    for line in range(n_features):
        for column in range(line + 1):
            # Columns share x, and lines share y but for the diagonal, which shows densities there.
            same_y = grid[line, 0] if 0 < column < line else None
            axes = host.figure.add_subplot(cells[line, column], sharex=grid[column, column], sharey=same_y)
            grid[line, column] = axes
            is_last, is_first = line == n_features - 1, column == 0 < line
            axes.locator_params(nbins=4)
            axes.tick_params(labelbottom=is_last, labelleft=is_first, labelsize="small")
            axes.tick_params(left=column < line)
            axes.set_xlabel(names[column] if is_last else "", fontsize="small")
            axes.set_ylabel(names[line] if is_first else "", fontsize="small")
    return grid
