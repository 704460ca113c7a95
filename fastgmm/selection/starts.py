"""Where candidates start: partitions that all families share, and what neighbors have found.

A start that costs nothing is what others have found: the fit with one component more, of which the two that cost least
are merged [1]_; and of the full family at the same number of components, of which the covariances of the other families
are averages: under its responsibilities these are their M-step, exactly.

References
----------
.. [1] A. R. Runnalls, "Kullback-Leibler approach to Gaussian mixture reduction", IEEE Transactions on Aerospace and
   Electronic Systems 43 (2007).
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from fastgmm.families import FAMILIES
from fastgmm.families.component import component_matrices, component_matrix, component_variances
from fastgmm.families.low_rank import with_last
from fastgmm.fit.candidates import Partition, partition
from fastgmm.fit.kmeans import cluster_means
from fastgmm.fit.partitions import parameters_of_partition
from fastgmm.fit.scales import deviations, robust_deviations
from fastgmm.fit.starts import StartOptions, centered, make_start, rows_of_a_partition, sampled
from fastgmm.model.algebra_merging import cheapest_groups, parameters_merged
from fastgmm.parameters import FloatArray, IntArray, Parameters
from fastgmm.rows import Rows
from fastgmm.selection.agglomeration import MOST_ROWS, Tree, ward_tree
from fastgmm.selection.climbing import Slope
from fastgmm.sweeps.in_memory import InMemory
from fastgmm.sweeps.over_blocks import AnySweep

# Directions of a smaller share of the longest are rounding.
_RANK = 1e-9


@dataclass(frozen=True, eq=False)
class Partitions:
    """What partitions look at: a sample of complete rows less ``shift``, and trees where these are few."""

    sweep: InMemory
    regularization: FloatArray
    sample: Rows
    shift: FloatArray
    trees: tuple[Tree, ...]

    def starts(self, n_components: int, kmeans: bool, random_state: np.random.RandomState) -> Iterator[Parameters]:
        """Full parameters of every partition into so many clusters."""
        if n_components == 1:
            yield self._start(np.zeros(self.sample.shape[0], np.int64), 1)
            return
        if kmeans:
            for scale in _scales(self.sample, is_small=bool(self.trees)):
                clusters = partition(self.sample, scale, n_components, random_state, self.sweep)
                yield self._start_of(clusters)
        for tree in self.trees:
            yield self._start(tree.labels(n_components), n_components)

    def _start(self, labels: IntArray, n_components: int) -> Parameters:
        weights = np.ones(len(labels)) if self.sample.weights is None else self.sample.weights
        nothing = np.zeros((n_components, self.sample.shape[1]))
        return self._start_of(Partition(cluster_means(self.sample, labels, weights, nothing), labels))

    def _start_of(self, clusters: Partition) -> Parameters:
        start = parameters_of_partition(self.sweep, self.sample, clusters.labels, clusters.centers, self.regularization)
        return replace(start, means=start.means + self.shift)


def _scales(sample: Rows, is_small: bool) -> list[FloatArray | None]:
    """In which k-means measures: trees do the rest where rows are few."""
    return [deviations(sample)] if is_small else [deviations(sample), robust_deviations(sample)]


def partitions_of(
    sweep: AnySweep, regularization: FloatArray, n_components: int, random_state: np.random.RandomState
) -> Partitions:
    """For up to so many components, of a sweep of the full family."""
    assert isinstance(sweep, InMemory)
    facts = sweep.facts
    members = sampled(sweep.rows, rows_of_a_partition(sweep, n_components), random_state)
    if len(members) < facts.n_counted:
        members = np.union1d(members, facts.extreme_rows)
    sample = centered(sweep.rows, members, facts.center)
    trees: tuple[Tree, ...] = ()
    if 2 < len(members) <= MOST_ROWS:
        standard = sample.values / deviations(sample)
        if np.isfinite(np.square(standard).sum()):
            trees = tuple(ward_tree(points, sample.weights) for points in (_whitened(standard), standard))
    return Partitions(sweep, regularization, sample, facts.center, trees)


def _whitened(points: FloatArray) -> FloatArray:
    """With the unit matrix as their covariance; in a plane where they lie in one."""
    less_mean = points - points.mean(axis=0)
    u, lengths, _ = np.linalg.svd(less_mean, full_matrices=False)
    spanned = u[:, lengths > _RANK * lengths[0]] if lengths[0] > 0 else less_mean
    whitened: FloatArray = spanned * np.sqrt(len(points))
    return whitened


def fewer_components(above: Parameters) -> Parameters:
    """With one component less, by the cheapest merger, in the same family."""
    merged = parameters_merged(above, cheapest_groups(above, above.n_components - 1))
    return in_family(merged, above.covariance_type)


def without(parameters: Parameters, components: tuple[int, ...]) -> Parameters:
    """The mixture of the other components."""
    others = np.setdiff1d(np.arange(parameters.n_components), components)
    weights, is_shared = parameters.weights[others], FAMILIES[parameters.covariance_type].is_shared
    covariances = parameters.covariances if is_shared else parameters.covariances[others]
    return replace(parameters, weights=weights / weights.sum(), means=parameters.means[others], covariances=covariances)


def with_heaviest_split(parameters: Parameters) -> Parameters:
    """With one component more: the heaviest is split along its longest axis, into halves of the same covariance.

    Their means are a deviation apart from each other. Nothing of the rows is known, so EM decides what comes of it.
    """
    heaviest = int(parameters.weights.argmax())
    variances, axes = np.linalg.eigh(component_matrix(parameters, heaviest))
    half = 0.5 * np.sqrt(variances[-1]) * axes[:, -1]
    weights = np.append(parameters.weights, parameters.weights[heaviest] / 2)
    weights[heaviest] /= 2
    means = np.vstack([parameters.means, parameters.means[heaviest] + half])
    means[heaviest] -= half
    covariances = parameters.covariances
    if not FAMILIES[parameters.covariance_type].is_shared:
        covariances = np.concatenate([covariances, covariances[heaviest : heaviest + 1]])
    return replace(parameters, weights=weights, means=means, covariances=covariances)


def in_family(parameters: Parameters, covariance_type: str) -> Parameters:
    """With the family's covariances: its M-step under the responsibilities of which these are the full family's."""
    if parameters.covariance_type == covariance_type:
        return parameters
    family = FAMILIES[covariance_type]
    if family.kernel == "full":
        covariances = component_matrices(parameters)
    elif family.kernel == "tied":
        covariances = np.tensordot(parameters.weights, component_matrices(parameters), 1)
    elif family.rank is not None:  # loadings are found in the rows
        variances = component_variances(parameters)
        covariances = with_last(np.zeros((*variances.shape, family.rank)), variances)
    else:
        covariances = component_variances(parameters)
        covariances = covariances if family.kernel == "diag" else covariances.mean(axis=1)
    covariances = covariances.reshape(family.covariance_shape(*parameters.means.shape))
    covariances = family.constrained(covariances, parameters.weights)
    return replace(parameters, covariance_type=covariance_type, covariances=covariances)


def start_of_rows_with_holes(slope: Slope, n_components: int, random_state: np.random.RandomState) -> Parameters:
    """That of a fit, which fills what is missing in a sample."""
    options = StartOptions("auto", n_components)
    return make_start(slope.sweep, options, slope.regularization, random_state)
