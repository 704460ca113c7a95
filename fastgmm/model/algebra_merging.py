"""Fewer components, with the moments of those that they stand for.

A group of components has, as a mixture of its own with shares wᵢ/w, the moments

    w = Σwᵢ,   μ = Σ(wᵢ/w)μᵢ,   Σ = Σ(wᵢ/w)(Σᵢ + (μᵢ − μ)(μᵢ − μ)ᵀ)

and the one component that has the same is, of all Gaussians, the nearest to it in Kullback-Leibler divergence.
"""

from collections.abc import Iterable
from typing import Any

import numpy as np

from fastgmm.families import FAMILIES
from fastgmm.families.component import component_matrices
from fastgmm.machine.pieces import pieces
from fastgmm.machine.waiting import attended
from fastgmm.model.algebra_common import (
    Estimator,
    estimator_of,
    fitted_parameters_and_names,
    lower_factors,
    whole_number,
)
from fastgmm.model.algebra_distances import log_determinants_of
from fastgmm.parameters import FloatArray, Parameters


def merged(self: Estimator, groups: "Iterable[Iterable[int]]") -> Estimator:
    """The mixture in which each group of components is one, with the group's weight, mean and covariance.

    w = Σwᵢ, μ = Σ(wᵢ/w)μᵢ, Σ = Σ(wᵢ/w)(Σᵢ + (μᵢ − μ)(μᵢ − μ)ᵀ) [1]_: so the mean and the covariance of the whole
    mixture stay as they are.

    Parameters
    ----------
    groups : iterable of iterables of int
        Components by their numbers, counted from 0, each in one group at most.

    Returns
    -------
    GaussianMixture
        Components are the groups, in their order, and then those that are in none. It is full, since the means of a
        group lie in any direction; but where every group has a single component, or there is one feature and components
        have variances of their own, it is of the same family.

    Raises
    ------
    NotFittedError
    ValueError
        For components that are not there, or there twice, and for empty groups.

    See Also
    --------
    reduced : which finds the groups.

    References
    ----------
    .. [1] A. R. Runnalls, "Kullback-Leibler approach to Gaussian mixture reduction", IEEE Transactions on Aerospace and
       Electronic Systems 43 (2007).

    Examples
    --------
    >>> from fastgmm import GaussianMixture
    >>> gm = GaussianMixture.from_parameters([0.25, 0.5, 0.25], [[0.0], [8.0], [2.0]], [1.0, 1.0, 1.0], "spherical")
    >>> both = gm.merged([[0, 2]])
    >>> both.means_.ravel(), both.covariances_, both.weights_
    (array([1., 8.]), array([2., 1.]), array([0.5, 0.5]))
    """
    parameters, names = fitted_parameters_and_names(self)
    partition = _partition(groups, parameters.n_components)
    return estimator_of(self, parameters_merged(parameters, partition), names)


def _partition(groups: Any, n_components: int) -> list[list[int]]:
    """The groups, and every component that is in none by itself."""
    partition = [[_component(each, n_components) for each in group] for group in groups]
    if not all(partition):
        raise ValueError(f"Group {partition.index([])} of groups is empty.")
    found = [each for group in partition for each in group]
    if len(set(found)) < len(found):
        twice = next(each for place, each in enumerate(found) if each in found[:place])
        raise ValueError(f"Component {twice} is in groups twice.")
    return partition + [[k] for k in range(n_components) if k not in set(found)]


def _component(number: Any, n_components: int) -> int:
    if isinstance(number, bool) or not isinstance(number, int | np.integer) or not 0 <= number < n_components:
        raise ValueError(f"groups should hold numbers of components, from 0 to {n_components - 1}; got {number!r}.")
    return int(number)


def parameters_merged(parameters: Parameters, partition: list[list[int]]) -> Parameters:
    """Those of the mixture in which every group is one component; full, unless its family holds all of them."""
    family, given = FAMILIES[parameters.covariance_type], parameters
    weights = np.array([given.weights[group].sum() for group in partition])
    if all(len(group) == 1 for group in partition):
        order = [group[0] for group in partition]
        covariances = given.covariances if family.is_shared else given.covariances[order]
        return Parameters(given.covariance_type, weights, given.means[order], covariances)
    matrices = component_matrices(given)
    means = np.empty((len(partition), given.n_features))
    covariances = np.empty((len(partition), given.n_features, given.n_features))
    for number, group in enumerate(partition):
        _, means[number], covariances[number] = _moments(given.weights[group], given.means[group], matrices[group])
    if given.n_features == 1 and not family.is_shared:
        shape = family.covariance_shape(len(partition), 1)
        return Parameters(family.kernel, weights, means, covariances.reshape(shape))
    return Parameters("full", weights, means, covariances)


