"""Pictures of a mixture: points in the colors of their clusters, ellipses of one and two standard deviations."""

from pathlib import Path
from typing import Any

import numpy as np

from fastgmm.families.component import component_matrix
from fastgmm.machine.whole_file import AnyPath, whole_file
from fastgmm.parameters import Array, FloatArray, Parameters

_MOST_POINTS = 20_000
_MOST_NAMED_CLUSTERS = 12
_CURVE_POINTS = 512


def plot_clusters(
    points: Array,
    labels: Array,
    parameters: Parameters,
    target: Any,
    *,
    feature_names: tuple[str, str] | None = None,
    title: str | None = None,
) -> Any:
    """Draw points and the components of a mixture.

    Of the first two features where there are more; of a single one the histogram and the densities.

    Parameters
    ----------
    points : ndarray of shape (n_points, n_features)
        At most 20,000 of them, chosen at random, are drawn.
    labels : ndarray of shape (n_points,)
        The component of every point.
    parameters : Parameters
    target : path-like or matplotlib Axes
        A file, whose suffix says its format and which appears whole or not at all; or axes to draw into.
    feature_names : tuple of str, optional
    title : str, optional

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ImportError
        Where matplotlib is not installed.
    ValueError
        Where labels and points differ in number.
    """
    if len(points) != len(labels):
        raise ValueError(f"{len(labels)} labels for {len(points)} points")
    if hasattr(target, "scatter"):
        return _draw(target, points, labels, parameters, feature_names, title)
    figure = _new_figure()
    axes = _draw(figure.add_subplot(), points, labels, parameters, feature_names, title)
    _save(figure, target)
    return axes


def _new_figure() -> Any:
    # By the object interface, so that no window system is asked for and the caller's pyplot state stays alone.
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError("drawing needs matplotlib: pip install 'fastgmm[plot]'") from error
    figure = Figure(figsize=(8, 6), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def _save(figure: Any, path: AnyPath) -> None:
    picture_format = Path(path).suffix.removeprefix(".").lower() or "png"
    with whole_file(path) as file:
        figure.savefig(file, format=picture_format, dpi=150)


def _draw(
    axes: Any,
    points: Array,
    labels: Array,
    parameters: Parameters,
    feature_names: tuple[str, str] | None,
    title: str | None,
) -> Any:
    shown = _some_rows(len(points))
    points, labels = points[shown], labels[shown]
    names = feature_names or ("feature 0", "feature 1")
    axes.set_xlabel(names[0])
    if parameters.n_features == 1:
        _draw_histogram(axes, points[:, 0], labels, parameters)
        axes.set_ylabel("density")
    else:
        _draw_scatter(axes, points, labels, parameters)
        axes.set_ylabel(names[1])
    if title is not None:
        axes.set_title(title)
    if parameters.n_components <= _MOST_NAMED_CLUSTERS:
        axes.legend(loc="best", framealpha=0.9)
    return axes


def _some_rows(n_points: int) -> Any:
    if n_points <= _MOST_POINTS:
        return slice(None)
    return np.sort(np.random.default_rng(0).choice(n_points, _MOST_POINTS, replace=False))


def _colors(n_components: int) -> list[Any]:
    from matplotlib import colormaps

    if n_components <= 10:
        return [colormaps["tab10"](component) for component in range(n_components)]
    return [colormaps["turbo"]((component + 0.5) / n_components) for component in range(n_components)]


def _label(component: int, parameters: Parameters) -> str:
    return f"component {component}, weight {parameters.weights[component]:.3g}"


def _draw_scatter(axes: Any, points: Array, labels: Array, parameters: Parameters) -> None:
    from matplotlib.patches import Ellipse

    # The fewer the points, the larger and the more opaque.
    size, opacity = (4, 0.25) if len(points) > 2000 else (16, 0.6)
    for component, color in enumerate(_colors(parameters.n_components)):
        own = points[labels == component]
        axes.scatter(own[:, 0], own[:, 1], s=size, color=color, alpha=opacity, linewidths=0, rasterized=True)
        x, y = map(float, parameters.means[component, :2])
        width, height, angle = ellipse_of(component_matrix(parameters, component)[:2, :2])
        for deviations, line_width in ((1, 2.0), (2, 1.2)):
            outline = Ellipse((x, y), deviations * width, deviations * height, angle=angle, fill=False, zorder=3)
            outline.set_linewidth(line_width)
            outline.set_edgecolor(_darker(color))
            axes.add_patch(outline)
        axes.plot(x, y, "+", color=_darker(color), markersize=10, mew=2, label=_label(component, parameters))
    axes.autoscale_view()


def ellipse_of(matrix: FloatArray) -> tuple[float, float, float]:
    """Width, height and angle in degrees of the ellipse at one standard deviation of a covariance (2, 2)."""
    variances, axes = np.linalg.eigh(matrix)
    width, height = 2.0 * np.sqrt(np.maximum(variances, 0.0))
    return float(width), float(height), float(np.degrees(np.arctan2(axes[1, 0], axes[0, 0])))


def _darker(color: Any) -> tuple[float, float, float]:
    red, green, blue = (0.6 * channel for channel in color[:3])
    return red, green, blue


def _draw_histogram(axes: Any, points: Array, labels: Array, parameters: Parameters) -> None:
    n_components = parameters.n_components
    deviations = np.sqrt([component_matrix(parameters, component)[0, 0] for component in range(n_components)])
    means = parameters.means[:, 0]
    colors = _colors(n_components)
    edges = np.histogram_bin_edges(points, bins="auto" if len(points) <= 2000 else 100)
    clusters = [points[labels == component] for component in range(n_components)]
    axes.hist(clusters, edges, stacked=True, density=True, color=colors, alpha=0.3)
    grid = np.linspace((means - 4 * deviations).min(), (means + 4 * deviations).max(), _CURVE_POINTS)
    standardized = (grid - means[:, np.newaxis]) / deviations[:, np.newaxis]
    curves = np.exp(-0.5 * standardized**2) * (parameters.weights / deviations)[:, np.newaxis] / np.sqrt(2 * np.pi)
    for component, (curve, color) in enumerate(zip(curves, colors, strict=True)):
        axes.plot(grid, curve, color=_darker(color), label=_label(component, parameters))
    axes.plot(grid, curves.sum(axis=0), color="black", lw=1, ls="--", label="mixture")
