"""What stands in one pair of axes."""

from typing import Any

import numpy as np
import pytest

from fastgmm import GaussianMixture
from fastgmm.parameters import Parameters
from fastgmm.show.figures import new_figure
from fastgmm.show.panels import draw_classification, draw_components, draw_histogram, draw_regions, outline
from fastgmm.show.views import View, classified, view_of_features

pytest.importorskip("matplotlib")

COVARIANCES = {
    "full": np.array([[[2.0, 1.0], [1.0, 2.0]], [[1.0, 0.0], [0.0, 4.0]]]),
    "tied": np.array([[2.0, 1.0], [1.0, 2.0]]),
    "diag": np.array([[2.0, 2.0], [1.0, 4.0]]),
    "spherical": np.array([2.0, 1.0]),
}


def mixture(covariance_type: str = "full") -> GaussianMixture:
    means = [[0.0, 1.0], [10.0, 11.0]]
    return GaussianMixture.from_parameters([0.25, 0.75], means, COVARIANCES[covariance_type], covariance_type)


def view(X: Any = None, features: tuple[int, ...] = (0, 1), sample_weight: Any = None) -> View:
    rows = None if X is None else classified(mixture(), X, sample_weight, with_uncertainty=False)
    return view_of_features(mixture(), np.array(features), np.array(["a", "b"], np.object_), rows)


def axes() -> Any:
    return new_figure().add_subplot()


@pytest.mark.parametrize("covariance_type", COVARIANCES)
def test_an_outline_is_one_standard_deviation_from_the_mean(covariance_type: str) -> None:
    gm = mixture(covariance_type)
    parameters = Parameters(covariance_type, gm.weights_, gm.means_, gm.covariances_)
    for component in range(2):
        points = gm.means_[component] + outline(parameters, component).T
        assert gm.mahalanobis(points)[:, component] == pytest.approx(1.0)


def test_a_component_has_two_outlines_and_a_label() -> None:
    shown = axes()
    draw_components(shown, view().parameters, with_numbers=False)
    first, second, center = shown.lines[:3]
    mean = np.array([[0.0], [1.0]])
    assert np.array(second.get_data()) - mean == pytest.approx(2.0 * (np.array(first.get_data()) - mean))
    assert np.ravel(center.get_data()).tolist() == [0.0, 1.0]
    assert [line.get_label() for line in shown.lines if "(" in line.get_label()] == ["0 (0.25)", "1 (0.75)"]


def test_means_have_numbers_where_no_legend_names_them() -> None:
    shown = axes()
    draw_components(shown, view().parameters, with_numbers=True)
    assert [text.get_text() for text in shown.texts] == ["0", "1"]


def test_few_rows_are_markers_whose_area_is_their_weight() -> None:
    shown = axes()
    draw_classification(shown, view([[0.0, 0.0], [1.0, 1.0], [9.0, 9.0]], sample_weight=[1, 0, 3]), False)
    (markers,) = shown.collections
    assert markers.get_offsets().tolist() == [[0.0, 0.0], [9.0, 9.0]]
    small, large = markers.get_sizes()
    assert large == pytest.approx(3.0 * small)


def test_many_rows_are_an_image_of_as_many_bins_whatever_their_number() -> None:
    X = np.tile([[0.0, 0.0], [10.0, 10.0]], (30_000, 1))
    shown = axes()
    draw_classification(shown, view(X), False)
    (image,) = shown.images
    colors = np.asarray(image.get_array())
    assert not shown.collections
    assert np.count_nonzero(colors[..., 3]) == 2
    assert (colors[0, 0, :3] != colors[-1, -1, :3]).any()
    assert image.get_extent() == [0.0, 10.0, 0.0, 10.0]


@pytest.mark.parametrize("n_rows", [3, 6_000])
@pytest.mark.parametrize("draw", [draw_classification, draw_histogram])
def test_equal_rows_are_drawn(n_rows: int, draw: Any) -> None:
    shown, features = axes(), (0,) if draw is draw_histogram else (0, 1)
    draw(shown, view(np.full((n_rows, 2), 3.0), features), *([] if draw is draw_histogram else [False]))
    shown.figure.canvas.draw()


def test_no_row_at_all_is_drawn_where_all_lack_a_value() -> None:
    shown = axes()
    draw_classification(shown, view(np.array([[np.nan, 1.0], [2.0, np.nan]])), False)
    assert not shown.collections
    assert len(shown.lines) == 6


def test_curves_of_components_have_their_weights_for_areas_and_bars_have_one() -> None:
    shown = axes()
    draw_histogram(shown, view(mixture().sample(2_000)[0], (0,)))
    grid = shown.lines[0].get_xdata()
    areas = [float(np.trapezoid(line.get_ydata(), grid)) for line in shown.lines]
    assert areas == pytest.approx([0.25, 0.75, 1.0], abs=1e-3)
    area = 0.0
    for bars in shown.collections:
        x, y = bars.get_paths()[0].vertices.T
        area += 0.5 * abs(float(x @ np.roll(y, 1) - y @ np.roll(x, 1)))
    assert area == pytest.approx(1.0)


def test_weights_count_in_bars() -> None:
    shown = axes()
    draw_histogram(shown, view([[0.0, 1.0], [10.0, 11.0]], (0,), [1.0, 3.0]))
    left, right = (float(bars.get_paths()[0].vertices[:, 1].max()) for bars in shown.collections)
    assert right == pytest.approx(3.0 * left)


def test_decision_points_beyond_the_components_are_not_drawn() -> None:
    shown = axes()
    draw_histogram(shown, view(features=(0,)), [-900.0, 5.0])
    assert [text.get_text() for text in shown.texts] == ["5"]


def test_regions_hold_what_their_labels_say() -> None:
    shown = axes()
    draw_regions(shown, view())
    labels = [line.get_label() for line in shown.lines]
    assert labels == ["holds 25%", "holds 50%", "holds 75%", "holds 95%"]
    X = mixture().set_params(random_state=1).sample(100_000)[0]
    # Regions and their borders are drawn in turn.
    for share, region in zip((0.25, 0.5, 0.75, 0.95), shown.collections[::2], strict=True):
        inside = np.zeros(len(X), np.bool_)
        for path in region.get_paths():
            for polygon in path.to_polygons():
                inside |= type(path)(polygon).contains_points(X)
        assert inside.mean() == pytest.approx(share, abs=0.015)
