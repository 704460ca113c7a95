"""Accuracy against sixty digits, wherever the data lie and whatever their units."""

import numpy as np
import pytest

mpmath = pytest.importorskip("mpmath")

from fastgmm import GaussianMixture  # noqa: E402
from fastgmm.errors import ConvergenceWarning  # noqa: E402
from tests import many_digits  # noqa: E402
from tests.conftest import BACKENDS  # noqa: E402

N_ROWS, N_FEATURES, N_COMPONENTS = 40, 5, 3
# Condition of the correlation matrices: error of a log-density.
ERRORS = {1.0: 1e-11, 1e4: 1e-11, 1e8: 1e-7, 1e12: 1e-3}
# Units of the columns: all alike, or as different as they may be.
UNITS = {
    "one": np.ones(N_FEATURES),
    "tiny": np.full(N_FEATURES, 1e-12),
    "huge": np.full(N_FEATURES, 1e12),
    "mixed": np.array([1e-12, 1e12, 1.0, 1e6, 1e-6]),
}


def draw_correlation(rng, condition):
    """A correlation matrix of about this condition, with nearly dependent columns."""
    axes, _ = np.linalg.qr(rng.normal(size=(N_FEATURES, N_FEATURES)))
    covariance = (axes * np.geomspace(1.0, 1.0 / condition, N_FEATURES)) @ axes.T
    deviations = np.sqrt(np.diagonal(covariance))
    correlation = covariance / np.outer(deviations, deviations)
    correlation = (correlation + correlation.T) / 2
    np.fill_diagonal(correlation, 1.0)
    return correlation


def draw_case(family, condition, offset, units):
    """Parameters, and rows of the mixture; the offset in standard deviations."""
    rng = np.random.default_rng([int(np.log10(condition)), int(offset > 0)])
    weights = np.array([0.5, 0.3, 0.2])
    correlations = [draw_correlation(rng, condition) for _ in range(N_COMPONENTS)]
    if family == "tied":
        correlations = correlations[:1] * N_COMPONENTS
    if family in ("diag", "spherical"):
        correlations = [np.eye(N_FEATURES)] * N_COMPONENTS
    matrices = np.array(correlations) * np.outer(units, units)
    centers = 2.0 * rng.normal(size=(N_COMPONENTS, N_FEATURES)) + offset
    labels = rng.integers(N_COMPONENTS, size=N_ROWS)
    factors = [np.linalg.cholesky(each) for each in correlations]
    rows = np.array([centers[k] + factors[k] @ rng.normal(size=N_FEATURES) for k in labels]) * units
    covariances = {
        "full": matrices,
        "tied": matrices[0],
        "diag": np.diagonal(matrices, axis1=1, axis2=2).copy(),
        "spherical": matrices[:, 0, 0].copy(),
    }[family]
    return weights, centers * units, covariances, rows


def cases():
    for family in ("full", "tied", "diag", "spherical"):
        for condition in ERRORS if family in ("full", "tied") else (1.0,):
            for offset in (0.0, 1e8):
                for unit in UNITS:
                    if family != "spherical" or unit != "mixed":
                        yield pytest.param(
                            family, condition, offset, unit, id=f"{family}-{condition:g}-{offset:g}-{unit}"
                        )


def largest_error(ours, true):
    """The largest difference, taken in many digits."""
    flat = np.asarray(ours, np.float64).ravel().tolist()
    truth = np.array(true, object).ravel().tolist()
    with mpmath.workdps(many_digits.DIGITS):
        return float(max(abs(mpmath.mpf(a) - b) for a, b in zip(flat, truth, strict=True)))


@pytest.mark.parametrize(("family", "condition", "offset", "unit"), list(cases()))
def test_log_densities_and_responsibilities_have_the_digits_that_the_condition_leaves(family, condition, offset, unit):
    weights, means, covariances, rows = draw_case(family, condition, offset, UNITS[unit])
    joint = many_digits.joint_log_density(family, weights, means, covariances, rows)
    true, shares = many_digits.log_density(joint), many_digits.responsibilities(joint)
    for backend in BACKENDS:
        model = GaussianMixture.from_parameters(weights, means, covariances, family).set_params(backend=backend)
        assert largest_error(model.score_samples(rows), true) <= ERRORS[condition]
        assert largest_error(model.predict_proba(rows), shares) <= ERRORS[condition]


@pytest.mark.parametrize(("family", "condition", "offset", "unit"), list(cases()))
def test_a_step_of_em_has_the_digits_that_the_condition_leaves(family, condition, offset, unit):
    """Measured in the columns' units; a mean far from the origin has the digits of a float there."""
    weights, means, covariances, rows = draw_case(family, condition, offset, UNITS[unit])
    true_weights, true_means, true_covariances = many_digits.em_step(family, weights, means, covariances, rows)
    squares = {"full": np.outer, "tied": np.outer}.get(family, np.multiply)(UNITS[unit], UNITS[unit])
    squares = squares[0] if family == "spherical" else squares
    for backend in BACKENDS:
        model = GaussianMixture.from_parameters(weights, means, covariances, family)
        model.set_params(backend=backend, warm_start=True, max_iter=1, tol=0.0, reg_covar=0.0)
        with pytest.warns(ConvergenceWarning):
            model.fit(rows)
        assert largest_error(model.weights_, true_weights) <= ERRORS[condition]
        spacing = np.spacing(np.abs(model.means_ / UNITS[unit]).max())
        assert largest_error(model.means_ / UNITS[unit], true_means / UNITS[unit]) <= ERRORS[condition] + spacing
        assert largest_error(model.covariances_ / squares, true_covariances / squares) <= ERRORS[condition]
