"""Draw the picture of ``missing-values.md``, from the code on that page: ``python docs/missing_values.py``."""

import contextlib
import io
import re
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Ellipse

FOLDER = Path(__file__).parent
PAGE, PICTURE = FOLDER / "missing-values.md", FOLDER / "missing-values.png"
COLORS = ("#0072b2", "#d55e00", "#009e73")
GREY, INK = "#8a9097", "#202124"


def names_of_the_page() -> dict[str, Any]:
    """What its blocks of Python define."""
    names: dict[str, Any] = {}
    with contextlib.redirect_stdout(io.StringIO()):
        for block in re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL):
            exec(block, names)
    return names


def weights_of(mixture: Any) -> str:
    """Those of the components from left to right."""
    return ", ".join(f"{weight:.2f}" for weight in mixture.weights_[np.argsort(mixture.means_[:, 0])])


def draw_ellipses(axes: Axes, mixture: Any, colors: tuple[str, ...], style: str) -> None:
    """One and two standard deviations of every component, from left to right in these colors."""
    for k, color in zip(np.argsort(mixture.means_[:, 0]), colors, strict=True):
        variances, vectors = np.linalg.eigh(mixture.covariances_[k])
        angle = np.degrees(np.arctan2(vectors[1, 1], vectors[0, 1]))
        for deviations in (1, 2):
            width, height = 2 * deviations * np.sqrt(variances[::-1])
            own = {"edgecolor": color, "linestyle": style, "linewidth": 1.6 if style == "-" else 1.0}
            axes.add_patch(Ellipse(mixture.means_[k], width, height, angle=angle, fill=False, **own))


def main() -> None:
    names = names_of_the_page()
    holes, fits = names["holes"], names["fits"]
    given = {
        "the truth": names["X"],
        "fastgmm, with holes": holes,
        "rows with holes dropped": names["complete"],
        "holes filled with means": names["filled"],
    }
    figure = Figure(figsize=(9.0, 7.0), layout="constrained")
    panels = figure.subplots(2, 2, sharex=True, sharey=True)
    for axes, (name, points) in zip(panels.flat, given.items(), strict=True):
        axes.plot(*points.T, ".", color=GREY, markersize=3.0, markeredgewidth=0)
        axes.set(title=f"{name}\nweights {weights_of(fits[name])}", xlim=(-4, 11), ylim=(-5, 7.5))
        axes.spines[["top", "right"]].set_visible(False)
        draw_ellipses(axes, fits[name], COLORS, "-")
        if name != "the truth":
            draw_ellipses(axes, fits["the truth"], (INK,) * 3, "--")
    marks = {"color": INK, "alpha": 0.25, "linestyle": "none", "markersize": 6}
    one_value = panels.flat[1]
    first, second = holes[np.isnan(holes[:, 1]), 0], holes[np.isnan(holes[:, 0]), 1]
    one_value.plot(first, np.full(len(first), -4.8), "|", **marks)
    one_value.plot(np.full(len(second), -3.8), second, "_", **marks)
    with mpl.rc_context({"savefig.dpi": 85}):
        figure.savefig(PICTURE, metadata={"Software": None})


if __name__ == "__main__":
    main()
