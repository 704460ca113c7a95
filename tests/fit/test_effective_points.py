"""Distinct rows that hold a component are counted, whatever their weights' unit and however often each is there."""

import numpy as np
import pytest

from fastgmm.data.facts import Facts
from fastgmm.families import FAMILIES
from fastgmm.fit.effective_points import effective_points, effective_values
from fastgmm.kernels import get_backend
from fastgmm.parameters import FloatArray, Model, Parameters
from fastgmm.rows import Rows
from fastgmm.sweeps.in_memory import make_sweep
from fastgmm.sweeps.incomplete import IncompleteSweep, suited_to_missing

# Two components so far apart that every row belongs to one.
NEAR = np.random.RandomState(0).normal(size=(30, 2))
PARAMETERS = Parameters("diag", np.array([0.5, 0.5]), np.array([[0.0, 0.0], [100.0, 100.0]]), np.ones((2, 2)))


def points(rows: FloatArray, weights: FloatArray | None = None, enough: float = np.inf) -> list[float]:
    sweep = make_sweep(Facts(Rows(rows, weights)), FAMILIES["diag"], get_backend("numpy"), 1)
    model = sweep.family.model_of(PARAMETERS, np.float64)
    return effective_points(sweep, model, [0, 1], np.full(2, enough)).tolist()


def test_distinct_rows_count_one_each() -> None:
    assert points(np.concatenate([NEAR, NEAR[:7] + 100.0])) == pytest.approx([30.0, 7.0])
    assert points(NEAR) == pytest.approx([30.0, 0.0])


def test_a_row_that_is_there_often_is_one_and_so_are_both_zeros() -> None:
    assert points(np.repeat(NEAR[:4], 25, axis=0)) == pytest.approx([4.0, 0.0])
    assert points(np.array([[0.0, 1.0], [-0.0, 1.0], [0.0, -1.0]])) == pytest.approx([9.0 / 5.0, 0.0])


def test_weights_are_rows_repeated_in_any_unit() -> None:
    weights = np.random.RandomState(1).randint(0, 5, 30).astype(np.float64)
    repeated = points(np.repeat(NEAR, weights.astype(int), axis=0))
    assert points(NEAR, weights) == pytest.approx(repeated)
    assert points(NEAR, 1e-200 * weights) == pytest.approx(repeated)
    assert repeated[0] == pytest.approx(weights.sum() ** 2 / (weights**2).sum())


def test_a_row_far_heavier_than_the_others_is_hardly_more_than_one() -> None:
    assert points(NEAR, np.where(np.arange(30) == 3, 1.0, 1e-6))[0] < 1.001


def test_rows_between_components_count_by_their_responsibilities() -> None:
    between = np.concatenate([NEAR[:5], np.full((1, 2), 50.0)])
    assert points(between)[0] == pytest.approx(5.5**2 / 5.25)


def test_no_more_are_counted_than_are_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    """In pieces of two rows."""
    monkeypatch.setattr("fastgmm.machine.pieces._PIECE_BYTES", 32)
    assert points(np.concatenate([NEAR, NEAR + 100.0]), enough=3.0) == pytest.approx([4.0, 4.0])
    assert points(np.concatenate([NEAR, NEAR + 100.0])) == pytest.approx([30.0, 30.0])


# --- where values are missing ----------------------------------------------------------------------------------------

HOLES = np.where(np.arange(60).reshape(30, 2) % [7, 5] == 0, np.nan, NEAR)


def with_missing(rows: FloatArray, weights: FloatArray | None, family: str) -> tuple[IncompleteSweep, Model]:
    facts = Facts(Rows(rows, weights, has_missing=True))
    sweep = suited_to_missing(facts, FAMILIES[family], get_backend("numpy"), 1)
    assert isinstance(sweep, IncompleteSweep)
    covariances = np.ones((2, 2)) if family == "diag" else np.array([np.eye(2), np.eye(2)])
    return sweep, FAMILIES[family].model_of(
        Parameters(family, PARAMETERS.weights, PARAMETERS.means, covariances), np.float64
    )


@pytest.mark.parametrize("weighted", [False, True])
def test_points_are_those_that_have_a_feature_or_both_of_two_that_are_correlated(weighted: bool) -> None:
    weights = np.random.RandomState(2).uniform(1.0, 2.0, 30) if weighted else None
    has = ~np.isnan(HOLES)
    w = np.ones(30) if weights is None else weights

    def number(which: FloatArray) -> float:
        return float(w[which].sum() ** 2 / (w[which] ** 2).sum())

    expected = {"full": number(has.all(axis=1)), "diag": min(number(has[:, 0]), number(has[:, 1]))}
    for family, number_of_family in expected.items():
        found = effective_points(*with_missing(HOLES, weights, family), [0], np.array([np.inf]))
        assert found == pytest.approx(number_of_family)
    values = effective_values(*with_missing(HOLES, weights, "full"), np.inf)
    assert values[0] == pytest.approx([number(has[:, 0]), number(has[:, 1])])
    assert values[1] == pytest.approx([0.0, 0.0])


def test_values_beyond_a_sample_are_counted_where_it_has_too_few() -> None:
    rows = np.tile(NEAR, (400, 1))
    rows[:, 1] = np.nan
    rows[[100, 5001, 11_000], 1] = 0.0
    sweep, model = with_missing(rows, None, "full")
    assert effective_values(sweep, model, 2.0)[0, 1] >= 2.0


@pytest.mark.parametrize("unit", [None, 1e-9, 1e9])
def test_many_values_with_a_tiny_share_alike_are_none(unit: float | None) -> None:
    """Here each has e⁻¹⁰ of the other component, whose own rows lack the feature."""
    rows = np.concatenate([np.full((5000, 2), 49.95), np.full((10, 2), 100.0)])
    rows[5000:, 1] = np.nan
    weights = None if unit is None else np.full(len(rows), unit)
    values = effective_values(*with_missing(rows, weights, "diag"), 2.0)
    assert values[1, 1] == pytest.approx(5000 * np.exp(-10.0), rel=1e-4)
    assert values[0, 1] >= 2.0
