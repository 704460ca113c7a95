"""The oracle: Gaussian mixtures in plain floats, nested lists and ``math.fsum``; too stupid to be wrong.

Nothing of fastgmm or NumPy takes part in the arithmetic. A mixture is (family, weights, means, covariances), the
covariances in the family's own shape; rows are lists of floats; the weights of rows are 1 unless given. Priors, where
given, are a list for every row: the logarithm of what is believed of each component.
"""

import math
from typing import NamedTuple


class Mixture(NamedTuple):
    family: str
    weights: list
    means: list
    covariances: list


class Moments(NamedTuple):
    counts: list
    first: list
    second: list
    total_weight: float
    log_likelihood: float


def covariance_matrix(mixture, k):
    """The covariance of component k as a list of rows."""
    d = len(mixture.means[k])
    if mixture.family == "full":
        return mixture.covariances[k]
    if mixture.family == "tied":
        return mixture.covariances
    variances = mixture.covariances[k] if mixture.family == "diag" else [mixture.covariances[k]] * d
    return [[variances[i] if i == j else 0.0 for j in range(d)] for i in range(d)]


def cholesky(matrix):
    """L, lower triangular, with LLᵀ = matrix."""
    d = len(matrix)
    factor = [[0.0] * d for _ in range(d)]
    for i in range(d):
        for j in range(i + 1):
            rest = math.fsum([matrix[i][j]] + [-factor[i][m] * factor[j][m] for m in range(j)])
            factor[i][j] = math.sqrt(rest) if i == j else rest / factor[j][j]
    return factor


def solve_lower(factor, right):
    """y with Ly = right."""
    y = []
    for i in range(len(right)):
        rest = math.fsum([right[i]] + [-factor[i][j] * y[j] for j in range(i)])
        y.append(rest / factor[i][i])
    return y


def log_normal(x, mean, factor):
    """log N(x | mean, LLᵀ)."""
    y = solve_lower(factor, [a - b for a, b in zip(x, mean, strict=True)])
    log_deviations = math.fsum(math.log(factor[i][i]) for i in range(len(x)))
    return -0.5 * math.fsum(v * v for v in y) - log_deviations - 0.5 * len(x) * math.log(2 * math.pi)


def joint_log_density(mixture, rows, priors=None):
    """log wₖ + log N(x | k), and what is believed of the row: a list for every row."""
    components = range(len(mixture.weights))
    log_weights = [math.log(w) if w > 0.0 else -math.inf for w in mixture.weights]
    factors = [cholesky(covariance_matrix(mixture, k)) for k in components]
    joint = [[log_weights[k] + log_normal(x, mixture.means[k], factors[k]) for k in components] for x in rows]
    if priors is None:
        return joint
    return [[a + b for a, b in zip(own, prior, strict=True)] for own, prior in zip(joint, priors, strict=True)]


def log_sum_exp(values):
    largest = max(values)
    return largest + math.log(math.fsum(math.exp(v - largest) for v in values))


def log_density(mixture, rows, priors=None):
    """log p(x) of every row."""
    return [log_sum_exp(joint) for joint in joint_log_density(mixture, rows, priors)]


def responsibilities(mixture, rows, priors=None):
    """p(k | x): a list for every row."""
    result = []
    for joint in joint_log_density(mixture, rows, priors):
        total = log_sum_exp(joint)
        result.append([math.exp(value - total) for value in joint])
    return result


def labels(mixture, rows):
    """The component with the largest joint density, the first of equals."""
    return [joint.index(max(joint)) for joint in joint_log_density(mixture, rows)]


def scatter_matrices(points, shares, centers):
    """Σ share·(x − center)(x − center)ᵀ of every component, (K, d, d)."""
    d = len(centers[0])
    result = []
    for k, center in enumerate(centers):
        z = [[a - b for a, b in zip(x, center, strict=True)] for x in points]
        lower = [
            [math.fsum(r[k] * v[i] * v[j] for r, v in zip(shares, z, strict=True)) for j in range(i + 1)]
            for i in range(d)
        ]
        result.append([[lower[max(i, j)][min(i, j)] for j in range(d)] for i in range(d)])
    return result


def in_family_shape(family, matrices):
    """Scatter matrices (K, d, d) as second moments: full as they are, tied summed, diagonals, traces."""
    d = len(matrices[0])
    if family == "full":
        return matrices
    if family == "tied":
        return [[math.fsum(matrix[i][j] for matrix in matrices) for j in range(d)] for i in range(d)]
    diagonals = [[matrix[i][i] for i in range(d)] for matrix in matrices]
    return diagonals if family == "diag" else [math.fsum(diagonal) for diagonal in diagonals]


