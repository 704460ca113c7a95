"""The oracle of accuracy for rows of known errors: see ``many_digits``. ``errors`` are matrices (n, d, d)."""

import math

import mpmath
from mpmath import mpf

from tests.many_digits import DIGITS, _covariances, _matrix_of, _squared_norm
from tests.many_digits_of_observed import _part, _scatter, observed


def _total(matrix, error):
    return matrix + mpmath.matrix(error.tolist())


def joint_log_density(family, weights, means, covariances, rows, errors):
    """log wₖ + log N(x_O | μ_O, (Σ + S)_OO): a list for every row."""
    n_components, d = means.shape
    with mpmath.workdps(DIGITS):
        matrices = [_matrix_of(family, covariances, k, d) for k in range(n_components)]
        result = []
        for x, error in zip(rows, errors, strict=True):
            own = observed(x)
            joint = []
            for k, matrix in enumerate(matrices):
                factor = mpmath.cholesky(_part(_total(matrix, error), own, own))
                difference = [mpf(x[j]) - mpf(means[k, j]) for j in own]
                constant = mpmath.fsum(mpmath.log(factor[i, i]) for i in range(len(own)))
                constant += mpf(len(own)) / 2 * mpmath.log(2 * mpmath.pi)
                joint.append(mpmath.log(mpf(weights[k])) - constant - _squared_norm(factor, difference) / 2)
            result.append(joint)
        return result


def _true_values(x, error, mean, matrix):
    """E[v | x] and Cov[v | x] = Σ − Σ_·O T⁻¹ Σ_O·."""
    d, own = len(x), observed(x)
    across = _part(matrix, range(d), own)
    slopes = across * mpmath.inverse(_part(_total(matrix, error), own, own))
    moved = slopes * mpmath.matrix([mpf(x[j]) - mpf(mean[j]) for j in own])
    return [mpf(mean[j]) + moved[j] for j in range(d)], matrix - slopes * across.T


def em_step(family, weights, means, covariances, rows, errors, responsibilities):
    """Weights, means and covariances after one step, in the family's own shape."""
    n_components, d = means.shape
    components, features = range(n_components), range(d)
    with mpmath.workdps(DIGITS):
        r = responsibilities
        counts = [mpmath.fsum(of_row[k] for of_row in r) for k in components]
        new_means, scatters = [], []
        for k in components:
            matrix = _matrix_of(family, covariances, k, d)
            known = [_true_values(x, error, means[k], matrix) for x, error in zip(rows, errors, strict=True)]
            own = [of_row[k] for of_row in r]
            mean = [mpmath.fsum(w * v[j] for w, (v, _) in zip(own, known, strict=True)) / counts[k] for j in features]
            new_means.append(mean)
            scatters.append(_scatter(own, known, mean))
        return (
            [count / len(rows) for count in counts],
            new_means,
            _covariances(family, scatters, counts, len(rows), d),
        )


def univariate_optimum(measured, variances, steps=60):
    """The μ and τ² that maximize Π N(xᵢ | μ, τ² + sᵢ), by Fisher's scoring in sixty digits, from a positive τ²."""
    with mpmath.workdps(DIGITS):
        x, s = [mpf(v) for v in measured], [mpf(v) for v in variances]
        tau2 = mpf(1)
        for _ in range(steps):
            w = [1 / (tau2 + each) for each in s]
            mean = mpmath.fsum(a * b for a, b in zip(w, x, strict=True)) / mpmath.fsum(w)
            score = mpmath.fsum(a * a * (b - mean) ** 2 - a for a, b in zip(w, x, strict=True))
            tau2 += score / mpmath.fsum(a * a for a in w)
        assert math.isfinite(tau2)
        return mean, tau2
