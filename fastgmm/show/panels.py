"""What stands in one pair of axes: rows, outlines of components, regions, a histogram, the path of a fit.

A few rows are markers; many are an image, each of whose bins has the color of what falls into it, so that a million
rows take as long as a thousand, and a rare component is seen beside a frequent one.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from fastgmm.data.table import Table
from fastgmm.families.component import component_matrix, component_variances
from fastgmm.parameters import Array, FloatArray, IntArray, Parameters
from fastgmm.show.figures import Axes, colors_of, darker
from fastgmm.show.views import Classified, View

_SHARES = (0.25, 0.5, 0.75, 0.95)
_COLORS_OF_SHARES = ("#08306b", "#2171b5", "#6baed6", "#9ecae1")
_GRAY = 0.35
_MOST_MARKERS = 5_000
_BINS_OF_IMAGE = (160, 120)
_MOST_BARS = 100
_CURVE_POINTS = 512
_OUTLINE_POINTS = 100
_GRID_POINTS = 200
_DRAWN_FOR_SHARES = 20_000
_DEVIATIONS_SHOWN = 3.5
_MOST_DOTS = 40


# --- rows ------------------------------------------------------------------------------------------------------------


def draw_classification(axes: Axes, view: View, with_numbers: bool) -> None:
    """Rows in the colors of their components, and these."""
    if view.rows is not None and len(view.rows.values):
        _draw_rows(axes, view.rows, _colors_of_rows(view.rows, view.parameters.n_components))
    draw_components(axes, view.parameters, with_numbers)


def draw_uncertainty(axes: Axes, view: View) -> None:
    """Rows that are the larger, or of many the darker, the less their component is certain."""
    rows = view.rows
    if rows is not None and rows.uncertainty is not None and len(rows.values):
        if len(rows.values) > _MOST_MARKERS:
            _draw_image_of_uncertainty(axes, rows, rows.uncertainty)
        else:
            _scatter(axes, rows, _areas(rows.uncertainty), _colors_of_rows(rows, view.parameters.n_components), 0.6)
            for told in (0.1, 0.3, 0.5):
                axes.scatter([], [], s=_areas(told), color="gray", label=f"{told}")
    draw_components(axes, view.parameters, with_numbers=True, with_labels=False)


def _areas(uncertainty: Any) -> Any:
    """Of markers: in proportion to 1 − max p, which is 1 − 1/K at most; those of 0 are seen as well."""
    return 2.0 + 80.0 * uncertainty


def _colors_of_rows(rows: Classified, n_components: int) -> FloatArray:
    """Those of the components, by label; that of noise, -1, comes last, and is gray."""
    colors = colors_of(n_components)
    return np.vstack([colors, np.full(colors.shape[1], 0.6)]) if (rows.labels < 0).any() else colors


def _draw_rows(axes: Axes, rows: Classified, colors: FloatArray) -> None:
    """In the colors of their components: the fewer, the larger."""
    if len(rows.values) > _MOST_MARKERS:
        _draw_image(axes, rows, colors)
        return
    size, opacity = (5.0, 0.4) if len(rows.values) > 1000 else (16.0, 0.6)
    sizes = size if rows.weights is None else size * rows.weights / rows.weights.mean()
    _scatter(axes, rows, sizes, colors, opacity)


def _scatter(axes: Axes, rows: Classified, sizes: float | FloatArray, colors: FloatArray, opacity: float) -> None:
    x, y = rows.values.T
    axes.scatter(x, y, s=sizes, c=colors[rows.labels], alpha=opacity, linewidths=0, rasterized=True)


def _binned(rows: Classified) -> tuple[IntArray, tuple[float, float, float, float], tuple[int, int]]:
    """The bin of every row, counted along x first; the borders of the image, and how many bins it has along y and x."""
    columns, lines = _BINS_OF_IMAGE
    places, borders = [], list[float]()
    for values, n_bins in zip(rows.values.T, (columns, lines), strict=True):
        low, high = float(values.min()), float(values.max())
        if low == high:
            low, high = low - 0.5, high + 0.5
        places.append(_places(values, low, high, n_bins))
        borders += [low, high]
    return places[1] * columns + places[0], (borders[0], borders[1], borders[2], borders[3]), (lines, columns)


def _places(values: Array, low: float, high: float, n_bins: int) -> IntArray:
    """In which of bins of equal width every value lies, the largest in the last one."""
    return np.minimum(((values - low) * (n_bins / (high - low))).astype(np.int64), n_bins - 1)


def _sums(bins: IntArray, of_rows: FloatArray | None, shape: tuple[int, int]) -> FloatArray:
    return np.bincount(bins, of_rows, minlength=shape[0] * shape[1]).astype(np.float64).reshape(shape)


def _draw_image(axes: Axes, rows: Classified, colors: FloatArray) -> None:
    """The mean color of the rows in each bin, as opaque as the logarithm of their number says."""
    bins, borders, shape = _binned(rows)
    counts = _sums(bins, rows.weights, shape)
    image = np.zeros((*shape, 4))
    for channel, of_components in enumerate(colors.T):
        of_rows = of_components[rows.labels]
        sums = _sums(bins, of_rows if rows.weights is None else of_rows * rows.weights, shape)
        image[..., channel] = np.divide(sums, counts, out=np.zeros(shape), where=counts > 0)
    least = counts[counts > 0].min()
    opacity = np.log1p(counts / least) / np.log1p(counts.max() / least)
    image[..., 3] = np.where(counts > 0, 0.15 + 0.75 * opacity, 0.0)
    axes.imshow(image.clip(0.0, 1.0), extent=borders, origin="lower", aspect="auto", interpolation="nearest")


def _draw_image_of_uncertainty(axes: Axes, rows: Classified, uncertainty: FloatArray) -> None:
    """The mean of 1 − max p of the rows in each bin; bins without any are empty."""
    bins, borders, shape = _binned(rows)
    counts = _sums(bins, rows.weights, shape)
    of_rows = uncertainty if rows.weights is None else uncertainty * rows.weights
    means = np.divide(_sums(bins, of_rows, shape), counts, out=np.full(shape, np.nan), where=counts > 0)
    shown = axes.imshow(
        means, extent=borders, origin="lower", aspect="auto", interpolation="nearest", cmap="viridis_r", vmin=0.0
    )
    axes.figure.colorbar(shown, ax=axes, label="uncertainty 1 − max p")


# --- components ------------------------------------------------------------------------------------------------------


def outline(parameters: Parameters, component: int) -> FloatArray:
    """Points (2, n) at one standard deviation of a component, less its mean: L(cos t, sin t) with LLᵀ = Σ."""
    variances, axes = np.linalg.eigh(component_matrix(parameters, component))
    turn = np.linspace(0.0, 2.0 * np.pi, _OUTLINE_POINTS)
    points: FloatArray = axes * np.sqrt(np.maximum(variances, 0.0)) @ np.array([np.cos(turn), np.sin(turn)])
    return points


def draw_components(axes: Axes, parameters: Parameters, with_numbers: bool, with_labels: bool = True) -> None:
    """Ellipses of one and two standard deviations about the means, which have numbers where no legend names them."""
    for component, color in enumerate(colors_of(parameters.n_components)):
        mean = parameters.means[component]
        around, line = outline(parameters, component), {"color": darker(color), "zorder": 3}
        axes.plot(
            *(mean[:, np.newaxis] + around),
            lw=2.0,
            label=label_of(component, parameters) if with_labels else None,
            **line,
        )
        axes.plot(*(mean[:, np.newaxis] + 2.0 * around), lw=1.0, **line)
        if with_numbers:
            background = {"facecolor": "white", "alpha": 0.7, "linewidth": 0, "pad": 1}
            axes.text(*mean, str(component), size="small", ha="center", va="center", bbox=background, zorder=4)
        else:
            axes.plot(*mean, "+", markersize=6, mew=1.5, **line)


def label_of(component: int, parameters: Parameters) -> str:
    """Its number and its weight, as the title of legends says."""
    return f"{component} ({parameters.weights[component]:.3g})"


# --- density ---------------------------------------------------------------------------------------------------------


def draw_regions(axes: Axes, view: View) -> None:
    """The smallest regions that hold 25, 50, 75 and 95 % of all rows of the mixture, and the rows in gray."""
    if view.rows is not None and len(view.rows.values):
        _draw_rows(axes, view.rows, np.full((view.parameters.n_components, 3), _GRAY))
    x, y = (np.linspace(*ends, _GRID_POINTS) for ends in _ends(view))
    grid = np.column_stack([each.ravel() for each in np.meshgrid(x, y)])
    log_density = view.mixture.score_samples(Table(grid, view.names_of_mixture)).reshape(len(y), len(x))
    borders = view.mixture.density_region(_SHARES, n_samples=_DRAWN_FOR_SHARES, random_state=0)
    for share, border, color in zip(_SHARES, borders, _COLORS_OF_SHARES, strict=True):
        axes.contourf(x, y, log_density, [border, np.inf], colors=[color], alpha=0.25, zorder=1.5)
        axes.contour(x, y, log_density, [border], colors=[color], linewidths=1.5, linestyles="solid", zorder=2)
        axes.plot([], [], color=color, lw=3.0, label=f"holds {share:.0%}")


def _ends(view: View) -> list[tuple[float, float]]:
    """Of each feature, from where to where the components reach."""
    parameters = view.parameters
    reach = _DEVIATIONS_SHOWN * np.sqrt(component_variances(parameters))
    low, high = (parameters.means - reach).min(axis=0), (parameters.means + reach).max(axis=0)
    return [(float(begin), float(end)) for begin, end in zip(low, high, strict=True)]


# --- one feature -----------------------------------------------------------------------------------------------------


def draw_histogram(axes: Axes, view: View, cuts: Sequence[float] | FloatArray = ()) -> None:
    """Rows in the colors of their components, the densities of these, their sum, and where one gives way to another."""
    parameters = view.parameters
    colors = colors_of(parameters.n_components)
    if view.rows is not None and len(view.rows.values):
        _draw_bars(axes, view.rows, _colors_of_rows(view.rows, parameters.n_components))
    grid = np.linspace(*_ends(view)[0], _CURVE_POINTS)
    curves = _densities(parameters, grid)
    for component, (curve, color) in enumerate(zip(curves, colors, strict=True)):
        axes.plot(grid, curve, color=darker(color), label=label_of(component, parameters))
    axes.plot(grid, curves.sum(axis=0), color="black", lw=1.0, ls="--", label="mixture")
    # Of components with unequal variances one lies where neither has any rows to speak of.
    for number, cut in enumerate(cut for cut in cuts if grid[0] < cut < grid[-1]):
        axes.axvline(cut, color="gray", lw=1.0, ls=":", label=None if number else "decision points")
        axes.annotate(f"{cut:.4g}", (cut, 1.0), xycoords=("data", "axes fraction"), size="small", rotation=90, va="top")


def _densities(parameters: Parameters, grid: FloatArray) -> FloatArray:
    """wₖ N(x; μₖ, σₖ²) of every component at every point (K, n)."""
    means, deviations = parameters.means, np.sqrt(component_variances(parameters))
    heights = parameters.weights[:, np.newaxis] / (deviations * np.sqrt(2.0 * np.pi))
    densities: FloatArray = heights * np.exp(-0.5 * ((grid - means) / deviations) ** 2)
    return densities


def _draw_bars(axes: Axes, rows: Classified, colors: FloatArray) -> None:
    """One upon the other, with an area of 1 in all."""
    values = rows.values[:, 0].astype(np.float64, copy=False)
    is_few = len(values) <= _MOST_MARKERS and values.min() < values.max()
    edges = np.histogram_bin_edges(values, "auto" if is_few else _MOST_BARS)
    if len(edges) > _MOST_BARS + 1:
        edges = np.histogram_bin_edges(values, _MOST_BARS)
    n_bars = len(edges) - 1
    bars = _places(values, edges[0], edges[-1], n_bars)
    counts = np.bincount(rows.labels % len(colors) * n_bars + bars, rows.weights, minlength=len(colors) * n_bars)
    heights = counts.reshape(len(colors), n_bars) / (counts.sum() * np.diff(edges))
    tops = heights.cumsum(axis=0)
    for color, top, height in zip(colors, tops, heights, strict=True):
        if height.any():
            bounds = (np.append(each, each[-1]) for each in (top - height, top))
            axes.fill_between(edges, *bounds, step="post", color=color, alpha=0.35, linewidth=0)


# --- the path of a fit -----------------------------------------------------------------------------------------------


def draw_path(axes: Axes, best: Sequence[float], others: Sequence[Sequence[float]]) -> None:
    """The lower bounds of the start that was kept, and those of the others."""
    for number, path in enumerate(others):
        label = None if number else "other starts"
        axes.plot(np.arange(1, len(path) + 1), path, color="silver", lw=1.0, label=label)
    marker = "." if len(best) <= _MOST_DOTS else ""
    axes.plot(np.arange(1, len(best) + 1), best, marker=marker, color="tab:blue", label="the start that was kept")
    axes.xaxis.get_major_locator().set_params(integer=True)
