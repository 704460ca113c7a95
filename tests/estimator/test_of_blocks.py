"""Scores and moments of rows in blocks, whose weights may be in any unit."""

from typing import Any

import numpy as np
import pytest

from fastgmm import GaussianMixture, blocks_of

RNG = np.random.RandomState(0)
ROWS = RNG.standard_normal((300, 2)) + 5 * RNG.randint(2, size=(300, 1))
WEIGHTS = RNG.randint(1, 6, 300).astype(float)
MODEL = GaussianMixture(2, random_state=0).fit(ROWS)


def weighted(weights: np.ndarray, rows: np.ndarray = ROWS) -> Any:
    return blocks_of([np.column_stack([rows, weights])], weight=2, block_rows=64)


# The largest weight of every block is its own, and the last but one is of blocks that share no unit.
UNITS = [
    np.full(300, 2.0**1000),
    np.full(300, 2.0**-1070),
    np.full(300, 2.0**-300),
    np.repeat([2.0**-1000, 0.0, 2.0**-40], 100),
    np.repeat([2.0**-1060, 0.0, 2.0**-1040], 100),
    np.repeat([1.0, 2.0**-1000, 2.0**900], 100),
]


@pytest.mark.parametrize("unit", UNITS)
def test_scores_do_not_depend_on_the_unit_of_weights(unit: np.ndarray) -> None:
    weights = WEIGHTS * unit
    np.testing.assert_allclose(MODEL.score(weighted(weights)), MODEL.score(ROWS, sample_weight=weights), rtol=1e-12)


@pytest.mark.parametrize("unit", [UNITS[0], UNITS[2]])
def test_criteria_are_those_of_memory_in_any_unit(unit: np.ndarray) -> None:
    weights = 2.0**-8 * WEIGHTS * unit
    for criterion in ("bic", "aic"):
        found = getattr(MODEL, criterion)(weighted(weights))
        np.testing.assert_allclose(found, getattr(MODEL, criterion)(ROWS, sample_weight=weights), rtol=1e-12)


def test_weights_at_either_end_of_float64_have_a_score() -> None:
    for weight in (1.7e308, 1e-322):
        np.testing.assert_allclose(MODEL.score(weighted(np.full(300, weight))), MODEL.score(ROWS), rtol=1e-12)


@pytest.mark.parametrize("unit", UNITS)
def test_moments_are_those_of_memory_in_any_unit(unit: np.ndarray) -> None:
    weights = 2.0**-8 * WEIGHTS * unit if unit.max() > 1 else WEIGHTS * unit
    found, expected = MODEL.moments(weighted(weights)), MODEL.moments(ROWS, sample_weight=weights)
    for name in ("counts", "first", "second", "total_weight", "log_likelihood"):
        one, other = getattr(found, name), getattr(expected, name)
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=max(1e-12 * np.abs(other).max(), 5e-324), err_msg=name)


def test_moments_of_weights_that_are_near_the_end_of_float64_are_finite() -> None:
    one = np.zeros(300)
    one[200] = 1.7e308
    found = MODEL.moments(blocks_of([np.column_stack([1e-3 * ROWS, one])], weight=2, block_rows=64))
    assert found.total_weight == 1.7e308


def test_no_weight_is_refused_by_all_that_adds_up() -> None:
    blocks = weighted(np.zeros(300))
    for method in (MODEL.score, MODEL.bic, MODEL.aic, MODEL.moments, GaussianMixture().fit):
        with pytest.raises(ValueError, match="the list: all weights are zero: there is nothing to fit"):
            method(blocks)


def test_no_value_of_a_row_that_weighs_something_is_refused_as_in_memory() -> None:
    rows, weights = ROWS.copy(), np.zeros(300)
    rows[7], weights[7] = np.nan, 1.0
    for data in (lambda: MODEL.score(weighted(weights, rows)), lambda: MODEL.score(rows, sample_weight=weights)):
        with pytest.raises(ValueError, match="All rows of X of positive sample_weight are without any observed value"):
            data()
