"""What is known of rows at a look: right for weights, for offsets, and for any order of memory."""

import numpy as np
import pytest

from fastgmm.data.facts import Facts, extreme_rows, feature_variances, quantile_ranges
from fastgmm.rows import Rows


@pytest.mark.parametrize("offset", [0.0, 1e8])
def test_feature_variances_survive_an_offset(offset: float) -> None:
    values = np.random.RandomState(1).normal(size=(70_000, 2)) * [1.0, 3.0] + offset
    weights = np.random.RandomState(2).randint(0, 3, 70_000).astype(float)
    np.testing.assert_allclose(feature_variances(Rows(values)), values.var(axis=0), rtol=1e-7)
    repeated = np.repeat(values, weights.astype(int), axis=0)
    np.testing.assert_allclose(feature_variances(Rows(values, weights)), repeated.var(axis=0), rtol=1e-7)


@pytest.mark.parametrize("order", ["C", "F"])
def test_extreme_rows_are_those_of_the_smallest_and_largest_numbers_that_count(order: str) -> None:
    rng = np.random.default_rng(0)
    values = np.asarray(rng.normal(size=(70_000, 3)), order=order)
    weights = rng.integers(0, 2, len(values)).astype(float)
    expected = {*values.argmin(axis=0), *values.argmax(axis=0)}
    assert set(extreme_rows(Rows(values))) == expected
    counted = np.flatnonzero(weights)
    expected = {*counted[values[counted].argmin(axis=0)], *counted[values[counted].argmax(axis=0)]}
    assert set(extreme_rows(Rows(values, weights))) == expected


@pytest.mark.parametrize("order", ["C", "F"])
def test_quantiles_lie_among_the_numbers_in_order(order: str) -> None:
    values = np.asarray(np.random.default_rng(0).permuted(np.arange(303.0).reshape(3, 101), axis=1).T, order=order)
    before = values.copy()
    assert quantile_ranges(Rows(values), 0.25, 0.75).tolist() == [50.0, 50.0, 50.0]
    assert np.array_equal(values, before)


def test_a_whole_weight_is_a_row_repeated_for_quantiles() -> None:
    rng = np.random.default_rng(0)
    values, weights = rng.normal(size=(50, 2)), rng.integers(0, 4, 50)
    repeated = Rows(np.repeat(values, weights, axis=0))
    assert np.array_equal(
        quantile_ranges(Rows(values, weights.astype(float)), 0.1, 0.9), quantile_ranges(repeated, 0.1, 0.9)
    )


def test_facts_are_computed_once() -> None:
    facts = Facts(Rows(np.random.default_rng(0).normal(size=(50, 2))))
    assert facts.robust_variances is facts.robust_variances
