"""Rows without any value: of known components they count towards the weights, else towards nothing."""

import itertools
import math
from typing import Any

import numpy as np
import pytest

from fastgmm import GaussianMixture, Prior
from fastgmm.families import CovarianceFamily
from fastgmm.fit.maximize import maximize
from fastgmm.parameters import FloatArray, Parameters
from tests import naive
from tests.fit.test_incomplete_fits import with_holes
from tests.problems import assert_close

N_ROWS, N_EMPTY = 240, 60


@pytest.fixture
def values() -> FloatArray:
    """Overlapping rows of three classes, and rows without any value after them."""
    rng = np.random.default_rng(0)
    values = rng.normal(size=(N_ROWS, 3)) + 3.0 * rng.integers(3, size=(N_ROWS, 1))
    values = np.where(np.arange(3) == 0, values, with_holes(values, 0.3, rng))
    return np.concatenate([values, np.full((N_EMPTY, 3), np.nan)])


def fitted(values: FloatArray, **options: Any) -> GaussianMixture:
    labels, weights = options.pop("labels", None), options.pop("sample_weight", None)
    options = {"random_state": 0, "reg_covar": 0.0, "tol": 1e-10, "max_iter": 2000} | options
    return GaussianMixture(3, **options).fit(values, sample_weight=weights, labels=labels)


def same_bits(one: GaussianMixture, other: GaussianMixture) -> bool:
    names = ("weights_", "means_", "covariances_", "lower_bounds_")
    return all(np.array_equal(getattr(one, name), getattr(other, name)) for name in names)


def labels_of_the_empty(known: Any, nothing: Any = -1) -> Any:
    return np.array([nothing] * N_ROWS + list(itertools.islice(itertools.cycle(known), N_EMPTY)))


@pytest.mark.parametrize("prior", [None, "default"])
@pytest.mark.parametrize("shift", [0.0, 2.0**20])
def test_where_nothing_is_known_they_change_no_bit(
    values: FloatArray, family: CovarianceFamily, prior: Any, shift: float
) -> None:
    options = {"covariance_type": family.name, "prior": prior, "max_iter": 30, "tol": 1e-3}
    order = np.random.default_rng(1).permutation(len(values))
    rows = (np.round(values * 2**10) / 2**10 + shift)[order]
    without = rows[~np.isnan(rows).all(axis=1)]
    one, other = fitted(without, **options), fitted(rows, **options)
    assert same_bits(one, other)
    assert one.bic(without) == other.bic(rows)


@pytest.mark.parametrize("accelerate", [None, "squarem"])
@pytest.mark.parametrize("prior", [None, Prior(weight_concentration=3.0)])
def test_a_known_component_weighs_more_and_stays_where_it_is(
    values: FloatArray, family: CovarianceFamily, prior: Any, accelerate: Any
) -> None:
    """With a label z of every row the weights are those that maximize (Σ w r + 1[z]) log π."""
    options = {"covariance_type": family.name, "prior": prior, "accelerate": accelerate}
    told = fitted(values, labels=labels_of_the_empty([0, 0, 1]), **options)
    assert (np.diff(told.lower_bounds_) >= -1e-12).all() or accelerate is not None
    excess = 0.0 if prior is None else 2.0
    counts = told.predict_proba(values[:N_ROWS]).sum(axis=0) + np.array([40.0, 20.0, 0.0]) + excess
    assert_close(told.weights_, counts / counts.sum(), 1e-4)