def weighted_shares(mixture, rows, row_weights, priors=None):
    """w·r: a list for every row."""
    result = responsibilities(mixture, rows, priors)
    return [[w * r for r in shares] for w, shares in zip(row_weights, result, strict=True)]


def moments(mixture, rows, row_weights=None, priors=None):
    """What one sweep collects, about the means of the mixture."""
    row_weights = [1.0] * len(rows) if row_weights is None else row_weights
    shares = weighted_shares(mixture, rows, row_weights, priors)
    densities = log_density(mixture, rows, priors)
    return Moments(
        *sums_of_shares(mixture.family, mixture.means, rows, shares),
        total_weight=math.fsum(row_weights),
        log_likelihood=math.fsum(w * v for w, v in zip(row_weights, densities, strict=True)),
    )


def sums_of_shares(family, means, rows, shares):
    """Counts, first and second moments about the means, from the weighted responsibilities of every row."""
    components, features = range(len(means)), range(len(means[0]))
    counts = [math.fsum(share[k] for share in shares) for k in components]
    first = [
        [math.fsum(share[k] * (x[j] - means[k][j]) for share, x in zip(shares, rows, strict=True)) for j in features]
        for k in components
    ]
    return counts, first, in_family_shape(family, scatter_matrices(rows, shares, means))


def em_step(mixture, rows, row_weights=None, reg_covar=0.0):
    """The next mixture, from scatters about the new means: not the way fastgmm goes."""
    row_weights = [1.0] * len(rows) if row_weights is None else row_weights
    return m_step(mixture, rows, weighted_shares(mixture, rows, row_weights), reg_covar)


def hard_shares(mixture, rows, row_weights, priors=None):
    """The weight of every row for the component of the largest joint density, 0 for all others."""
    joint = joint_log_density(mixture, rows, priors)
    chosen = [own.index(max(own)) for own in joint]
    return [
        [w if k == z else 0.0 for k in range(len(mixture.weights))] for w, z in zip(row_weights, chosen, strict=True)
    ]


def classification_likelihood(mixture, rows, row_weights, priors=None):
    """Σ w maxₖ log(b w N)."""
    joint = joint_log_density(mixture, rows, priors)
    return math.fsum(w * max(own) for w, own in zip(row_weights, joint, strict=True))


def hard_step(mixture, rows, row_weights=None, reg_covar=0.0):
    """The next mixture where every row counts for its most probable component alone."""
    row_weights = [1.0] * len(rows) if row_weights is None else row_weights
    return m_step(mixture, rows, hard_shares(mixture, rows, row_weights), reg_covar)


def free_energy(mixture, rows, exponent, priors=None):
    """(1/β) Σ log Σ (b w N)^β."""
    joint = joint_log_density(mixture, rows, priors)
    return math.fsum(log_sum_exp([exponent * value for value in own]) for own in joint) / exponent


def m_step(mixture, rows, shares, reg_covar=0.0):
    """The next mixture, from scatters about the new means, given how much every row counts for every component."""
    components, d = range(len(mixture.means)), len(mixture.means[0])
    counts = [math.fsum(share[k] for share in shares) for k in components]
    means = [
        [math.fsum(share[k] * x[j] for share, x in zip(shares, rows, strict=True)) / counts[k] for j in range(d)]
        for k in components
    ]
    scatters = scatter_matrices(rows, shares, means)
    total = math.fsum(counts)
    if mixture.family == "tied":
        summed = in_family_shape("tied", scatters)
        covariances = [[summed[i][j] / total + (reg_covar if i == j else 0.0) for j in range(d)] for i in range(d)]
    elif mixture.family == "full":
        covariances = [
            [[scatters[k][i][j] / counts[k] + (reg_covar if i == j else 0.0) for j in range(d)] for i in range(d)]
            for k in components
        ]
    elif mixture.family == "diag":
        covariances = [[scatters[k][i][i] / counts[k] + reg_covar for i in range(d)] for k in components]
    else:
        traces = in_family_shape("spherical", scatters)
        covariances = [traces[k] / (counts[k] * d) + reg_covar for k in components]
    return Mixture(mixture.family, [count / total for count in counts], means, covariances)
