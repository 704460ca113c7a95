"""Errors of rows: what is taken, what is refused, and what is said then."""

import numpy as np
import pytest

from fastgmm.data.errors_of_rows import with_errors
from fastgmm.rows import Rows

VALUES = np.arange(12.0).reshape(4, 3)
VARIANCES = np.linspace(0.1, 1.2, 12).reshape(4, 3)
MATRICES = VARIANCES[:, :, np.newaxis] * np.eye(3) + 0.01


def rows(values=VALUES):
    return Rows(values, has_missing=bool(np.isnan(values).any()))


@pytest.mark.parametrize("errors", [VARIANCES, MATRICES, VARIANCES.astype(np.float32)], ids=["d", "dd", "float32"])
def test_sound_errors_in_c_order_are_read_in_place(errors):
    found = with_errors(rows(), errors)
    assert found.errors is errors
    assert found.values is VALUES
    assert not found.has_missing


def test_lists_frames_and_other_orders_are_copied():
    pandas = pytest.importorskip("pandas")
    for errors in (VARIANCES.tolist(), np.asfortranarray(VARIANCES), pandas.DataFrame(VARIANCES)):
        found = with_errors(rows(), errors).errors
        assert found.flags.c_contiguous
        assert np.array_equal(found, VARIANCES)


def test_of_one_feature_there_may_be_one_axis():
    assert with_errors(Rows(VALUES[:, :1]), VARIANCES[:, 0]).errors.shape == (4, 1)


def test_an_infinite_variance_is_a_missing_value():
    errors = VARIANCES.copy()
    errors[1, 2] = np.inf
    found = with_errors(rows(), errors)
    assert found.has_missing
    assert np.array_equal(np.isnan(found.values), np.isinf(errors))
    assert found.errors[1, 2] == 0.0
    assert not np.isnan(VALUES).any()
    assert np.isinf(errors[1, 2])


def test_of_float32_a_large_variance_is_no_infinite_one():
    errors = VARIANCES.astype(np.float32)
    errors[0, 0], errors[1, 1] = 3e38, np.inf
    found = with_errors(rows(), errors)
    assert np.argwhere(np.isnan(found.values)).tolist() == [[1, 1]]


def test_an_infinite_variance_in_a_matrix_takes_its_covariances_along():
    errors = MATRICES.copy()
    errors[2, 1] = errors[2, :, 1] = np.inf
    found = with_errors(rows(), errors)
    assert np.isnan(found.values[2]).tolist() == [False, True, False]
    assert not found.errors[2, 1].any()
    assert not found.errors[2, :, 1].any()
    assert found.errors[2, 0, 2] == 0.01


@pytest.mark.parametrize("error", [np.nan, -1.0, 5.0, np.inf])
def test_the_error_of_a_missing_value_may_be_anything(error):
    values, errors = VALUES.copy(), VARIANCES.copy()
    values[0, 1], errors[0, 1] = np.nan, error
    assert with_errors(rows(values), errors).errors[0, 1] == 0.0


def test_0_is_no_error():
    assert not with_errors(rows(), np.zeros((4, 3))).errors.any()
    assert not with_errors(rows(), np.zeros((4, 3, 3))).errors.any()


@pytest.mark.parametrize("shape", [(4,), (4, 2), (3,), (3, 3), (4, 3, 2), (5, 3), (4, 3, 3, 1), ()], ids=str)
def test_other_shapes_are_refused(shape):
    with pytest.raises(
        ValueError, match=r"^errors must be variances of shape \(n_samples, n_features\) = \(4, 3\), or"
    ):
        with_errors(rows(), np.ones(shape))


@pytest.mark.parametrize("wrong", [-0.5, np.nan, -np.inf])
@pytest.mark.parametrize("errors", [VARIANCES, MATRICES], ids=["d", "dd"])
def test_the_first_wrong_variance_is_named(errors, wrong):
    errors = errors.copy()
    errors[2, 1, *([1] if errors.ndim == 3 else [])] = wrong
    with pytest.raises(ValueError, match=rf"row 2, feature 1 has {wrong}"):
        with_errors(rows(), errors)


def test_matrices_that_are_no_covariances_are_refused_by_their_row():
    asymmetric, indefinite, of_nothing = MATRICES.copy(), MATRICES.copy(), MATRICES.copy()
    asymmetric[3, 0, 1] = 0.5
    indefinite[1] = [[1.0, 0.9, -0.9], [0.9, 1.0, 0.9], [-0.9, 0.9, 1.0]]
    of_nothing[2, 0, 0] = 0.0
    with pytest.raises(ValueError, match="errors of row 3 are no covariance: asymmetric"):
        with_errors(rows(), asymmetric)
    with pytest.raises(ValueError, match=r"errors of row 1 are no covariance: .* eigenvalue of -0\.8"):
        with_errors(rows(), indefinite)
    with pytest.raises(ValueError, match="errors of row 2 are no covariance"):
        with_errors(rows(), of_nothing)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_singular_matrices_are_covariances(dtype):
    root = np.random.default_rng(0).normal(size=(200, 3, 1))
    errors = (root @ np.swapaxes(root, 1, 2)).astype(dtype)
    assert with_errors(Rows(np.zeros((200, 3))), errors).errors is errors


def test_words_are_no_errors():
    with pytest.raises((TypeError, ValueError), match="errors"):
        with_errors(rows(), np.full((4, 3), "small"))


def test_taken_rows_take_their_errors_along():
    found = with_errors(rows(), VARIANCES).take(np.array([3, 1]))
    assert np.array_equal(found.errors, VARIANCES[[3, 1]])