def _moments(weights: FloatArray, means: FloatArray, matrices: FloatArray) -> tuple[float, FloatArray, FloatArray]:
    """Weight, mean and covariance of a group; where nobody has any weight, of equal shares."""
    total = float(weights.sum())
    shares = weights / total if total > 0 else np.full(len(weights), 1.0 / len(weights))
    mean = means[0] + shares @ (means - means[0])
    between = np.sqrt(shares)[:, np.newaxis] * (means - mean)
    return total, mean, np.tensordot(shares, matrices, (0, 0)) + between.T @ between


def reduced(self: Estimator, n_components: int) -> Estimator:
    """The mixture with fewer components, merged two by two, the cheapest first: Runnalls' reduction.

    With Σᵢⱼ the covariance of both together, merging i and j costs at most
    ½[(wᵢ + wⱼ) log det Σᵢⱼ − wᵢ log det Σᵢ − wⱼ log det Σⱼ] of Kullback-Leibler divergence [1]_. It does not depend
    on the units of the features, and needs no data.

    Parameters
    ----------
    n_components : int
        How many to leave.

    Returns
    -------
    GaussianMixture
        With the mean and the covariance of this one, as ``merged`` says. Components are in the order of the first of
        those that they stand for.

    Raises
    ------
    NotFittedError
    ValueError
        Where ``n_components`` is no whole number from 1 to that of this mixture.

    References
    ----------
    .. [1] A. R. Runnalls, "Kullback-Leibler approach to Gaussian mixture reduction", IEEE Transactions on Aerospace and
       Electronic Systems 43 (2007).

    Examples
    --------
    >>> from fastgmm import GaussianMixture
    >>> gm = GaussianMixture.from_parameters([0.25, 0.5, 0.25], [[0.0], [8.0], [1.0]], [1.0, 1.0, 1.0], "spherical")
    >>> gm.reduced(2).means_.ravel()
    array([0.5, 8. ])
    """
    parameters, names = fitted_parameters_and_names(self)
    n_left = whole_number(n_components, "n_components", "reduced")
    if n_left > parameters.n_components:
        raise ValueError(f"n_components={n_left} is more than this mixture has, {parameters.n_components}.")
    work = float(parameters.n_components) ** 2 * float(parameters.n_features) ** 3
    partition = attended(lambda: cheapest_groups(parameters, n_left), work)
    return estimator_of(self, parameters_merged(parameters, partition), names)


def cheapest_groups(parameters: Parameters, n_left: int) -> list[list[int]]:
    """Which components to merge. All costs are computed once, and after a merger those of the new component."""
    n_components = parameters.n_components
    weights, means = parameters.weights.copy(), parameters.means.copy()
    matrices = component_matrices(parameters).copy()
    log_determinants = log_determinants_of(lower_factors(matrices))
    costs = np.full((n_components, n_components), np.inf)  # of i < j
    for i in range(n_components - 1):
        costs[i, i + 1 :] = _costs(i, np.arange(i + 1, n_components), weights, means, matrices, log_determinants)
    groups = {k: [k] for k in range(n_components)}
    while len(groups) > n_left:
        i, j = (int(place) for place in np.unravel_index(costs.argmin(), costs.shape))
        groups[i] += groups.pop(j)
        weights[i], means[i], matrices[i] = _moments(weights[[i, j]], means[[i, j]], matrices[[i, j]])
        log_determinants[i] = log_determinants_of(lower_factors(matrices[i]))
        costs[j], costs[:, j] = np.inf, np.inf
        others = np.array([k for k in groups if k != i], np.intp)
        costs[np.minimum(i, others), np.maximum(i, others)] = _costs(
            i, others, weights, means, matrices, log_determinants
        )
    return [sorted(groups[k]) for k in sorted(groups)]


def _costs(
    i: int,
    others: Any,
    weights: FloatArray,
    means: FloatArray,
    matrices: FloatArray,
    log_determinants: FloatArray,
) -> FloatArray:
    """Runnalls' bound of merging component i with each of the others."""
    result = np.empty(len(others))
    for part in pieces(len(others), 4 * matrices[:1].nbytes):
        few = others[part]
        total = weights[i] + weights[few]
        share = np.divide(weights[few], total, out=np.full(len(few), 0.5), where=total > 0)[:, np.newaxis, np.newaxis]
        shifts = means[few] - means[i]
        both = (1 - share) * matrices[i] + share * matrices[few]
        both += share * (1 - share) * (shifts[:, :, np.newaxis] * shifts[:, np.newaxis])
        apart = weights[i] * log_determinants[i] + weights[few] * log_determinants[few]
        result[part] = 0.5 * (total * log_determinants_of(lower_factors(both)) - apart)
    return result
