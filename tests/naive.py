"""The oracle: Gaussian mixtures in plain floats, nested lists and ``math.fsum``; too stupid to be wrong.

Nothing of fastgmm or NumPy takes part in the arithmetic. A mixture is (family, weights, means, covariances), the
covariances in the family's own shape; rows are lists of floats; the weights of rows are 1 unless given. Priors, where
given, are a list for every row: the logarithm of what is believed of each component.
"""

import itertools
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
    if mixture.family.startswith(("factor", "ppca")):
        return matrix_of_loadings(mixture.covariances[k])
    variances = mixture.covariances[k] if mixture.family == "diag" else [mixture.covariances[k]] * d
    return [[variances[i] if i == j else 0.0 for j in range(d)] for i in range(d)]


def matrix_of_loadings(own):
    """ΛΛᵀ + Ψ, of a list for each feature of its loadings and, the last, its uniqueness."""
    loadings = [row[:-1] for row in own]
    product = times(loadings, transposed(loadings))
    return [[value + own[i][-1] * (i == j) for j, value in enumerate(row)] for i, row in enumerate(product)]


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


def em_step(mixture, rows, row_weights=None, reg_covar=0.0, priors=None):
    """The next mixture, from scatters about the new means: not the way fastgmm goes."""
    row_weights = [1.0] * len(rows) if row_weights is None else row_weights
    return step_of_shares(mixture.family, rows, weighted_shares(mixture, rows, row_weights, priors), reg_covar)


def step_of_shares(family, rows, shares, reg_covar=0.0):
    """The mixture of rows of which it is known for how much each counts for every component."""
    components, d = range(len(shares[0])), len(rows[0])
    counts = [math.fsum(share[k] for share in shares) for k in components]
    means = [
        [math.fsum(share[k] * x[j] for share, x in zip(shares, rows, strict=True)) / counts[k] for j in range(d)]
        for k in components
    ]
    scatters = scatter_matrices(rows, shares, means)
    total = math.fsum(counts)
    if family == "tied":
        summed = in_family_shape("tied", scatters)
        covariances = [[summed[i][j] / total + (reg_covar if i == j else 0.0) for j in range(d)] for i in range(d)]
    elif family == "full":
        covariances = [
            [[scatters[k][i][j] / counts[k] + (reg_covar if i == j else 0.0) for j in range(d)] for i in range(d)]
            for k in components
        ]
    elif family == "diag":
        covariances = [[scatters[k][i][i] / counts[k] + reg_covar for i in range(d)] for k in components]
    else:
        traces = in_family_shape("spherical", scatters)
        covariances = [traces[k] / (counts[k] * d) + reg_covar for k in components]
    return Mixture(family, [count / total for count in counts], means, covariances)


def solve(matrix, right):
    """x with matrix·x = right, by LLᵀ."""
    factor = cholesky(matrix)
    y = solve_lower(factor, right)
    x = [0.0] * len(y)
    for i in reversed(range(len(y))):
        x[i] = math.fsum([y[i]] + [-factor[j][i] * x[j] for j in range(i + 1, len(y))]) / factor[i][i]
    return x


def times(left, right):
    """The product of two lists of rows."""
    columns = transposed(right)
    return [[math.fsum(a * b for a, b in zip(row, column, strict=True)) for column in columns] for row in left]


def transposed(matrix):
    return [list(column) for column in zip(*matrix, strict=True)]


