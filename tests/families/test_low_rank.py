"""Covariances of low rank are what the matrices are that they stand for."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastgmm.families import FAMILIES
from fastgmm.families.family import NotPositiveDefiniteError
from fastgmm.families.low_rank import count_smaller, expected_factors, smallest_variances, with_last
from fastgmm.parameters import FloatArray, Parameters
from tests.problems import assert_close


def drawn(seed: int, n_components: int, d: int, rank: int, least: float = 0.1) -> FloatArray:
    rng = np.random.default_rng(seed)
    loadings = rng.normal(size=(n_components, d, rank)) * rng.choice([1e-3, 1.0, 10.0], size=rank)
    return with_last(loadings, rng.uniform(least, 2.0, (n_components, d)))


SHAPES = st.tuples(st.integers(2, 12), st.integers(1, 11)).filter(lambda shape: shape[1] < shape[0])


@settings(max_examples=60, deadline=None)
@given(SHAPES, st.integers(0, 10**6))
def test_precisions_and_roots_lead_back_to_the_covariances(shape: tuple[int, int], seed: int) -> None:
    d, rank = shape
    family, covariances = FAMILIES[f"factor({rank})"], drawn(seed, 2, d, rank)
    matrices, root = family.matrices(covariances, 2, d), family.precisions_cholesky(covariances)
    precisions = family.precisions(root)
    subtracted = precisions[..., :-1]
    dense = precisions[..., -1][..., np.newaxis] * np.eye(d) - subtracted @ np.swapaxes(subtracted, 1, 2)
    assert_close(dense @ matrices, np.broadcast_to(np.eye(d), matrices.shape), 1e-9)
    assert_close(family.covariances_of_root(root), covariances, 1e-14)
    again = family.matrices(family.covariances_of_precisions(precisions), 2, d)
    assert_close(again, matrices, 1e-9)


@settings(max_examples=60, deadline=None)
@given(SHAPES, st.integers(0, 10**6), st.floats(0.01, 30.0))
def test_eigenvalues_are_counted_without_matrices(shape: tuple[int, int], seed: int, limit: float) -> None:
    d, rank = shape
    covariances, units = drawn(seed, 3, d, rank), np.random.default_rng(seed).uniform(0.5, 2.0, d)
    matrices = FAMILIES[f"factor({rank})"].matrices(covariances, 3, d) / np.outer(units, units)
    eigenvalues = np.linalg.eigvalsh(matrices)
    assert count_smaller(covariances, units, np.full(3, limit)).tolist() == (eigenvalues < limit).sum(axis=1).tolist()
    assert_close(smallest_variances(covariances, units), eigenvalues[:, 0], 1e-9)


@settings(max_examples=60, deadline=None)
@given(SHAPES, st.integers(0, 10**6))
def test_a_distance_shrinks_no_more_than_its_bound_says(shape: tuple[int, int], seed: int) -> None:
    d, rank = shape
    family, rng = FAMILIES[f"factor({rank})"], np.random.default_rng(seed)
    before = Parameters(family.name, np.ones(1), rng.normal(size=(1, d)), drawn(seed, 1, d, rank))
    nearby = before.covariances * rng.uniform(0.8, 1.3, before.covariances.shape)
    after = Parameters(family.name, np.ones(1), before.means + 0.1 * rng.normal(size=(1, d)), nearby)
    shrink, drift = family.movement(*(family.prepare(each, np.dtype(np.float64)) for each in (before, after)))
    points = 5.0 * rng.normal(size=(200, d))
    distances = []
    for each in (before, after):
        away = points - each.means[0]
        matrix = family.matrices(each.covariances, 1, d)[0]
        distances.append(np.sqrt(np.einsum("ni,ni->n", away, np.linalg.solve(matrix, away.T).T)))
    assert (distances[1] >= (shrink * distances[0] - drift) * (1.0 - 1e-9)).all()


def test_coordinates_come_back_and_are_zero_at_the_reference() -> None:
    coordinates, reference, other = FAMILIES["factor(2)"].coordinates, drawn(0, 2, 5, 2), drawn(1, 2, 5, 2)
    assert not coordinates.of(reference, reference, 5).any()
    assert_close(coordinates.covariances(coordinates.of(other, reference, 5), reference, 5), other, 1e-13)
    differences = np.random.default_rng(2).normal(size=(2, 5))
    matrices = FAMILIES["factor(2)"].matrices(reference, 2, 5)
    expected = np.einsum("ki,ki->k", differences, np.linalg.solve(matrices, differences[..., np.newaxis])[..., 0])
    assert_close(np.square(coordinates.whiten(differences, reference)).sum(axis=1), expected, 1e-12)


def test_expected_factors_keep_their_digits_where_noise_is_tiny() -> None:
    """Of x = Λz without noise they are z, as far as Λ tells."""
    covariances = with_last(np.random.default_rng(0).normal(size=(1, 6, 2)), np.full((1, 6), 1e-14))
    projections, left = expected_factors(covariances)
    assert_close(projections[0] @ covariances[0, :, :-1], np.eye(2), 1e-12)
    assert (np.linalg.eigvalsh(left[0]) > 0).all()


@pytest.mark.parametrize("wrong", [0.0, -1.0, np.nan, np.inf])
def test_uniquenesses_are_positive_and_finite(wrong: float) -> None:
    covariances = drawn(0, 3, 4, 2)
    covariances[1, 2, -1] = wrong
    with pytest.raises(NotPositiveDefiniteError, match="component 1"):
        FAMILIES["factor(2)"].precisions_cholesky(covariances)


@pytest.mark.parametrize(("name", "d", "expected"), [("factor(2)", 10, 29), ("ppca(2)", 10, 20), ("factor(3)", 4, 10)])
def test_free_numbers_are_those_of_loadings_up_to_a_rotation(name: str, d: int, expected: int) -> None:
    """dq − q(q − 1)/2 + d, or + 1; no more than those of a matrix."""
    assert FAMILIES[name].n_covariance_parameters(2, d) == 2 * expected
