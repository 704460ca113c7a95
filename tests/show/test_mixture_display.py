"""Which picture is drawn of what, and its words."""

import sys
from typing import Any

import numpy as np
import pytest

from fastgmm import GaussianMixture, MixtureDisplay, blocks_of
from fastgmm.data.datasets import OLD_FAITHFUL_COLUMNS, load_old_faithful
from fastgmm.data.table import Table
from fastgmm.errors import NotFittedError

pytest.importorskip("matplotlib")


def mixture(n_features: int, n_components: int = 3) -> GaussianMixture:
    means = np.random.RandomState(0).normal(size=(n_components, n_features)) * 5.0
    weights = np.full(n_components, 1.0 / n_components)
    return GaussianMixture.from_parameters(weights, means, np.ones(n_components), "spherical", random_state=0)


def fitted_to_names() -> tuple[GaussianMixture, Table]:
    points = Table(load_old_faithful(), OLD_FAITHFUL_COLUMNS)
    return GaussianMixture(2, random_state=0, backend="numpy").fit(points), points


@pytest.mark.parametrize(
    ("n_features", "kind"),
    [(1, "histogram"), (2, "classification"), (3, "pairs"), (6, "pairs"), (7, "classification")],
)
def test_the_number_of_features_says_what_is_drawn(n_features: int, kind: str) -> None:
    gm = mixture(n_features)
    display = gm.plot(gm.sample(50)[0])
    assert display.kind == kind
    assert np.shape(display.axes_) == ((n_features, n_features) if kind == "pairs" else ())


@pytest.mark.parametrize(("features", "kind"), [(3, "histogram"), ([0, 4], "classification"), ([4, 0, 1], "pairs")])
def test_features_are_chosen_by_number(features: Any, kind: str) -> None:
    assert mixture(8).plot(features=features).kind == kind


def test_axes_have_the_names_of_features_and_titles_what_is_shown() -> None:
    gm, points = fitted_to_names()
    axes = gm.plot(points).axes_
    assert (axes.get_xlabel(), axes.get_ylabel(), axes.get_title()) == (
        "eruptions",
        "waiting",
        "2 full components, 272 rows",
    )
    assert axes.get_legend().get_title().get_text() == "component (weight)"
    axes = gm.plot(points, features="waiting").axes_
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("waiting", "density")


@pytest.mark.parametrize("kind", ["density", "uncertainty"])
def test_frames_and_what_is_asked_of_them_bring_no_warning(kind: Any) -> None:
    pandas = pytest.importorskip("pandas")
    gm, points = fitted_to_names()
    gm.plot(pandas.DataFrame(points.values, columns=list(OLD_FAITHFUL_COLUMNS)), kind=kind)


def test_pairs_have_names_at_the_margins_and_nothing_above_the_diagonal() -> None:
    display = mixture(3).plot()
    assert [axes.get_xlabel() for axes in display.axes_[2]] == ["feature 0", "feature 1", "feature 2"]
    assert [axes.get_ylabel() for axes in display.axes_[:, 0]] == ["", "feature 1", "feature 2"]
    assert display.axes_[0, 1] is None


@pytest.mark.parametrize("n_features", [2, 3, 6])
def test_no_panel_hides_the_title_of_pairs(n_features: int) -> None:
    gm = mixture(n_features)
    display = gm.plot(gm.sample(1_000)[0], kind="pairs")
    display.figure_.draw_without_rendering()
    host = display.figure_.axes[0]
    (title,) = [child for child in host.get_children() if getattr(child, "get_text", str)()]
    assert title.get_text() == "3 spherical components, 1,000 rows"
    panels = [axes for axes in display.axes_.flat if axes is not None]
    assert not any(title.get_window_extent().overlaps(axes.get_window_extent()) for axes in panels)


