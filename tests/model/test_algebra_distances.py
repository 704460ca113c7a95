"""Distances of rows, components and mixtures: NumPy's inverse, numerical integration, known closed forms."""

import math

import numpy as np
import pytest

from fastgmm import GaussianMixture
from fastgmm.families import CovarianceFamily
from tests.model.test_incomplete_scores import model_of
from tests.problems import TOLERANCE, Problem, assert_close, draw_problem

stats = pytest.importorskip("scipy.stats")
integrate = pytest.importorskip("scipy.integrate")


@pytest.fixture
def problem(family: CovarianceFamily) -> Problem:
    return draw_problem(family.name, 60, 4, 3)


def test_squared_distances_are_those_of_the_inverse_covariances(problem: Problem, dtype: str) -> None:
    given, rows = problem.parameters, problem.values.astype(dtype)
    matrices = problem.family.matrices(given.covariances, 3, 4)
    differences = rows.astype(np.float64)[:, np.newaxis] - given.means
    expected = np.einsum("nki,kij,nkj->nk", differences, np.linalg.inv(matrices), differences)
    found = model_of(problem).mahalanobis(rows)
    assert found.dtype == dtype
    assert_close(found, expected, TOLERANCE[dtype])


def test_small_distances_keep_their_digits(problem: Problem) -> None:
    """They are no differences of log-densities, of which 1e-12 would be left."""
    model = model_of(problem)
    near = model.means_ + 1e-9
    far = model.mahalanobis(model.means_ + 1e-3)
    np.testing.assert_allclose(np.diagonal(model.mahalanobis(near)) * 1e12, np.diagonal(far), rtol=1e-5)


def test_rows_with_holes_have_no_distances(problem: Problem) -> None:
    with pytest.raises(ValueError, match="mahalanobis does not take rows with missing values"):
        model_of(problem).mahalanobis([[np.nan, 0.0, 0.0, 0.0]])


def test_divergences_of_components_are_those_of_integration(family: CovarianceFamily) -> None:
    model = model_of(draw_problem(family.name, 10, 1, 3))
    parts = [model.merged([[k], [j for j in range(3) if j != k]]) for k in range(3)]
    deviations = [math.sqrt(float(np.ravel(part.covariances_)[0])) for part in parts]
    means = [part.means_[0, 0] for part in parts]

    def density(k: int, x: float) -> float:
        return float(stats.norm.pdf(x, means[k], deviations[k]))

    def kl(i: int, j: int) -> float:
        def integrand(x: float) -> float:
            ratio = stats.norm.logpdf(x, means[i], deviations[i]) - stats.norm.logpdf(x, means[j], deviations[j])
            return float(density(i, x) * ratio)

        return float(integrate.quad(integrand, -25, 25, epsabs=1e-13, limit=500)[0])

    def bhattacharyya(i: int, j: int) -> float:
        overlap = integrate.quad(lambda x: math.sqrt(density(i, x) * density(j, x)), -25, 25, epsabs=1e-14, limit=500)
        return -math.log(overlap[0])

    found, distances = model.component_kl(), model.component_bhattacharyya()
    for i in range(3):
        for j in range(3):
            assert found[i, j] == pytest.approx(kl(i, j), abs=1e-11)
            assert distances[i, j] == pytest.approx(bhattacharyya(i, j), abs=1e-11)


def test_divergences_of_components_are_those_of_inverse_covariances(problem: Problem) -> None:
    given = problem.parameters
    matrices = problem.family.matrices(given.covariances, 3, 4)
    kl, distances = np.empty((3, 3)), np.empty((3, 3))
    for i in range(3):
        for j in range(3):
            shift, inverse = given.means[j] - given.means[i], np.linalg.inv(matrices[j])
            ratio = np.linalg.slogdet(matrices[j])[1] - np.linalg.slogdet(matrices[i])[1]
            kl[i, j] = 0.5 * (np.trace(inverse @ matrices[i]) + shift @ inverse @ shift - 4 + ratio)
            between = (matrices[i] + matrices[j]) / 2
            logs = [np.linalg.slogdet(each)[1] for each in (between, matrices[i], matrices[j])]
            distances[i, j] = shift @ np.linalg.inv(between) @ shift / 8 + 0.5 * (logs[0] - (logs[1] + logs[2]) / 2)
    model = model_of(problem)
    assert_close(model.component_kl(), kl, 1e-12)
    assert_close(model.component_bhattacharyya(), distances, 1e-12)
    assert not np.diagonal(model.component_kl()).any()


def test_pairs_of_components_come_in_pieces(problem: Problem, monkeypatch: pytest.MonkeyPatch) -> None:
    model = model_of(problem)
    whole = model.component_kl(), model.component_bhattacharyya()
    monkeypatch.setattr("fastgmm.machine.pieces._PIECE_BYTES", 1)
    assert_close(model.component_kl(), whole[0], 1e-14)
    assert_close(model.component_bhattacharyya(), whole[1], 1e-14)


def test_the_divergence_of_mixtures_is_within_its_error_of_integration() -> None:
    one = GaussianMixture.from_parameters([0.3, 0.7], [[0.0], [3.0]], [1.0, 4.0], "spherical")
    other = GaussianMixture.from_parameters([0.5, 0.2, 0.3], [[0.0], [1.0], [4.0]], [[2.0]], "tied")

    def integrand(x: float) -> float:
        p, q = one.score_samples([[x]])[0], other.score_samples([[x]])[0]
        return math.exp(p) * (p - q)

    expected = integrate.quad(integrand, -20, 30, epsabs=1e-10, limit=500)[0]
    found = [one.kl_divergence(other, 20_000, random_state=seed) for seed in range(20)]
    scores = [(estimate - expected) / error for estimate, error in found]
    assert max(map(abs, scores)) < 4
    assert 0.5 < np.std(scores) < 1.6  # so that the error is no larger than it need be


def test_the_divergence_of_single_components_is_that_of_the_closed_form(problem: Problem) -> None:
    model = model_of(problem)
    matrices = problem.family.matrices(problem.parameters.covariances, 3, 4)
    ones = [GaussianMixture.from_parameters([1.0], model.means_[[k]], matrices[[k]]) for k in range(2)]
    estimate, error = ones[0].kl_divergence(ones[1], random_state=0)
    assert abs(estimate - model.component_kl()[0, 1]) < 4 * error
    assert ones[0].kl_divergence(ones[0], random_state=0) == (0.0, 0.0)


def test_a_mixture_beyond_all_numbers_is_infinitely_far_away(problem: Problem) -> None:
    model = model_of(problem)
    far = model.transformed(1.0, np.full(4, 1e200))
    divergence, error = model.kl_divergence(far, 100, random_state=0)
    assert divergence == math.inf
    assert math.isnan(error)


def test_divergences_of_other_features_and_of_few_draws_are_refused(problem: Problem) -> None:
    model = model_of(problem)
    with pytest.raises(ValueError, match="The other mixture has 2 features, and this one 4"):
        model.kl_divergence(model.marginal([0, 1]))
    with pytest.raises(ValueError, match="'n_samples' parameter of kl_divergence must be a whole number from 2"):
        model.kl_divergence(model, 1)
    with pytest.raises(TypeError, match=r"The other mixture should be a fastgmm\.GaussianMixture, .* got ndarray"):
        model.kl_divergence(model.means_)