def factor_step(mixture, rows, row_weights, floor=0.0):
    """The next mixture of factor analyzers, from whole scatter matrices S about the new means and whole inverses:

    β = ΛᵀΣ⁻¹,  Λ' = Sβᵀ(I − βΛ + βSβᵀ)⁻¹,  Ψ' = diag(S − Λ'βS)
    """
    shares, d = weighted_shares(mixture, rows, row_weights), len(rows[0])
    dense = step_of_shares("full", rows, shares)
    next_ones = []
    for k, scatter in enumerate(dense.covariances):
        loadings = [own[:-1] for own in mixture.covariances[k]]
        q, matrix = len(loadings[0]), covariance_matrix(mixture, k)
        beta = [solve(matrix, [row[f] for row in loadings]) for f in range(q)]
        explained = times(beta, loadings)
        cross = times(scatter, transposed(beta))
        of_factors = times(beta, cross)
        inner = [[(i == j) - explained[i][j] + of_factors[i][j] for j in range(q)] for i in range(q)]
        inner = [[0.5 * (inner[i][j] + inner[j][i]) for j in range(q)] for i in range(q)]
        after = [solve(inner, row) for row in cross]
        unique = [scatter[j][j] - math.fsum(a * b for a, b in zip(after[j], cross[j], strict=True)) for j in range(d)]
        if mixture.family.startswith("ppca"):
            unique = [math.fsum(unique) / d] * d
        next_ones.append([[*own, max(noise, floor)] for own, noise in zip(after, unique, strict=True)])
    return Mixture(mixture.family, dense.weights, dense.means, next_ones)


def stepwise(mixture, batches, shares_of_batches, reg_covar=0.0):
    """The mixtures after each batch of (rows, their weights), from all rows so far: fastgmm keeps none.

    A row counts by the responsibilities that it had under the mixture before its batch, and by what is left of the
    share of its batch.
    """
    result, all_rows, all_shares = [], [], []
    for (rows, row_weights), g in zip(batches, shares_of_batches, strict=True):
        own = weighted_shares(mixture, rows, row_weights)
        total = math.fsum(row_weights)
        all_shares = [[(1.0 - g) * r for r in share] for share in all_shares]
        all_shares += [[g * r / total for r in share] for share in own]
        all_rows = all_rows + rows
        mixture = step_of_shares(mixture.family, all_rows, all_shares, reg_covar)
        result.append(mixture)
    return result


# Rows with holes: a NaN is missing. O are the features that a row has, M those that it lacks.


def observed_features(x):
    return [j for j, value in enumerate(x) if not math.isnan(value)]


def part(matrix, rows, columns):
    return [[matrix[i][j] for j in columns] for i in rows]


def joint_log_density_of_observed(mixture, rows, priors=None, exponent=1.0):
    """A·(log wₖ + log N(x_O | μ_O, Σ_OO)), and what is believed of the row."""
    result = []
    for number, x in enumerate(rows):
        own = observed_features(x)
        joint = []
        for k, weight in enumerate(mixture.weights):
            factor = cholesky(part(covariance_matrix(mixture, k), own, own))
            normal = log_normal([x[j] for j in own], [mixture.means[k][j] for j in own], factor)
            log_weight = math.log(weight) if weight > 0.0 else -math.inf
            joint.append(exponent * (log_weight + normal) + (0.0 if priors is None else priors[number][k]))
        result.append(joint)
    return result


def conditional(x, mean, covariance):
    """E[x | x_O] and Cov[x | x_O] of all features, which is 0 where one is observed."""
    d, own = len(x), observed_features(x)
    lacks = [j for j in range(d) if j not in own]
    factor = cholesky(part(covariance, own, own))
    y = solve_lower(factor, [x[j] - mean[j] for j in own])
    v = {m: solve_lower(factor, [covariance[i][m] for i in own]) for m in lacks}
    filled = list(x)
    left = [[0.0] * d for _ in range(d)]
    for m in lacks:
        filled[m] = math.fsum([mean[m], *(a * b for a, b in zip(v[m], y, strict=True))])
        for n in lacks:
            left[m][n] = math.fsum([covariance[m][n], *(-a * b for a, b in zip(v[m], v[n], strict=True))])
    return filled, left


class MomentsOfObserved(NamedTuple):
    counts: list
    first: list
    second: list
    total_weight: float
    log_likelihood: float
    observed: list  # Σwr of the rows that have a feature; None where missing values are averaged over