def test_the_title_counts_rows_that_are_not_shown() -> None:
    X = np.array([[0.0, 1.0], [np.nan, 2.0], [3.0, np.nan]])
    assert mixture(2).plot(X).axes_.get_title() == "3 spherical components, 3 rows\n(2 lack a value that is shown)"


def test_more_components_than_a_legend_names_have_numbers() -> None:
    few, many = mixture(2, 12).plot().axes_, mixture(2, 13).plot().axes_
    assert len(few.get_legend().get_texts()) == 12
    assert not few.texts
    assert many.get_legend() is None
    assert [text.get_text() for text in many.texts] == [str(component) for component in range(13)]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n_rows", [100, 6_000])
@pytest.mark.parametrize("kind", ["classification", "uncertainty", "density", "pairs", "histogram"])
def test_every_kind_takes_missing_values_weights_and_either_dtype(kind: Any, n_rows: int, dtype: Any) -> None:
    gm = mixture(4)
    X = gm.sample(n_rows)[0].astype(dtype)
    X[::7, 1] = np.nan
    features = {"histogram": 1, "pairs": None}.get(kind, [0, 1])
    weights = np.arange(n_rows) % 3
    display = gm.plot(X, kind=kind, features=features, sample_weight=weights)
    assert display._repr_png_().startswith(b"\x89PNG")


def test_axes_that_are_given_are_drawn_into() -> None:
    from matplotlib.figure import Figure

    first, second = Figure().subplots(1, 2)
    gm = mixture(3)
    assert gm.plot(features=[0, 1], ax=first).axes_ is first
    display = gm.plot(ax=second)
    assert display.figure_ is second.figure
    assert len(display.figure_.axes) == 2 + 6
    with pytest.raises(ValueError, match="no place in a grid"):
        gm.plot(ax=Figure().add_axes((0, 0, 1, 1)))


def test_pyplot_knows_nothing_of_it() -> None:
    mixture(2).plot()._repr_png_()
    assert "matplotlib.pyplot" not in sys.modules or sys.modules["matplotlib.pyplot"].get_fignums() == []


def test_it_is_drawn_again_as_it_was() -> None:
    gm = mixture(2)
    display = MixtureDisplay.from_estimator(gm, gm.sample(30)[0])
    before = display._repr_png_()
    assert display.plot()._repr_png_() == before


def test_the_path_shows_all_starts_and_says_how_the_fit_ended() -> None:
    X = load_old_faithful()
    gm = GaussianMixture(3, n_init=2, random_state=0, backend="numpy").fit(X)
    axes = gm.plot(kind="path").axes_
    assert axes.lines[-1].get_ydata().tolist() == gm.lower_bounds_
    assert len(axes.lines) == 2
    assert axes.get_title() == f"{gm.n_iter_} iterations, converged"
    assert axes.get_ylabel() == "log-likelihood per row"
    with pytest.raises(ValueError, match="needs a fit"):
        mixture(2).plot(kind="path")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kind": "scatter"}, "kind should be one of 'classification'"),
        ({"kind": "histogram"}, "shows one feature of 8: say which"),
        ({"kind": "density", "features": 0}, "shows two features; got 1"),
        ({"kind": "classification", "features": [0, 1, 2]}, "shows two features; got 3"),
        ({"kind": "pairs"}, "Pairs are of 2 to 6 features; got 8"),
        ({"features": list(range(7))}, "Pairs are of 2 to 6 features; got 7"),
        ({"kind": "uncertainty"}, "give X"),
        ({"features": "a"}, "without feature names"),
        ({"X": np.zeros((2, 3))}, "3 features"),
    ],
)
def test_mistakes_are_told(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        mixture(8).plot(**options)


def test_blocks_are_refused() -> None:
    with pytest.raises(TypeError, match="rows in memory, not blocks"):
        mixture(2).plot(blocks_of([np.zeros((3, 2))]))


def test_before_a_fit_there_is_no_picture() -> None:
    with pytest.raises(NotFittedError):
        GaussianMixture().plot()
