"""The scales in which starts measure distances."""

import numpy as np
import pytest

from fastgmm.fit.scales import deviations, deviations_within, robust_deviations
from fastgmm.rows import Rows


def within(rows):
    return deviations_within(rows, (np.arange(rows.shape[0]) % 3).astype(np.int64), 3)


SCALES = pytest.mark.parametrize("scale_of", [deviations, robust_deviations, within])


@pytest.fixture
def values(rng):
    return rng.normal(size=(300, 4)) * [1.0, 1e-3, 1e4, 7.0]


@SCALES
def test_a_scale_follows_the_units_of_features_to_the_bit(values, scale_of):
    units = np.array([2.0**-40, 1.0, 2.0**40, 2.0**3])
    assert np.array_equal(scale_of(Rows(values * units)), scale_of(Rows(values)) * units)


@SCALES
def test_a_constant_feature_keeps_its_unit(values, scale_of):
    values[:, 2] = 5.0
    assert scale_of(Rows(values))[2] == 1.0


@SCALES
def test_a_whole_weight_is_the_row_repeated(values, rng, scale_of):
    weights = rng.integers(1, 4, 300)
    if scale_of is within:
        weights[:] = 3  # others would give repeated rows other labels
    weighted = scale_of(Rows(values, weights.astype(float)))
    repeated = values if scale_of is within else np.repeat(values, weights, axis=0)
    np.testing.assert_allclose(weighted, scale_of(Rows(repeated)), rtol=1e-12)


def test_a_few_extreme_rows_do_not_set_the_robust_scale(values):
    before = robust_deviations(Rows(values))
    values[:5] = 1e9
    np.testing.assert_allclose(robust_deviations(Rows(values)), before, rtol=0.2)
    assert (deviations(Rows(values)) > 1e3 * before).all()


def test_where_most_rows_share_a_number_the_robust_scale_is_the_deviation(values):
    values[20:, 1] = 0.5
    rows = Rows(values)
    assert robust_deviations(rows)[1] == deviations(rows)[1]


def test_what_separates_clusters_is_no_part_of_the_scale_within_them(values):
    labels = np.repeat([0, 1, 2], 100)
    apart = values + 100 * values.std(axis=0) * labels[:, np.newaxis]
    np.testing.assert_allclose(
        deviations_within(Rows(apart), labels, 3), deviations_within(Rows(values), labels, 3), rtol=1e-4
    )


def test_a_feature_without_scatter_within_clusters_keeps_a_finite_scale(values):
    labels = np.repeat([0, 1, 2], 100)
    values[:, 0] = labels
    scale = deviations_within(Rows(values), labels, 3)
    assert 0 < scale[0] < 1e-3


def test_a_scale_that_float32_does_not_hold_is_none():
    X = np.array([[0, np.nan], [1, np.nan], [2, 3], [np.nan, 4], [5, 6]], np.float32)
    rows = Rows(X, np.array([1.0, 1.0, 1e-300, 1e-300, 1.0]), has_missing=True)
    assert deviations(rows)[1] == 1.0
