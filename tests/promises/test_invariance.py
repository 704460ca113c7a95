"""Fits do not depend on the units of the data, nor on where their origin lies."""

import numpy as np
import pytest

from fastgmm import GaussianMixture
from fastgmm.data.facts import Facts
from fastgmm.data.single_precision import with_room_for_squares
from fastgmm.rows import Rows
from tests.conftest import BACKENDS

OPTIONS = {"n_components": 4, "random_state": 0, "tol": 1e-6, "max_iter": 500}


def draw_rows():
    """Overlapping clusters in 4 features, in multiples of 2⁻²⁰, so that large shifts are exact."""
    rng = np.random.default_rng(3)
    centers = 2.0 * rng.normal(size=(4, 4))
    mixing = np.eye(4) + 0.3 * rng.normal(size=(4, 4))
    rows = centers[rng.integers(4, size=2000)] + rng.normal(size=(2000, 4)) @ mixing
    return np.round(rows * 2**20) / 2**20


ROWS = draw_rows()


def covariance_error(one, other, unit=1.0):
    return np.abs(one.covariances_ - other.covariances_ / unit**2).max()


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("power", [-40, -1, 40])
@pytest.mark.parametrize("regularization", ["absolute", "relative"])
def test_powers_of_two_as_units_change_nothing(family, backend, power, regularization):
    unit = 2.0**power
    reg_covar = {"absolute": (1e-6, 1e-6 * unit**2), "relative": ("relative", "relative")}[regularization]
    options = OPTIONS | {"covariance_type": family.name, "backend": backend}
    one, other = (
        GaussianMixture(**options, reg_covar=each).fit(rows)
        for each, rows in zip(reg_covar, (ROWS, ROWS * unit), strict=True)
    )
    assert one.n_iter_ == other.n_iter_
    assert np.array_equal(one.predict(ROWS), other.predict(ROWS * unit))
    assert covariance_error(one, other, unit) <= 1e-9


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("accelerate", [None, "squarem"])
def test_a_shift_of_many_standard_deviations_changes_nothing(family, backend, accelerate):
    """But the last place of means that far from zero, 1.5e-8."""
    shift = 2.0**27
    options = OPTIONS | {"covariance_type": family.name, "backend": backend, "accelerate": accelerate}
    one, other = (GaussianMixture(**options).fit(rows) for rows in (ROWS, ROWS + shift))
    assert one.n_iter_ == other.n_iter_
    assert np.array_equal(one.predict(ROWS), other.predict(ROWS + shift))
    assert covariance_error(one, other) <= 1e-10
    assert np.abs(one.means_ - (other.means_ - shift)).max() <= 1.5e-8
    assert one.lower_bound_ == pytest.approx(other.lower_bound_, rel=1e-12)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.filterwarnings("ignore::fastgmm.errors.DegenerateComponentWarning")
def test_single_points_have_the_variance_of_the_regularization_in_float32_too(backend):
    rows = np.array([[9999.0], [0.0]], np.float32)
    mixture = GaussianMixture(2, reg_covar=0.1, random_state=0, backend=backend).fit(rows)
    np.testing.assert_allclose(mixture.covariances_.ravel(), 0.1, rtol=1e-6)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("power", [-110, -60, 60, 110])
def test_single_precision_is_left_where_squares_would_leave_its_range(family, backend, power):
    rows, unit = ROWS.astype(np.float32), np.float32(2.0**power)
    options = OPTIONS | {"covariance_type": family.name, "backend": backend, "reg_covar": "relative"}
    double, single = (GaussianMixture(**options).fit(each) for each in (rows.astype(np.float64), rows * unit))
    assert single.n_iter_ == double.n_iter_
    assert covariance_error(double, single, 2.0**power) <= 1e-9
    assert np.array_equal(single.predict(rows * unit), double.predict(rows))
    proba, densities = single.predict_proba(rows * unit), single.score_samples(rows * unit)
    assert (proba.dtype, densities.dtype) == (np.float32, np.float32)
    np.testing.assert_allclose(proba, double.predict_proba(rows.astype(np.float64)), rtol=1e-6, atol=1e-37)
    # log p(x·unit) = log p(x) − d·log unit
    expected = double.score_samples(rows.astype(np.float64)) - 4 * power * np.log(2.0)
    np.testing.assert_allclose(densities, expected, rtol=1e-6)


@pytest.mark.filterwarnings("ignore::fastgmm.errors.DegenerateComponentWarning")
def test_one_absurd_number_among_many_rows_is_enough_to_leave_single_precision():
    rows = np.tile(ROWS.astype(np.float32), (21, 1))
    rows[1] = 2e30
    options = {"n_components": 2, "random_state": 0, "covariance_type": "diag", "reg_covar": 1e-4}
    mixture = GaussianMixture(**options, means_init=[[0.0] * 4, [2e30] * 4]).fit(rows)
    assert np.bincount(mixture.predict(rows)).tolist() == [41_999, 1]


def test_rows_of_weight_zero_do_not_leave_single_precision():
    rows, weights = ROWS.astype(np.float32), np.ones(len(ROWS))
    rows[::5], weights[::5] = 3e38, 0.0
    kept = Facts(Rows(rows, weights))
    assert with_room_for_squares(kept) is kept
    far = Facts(Rows(rows * np.float32(1e-30), weights))
    assert with_room_for_squares(far).rows.values.dtype == np.float64
