"""What a chain adds to an M-step, and that its fits do not fall."""

import warnings
from dataclasses import replace

import numpy as np
import pytest

from fastgmm import GaussianHMM
from fastgmm.errors import ConvergenceWarning
from fastgmm.families import FAMILIES, FOURTEEN
from fastgmm.fit.chains import ChainPrior, WithChain
from fastgmm.fit.update import Likelihood
from fastgmm.kernels.chains import parts_of, table_of
from fastgmm.moments import Moments
from fastgmm.parameters import Parameters
from tests.chains import draw_sequences

K = 3


def update_with(start: float = 0.0, transitions: float = 0.0, **learning: bool) -> WithChain:
    prior = ChainPrior(np.full(K, start), np.full((K, K), transitions), **learning)
    return WithChain(Likelihood(FAMILIES["diag"], np.zeros(K + 1), np.dtype(float)), prior)


@pytest.fixture
def parameters() -> Parameters:
    table = table_of(np.array([0.2, 0.3, 0.5]), np.array([[0.8, 0.1, 0.1], [0.3, 0.4, 0.3], [0.0, 0.0, 1.0]]))
    return Parameters("diag", np.full(K, 1 / K), np.zeros((K, K + 1)), np.ones((K, K + 1)), table)


@pytest.fixture
def moments(parameters: Parameters) -> Moments:
    table = table_of(np.array([1.0, 1.0, 0.0]), np.array([[2.0, 6.0, 0.0], [0.0, 0.0, 0.0], [1.0, 1.0, 2.0]]))
    counts = np.array([10.0, 2.0, 4.0])
    first, second = np.zeros((K, K + 1)), np.tile(counts[:, np.newaxis], K + 1)
    return Moments(counts, first, second, 16.0, -40.0, 16, parameters.means, "diag", table)


def test_transitions_are_shares_of_expected_ones_and_a_state_that_is_never_left_keeps_its_own(
    parameters: Parameters, moments: Moments
) -> None:
    update = update_with()
    start, transitions = parts_of(update.maximize(moments, update.prepare(parameters)).extra)
    assert start.tolist() == [0.5, 0.5, 0.0]
    np.testing.assert_allclose(transitions, [[0.25, 0.75, 0.0], [0.3, 0.4, 0.3], [0.25, 0.25, 0.5]])


def test_columns_of_the_table_are_no_counts_of_features(parameters: Parameters, moments: Moments) -> None:
    update = update_with()  # of as many features as the table has columns
    found = update.maximize(moments, update.prepare(parameters))
    np.testing.assert_allclose(found.covariances, 1.0)
    assert update.objective(moments, update.prepare(parameters)) == -40.0 / 16


def test_a_prior_counts_as_transitions_and_is_part_of_the_objective(parameters: Parameters, moments: Moments) -> None:
    update = update_with(start=1.0, transitions=2.0)
    model = update.prepare(parameters)
    start, transitions = parts_of(update.maximize(moments, model).extra)
    np.testing.assert_allclose(start, [0.4, 0.4, 0.2])
    np.testing.assert_allclose(transitions[1], 1 / 3)
    np.testing.assert_allclose(transitions[0], np.array([4.0, 8.0, 2.0]) / 14)
    positive = replace(parameters, extra=table_of(np.full(K, 1 / K), np.full((K, K), 1 / K)))
    log_prior = (3 * 1.0 + 9 * 2.0) * np.log(1 / K)
    assert update.objective(moments, update.prepare(positive)) == pytest.approx((-40.0 + log_prior) / 16)
    assert update.objective(moments, model) == -np.inf  # a transition that the prior says is there, is not


def test_what_is_not_estimated_stays(parameters: Parameters, moments: Moments) -> None:
    update = update_with(learns_start=False, learns_transitions=False)
    found = update.maximize(moments, update.prepare(parameters))
    assert np.array_equal(found.extra, parameters.extra)


@pytest.mark.parametrize("seed", range(100))
def test_the_objective_never_falls(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n_states, n_features = int(rng.integers(1, 6)), int(rng.integers(1, 5))
    lengths = tuple(rng.integers(1, 60, size=rng.integers(1, 6)))
    X, lengths = draw_sequences(rng, n_states, n_features, (20 * n_features, *lengths))
    if seed % 4 == 0:
        X[rng.random(X.shape) < 0.1] = np.nan
    prior = 1.0 + float(rng.random()) * (seed % 3)
    options = {"startprob_prior": prior, "transmat_prior": prior, "tol": 1e-5, "max_iter": 30, "random_state": seed}
    # What regularization adds is no part of the objective.
    hmm = GaussianHMM(n_states, ("full", "tied", "diag", "spherical")[seed // 2 % 4], reg_covar=1e-9, **options)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        hmm.fit(X, lengths)
    bounds = np.array(hmm.lower_bounds_)
    assert (np.diff(bounds) >= -1e-9 * np.abs(bounds[1:]).clip(1.0)).all()
    assert not any(step.fell for step in hmm.history_)


@pytest.mark.parametrize("family", FOURTEEN)
def test_states_share_what_components_of_a_family_do(family: str, rng: np.random.Generator) -> None:
    X, lengths = draw_sequences(rng)
    hmm = GaussianHMM(2, family, random_state=0, max_iter=10, tol=0.0)
    with pytest.warns(ConvergenceWarning):
        hmm.fit(X, lengths)
    assert (np.diff(hmm.lower_bounds_) > -1e-8).all()
    found = FAMILIES[family].constrained(hmm.covariances_, np.ones(2), hmm.covariances_)
    if family in ("EII", "EEI", "EEE", "EEV", "EEI"):
        np.testing.assert_allclose(found, hmm.covariances_, rtol=1e-5, atol=1e-6)
    assert hmm.bic(X, lengths) > -2 * hmm.score(X, lengths)


def test_the_start_is_the_mixture_as_a_chain_that_remembers_nothing(rng: np.random.Generator) -> None:
    X, lengths = draw_sequences(rng)
    hmm = GaussianHMM(3, "full", random_state=0, max_iter=0).fit(X, lengths)
    assert np.ptp(hmm.transmat_, axis=0) == pytest.approx(np.zeros(3))
    np.testing.assert_allclose(hmm.transmat_[0], hmm.startprob_)


def test_of_more_starts_the_likeliest_is_kept(rng: np.random.Generator) -> None:
    X, lengths = draw_sequences(rng, n_states=5, lengths=(200, 100))
    hmm = GaussianHMM(4, random_state=0, n_init=4, max_iter=200).fit(X, lengths)
    last = {step.restart: step.lower_bound for step in hmm.history_}
    assert len(last) == 4
    assert hmm.lower_bound_ == max(last.values())