def moments_of_observed(mixture, rows, row_weights=None, priors=None, exponent=1.0):
    """What one sweep collects of rows with holes: all features of full and tied, observed ones of diag, spherical."""
    row_weights = [1.0] * len(rows) if row_weights is None else row_weights
    joint = joint_log_density_of_observed(mixture, rows, priors, exponent)
    densities = [log_sum_exp(values) for values in joint]
    shares = [
        [w * math.exp(value - total) for value in values]
        for w, values, total in zip(row_weights, joint, densities, strict=True)
    ]
    likelihood = math.fsum(w * v for w, v in zip(row_weights, densities, strict=True))
    return moments_of_shares(mixture, rows, shares, likelihood)


def moments_of_shares(mixture, rows, shares, likelihood):
    """The same where it is known for how much every row counts for every component."""
    components, features = range(len(mixture.means)), range(len(mixture.means[0]))
    counts = [math.fsum(share[k] for share in shares) for k in components]
    total = math.fsum(value for share in shares for value in share)
    if mixture.family in ("diag", "spherical"):
        have = [[[i for i, x in enumerate(rows) if j in observed_features(x)] for j in features] for _ in components]
        z = [[[x[j] - mixture.means[k][j] for j in features] for x in rows] for k in components]
        observed = [[math.fsum(shares[i][k] for i in have[k][j]) for j in features] for k in components]
        first = [[math.fsum(shares[i][k] * z[k][i][j] for i in have[k][j]) for j in features] for k in components]
        second = [[math.fsum(shares[i][k] * z[k][i][j] ** 2 for i in have[k][j]) for j in features] for k in components]
        return MomentsOfObserved(counts, first, second, total, likelihood, observed)
    first, second = [], []
    for k in components:
        known = [conditional(x, mixture.means[k], covariance_matrix(mixture, k)) for x in rows]
        z = [[a - b for a, b in zip(filled, mixture.means[k], strict=True)] for filled, _ in known]
        own = [share[k] for share in shares]
        first.append([math.fsum(r * v[j] for r, v in zip(own, z, strict=True)) for j in features])
        second.append(
            [
                [
                    math.fsum(r * (v[i] * v[j] + left[i][j]) for r, v, (_, left) in zip(own, z, known, strict=True))
                    for j in features
                ]
                for i in features
            ]
        )
    return MomentsOfObserved(counts, first, in_family_shape(mixture.family, second), total, likelihood, None)


def em_step_of_observed(mixture, rows, row_weights=None):
    """The next mixture, from moments about the means."""
    return step_of_moments(mixture, moments_of_observed(mixture, rows, row_weights))


def step_of_moments(mixture, moments):
    components, features = range(len(mixture.means)), range(len(mixture.means[0]))
    weights = [count / math.fsum(moments.counts) for count in moments.counts]
    direct = moments.observed is not None
    divisors = moments.observed if direct else [[count] * len(features) for count in moments.counts]
    shift = [[moments.first[k][j] / divisors[k][j] for j in features] for k in components]
    means = [[mixture.means[k][j] + shift[k][j] for j in features] for k in components]
    if direct:
        scatter = [[moments.second[k][j] - divisors[k][j] * shift[k][j] ** 2 for j in features] for k in components]
        if mixture.family == "diag":
            covariances = [[scatter[k][j] / divisors[k][j] for j in features] for k in components]
        else:
            covariances = [math.fsum(scatter[k]) / math.fsum(divisors[k]) for k in components]
    elif mixture.family == "full":
        covariances = [
            [
                [moments.second[k][i][j] / moments.counts[k] - shift[k][i] * shift[k][j] for j in features]
                for i in features
            ]
            for k in components
        ]
    else:
        covariances = [
            [
                math.fsum([moments.second[i][j], *(-moments.counts[k] * shift[k][i] * shift[k][j] for k in components)])
                / moments.total_weight
                for j in features
            ]
            for i in features
        ]
    return Mixture(mixture.family, weights, means, covariances)


# Other assignments of rows, which may have holes, than by their responsibilities.


