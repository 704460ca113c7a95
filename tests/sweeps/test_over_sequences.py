"""A pass over sequences collects what all paths together say, however it is cut, by whatever backend."""

from dataclasses import replace

import numpy as np
import pytest

from fastgmm.data.facts import Facts
from fastgmm.families import FAMILIES
from fastgmm.families.family import CovarianceFamily
from fastgmm.fit.chains import ChainPrior, WithChain
from fastgmm.fit.update import Likelihood
from fastgmm.kernels.backend import Backend
from fastgmm.kernels.chains import table_of
from fastgmm.moments import Moments
from fastgmm.parameters import FloatArray, IntArray, Parameters
from fastgmm.rows import Rows
from fastgmm.sweeps import over_sequences
from fastgmm.sweeps.over_sequences import OverSequences, stretches_of
from tests import naive
from tests.chains import draw_chain, draw_sequences
from tests.problems import draw_parameters


def parameters_of(rng: np.random.Generator, family: CovarianceFamily, n_states: int, n_features: int) -> Parameters:
    chain = draw_chain(rng, n_states)
    return replace(
        draw_parameters(rng, family.name, n_features, n_states), extra=table_of(chain.start, chain.transitions)
    )


def moments_under(
    parameters: Parameters, X: FloatArray, lengths: IntArray, backend: Backend, n_threads: int = 2
) -> Moments:
    family = FAMILIES[parameters.covariance_type]
    rows = Rows(X, has_missing=bool(np.isnan(X).any()))
    n_states = parameters.n_components
    likelihood = Likelihood(family, np.zeros(X.shape[1]), X.dtype)
    nothing = ChainPrior(np.zeros(n_states), np.zeros((n_states, n_states)))
    model = WithChain(likelihood, nothing).prepare(parameters)
    (moments,) = OverSequences(Facts(rows), lengths, family, backend, n_threads)([model])
    return moments


def test_moments_are_those_of_all_paths(backend: Backend, family: CovarianceFamily, rng: np.random.Generator) -> None:
    X, lengths = draw_sequences(rng, lengths=(4, 1, 5))
    parameters = parameters_of(rng, family, 3, 2)
    moments = moments_under(parameters, X, lengths, backend)
    mixture = naive.Mixture(family.name, [1.0] * 3, parameters.means.tolist(), parameters.covariances.tolist())
    joint = naive.joint_log_density(mixture, X.tolist())
    start, transitions = parameters.extra[:, -1].tolist(), parameters.extra[:, :3].tolist()
    ends = lengths.cumsum()
    right = [naive.of_all_paths(start, transitions, joint[e - n : e]) for e, n in zip(ends, lengths, strict=True)]
    posteriors = np.concatenate([each.posteriors for each in right])
    assert moments.log_likelihood == pytest.approx(sum(each.log_likelihood for each in right), rel=1e-12)
    np.testing.assert_allclose(moments.counts, posteriors.sum(axis=0), rtol=1e-11)
    np.testing.assert_allclose(moments.extra[:, :3], sum(np.array(each.transitions) for each in right), atol=1e-11)
    np.testing.assert_allclose(moments.extra[:, 3], sum(np.array(each.posteriors[0]) for each in right), atol=1e-11)
    differences = X[:, np.newaxis, :] - parameters.means
    np.testing.assert_allclose(moments.first, np.einsum("tk,tkj->kj", posteriors, differences), atol=1e-10)
    assert moments.n_rows == moments.total_weight == len(X)


def test_stretches_hold_whole_sequences_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(over_sequences, "_NUMBERS_OF_A_STRETCH", 60)
    lengths = np.array([5, 5, 50, 1, 9, 20, 1])
    stretches = list(stretches_of(lengths, 3))
    assert [(each.rows.start, each.rows.stop) for each in stretches] == [
        (0, 10),
        (10, 60),
        (60, 70),
        (70, 90),
        (90, 91),
    ]
    assert [row for each in stretches for row in range(91)[each.rows]] == list(range(91))
    assert [length for each in stretches for length in lengths[each.numbers]] == lengths.tolist()
    for each in stretches:
        n_rows = each.rows.stop - each.rows.start
        assert each.sequences.offsets[-1] == n_rows
        assert n_rows <= 20 or len(each.sequences.offsets) == 2


def test_small_stretches_find_the_same(
    family: CovarianceFamily, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch, backend: Backend
) -> None:
    X, lengths = draw_sequences(rng)
    parameters = parameters_of(rng, family, 3, 2)
    whole = moments_under(parameters, X, lengths, backend)
    monkeypatch.setattr(over_sequences, "_NUMBERS_OF_A_STRETCH", 30)
    cut = moments_under(parameters, X, lengths, backend)
    for name in ("counts", "first", "second", "extra", "log_likelihood"):
        np.testing.assert_allclose(getattr(cut, name), getattr(whole, name), rtol=1e-10, atol=1e-10)


def test_threads_change_no_bit(backend: Backend, family: CovarianceFamily, rng: np.random.Generator) -> None:
    X, lengths = draw_sequences(rng, lengths=(300, 700, 1, 900, 200))
    parameters = parameters_of(rng, family, 4, 2)
    one = moments_under(parameters, X, lengths, backend, n_threads=1)
    for n_threads in (2, 64):
        many = moments_under(parameters, X, lengths, backend, n_threads)
        for name in ("counts", "first", "second", "extra", "log_likelihood"):
            assert np.array_equal(getattr(one, name), getattr(many, name))


def test_float32_finds_what_float64_does(backend: Backend, family: CovarianceFamily, rng: np.random.Generator) -> None:
    X, lengths = draw_sequences(rng)
    parameters = parameters_of(rng, family, 3, 2)
    single, double = (moments_under(parameters, X.astype(dtype), lengths, backend) for dtype in ("f4", "f8"))
    assert single.counts.dtype == single.extra.dtype == np.float64
    np.testing.assert_allclose(single.counts, double.counts, rtol=1e-3)
    np.testing.assert_allclose(single.extra, double.extra, atol=1e-2)
    assert single.log_likelihood == pytest.approx(double.log_likelihood, rel=1e-5)


def test_a_step_without_any_value_has_a_state_that_its_neighbors_say(
    backend: Backend, family: CovarianceFamily, rng: np.random.Generator
) -> None:
    X, lengths = draw_sequences(rng, lengths=(5,))
    parameters = parameters_of(rng, family, 3, 2)
    X[2] = np.nan
    moments = moments_under(parameters, X, lengths, backend)
    mixture = naive.Mixture(family.name, [1.0] * 3, parameters.means.tolist(), parameters.covariances.tolist())
    joint = naive.joint_log_density(mixture, np.nan_to_num(X).tolist())
    joint[2] = [0.0, 0.0, 0.0]
    right = naive.of_all_paths(parameters.extra[:, -1].tolist(), parameters.extra[:, :3].tolist(), joint)
    assert moments.log_likelihood == pytest.approx(right.log_likelihood, rel=1e-12)
    np.testing.assert_allclose(moments.extra[:, -4:-1], right.transitions, atol=1e-11)
    np.testing.assert_allclose(moments.counts, np.delete(right.posteriors, 2, axis=0).sum(axis=0), rtol=1e-11)
