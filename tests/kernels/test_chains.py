"""Kernels of chains find what all paths together say, in every backend, whatever underflows on the way."""

import numpy as np
import pytest

from fastgmm.kernels import available_backends, get_backend
from fastgmm.kernels.backend import Backend
from fastgmm.kernels.chains import chain_of, sequences_of
from tests import naive
from tests.chains import draw_chain, found_by, one_sequence


@pytest.mark.parametrize("n_states", [1, 2, 3, 4])
@pytest.mark.parametrize("with_zeros", [False, True])
def test_posteriors_transitions_and_best_path_are_those_of_all_paths(
    backend: Backend, n_states: int, with_zeros: bool, rng: np.random.Generator
) -> None:
    chain = draw_chain(rng, n_states, with_zeros)
    for n_steps in (1, 2, 5):
        joint = 3.0 * rng.normal(size=(n_steps, n_states))
        right = naive.of_all_paths(chain.start, chain.transitions, joint)
        found = found_by(backend, chain, one_sequence(n_steps), joint)
        assert found.log_likelihoods == pytest.approx([right.log_likelihood], rel=1e-13)
        np.testing.assert_allclose(found.posteriors, right.posteriors, atol=1e-13)
        np.testing.assert_allclose(found.transitions, right.transitions, atol=1e-13)
        assert found.paths.tolist() == right.best_path
        assert found.log_probabilities == pytest.approx([right.best_log_probability], rel=1e-13)


def test_every_sequence_begins_anew(backend: Backend, rng: np.random.Generator) -> None:
    chain, lengths = draw_chain(rng, 3), np.array([4, 1, 7, 2])
    joint = rng.normal(size=(lengths.sum(), 3))
    together = found_by(backend, chain, sequences_of(lengths), joint)
    parts = [found_by(backend, chain, one_sequence(len(part)), part) for part in np.split(joint, lengths.cumsum()[:-1])]
    assert np.array_equal(together.log_likelihoods, np.concatenate([part.log_likelihoods for part in parts]))
    assert np.array_equal(together.posteriors, np.concatenate([part.posteriors for part in parts]))
    assert np.array_equal(together.paths, np.concatenate([part.paths for part in parts]))
    np.testing.assert_allclose(together.transitions, sum(part.transitions for part in parts), rtol=1e-14)


@pytest.mark.parametrize("n_states", [2, 5, 8, 17])
@pytest.mark.parametrize("spread", [1.0, 30.0, 1000.0])
@pytest.mark.parametrize("with_zeros", [False, True])
def test_backends_agree_however_far_densities_are_apart(
    backend: Backend, n_states: int, spread: float, with_zeros: bool, rng: np.random.Generator
) -> None:
    chain, sequences = draw_chain(rng, n_states, with_zeros), sequences_of(np.array([1, 50, 3, 120]))
    joint = spread * rng.normal(size=(174, n_states))
    meaning = found_by(get_backend("numpy"), chain, sequences, joint)
    found = found_by(backend, chain, sequences, joint)
    np.testing.assert_allclose(found.log_likelihoods, meaning.log_likelihoods, rtol=1e-12)
    np.testing.assert_allclose(found.posteriors, meaning.posteriors, atol=1e-10)
    np.testing.assert_allclose(found.transitions, meaning.transitions, atol=1e-8)
    assert np.array_equal(found.paths, meaning.paths)


# Two states that never lead to one another: what the first steps say against one of them, all others may outweigh.
APART = chain_of(np.array([0.5, 0.5]), np.eye(2))


@pytest.mark.parametrize("against", [(0,), (0, 150), (0, 100, 200), (299,)])
def test_what_underflows_at_a_step_counts_where_the_others_outweigh_it(
    backend: Backend, against: tuple[int, ...]
) -> None:
    joint = np.tile([0.0, 10.0], (300, 1))
    joint[list(against), 1] = -900.0
    found = found_by(backend, APART, one_sequence(300), joint)
    total = np.log(0.5) + joint[:, 1].sum()
    assert found.log_likelihoods == pytest.approx([max(total, np.log(0.5))], rel=1e-14)
    winner = int(total > np.log(0.5))
    assert found.posteriors[:, winner].min() > 1 - 1e-12
    assert found.transitions[winner, winner] == pytest.approx(299, abs=1e-9)


