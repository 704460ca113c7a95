"""Information criteria, and what a row is under weights."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastgmm import GaussianMixture
from fastgmm.families import FOUR, CovarianceFamily
from fastgmm.model import criteria
from fastgmm.parameters import FloatArray
from tests.problems import draw_parameters

X = np.random.default_rng(5).normal(size=(60, 3))
WEIGHTS = np.random.default_rng(6).integers(0, 4, 60)


def mixture(covariance_type: str = "full", seed: int = 0) -> GaussianMixture:
    parameters = draw_parameters(np.random.default_rng(seed), covariance_type, 3, 2)
    return GaussianMixture.from_parameters(
        parameters.weights, parameters.means, parameters.covariances, covariance_type
    )


def both(model: GaussianMixture, rows: FloatArray, sample_weight: object = None) -> tuple[float, float]:
    return model.bic(rows, sample_weight=sample_weight), model.aic(rows, sample_weight=sample_weight)


@pytest.mark.parametrize(("covariance_type", "free"), [("full", 19), ("tied", 13), ("diag", 13), ("spherical", 9)])
def test_criteria_are_the_deviance_and_a_price_of_every_free_parameter(covariance_type: str, free: int) -> None:
    model = mixture(covariance_type)
    deviance = -2 * model.score_samples(X).sum()
    assert both(model, X) == pytest.approx((deviance + math.log(60) * free, deviance + 2 * free), rel=1e-13)


@settings(max_examples=25, deadline=None, derandomize=True)
@given(seed=st.integers(0, 2**32), largest=st.integers(1, 1000))
def test_a_whole_weight_is_the_row_repeated(family: CovarianceFamily, seed: int, largest: int) -> None:
    rng = np.random.default_rng(seed)
    rows, weights = rng.normal(size=(50, 3)), rng.integers(0, largest + 1, 50)
    weights[0] = largest
    model = mixture(family.name, seed)
    repeated = both(model, np.repeat(rows, weights, axis=0))
    assert both(model, rows, weights) == pytest.approx(repeated, rel=1e-11)
    assert both(model, rows[weights > 0], weights[weights > 0]) == pytest.approx(repeated, rel=1e-11)


@pytest.mark.parametrize("covariance_type", FOUR)
def test_a_weight_of_one_changes_nothing_and_a_number_weighs_all_rows(covariance_type: str) -> None:
    model = mixture(covariance_type)
    assert both(model, X, np.ones(60)) == pytest.approx(both(model, X), rel=1e-14)
    assert both(model, X, 3) == pytest.approx(both(model, np.tile(X, (3, 1))), rel=1e-14)


@pytest.mark.parametrize("scale", [2.0**-600, 2.0**-80, 1e-3, 0.5, 2.0**80, 2.0**600])
def test_rows_are_counted_by_the_weights_that_were_given(scale: float) -> None:
    """Also where the mean is computed with others, since their squares would leave the range of numbers."""
    model, n = mixture(), scale * WEIGHTS.sum()
    deviance = -2 * n * model.score(X, sample_weight=WEIGHTS)
    found = both(model, X, scale * WEIGHTS)
    assert found == pytest.approx((deviance + math.log(n) * 19, deviance + 2 * 19), rel=1e-13)
    assert model.score(X, sample_weight=scale * WEIGHTS) == pytest.approx(model.score(X, sample_weight=WEIGHTS))


def test_rows_that_cannot_be_counted_have_no_criterion_but_a_score() -> None:
    weights = np.full(60, 1e308)
    for criterion in (mixture().bic, mixture().aic):
        with pytest.raises(ValueError, match=r"values of sample_weight.* add up to infinity"):
            criterion(X, sample_weight=weights)
    assert mixture().score(X, sample_weight=weights) == pytest.approx(mixture().score(X))


def test_a_row_of_weight_zero_is_the_row_removed_whatever_it_is() -> None:
    far = np.concatenate([X, np.full((1, 3), 1e200)])
    assert both(mixture(), far, np.r_[np.ones(60), 0.0]) == both(mixture(), X, np.ones(60))


def test_the_number_of_components_is_chosen_alike_from_weights_and_from_repeated_rows() -> None:
    rng = np.random.default_rng(0)
    rows = np.concatenate([rng.normal(size=(80, 2)), rng.normal(size=(80, 2)) + 7])
    weights = rng.integers(1, 5, 160)
    repeated = np.repeat(rows, weights, axis=0)
    options = {"means_init": rows[[0, 159]], "tol": 1e-8, "max_iter": 1000}
    weighted = GaussianMixture(2, **options).fit(rows, sample_weight=weights)
    plain = GaussianMixture(2, **options).fit(repeated)
    assert both(weighted, rows, weights) == pytest.approx(both(plain, repeated), rel=1e-9)


@pytest.mark.parametrize("weights", [None, np.ones(5)])
def test_rows_are_counted_in_pieces(weights: FloatArray | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fastgmm.machine.pieces._PIECE_BYTES", 16)
    assert criteria.number_of_rows(5, weights) == 5
