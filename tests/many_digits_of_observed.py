"""The oracle of accuracy for rows with holes: see ``many_digits``. A NaN is missing; O are the features a row has."""

import math

import mpmath
from mpmath import mpf

from tests.many_digits import DIGITS, _covariances, _matrix_of, _squared_norm


def observed(x):
    return [j for j, value in enumerate(x.tolist()) if not math.isnan(value)]


def _part(matrix, rows, columns):
    return mpmath.matrix([[matrix[i, j] for j in columns] for i in rows])


def joint_log_density(family, weights, means, covariances, rows):
    """log wₖ + log N(x_O | μ_O, Σ_OO): a list for every row."""
    n_components, d = means.shape
    with mpmath.workdps(DIGITS):
        matrices = [_matrix_of(family, covariances, k, d) for k in range(n_components)]
        result = []
        for x in rows:
            own = observed(x)
            joint = []
            for k, matrix in enumerate(matrices):
                factor = mpmath.cholesky(_part(matrix, own, own))
                difference = [mpf(x[j]) - mpf(means[k, j]) for j in own]
                constant = mpmath.fsum(mpmath.log(factor[i, i]) for i in range(len(own)))
                constant += mpf(len(own)) / 2 * mpmath.log(2 * mpmath.pi)
                joint.append(mpmath.log(mpf(weights[k])) - constant - _squared_norm(factor, difference) / 2)
            result.append(joint)
        return result


def em_step(family, weights, means, covariances, rows, responsibilities):
    """Weights, means and covariances after one step, in the family's own shape."""
    n_components, d = means.shape
    components, features = range(n_components), range(d)
    with mpmath.workdps(DIGITS):
        r = responsibilities
        counts = [mpmath.fsum(of_row[k] for of_row in r) for k in components]
        if family in ("diag", "spherical"):
            new_means, new_covariances = _direct_step(family, rows, r, n_components)
        else:
            new_means, scatters = [], []
            for k in components:
                matrix = _matrix_of(family, covariances, k, d)
                filled = [_conditional(x, means[k], matrix) for x in rows]
                own = [of_row[k] for of_row in r]
                mean = [
                    mpmath.fsum(w * z[j] for w, (z, _) in zip(own, filled, strict=True)) / counts[k] for j in features
                ]
                new_means.append(mean)
                scatters.append(_scatter(own, filled, mean))
            new_covariances = _covariances(family, scatters, counts, len(rows), d)
        return [count / len(rows) for count in counts], new_means, new_covariances


def _conditional(x, mean, matrix):
    """E[x | x_O] and Cov[x | x_O]."""
    d, own = len(x), observed(x)
    lacks = [j for j in range(d) if j not in own]
    filled = [mpf(value) if j in own else mpf(0) for j, value in enumerate(x.tolist())]
    left = mpmath.zeros(d)
    if lacks:
        slopes = _part(matrix, lacks, own) * mpmath.inverse(_part(matrix, own, own))
        expected = slopes * mpmath.matrix([mpf(x[j]) - mpf(mean[j]) for j in own])
        conditional = _part(matrix, lacks, lacks) - slopes * _part(matrix, own, lacks)
        for a, i in enumerate(lacks):
            filled[i] = mpf(mean[i]) + expected[a]
            for b, j in enumerate(lacks):
                left[i, j] = conditional[a, b]
    return filled, left


def _scatter(own, filled, mean):
    """Σ r((z − μ)(z − μ)ᵀ + C)."""
    features = range(len(mean))
    return [
        [
            mpmath.fsum(
                w * ((z[i] - mean[i]) * (z[j] - mean[j]) + c[i, j]) for w, (z, c) in zip(own, filled, strict=True)
            )
            for j in features
        ]
        for i in features
    ]


def _direct_step(family, rows, r, n_components):
    """Means and variances from the rows that have a feature."""
    features = range(rows.shape[1])
    new_means, variances = [], []
    for k in range(n_components):
        pairs = [[(r[t][k], mpf(x[j])) for t, x in enumerate(rows) if j in observed(x)] for j in features]
        counts = [mpmath.fsum(w for w, _ in of_feature) for of_feature in pairs]
        mean = [mpmath.fsum(w * v for w, v in pairs[j]) / counts[j] for j in features]
        squares = [mpmath.fsum(w * (v - mean[j]) ** 2 for w, v in pairs[j]) for j in features]
        new_means.append(mean)
        if family == "diag":
            variances.append([square / count for square, count in zip(squares, counts, strict=True)])
        else:
            variances.append(mpmath.fsum(squares) / mpmath.fsum(counts))
    return new_means, variances