def test_a_state_that_only_an_outlier_would_leave_is_left(backend: Backend) -> None:
    chain = chain_of(np.array([1.0, 0.0]), np.array([[0.5, 0.5], [0.0, 1.0]]))
    joint = np.array([[0.0, 0.0], [-5000.0, 0.0], [0.0, -5000.0], [0.0, 0.0]])
    right = naive.of_all_paths(chain.start, chain.transitions, joint.tolist())
    found = found_by(backend, chain, one_sequence(4), joint)
    assert found.log_likelihoods == pytest.approx([right.log_likelihood], rel=1e-14)
    np.testing.assert_allclose(found.posteriors, right.posteriors, atol=1e-13)


def test_a_sequence_that_cannot_be_is_told_and_leaves_the_others_alone(backend: Backend) -> None:
    chain = chain_of(np.array([1.0, 0.0]), np.array([[0.0, 1.0], [1.0, 0.0]]))
    possible, impossible = np.zeros((3, 2)), np.array([[-np.inf, 0.0], [0.0, 0.0], [0.0, 0.0]])
    beyond = np.full((2, 2), -1.79e308)
    joint = np.concatenate([possible, impossible, beyond, possible])
    found = found_by(backend, chain, sequences_of(np.array([3, 3, 2, 3])), joint)
    assert found.log_likelihoods.tolist() == [0.0, -np.inf, -np.inf, 0.0]
    assert not np.isnan(found.posteriors).any()
    np.testing.assert_allclose(found.posteriors[3:8], 0.5)
    np.testing.assert_allclose(found.transitions, [[0.0, 2.0], [2.0, 0.0]])
    assert found.log_probabilities[0] == 0.0
    assert found.log_probabilities[1] == -np.inf


def test_threads_change_no_bit(backend: Backend, rng: np.random.Generator) -> None:
    chain, sequences = draw_chain(rng, 5), sequences_of(rng.integers(1, 30, size=70))
    joint = rng.normal(size=(sequences.offsets[-1], 5))
    one = found_by(backend, chain, sequences, joint, n_threads=1)
    for n_threads in (2, 3, 64):
        many = found_by(backend, chain, sequences, joint, n_threads)
        assert all(np.array_equal(a, b) for a, b in zip(one, many, strict=True))


def test_chunks_are_cut_by_lengths_and_hold_every_sequence_once() -> None:
    for lengths in ([5], [1, 1000, 1, 1], [3] * 200, [1000, 1, 1, 1, 1]):
        sequences = sequences_of(np.array(lengths))
        assert sequences.chunks[0] == 0
        assert sequences.chunks[-1] == len(lengths)
        assert (np.diff(sequences.chunks) >= 0).all()


@pytest.mark.skipif(available_backends()["c"] != "available", reason="there is no C backend")
def test_c_refuses_what_does_not_fit() -> None:
    from fastgmm.kernels.c import _kernels

    chain, sequences = chain_of(np.full(2, 0.5), np.full((2, 2), 0.5)), sequences_of(np.array([2, 3]))
    right = [chain, sequences, np.zeros((5, 2)), np.empty(2), np.zeros((2, 2, 2)), None]
    _kernels.chain_posteriors(*right)
    offsets, chunks = sequences
    read_only = np.zeros((5, 2))
    read_only.flags.writeable = False
    wrong: list[tuple[int, object]] = [
        (0, chain[:3]),
        (0, chain._replace(start=np.ones(3))),
        (0, chain._replace(log_transitions=np.ones((2, 3)))),
        (1, sequences._replace(offsets=np.array([0, 2, 6]))),
        (1, sequences._replace(offsets=np.array([0, 9, 5]))),
        (1, sequences._replace(offsets=np.array([0, 5, 5]))),
        (1, sequences._replace(offsets=np.array([1, 2, 5]))),
        (1, sequences._replace(chunks=np.array([0, 3]))),
        (1, sequences._replace(chunks=np.array([0, 2, 1, 2]))),
        (1, sequences._replace(chunks=chunks.astype(np.int32))),
        (1, [offsets, chunks]),
        (2, np.zeros((5, 3))),
        (2, np.zeros((5, 2), np.float32)),
        (2, read_only),
        (3, np.empty(3)),
        (4, np.zeros((1, 2, 2))),
        (5, np.zeros(2, np.int64)),
    ]
    for place, value in wrong:
        arguments = [*right[:place], value, *right[place + 1 :]]
        with pytest.raises((ValueError, TypeError, BufferError)):
            _kernels.chain_posteriors(*arguments)
    with pytest.raises((ValueError, TypeError)):
        _kernels.chain_decode(*right)  # for which states are whole numbers
    with pytest.raises(TypeError):
        _kernels.chain_decode(*right[:5])
