"""The oracle of counts and categories: mixtures in plain floats and nested lists, by the formulas of the books.

``means`` are probabilities of a 1, rates, shares, or of categories one list of probabilities for each feature. A value
of None is missing. Weights of rows are 1 unless given; priors are as in ``naive.py``.
"""

import math
from typing import NamedTuple

from tests.naive import log_sum_exp


class Mixture(NamedTuple):
    family: str
    weights: list
    means: list


def log_probability(family, x, means):
    """log p(x) of one component."""
    seen = [(value, mean) for value, mean in zip(x, means, strict=True) if value is not None]
    if family == "bernoulli":
        return math.fsum(math.log(p if value else 1.0 - p) for value, p in seen)
    if family == "poisson":
        return math.fsum(value * math.log(rate) - rate - math.lgamma(value + 1.0) for value, rate in seen)
    if family == "categorical":
        return math.fsum(math.log(p[int(value)]) for value, p in seen)
    own = math.fsum(value * math.log(p) - math.lgamma(value + 1.0) for value, p in seen)
    return math.lgamma(math.fsum(x) + 1.0) + own


def joint_log_density(mixture, rows, priors=None):
    """log πₖ + log p(x | k) + what is believed, a list for each row."""
    return [
        [
            math.log(weight) + log_probability(mixture.family, x, means) + (priors[t][k] if priors else 0.0)
            for k, (weight, means) in enumerate(zip(mixture.weights, mixture.means, strict=True))
        ]
        for t, x in enumerate(rows)
    ]


def log_density(mixture, rows, priors=None):
    return [log_sum_exp(joint) for joint in joint_log_density(mixture, rows, priors)]


def responsibilities(mixture, rows, priors=None):
    table = joint_log_density(mixture, rows, priors)
    return [[math.exp(joint - log_sum_exp(each)) for joint in each] for each in table]


def em_step(mixture, rows, row_weights=None, alpha=0.0, priors=None):
    """Weights and means that one iteration makes, with ``alpha`` as the estimators have it."""
    row_weights = row_weights or [1.0] * len(rows)
    shares = responsibilities(mixture, rows, priors)
    total = math.fsum(row_weights)
    weights, means = [], []
    for k in range(len(mixture.weights)):
        wr = [weight * share[k] for weight, share in zip(row_weights, shares, strict=True)]
        weights.append(math.fsum(wr) / total)
        means.append(means_of_component(mixture, k, rows, row_weights, wr, alpha))
    return weights, means


def means_of_component(mixture, k, rows, row_weights, wr, alpha):
    def sums(weights, j, value_of):
        return math.fsum(w * value_of(x[j]) for w, x in zip(weights, rows, strict=True) if x[j] is not None)

    features = range(len(rows[0]))
    if mixture.family == "bernoulli":
        return [(sums(wr, j, float) + alpha) / (sums(wr, j, lambda _: 1.0) + 2.0 * alpha) for j in features]
    if mixture.family == "poisson":
        mean = [sums(row_weights, j, float) / sums(row_weights, j, lambda _: 1.0) for j in features]
        return [(sums(wr, j, float) + alpha * mean[j]) / (sums(wr, j, lambda _: 1.0) + alpha) for j in features]
    if mixture.family == "multinomial":
        counts = [sums(wr, j, float) + alpha for j in features]
        return [count / math.fsum(counts) for count in counts]
    found = []
    for j in features:
        n_categories = len(mixture.means[k][j])
        seen = sums(wr, j, lambda _: 1.0) + alpha * n_categories
        found.append([(sums(wr, j, lambda x, c=c: float(x == c)) + alpha) / seen for c in range(n_categories)])
    return found
