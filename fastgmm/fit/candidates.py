"""The default start: partitions in several scales, a few steps of EM from each, and the likeliest end of all [1]_.

Which scale makes the clusters round is not known beforehand: that of all rows is set by what separates clusters, and by
extreme rows. So k-means runs in several, and the likelihood of the family that is fitted decides among them, as it
alone is the same in all units. EM on a sample of the rows costs less than the iterations on all of them that it saves.

References
----------
.. [1] C. Biernacki, G. Celeux and G. Govaert, "Choosing starting values for the EM algorithm for getting the highest
   likelihood in multivariate Gaussian mixture models", Computational Statistics & Data Analysis 41 (2003).
"""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

import numpy as np

from fastgmm.data.facts import Facts
from fastgmm.errors import DegenerateComponentError
from fastgmm.fit.kmeans import Labels, kmeans
from fastgmm.fit.labelled import labelled_kmeans, labelled_members, parameters_of_labelled
from fastgmm.fit.loadings import with_loadings
from fastgmm.fit.partitions import parameters_of_partition
from fastgmm.fit.restarts import merit
from fastgmm.fit.runs import Stopping, run_em
from fastgmm.fit.scales import deviations, deviations_within, robust_deviations
from fastgmm.fit.steps import Fit
from fastgmm.parameters import FloatArray, Parameters
from fastgmm.rows import Rows
from fastgmm.sweeps.bounded import BoundedSweep
from fastgmm.sweeps.in_memory import InMemory, make_sweep

# These numbers and the scales were chosen by `python -m bench.lab.starts`. There is one partition, and no candidates,
# where there are fewer rows than `_FEWEST_ROWS`, since candidates would take longer than the fit. The same holds where
# covariances would be too rough to be compared: where the rows for every component and feature are more than there
# are, or than we look at.
_FEWEST_ROWS = 2048
_ROWS_PER_COMPONENT_AND_FEATURE = 16
_FEW_ROWS, _MOST_ROWS = 4096, 8192
_RANDOM_SCALES = 4
# In mean log-likelihood: the default ``tol`` of a fit.
_SAME_END = 1e-3
_STEPS_OF_A_CANDIDATE = Stopping(tol=0.0, max_iter=10)
_STEPS_ON_THE_SAMPLE = Stopping(tol=1e-4, max_iter=10)


@dataclass(frozen=True, eq=False)
class Partition:
    """Clusters of some rows: centers (K, d) among their values, and labels (n,)."""

    centers: FloatArray
    labels: Labels


def partition(
    rows: Rows, scale: FloatArray | None, n_clusters: int, random_state: np.random.RandomState, sweep: InMemory
) -> Partition:
    """k-means of centered rows with every feature measured in its scale; None is that of the rows."""
    scaled = in_scale(rows, scale)
    if rows.groups is None:
        centers, labels = kmeans(scaled, n_clusters, random_state, sweep.backend, sweep.n_threads)
    else:
        centers, labels = labelled_kmeans(scaled, n_clusters, random_state, sweep)
    return Partition(centers if scale is None else centers * scale, labels)


def in_scale(rows: Rows, scale: FloatArray | None) -> Rows:
    """Centered rows with every feature in units of its scale (d,)."""
    if scale is None:
        return rows
    return replace(rows, values=rows.values / scale.astype(rows.values.dtype))


def default_scale(rows: Rows, sweep: InMemory) -> FloatArray | None:
    """That of a single partition: standard deviations, unless the family tells units from each other."""
    return deviations(rows) if sweep.family.is_closed_under_scaling else None


def likeliest_candidate(
    sweep: InMemory, sample: Rows, n_components: int, regularization: FloatArray, random_state: np.random.RandomState
) -> Parameters:
    """Starting parameters from a centered sample of the sweep's rows, among the values of the sample."""
    n_rows, n_features = sample.shape
    needed = _ROWS_PER_COMPONENT_AND_FEATURE * n_components * n_features
    if n_rows < max(_FEWEST_ROWS, needed) or needed > _MOST_ROWS:
        single = partition(sample, default_scale(sample, sweep), n_components, random_state, sweep)
        return parameters_of_clusters(sweep, sample, single, regularization)
    few = _thinned(sample, max(_FEW_ROWS, needed), n_components)
    # No deadline: a start is finished.
    over_few = make_sweep(Facts(few), sweep.family, sweep.backend, sweep.n_threads)
    starts, fits = list[Parameters](), list[Fit]()
    for clusters in _partitions(few, sweep, n_components, random_state):
        start = parameters_of_clusters(sweep, few, clusters, regularization)
        starts.append(with_loadings(over_few, few, start, regularization, random_state))
        with suppress(DegenerateComponentError):  # while another candidate succeeds
            fits.append(_steps_of_em(over_few, starts[-1], regularization, _STEPS_OF_A_CANDIDATE))
        if len(_best(fits)) > 1:
            break  # clusters are so plain that two scales lead to the same; others would hardly lead to better ones
    if not fits:
        return starts[0]  # from which the fit will say what is wrong
    best = _best(fits)[0].parameters
    if n_rows < sweep.facts.n_counted:
        over_sample = make_sweep(Facts(sample), sweep.family, sweep.backend, sweep.n_threads)
        with suppress(DegenerateComponentError):
            best = _steps_of_em(over_sample, best, regularization, _STEPS_ON_THE_SAMPLE).parameters
    return best


def _thinned(sample: Rows, n_rows: int, n_components: int) -> Rows:
    """About so many rows, and the extreme ones among them, and some that name each component."""
    few = sample.thinned(n_rows)
    if few is sample:
        return sample
    more = sample.take(np.append(Facts(sample).extreme_rows, labelled_members(sample, n_components)))
    weights = None if few.weights is None or more.weights is None else np.append(few.weights, more.weights)
    groups = None if few.groups is None or more.groups is None else np.append(few.groups, more.groups)
    return Rows(np.concatenate([few.values, more.values]), weights, groups=groups, group_prior=sample.group_prior)


def _best(fits: Sequence[Fit]) -> list[Fit]:
    """The fits whose end is the best, in the order of the candidates: rounding does not choose among them."""
    is_sound, bound = max(map(merit, fits), default=(False, -np.inf))
    return [fit for fit in fits if merit(fit) >= (is_sound, bound - _SAME_END)]


def _partitions(
    rows: Rows, sweep: InMemory, n_clusters: int, random_state: np.random.RandomState
) -> Iterator[Partition]:
    """In the scales of all rows and within the clusters that these lead to, and in others at random."""

    def in_(scale: FloatArray | None) -> Partition:
        return partition(rows, scale, n_clusters, random_state, sweep)

    first = [in_(scale) for scale in (default_scale(rows, sweep), robust_deviations(rows))]
    yield from first
    for clusters in first:
        yield in_(deviations_within(rows, clusters.labels, n_clusters))
    scale_of_all = deviations(rows)
    for _ in range(_RANDOM_SCALES):
        yield in_(scale_of_all * np.exp(random_state.standard_normal(rows.shape[1])))


def parameters_of_clusters(sweep: InMemory, rows: Rows, clusters: Partition, regularization: FloatArray) -> Parameters:
    """The M-step of a partition, and of what is known of the rows."""
    if rows.groups is not None:
        return parameters_of_labelled(sweep, rows, clusters.labels, clusters.centers, regularization)
    return parameters_of_partition(sweep, rows, clusters.labels, clusters.centers, regularization)


def _steps_of_em(sweep: InMemory, start: Parameters, regularization: FloatArray, stopping: Stopping) -> Fit:
    return run_em(BoundedSweep(sweep), start, regularization, stopping, is_logged=False)
