"""A criterion by the number of components: which models are drawn, and how."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from fastgmm import SelectionDisplay
from fastgmm.show.figures import new_figure

pytest.importorskip("matplotlib")

FIELDS = [
    ("covariance_type", "U9"),
    ("n_components", int),
    ("n_parameters", float),
    ("log_likelihood", float),
    ("bic", float),
    ("aic", float),
    ("icl", float),
    ("nec", float),
    ("status", "U10"),
]


def table() -> Any:
    def row(family: str, n_components: int, bic: float, status: str = "exact") -> tuple[object, ...]:
        return family, n_components, 5.0, -100.0, bic, bic - 10.0, bic + 10.0, 0.5, status

    # The best first, as a selection has them.
    return np.array(
        [
            row("full", 2, 100.0),
            row("tied", 3, 110.0),
            row("full", 3, 120.0, "estimated"),
            row("tied", 1, 150.0),
            row("full", 1, 150.0),
            row("tied", 2, np.nan, "degenerate"),
            row("full", 4, np.nan, "degenerate"),
        ],
        FIELDS,
    )


def drawn(**options: Any) -> Any:
    best = {"n_components": 2, "covariance_type": "full"}
    selection = SimpleNamespace(table_=table(), criterion="bic", best_params_=best)
    return SelectionDisplay.from_selection(selection, **options)


def lines_by_label(axes: Any) -> dict[str, Any]:
    return {line.get_label(): line for line in axes.lines}


def test_each_family_has_a_line_by_the_number_of_components_that_breaks_where_no_sound_fit_exists() -> None:
    lines = lines_by_label(drawn().axes_)
    assert lines["full"].get_xdata().tolist() == [1, 2, 3, 4]
    np.testing.assert_array_equal(lines["full"].get_ydata(), [150.0, 100.0, 120.0, np.nan])
    np.testing.assert_array_equal(lines["tied"].get_ydata(), [150.0, np.nan, 110.0])
    assert lines["full"].get_marker() != lines["tied"].get_marker()


def test_estimated_criteria_have_hollow_markers() -> None:
    hollow = [
        line for line in drawn().axes_.lines if str(line.get_markerfacecolor()) == "white" and len(line.get_xdata())
    ]
    assert [np.column_stack(line.get_data()).tolist() for line in hollow] == [[[3.0, 120.0]]]


def test_a_star_is_at_the_best_model() -> None:
    star = lines_by_label(drawn().axes_)["best"]
    assert (star.get_marker(), [*star.get_xdata(), *star.get_ydata()]) == ("*", [2, 100.0])


def test_title_axes_and_legend_say_what_is_drawn() -> None:
    axes = drawn().axes_
    assert axes.get_title() == "Best of 7 models by BIC: 2 full components"
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("number of components", "BIC (lower is better)")
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["full", "tied", "not finished", "best"]


def test_another_criterion_may_be_drawn() -> None:
    axes = drawn(criterion="aic").axes_
    assert axes.get_ylabel() == "AIC (lower is better)"
    assert axes.get_title() == "Best of 7 models by BIC: 2 full components"
    assert lines_by_label(axes)["best"].get_ydata()[0] == 90.0
    with pytest.raises(ValueError, match="no criterion 'cv', only 'n_parameters', "):
        drawn(criterion="cv")


def test_axes_that_are_given_are_drawn_into_and_pictures_are_shown() -> None:
    axes = new_figure().add_subplot()
    assert drawn(ax=axes).axes_ is axes
    assert drawn()._repr_png_().startswith(b"\x89PNG")


def test_what_a_function_of_the_user_says_stands_in_a_field_of_its_own() -> None:
    judged = np.array([("full", 1, 7.0, "exact")], [*FIELDS[:2], ("criterion", float), FIELDS[-1]])
    best = {"n_components": 1, "covariance_type": "full"}
    selection = SimpleNamespace(table_=judged, criterion=lambda candidate: 7.0, best_params_=best)
    assert SelectionDisplay.from_selection(selection).axes_.get_ylabel() == "a criterion of one's own"
