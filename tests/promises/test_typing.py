"""What type checkers are told: mypy reads this file as well, and complains of an ignored error that is none."""

from typing import Any, assert_type

import numpy as np
import pytest
from numpy.typing import DTypeLike, NDArray

import fastgmm
from fastgmm import GaussianMixture, Moments, Step

ROWS = [[-1.0], [1.0], [8.0], [10.0]]


class Table:
    """What frames of pandas and Polars and tables of Arrow declare: that NumPy makes an array of them."""

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> NDArray[Any]:
        return np.array(ROWS, dtype)


def fitted() -> GaussianMixture:
    return GaussianMixture.from_parameters([0.5, 0.5], [[0.0], [9.0]], [1.0, 1.0], "spherical", reg_covar=0.0)


def test_rows_are_whatever_numpy_makes_an_array_of() -> None:
    gm = fitted()
    labels = gm.predict(ROWS)
    assert_type(labels, NDArray[np.int64])
    for others in (
        gm.predict(Table()),
        gm.predict(np.array(ROWS, np.float32)),
        gm.predict(tuple((int(x),) for [x] in ROWS)),
        gm.predict([np.array(row) for row in ROWS]),
    ):
        assert np.array_equal(others, labels)
    with pytest.raises(ValueError, match="Expected 2D array"):
        gm.predict(None)  # type: ignore[call-overload]


def test_what_is_computed_of_rows_has_their_dtype() -> None:
    gm = fitted()
    for dtype in (np.float32, np.float64):
        X = np.array(ROWS, dtype)
        for densities in (gm.predict_proba(X), gm.score_samples(X), gm.predict_joint_log_proba(X)):
            assert_type(densities, NDArray[np.floating[Any]])
            assert densities.dtype == dtype


def test_a_subclass_stays_one() -> None:
    class Mixture(GaussianMixture):
        pass

    gm = Mixture.from_parameters([1.0], [[0.0]], [[[1.0]]], reg_covar=0.0)
    following = gm.marginal(0), gm.transformed(2.0), gm.product(gm)[0], gm.merged([[0]]), gm.reduced(1)
    for other in (gm.fit(ROWS), gm.set_params(tol=0.1), gm.maximized(gm.moments(ROWS, sample_weight=2.0)), *following):
        assert_type(other, Mixture)
        assert type(other) is Mixture


def test_numbers_points_and_moments_have_types() -> None:
    gm = fitted()
    assert_type(gm.score(ROWS, sample_weight=[1, 2, 1, 2]), float)
    assert_type(gm.means_, NDArray[np.float64])
    assert_type(gm.sample(2), tuple[NDArray[np.float64], NDArray[np.int64]])
    moments = gm.moments(Table()) + gm.moments(ROWS).scaled(0.5).recentred(gm.means_)
    assert_type(moments, Moments)
    assert moments.n_rows == 8


def test_words_that_are_few_are_known() -> None:
    X = np.array(ROWS)
    for wrong in (
        GaussianMixture(backend="cuda"),  # type: ignore[arg-type]
        GaussianMixture(accelerate="newton"),  # type: ignore[arg-type]
        GaussianMixture(init_params="k-means"),  # type: ignore[arg-type]
        GaussianMixture(reg_covar="absolute"),  # type: ignore[arg-type]
        GaussianMixture(callbacks=[3]),  # type: ignore[list-item]
        GaussianMixture(covariance_type="banded"),  # which may have been added
    ):
        with pytest.raises(ValueError, match="must be"):
            wrong.fit(X)
    with pytest.raises(ValueError, match="backend must be"):
        fastgmm.warmup("diag", backend="cuda")  # type: ignore[arg-type]


def test_users_functions_have_types() -> None:
    def start(X: NDArray[np.float64], n_components: int, random_state: np.random.RandomState) -> NDArray[np.float64]:
        return X[:n_components]

    steps: list[Step] = []
    gm = GaussianMixture(init_params=start, callbacks=[steps.append], tol=0.1).fit(ROWS)
    assert len(steps) == gm.n_iter_
    assert_type(gm.history_, tuple[Step, ...])
