"""Pictures: what is drawn where, without asking for a window."""

import sys

import numpy as np
import pytest

from fastgmm.parameters import Parameters
from fastgmm.show.plots import ellipse_of, plot_clusters

pytest.importorskip("matplotlib")
from matplotlib.figure import Figure

COVARIANCES = {
    "full": np.array([[[2.0, 1.0], [1.0, 2.0]], [[1.0, 0.0], [0.0, 4.0]]]),
    "tied": np.array([[2.0, 1.0], [1.0, 2.0]]),
    "diag": np.array([[2.0, 2.0], [1.0, 4.0]]),
    "spherical": np.array([2.0, 1.0]),
}


def mixture(covariance_type="full", n_features=2):
    covariances = COVARIANCES[covariance_type]
    means = np.array([[0.0, 1.0], [10.0, 11.0]])
    if n_features == 1:
        means, covariances = means[:, :1], covariances[:, :1, :1]
    return Parameters(covariance_type, np.array([0.25, 0.75]), means, covariances)


def points_of(parameters, n_points=500):
    rng = np.random.default_rng(0)
    labels = rng.integers(parameters.n_components, size=n_points)
    return parameters.means[labels] + rng.normal(size=(n_points, parameters.n_features)), labels


def draw(parameters, n_points=500, **options):
    points, labels = points_of(parameters, n_points)
    return plot_clusters(points, labels, parameters, Figure().add_subplot(), **options)


@pytest.mark.parametrize("covariance_type", list(COVARIANCES))
def test_two_ellipses_a_component(covariance_type):
    axes = draw(mixture(covariance_type))
    assert [tuple(ellipse.center) for ellipse in axes.patches] == [(0.0, 1.0)] * 2 + [(10.0, 11.0)] * 2
    first, second = axes.patches[:2]
    assert second.width == 2 * first.width
    assert second.height == 2 * first.height


def test_ellipse_of_a_covariance():
    width, height, angle = ellipse_of(np.array([[2.0, 1.0], [1.0, 2.0]]))
    assert (width, height) == pytest.approx((2.0, 2.0 * np.sqrt(3.0)))
    assert angle % 180 == pytest.approx(135.0)
    assert ellipse_of(np.diag([4.0, 1.0]))[:2] == pytest.approx((2.0, 4.0))


def test_at_most_twenty_thousand_points_are_drawn():
    axes = draw(mixture(), n_points=50_000)
    assert sum(len(collection.get_offsets()) for collection in axes.collections) == 20_000


def test_names_title_and_legend():
    axes = draw(mixture(), feature_names=("eruptions", "waiting"), title="geyser")
    assert (axes.get_xlabel(), axes.get_ylabel(), axes.get_title()) == ("eruptions", "waiting", "geyser")
    assert [text.get_text() for text in axes.get_legend().get_texts()] == [
        "component 0, weight 0.25",
        "component 1, weight 0.75",
    ]


def test_one_feature_is_a_histogram_with_densities():
    axes = draw(mixture(n_features=1))
    curves = [line.get_ydata() for line in axes.lines]
    grid = axes.lines[0].get_xdata()
    assert len(curves) == 3
    for curve, area in zip(curves, (0.25, 0.75, 1.0), strict=True):
        assert curve.sum() * (grid[1] - grid[0]) == pytest.approx(area, abs=1e-3)
    assert sum(bar.get_width() * bar.get_height() for bar in axes.patches) == pytest.approx(1.0)


def test_a_component_without_points_is_drawn():
    parameters = mixture()
    axes = plot_clusters(np.zeros((3, 2)), np.zeros(3, int), parameters, Figure().add_subplot())
    assert len(axes.patches) == 4


def test_more_than_two_features_and_many_components():
    rng = np.random.default_rng(0)
    parameters = Parameters("diag", np.full(30, 1 / 30), rng.normal(size=(30, 5)), np.ones((30, 5)))
    axes = draw(parameters)
    assert len(axes.patches) == 60
    assert axes.get_legend() is None


@pytest.mark.parametrize(("name", "beginning"), [("a.png", b"\x89PNG"), ("a.svg", b"<?xml"), ("a.pdf", b"%PDF")])
def test_file(tmp_path, name, beginning):
    parameters = mixture()
    plot_clusters(*points_of(parameters), parameters, tmp_path / name)
    assert (tmp_path / name).read_bytes().startswith(beginning)
    assert "matplotlib.pyplot" not in sys.modules or sys.modules["matplotlib.pyplot"].get_fignums() == []


def test_failed_picture_leaves_no_file(tmp_path):
    parameters = mixture()
    with pytest.raises(ValueError, match="supported"):
        plot_clusters(*points_of(parameters), parameters, tmp_path / "a.unknown")
    assert list(tmp_path.iterdir()) == []


def test_mistakes_are_told(tmp_path, monkeypatch):
    parameters = mixture()
    points, labels = points_of(parameters)
    with pytest.raises(ValueError, match="1 labels for 500 points"):
        plot_clusters(points, labels[:1], parameters, tmp_path / "a.png")
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ImportError, match=r"pip install 'fastgmm\[plot\]'"):
        plot_clusters(points, labels, parameters, tmp_path / "a.png")