def hard_moments(mixture, rows, row_weights, priors=None):
    """What is collected where every row counts for the first of its most probable components alone.

    The likelihood is that of the classification, Σ w maxₖ log(b w N).
    """
    joint = joint_log_density_of_observed(mixture, rows, priors)
    chosen = [own.index(max(own)) for own in joint]
    components = range(len(mixture.means))
    shares = [[w if k == z else 0.0 for k in components] for w, z in zip(row_weights, chosen, strict=True)]
    likelihood = math.fsum(w * max(own) for w, own in zip(row_weights, joint, strict=True))
    return moments_of_shares(mixture, rows, shares, likelihood)


def free_energy(mixture, rows, row_weights, exponent, priors=None):
    """(1/β) Σ w log Σ (b w N)^β."""
    raised = None if priors is None else [[exponent * value for value in own] for own in priors]
    joint = joint_log_density_of_observed(mixture, rows, raised, exponent)
    return math.fsum(w * log_sum_exp(own) for w, own in zip(row_weights, joint, strict=True)) / exponent


class Prior(NamedTuple):
    """κ, the mean of every component, ν, the scale Λ in the shape of the family (or None), and α."""

    mean_precision: float
    means: list
    degrees_of_freedom: float
    scale: list
    concentrations: list


def power_of_determinant(family, prior, n_components, d):
    """e in |Σ|^(−e/2), the prior density's; of variances in σ^(−e)."""
    pull = 1 if prior.mean_precision > 0 else 0
    per_mean = {"full": 1, "tied": n_components, "diag": 1, "spherical": d}[family]
    if prior.scale is None:
        return pull * per_mean
    own = d + 1 if family in ("full", "tied") else 2
    return prior.degrees_of_freedom + own + pull * per_mean


def posterior_step(mixture, rows, row_weights, prior, fixed, reg_covar=0.0):
    """The next mixture under a prior; ``fixed`` holds a set of components for weights, means and covariances."""
    family, components, d = mixture.family, range(len(mixture.means)), len(mixture.means[0])
    features = range(d)
    shares = weighted_shares(mixture, rows, row_weights)
    counts = [math.fsum(share[k] for share in shares) for k in components]
    averages = [
        [math.fsum(share[k] * x[j] for share, x in zip(shares, rows, strict=True)) / counts[k] for j in features]
        for k in components
    ]
    pull = prior.mean_precision
    means = [
        mixture.means[k]
        if k in fixed["means"]
        else [(counts[k] * averages[k][j] + pull * prior.means[k][j]) / (counts[k] + pull) for j in features]
        for k in components
    ]
    centers = [mixture.means[k] if k in fixed["means"] else averages[k] for k in components]
    scatters = scatter_matrices(rows, shares, centers)
    for k in components:
        away = [a - b for a, b in zip(centers[k], prior.means[k], strict=True)]
        factor = pull if k in fixed["means"] else pull * counts[k] / (pull + counts[k])
        scatters[k] = [[scatters[k][i][j] + factor * away[i] * away[j] for j in features] for i in features]
    return Mixture(
        family,
        weights_of_counts(mixture.weights, counts, prior, fixed["weights"]),
        means,
        covariances_under_prior(mixture, scatters, counts, prior, fixed["covariances"], reg_covar),
    )


def weights_of_counts(weights, counts, prior, fixed):
    """In proportion to N + α − 1, but for those that are fixed."""
    left = 1.0 - math.fsum(weights[k] for k in fixed)
    sizes = [count + alpha - 1.0 for count, alpha in zip(counts, prior.concentrations, strict=True)]
    total = math.fsum(size for k, size in enumerate(sizes) if k not in fixed)
    return [weights[k] if k in fixed else left * size / total for k, size in enumerate(sizes)]


