"""Facts about rows that lack values are those of what is observed."""

import numpy as np
import pytest

from fastgmm.data.facts import Facts, quantile_ranges
from fastgmm.data.origin import counted_from_origin
from fastgmm.data.single_precision import with_room_for_squares
from fastgmm.rows import Rows

NAN = np.nan
VALUES = np.array([[NAN, 4.0], [1.0, NAN], [5.0, 8.0], [NAN, NAN], [3.0, 6.0]])


@pytest.mark.parametrize("weights", [None, np.array([1.0, 2.0, 0.5, 7.0, 0.0])], ids=["unweighted", "weighted"])
def test_a_summary_is_that_of_what_is_observed(weights):
    summary = Facts(Rows(VALUES, weights, has_missing=True)).summary
    weights = np.ones(5) if weights is None else weights
    for j in range(2):
        has = ~np.isnan(VALUES[:, j]) & (weights > 0)
        own, w = VALUES[has, j], weights[has]
        mean = np.average(own, weights=w)
        assert summary.means[j] == pytest.approx(mean)
        assert summary.variances[j] == pytest.approx(np.average((own - mean) ** 2, weights=w))
        assert (summary.lowest[j], summary.highest[j]) == (own.min(), own.max())


def test_rows_without_a_value_or_a_weight_are_not_counted():
    assert Rows(VALUES, has_missing=True).n_counted == 4
    assert Rows(VALUES, np.array([1.0, 0.0, 1.0, 1.0, 1.0]), has_missing=True).n_counted == 3


def test_ranges_and_the_rows_that_hold_them():
    facts = Facts(Rows(VALUES, has_missing=True))
    assert [ends.tolist() for ends in facts.ranges] == [[1.0, 4.0], [5.0, 8.0]]
    assert facts.extreme_rows.tolist() == [0, 1, 2]


def test_quantiles_are_those_of_what_is_observed():
    values = np.random.default_rng(0).normal(size=(101, 2))
    holes = np.concatenate([values, np.full((50, 2), NAN)])
    expected = quantile_ranges(Rows(values), 0.25, 0.75)
    assert np.array_equal(quantile_ranges(Rows(holes, has_missing=True), 0.25, 0.75), expected)


def test_a_feature_that_the_sample_lacks_is_looked_up_in_all_rows():
    values = np.random.default_rng(0).normal(size=(20_000, 2))
    values[:, 1] = NAN
    values[[1, 2], 1] = 5.0, 7.0
    facts = Facts(Rows(values, has_missing=True))
    assert np.isnan(facts.sample.values[:, 1]).all()
    assert facts.center[1] == 6.0
    assert facts.variances[1] == 1.0


def test_features_far_from_zero_are_counted_from_an_origin():
    facts = counted_from_origin(Facts(Rows(VALUES + np.array([2.0**20, 0.0]), has_missing=True)))
    assert facts.rows.origin is not None
    assert facts.rows.origin.tolist() == [2.0**20 + 3.0, 0.0]
    assert facts.center.tolist() == [0.0, 6.0]


def test_holes_are_no_reason_to_leave_single_precision_but_large_numbers_are():
    rows = Rows(VALUES.astype(np.float32), has_missing=True)
    assert with_room_for_squares(Facts(rows)).rows is rows
    large = Rows((VALUES * 1e30).astype(np.float32), has_missing=True)
    assert with_room_for_squares(Facts(large)).rows.values.dtype == np.float64
