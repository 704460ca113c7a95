"""The oracle of accuracy: mixtures in mpmath, sixty digits, from the floats that fastgmm is given.

Arrays are taken as exact; what is returned are mpmath numbers in nested lists.
"""

import mpmath
from mpmath import mpf

DIGITS = 60


def _matrix_of(family, covariances, k, d):
    """The covariance of component k as an mpmath matrix."""
    if family in ("full", "tied"):
        return mpmath.matrix((covariances[k] if family == "full" else covariances).tolist())
    variances = covariances[k].tolist() if family == "diag" else [float(covariances[k])] * d
    return mpmath.diag([mpf(variance) for variance in variances])


def joint_log_density(family, weights, means, covariances, rows):
    """log wₖ + log N(x | μₖ, Σₖ): a list for every row."""
    with mpmath.workdps(DIGITS):
        n_components, d = means.shape
        factors = [mpmath.cholesky(_matrix_of(family, covariances, k, d)) for k in range(n_components)]
        constants = []
        for k, factor in enumerate(factors):
            log_deviations = mpmath.fsum(mpmath.log(factor[i, i]) for i in range(d))
            constants.append(mpmath.log(mpf(weights[k])) - log_deviations - mpf(d) / 2 * mpmath.log(2 * mpmath.pi))
        return [
            [constants[k] - _squared_norm(factors[k], _difference(x, means[k])) / 2 for k in range(n_components)]
            for x in rows
        ]


def _difference(x, mean):
    return [mpf(a) - mpf(b) for a, b in zip(x.tolist(), mean.tolist(), strict=True)]


def _squared_norm(factor, right):
    """‖y‖² with Ly = right."""
    y = []
    for i in range(len(right)):
        y.append((right[i] - mpmath.fsum(factor[i, j] * y[j] for j in range(i))) / factor[i, i])
    return mpmath.fsum(value * value for value in y)


def log_density(joint):
    """log p(x) of every row."""
    with mpmath.workdps(DIGITS):
        return [_log_sum_exp(of_row) for of_row in joint]


def _log_sum_exp(values):
    largest = max(values)
    return largest + mpmath.log(mpmath.fsum(mpmath.exp(value - largest) for value in values))


def responsibilities(joint):
    with mpmath.workdps(DIGITS):
        return [[mpmath.exp(value - _log_sum_exp(of_row)) for value in of_row] for of_row in joint]


def em_step(family, weights, means, covariances, rows):
    """Weights, means and covariances after one step, the covariances as matrices of all components."""
    r = responsibilities(joint_log_density(family, weights, means, covariances, rows))
    with mpmath.workdps(DIGITS):
        n, (n_components, d) = len(rows), means.shape
        exact = [[mpf(value) for value in x] for x in rows.tolist()]
        counts = [mpmath.fsum(r[t][k] for t in range(n)) for k in range(n_components)]
        new_means = [
            [mpmath.fsum(r[t][k] * exact[t][j] for t in range(n)) / counts[k] for j in range(d)]
            for k in range(n_components)
        ]
        scatters = [_scatter([r[t][k] for t in range(n)], exact, new_means[k]) for k in range(n_components)]
        return [count / n for count in counts], new_means, _covariances(family, scatters, counts, n, d)


def _scatter(r, rows, mean):
    """Σ r(x − μ)(x − μ)ᵀ."""
    d = len(mean)
    z = [[x[j] - mean[j] for j in range(d)] for x in rows]
    return [[mpmath.fsum(w * a[i] * a[j] for w, a in zip(r, z, strict=True)) for j in range(d)] for i in range(d)]


def _covariances(family, scatters, counts, n, d):
    """In the family's own shape."""
    n_components = len(counts)
    if family == "full":
        return [[[value / counts[k] for value in row] for row in scatters[k]] for k in range(n_components)]
    if family == "tied":
        return [[mpmath.fsum(scatter[i][j] for scatter in scatters) / n for j in range(d)] for i in range(d)]
    variances = [[scatters[k][j][j] / counts[k] for j in range(d)] for k in range(n_components)]
    return variances if family == "diag" else [mpmath.fsum(of_component) / d for of_component in variances]