@pytest.mark.parametrize("kind", ["allowed", "soft"])
def test_a_step_is_that_of_the_oracle(values: FloatArray, family: CovarianceFamily, kind: str) -> None:
    """Their responsibilities are in proportion to what is believed times the weights."""
    weights = np.random.default_rng(2).uniform(0.5, 2.0, len(values))
    known = [[1.0, 0.0, 1.0], [0.0, 1.0, 1.0]] if kind == "allowed" else [[0.2, 0.5, 3.0], [0.0, 1.0, 0.1]]
    labels = labels_of_the_empty(known, [1.0] * 3).astype(bool if kind == "allowed" else float)
    options: dict[str, Any] = {"covariance_type": family.name, "labels": labels, "sample_weight": weights}
    start = fitted(values, max_iter=0, **options)
    with pytest.warns(UserWarning, match="did not converge"):
        found = fitted(values, max_iter=1, tol=0.0, **options)
    mixture = naive.Mixture(family.name, *(x.tolist() for x in (start.weights_, start.means_, start.covariances_)))
    rows, own = values[:N_ROWS].tolist(), weights[:N_ROWS].tolist()
    moments, step = (each(mixture, rows, own) for each in (naive.moments_of_observed, naive.em_step_of_observed))
    counts, terms = list(moments.counts), [moments.log_likelihood]
    for belief, weight in zip(labels[N_ROWS:].tolist(), weights[N_ROWS:].tolist(), strict=True):
        shares = [b / max(belief) * w for b, w in zip(belief, mixture.weights, strict=True)]
        counts = [n + weight * share / math.fsum(shares) for n, share in zip(counts, shares, strict=True)]
        terms.append(weight * math.log(math.fsum(shares)))
    assert_close(found.weights_, np.array(counts) / math.fsum(counts), 1e-12)
    assert_close(found.means_, np.array(step.means), 1e-10)
    assert_close(found.covariances_, np.array(step.covariances), 1e-9)
    total_weight = moments.total_weight + math.fsum(weights[N_ROWS:].tolist())
    assert found.lower_bound_ == pytest.approx(math.fsum(terms) / total_weight, rel=1e-12)


def test_an_iteration_has_one_m_step(values: FloatArray, monkeypatch: pytest.MonkeyPatch) -> None:
    """Weights alone are made of more counts than that."""
    n_steps = 0

    def counted(*arguments: Any) -> Parameters:
        nonlocal n_steps
        n_steps += 1
        return maximize(*arguments)

    given = {"weights_init": [0.2, 0.3, 0.5], "means_init": [[0] * 3, [3] * 3, [6] * 3], "precisions_init": [1.0] * 3}
    monkeypatch.setattr("fastgmm.fit.update.maximize", counted)
    found = fitted(values, labels=labels_of_the_empty([0, 1]), covariance_type="spherical", **given)
    assert n_steps == found.n_iter_


def test_one_that_may_belong_to_any_component_changes_no_bit(values: FloatArray) -> None:
    of_rows = np.ones((N_ROWS, 3), bool)
    of_rows[:50, 2] = False
    told, without = np.concatenate([of_rows, np.ones((N_EMPTY, 3), bool)]), values[:N_ROWS]
    assert same_bits(fitted(without, labels=of_rows), fitted(values, labels=told))


def test_fixed_weights_stay(values: FloatArray) -> None:
    given = [0.2, 0.3, 0.5]
    found = fitted(values, labels=labels_of_the_empty([0]), fixed=("weights",), weights_init=given)
    assert found.weights_.tolist() == given


def test_a_component_that_only_they_may_belong_to_is_refused(values: FloatArray) -> None:
    labels = np.r_[np.arange(N_ROWS) % 2, np.full(N_EMPTY, 2)]
    with pytest.raises(ValueError, match=r"No row may belong to component 2: labels allow it nowhere\."):
        fitted(values, labels=labels)


def test_a_known_label_is_kept(values: FloatArray) -> None:
    labels = labels_of_the_empty([0, 1, 2])
    found = GaussianMixture(3, random_state=0).fit_predict(values, labels=labels)
    assert np.array_equal(found[N_ROWS:], labels[N_ROWS:])


def test_one_that_may_as_well_be_of_two_components_counts_once_where_assignments_are_hard() -> None:
    """Their weights are alike to the bit, and stay so."""
    values = np.concatenate(
        [np.random.default_rng(0).normal([[0]] * 50 + [[9]] * 50 + [[-9]] * 10, 1)] + [[[np.nan]]] * 20
    )
    labels = np.repeat(np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 0]], bool), [50, 50, 10, 20], axis=0)
    model = GaussianMixture(3, assignment="hard", random_state=0).fit(values, labels=labels)
    assert_close(model.weights_ * 130, np.array([60.0, 60.0, 10.0]), 1e-12)