def covariances_under_prior(mixture, scatters, counts, prior, fixed, reg_covar):
    family, components, features = mixture.family, range(len(counts)), range(len(mixture.means[0]))
    power = power_of_determinant(family, prior, len(counts), len(features))
    second, scale = in_family_shape(family, scatters), prior.scale
    if family == "tied":
        total = math.fsum(counts) + power
        if fixed:
            return mixture.covariances
        return modes_of_matrix(second, scale, total, reg_covar)
    result = []
    for k in components:
        total = counts[k] * (len(features) if family == "spherical" else 1) + power
        if k in fixed:
            result.append(mixture.covariances[k])
        elif family == "full":
            result.append(modes_of_matrix(second[k], scale and scale[k], total, reg_covar))
        elif family == "diag":
            result.append([(second[k][j] + (scale[k][j] if scale else 0.0)) / total + reg_covar for j in features])
        else:
            result.append((second[k] + (scale[k] if scale else 0.0)) / total + reg_covar)
    return result


def modes_of_matrix(second, scale, total, reg_covar):
    features = range(len(second))
    return [
        [(second[i][j] + (scale[i][j] if scale else 0.0)) / total + (reg_covar if i == j else 0.0) for j in features]
        for i in features
    ]


def log_prior(mixture, prior):
    """The logarithm of the prior density, but for a constant."""
    family, components, d = mixture.family, range(len(mixture.means)), len(mixture.means[0])
    power = power_of_determinant(family, prior, len(mixture.means), d)
    terms = [(alpha - 1.0) * math.log(w) for alpha, w in zip(prior.concentrations, mixture.weights, strict=True)]
    for k in components:
        factor = cholesky(covariance_matrix(mixture, k))
        away = solve_lower(factor, [a - b for a, b in zip(mixture.means[k], prior.means[k], strict=True)])
        terms.append(-0.5 * prior.mean_precision * math.fsum(v * v for v in away))
        if family == "tied" and k > 0:
            continue
        if family == "spherical":
            terms.append(-0.5 * power * math.log(mixture.covariances[k]))
            if prior.scale is not None:
                terms.append(-0.5 * prior.scale[k] / mixture.covariances[k])
            continue
        terms.append(-power * math.fsum(math.log(factor[i][i]) for i in range(d)))
        if prior.scale is not None:
            terms.append(-0.5 * trace_of_quotient(scale_matrix(family, prior.scale, k, d), factor))
    return math.fsum(terms)


def scale_matrix(family, scale, k, d):
    """The scale of component k as a list of rows."""
    if family == "diag":
        return [[scale[k][i] if i == j else 0.0 for j in range(d)] for i in range(d)]
    return scale if family == "tied" else scale[k]


def trace_of_quotient(matrix, factor):
    """tr((LLᵀ)⁻¹A) = ‖L⁻¹B‖², with A = BBᵀ."""
    root = cholesky(matrix)
    columns = [[row[j] for row in root] for j in range(len(root))]
    return math.fsum(v * v for column in columns for v in solve_lower(factor, column))


# A chain of states: every path that there is, one by one. ``joint`` has the log-densities of each step in each state.


class OfPaths(NamedTuple):
    log_likelihood: float
    posteriors: list
    transitions: list
    best_path: list
    best_log_probability: float


def log_or_nothing(value):
    return math.log(value) if value > 0.0 else -math.inf


def of_all_paths(start, transitions, joint):
    """log p(x), p(state | x) of every step, expected numbers of transitions, the most probable path and its log p."""
    n_states, paths = len(start), []
    for path in itertools.product(range(len(start)), repeat=len(joint)):
        steps = [transitions[i][j] for i, j in itertools.pairwise(path)]
        terms = [log_or_nothing(start[path[0]]), *map(log_or_nothing, steps)]
        paths.append((sum(terms) + sum(row[state] for row, state in zip(joint, path, strict=True)), path))
    best, best_path = max(paths, key=lambda each: each[0])
    total = best + math.log(math.fsum(math.exp(value - best) for value, _ in paths))
    shares = [(math.exp(value - total), path) for value, path in paths]
    posteriors = [
        [math.fsum(share for share, path in shares if path[t] == k) for k in range(n_states)] for t in range(len(joint))
    ]
    pairs = [
        [
            math.fsum(share * list(itertools.pairwise(path)).count((i, j)) for share, path in shares)
            for j in range(n_states)
        ]
        for i in range(n_states)
    ]
    return OfPaths(total, posteriors, pairs, list(best_path), best)
