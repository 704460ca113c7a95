"""The oracle for rows of known errors: true values v and a row's measurements x = v + e are one Gaussian vector.

Of it the first half, v, is missing in every row, and the rest is a row with holes: see ``naive.conditional``.
``errors`` are a covariance, a list of rows, for every row.
"""

import math

from tests.naive import (
    MomentsOfObserved,
    cholesky,
    conditional,
    covariance_matrix,
    in_family_shape,
    log_normal,
    log_sum_exp,
    observed_features,
    part,
)


def sum_of(matrix, other):
    return [[math.fsum(pair) for pair in zip(*rows, strict=True)] for rows in zip(matrix, other, strict=True)]


def joint_log_density(mixture, rows, errors, priors=None, exponent=1.0):
    """A·(log wₖ + log N(x_O | μ_O, (Σ + S)_OO)), and what is believed of the row."""
    result = []
    for number, (x, error) in enumerate(zip(rows, errors, strict=True)):
        own = observed_features(x)
        joint = []
        for k, weight in enumerate(mixture.weights):
            factor = cholesky(part(sum_of(covariance_matrix(mixture, k), error), own, own))
            normal = log_normal([x[j] for j in own], [mixture.means[k][j] for j in own], factor)
            log_weight = math.log(weight) if weight > 0.0 else -math.inf
            joint.append(exponent * (log_weight + normal) + (0.0 if priors is None else priors[number][k]))
        result.append(joint)
    return result


def true_values(x, error, mean, covariance):
    """E[v | x] and Cov[v | x]."""
    d = len(x)
    both = [row + row for row in covariance] + [
        row + total for row, total in zip(covariance, sum_of(covariance, error), strict=True)
    ]
    filled, left = conditional([math.nan] * d + x, mean + mean, both)
    return filled[:d], [row[:d] for row in left[:d]]


def moments(mixture, rows, errors, row_weights=None, priors=None, exponent=1.0):
    """What one sweep collects of the true values."""
    row_weights = [1.0] * len(rows) if row_weights is None else row_weights
    joint = joint_log_density(mixture, rows, errors, priors, exponent)
    densities = [log_sum_exp(values) for values in joint]
    shares = [
        [w * math.exp(value - total) for value in values]
        for w, values, total in zip(row_weights, joint, densities, strict=True)
    ]
    components, features = range(len(mixture.means)), range(len(mixture.means[0]))
    first, second = [], []
    for k in components:
        covariance = covariance_matrix(mixture, k)
        known = [true_values(x, e, mixture.means[k], covariance) for x, e in zip(rows, errors, strict=True)]
        b = [[v - m for v, m in zip(expected, mixture.means[k], strict=True)] for expected, _ in known]
        own = [share[k] for share in shares]
        first.append([math.fsum(r * v[j] for r, v in zip(own, b, strict=True)) for j in features])
        second.append(
            [
                [
                    math.fsum(r * (v[i] * v[j] + left[i][j]) for r, v, (_, left) in zip(own, b, known, strict=True))
                    for j in features
                ]
                for i in features
            ]
        )
    counts = [math.fsum(share[k] for share in shares) for k in components]
    total = math.fsum(row_weights)
    likelihood = math.fsum(w * v for w, v in zip(row_weights, densities, strict=True))
    return MomentsOfObserved(counts, first, in_family_shape(mixture.family, second), total, likelihood, None)
