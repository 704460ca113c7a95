"""Clusters that take several components to describe: components are merged where it is unclear which one rows are of.

With t the responsibilities of clusters for a row, each the sum of those of its components, −Σ t log t is the entropy of
the row's assignment. Merging the clusters a and b lowers it by

    h(t_a) + h(t_b) − h(t_a + t_b),   h(t) = −t log t

which is much where they share rows, and next to nothing where they lie apart. Every step of the hierarchy needs sums
over all rows of what pairs would lower, and of one merged cluster these do not follow from those of its parts. So each
step is a pass: the first one for all pairs, the others for those of the cluster that is new. Passes compute
responsibilities anew, which takes a third of the time at 16 components, and keep n × K of them nowhere.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastgmm.data.single_precision import as_float64
from fastgmm.data.validation import NO_VALUES_OF_WEIGHT
from fastgmm.data.weights import check_sample_weight, moderate
from fastgmm.kernels.contract import work_of
from fastgmm.machine.pieces import pieces
from fastgmm.machine.waiting import attended
from fastgmm.model.algebra_common import whole_number
from fastgmm.model.scoring import Scorer
from fastgmm.parameters import FloatArray, IntArray
from fastgmm.rows import Rows

# Components of a cluster by their numbers, in ascending order.
Components = tuple[int, ...]

# A logarithm takes as long as so many multiply-adds in kernels.
_WORK_OF_A_LOGARITHM = 8
_SMALLEST = float(np.finfo(np.float64).tiny)


@dataclass(frozen=True, eq=False)
class _Members:
    """Rows, what of each counts (n,), and who says how much of it belongs to which component."""

    scorer: Scorer
    rows: Rows
    weights: FloatArray
    n_threads: int | None

    def shares(self, clusters: Sequence[Components], n_numbers: int = 0) -> Iterator[tuple[slice, FloatArray]]:
        """Places of rows, and how much of each belongs to the clusters (G, n); a cache has room for more numbers."""
        of_row = 8 * (2 * self.scorer.shape[0] + n_numbers)
        order = np.concatenate([np.array(each, np.intp) for each in clusters])
        begins = np.cumsum([0, *(len(each) for each in clusters[:-1])])
        # A call of a kernel gives 4 MB of responsibilities, lest starting its threads takes longer than its work.
        for call in pieces(self.rows.shape[0], 2 * self.scorer.shape[0]):
            found = self.scorer.evaluate(as_float64(self.rows.take(call)), self.n_threads, "responsibilities")
            for part in pieces(len(found), of_row):
                of_clusters = np.add.reduceat(found[part].T[order], begins, axis=0)
                yield slice(call.start + part.start, call.start + part.stop), of_clusters

    @property
    def work(self) -> float:
        """Multiply-adds of a pass."""
        return work_of(self.rows.shape[0], self.scorer.shape[1], self.scorer.shape[0])


@dataclass(frozen=True, eq=False)
class Clusters:
    """Clusters of rows, each of one or more components of a mixture, and the hierarchy of all mergers: see
    :meth:`fastgmm.GaussianMixture.clusters`.

    Attributes
    ----------
    components : tuple of tuples of int
        The components that make each cluster. Clusters are in the order of the first of these.
    labels : ndarray of int64, shape (n_samples,)
        The cluster with the largest posterior probability, for every row; read-only.
    entropies : ndarray of float64, shape (n_components,)
        ``entropies[k - 1]`` is the mean entropy of a row's assignment to k clusters, −Σ t log t, in nats: from 0 to
        log k. R's mclust has the sum over rows instead. Read-only.
    merges : tuple of pairs of int
        Each step of the hierarchy, from all components to a single cluster: the first components of both clusters that
        became one.

    Examples
    --------
    >>> from fastgmm import GaussianMixture
    >>> means = [[0.0], [1.0], [9.0]]
    >>> gm = GaussianMixture.from_parameters([0.3, 0.3, 0.4], means, [1.0, 1.0, 1.0], "spherical", random_state=0)
    >>> found = gm.clusters(gm.sample(1000)[0])
    >>> found.components, found.merges
    (((0, 1), (2,)), ((0, 1), (0, 2)))
    >>> found.entropies.round(2)
    array([0.  , 0.  , 0.36])
    """

    components: tuple[Components, ...]
    labels: IntArray
    entropies: FloatArray
    merges: tuple[tuple[int, int], ...]
    _members: _Members = field(repr=False)

    @property
    def n_clusters(self) -> int:
        """How many there are."""
        return len(self.components)

    @property
    def responsibilities(self) -> FloatArray:
        """Posterior probabilities of the clusters (n_samples, n_clusters), computed when they are asked for."""
        return attended(lambda: _responsibilities(self._members, self.components), self._members.work)

    def components_of(self, n_clusters: int) -> tuple[Components, ...]:
        """The components that make each cluster, at another step of the hierarchy.

        Parameters
        ----------
        n_clusters : int
            From 1 to the number of components.

        Returns
        -------
        tuple of tuples of int
            As ``components``.

        Raises
        ------
        ValueError
            For any other number.

        Examples
        --------
        >>> from fastgmm import GaussianMixture
        >>> means = [[0.0], [1.0], [9.0]]
        >>> gm = GaussianMixture.from_parameters([0.3, 0.3, 0.4], means, [1.0, 1.0, 1.0], "spherical")
        >>> gm.clusters([[0.2], [0.6], [8.0]]).components_of(3)
        ((0,), (1,), (2,))
        """
        n_clusters = _number_of_clusters(n_clusters, len(self.entropies), "components_of")
        return _after(self.merges, len(self.entropies), n_clusters)

    def labels_of(self, n_clusters: int) -> IntArray:
        """The cluster of every row, at another step of the hierarchy.

        It is computed of the X that ``clusters`` was given, which is kept and not copied.

        Parameters
        ----------
        n_clusters : int
            From 1 to the number of components.

        Returns
        -------
        ndarray of int64, shape (n_samples,)

        Raises
        ------
        ValueError
            For any other number.

        Examples
        --------
        >>> from fastgmm import GaussianMixture
        >>> means = [[0.0], [1.0], [9.0]]
        >>> gm = GaussianMixture.from_parameters([0.3, 0.3, 0.4], means, [1.0, 1.0, 1.0], "spherical")
        >>> found = gm.clusters([[0.2], [0.6], [8.0]])
        >>> found.labels, found.labels_of(3)
        (array([0, 0, 1]), array([0, 1, 2]))
        """
        groups = self.components_of(n_clusters)
        return attended(lambda: _labels(self._members, groups), self._members.work)


def clusters(
    self: Any,
    X: "ArrayLike",
    n_clusters: "int | Literal['auto']" = "auto",
    *,
    sample_weight: "ArrayLike | None" = None,
) -> Clusters:
    """Clusters of one or more components: these are merged where it is unclear which of them rows belong to.

    A mixture needs several Gaussians for a cluster that is no ellipse. Two clusters at a time, at first the components,
    are merged, those whose union lowers the entropy −Σᵢ Σₖ tᵢₖ log tᵢₖ of the soft assignment most, down to one [1]_;
    of equal ones the first. The density stays what it is. R's mclust calls this clustCombi.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
        Mostly the rows of the fit.
    n_clusters : int or 'auto', default='auto'
        How many to leave. ``'auto'`` is the elbow of the entropies of 1, ..., K clusters: two straight lines are fitted
        to them, which share the entropy where they meet, and it is where the sum of squares is smallest. So of three or
        more components it is from 2 to K − 1, also where nothing should be merged: look at ``entropies``. One or two
        components are left as they are.
    sample_weight : array-like of shape (n_samples,), optional
        A weight of 0 is the row removed, an integer weight the row repeated.

    Returns
    -------
    Clusters

    Raises
    ------
    NotFittedError
    ValueError
        As ``score``, and where ``n_clusters`` is no whole number from 1 to that of the components.

    See Also
    --------
    merged : the mixture with one Gaussian for each of the groups.

    Notes
    -----
    Rows are visited K times: for each step of the hierarchy, and for labels. Those without any observed value get a
    label, and have no part in the entropies.

    References
    ----------
    .. [1] J.-P. Baudry, A. E. Raftery, G. Celeux, K. Lo and R. Gottardo, "Combining mixture components for clustering",
       Journal of Computational and Graphical Statistics 19 (2010).

    Examples
    --------
    >>> from fastgmm import GaussianMixture
    >>> means = [[0.0, 0.0], [0.0, 1.0], [9.0, 0.0]]
    >>> gm = GaussianMixture.from_parameters([0.3, 0.3, 0.4], means, [1.0, 1.0, 1.0], "spherical", random_state=0)
    >>> X, _ = gm.sample(1000)
    >>> gm.clusters(X).components
    ((0, 1), (2,))
    """
    scorer, rows = self._ready_to_score(X)
    wanted = None
    if isinstance(n_clusters, str) and n_clusters != "auto":
        raise ValueError(f"n_clusters should be 'auto' or a whole number; got {n_clusters!r}.")
    if not isinstance(n_clusters, str):
        wanted = _number_of_clusters(n_clusters, scorer.shape[0], "clusters")
    members = _Members(scorer, rows, _shares_of_rows(rows, sample_weight), self.n_threads)

    def work() -> Clusters:
        merges, entropies = _hierarchy(members)
        groups = _after(merges, len(entropies), wanted or _elbow(entropies))
        labels = _labels(members, groups)
        for array in (labels, entropies):
            array.flags.writeable = False
        return Clusters(groups, labels, entropies, merges, members)

    n_components, n_logarithms = scorer.shape[0], _WORK_OF_A_LOGARITHM * rows.shape[0]
    return attended(work, n_components * (members.work + n_logarithms * n_components))


def _number_of_clusters(value: Any, n_components: int, method: str) -> int:
    number = whole_number(value, "n_clusters", method)
    if number > n_components:
        raise ValueError(f"n_clusters={number}, but there are {n_components} components to make clusters of.")
    return number


def _shares_of_rows(rows: Rows, sample_weight: Any) -> FloatArray:
    """What each row counts of all; those without any observed value nothing."""
    weights = moderate(check_sample_weight(sample_weight, rows.shape[0]))
    result = np.ones(rows.shape[0]) if weights is None else weights.copy()
    if rows.has_missing:
        result *= rows.are_observed
    total = result.sum()
    if total == 0:
        raise ValueError(NO_VALUES_OF_WEIGHT)
    result /= total
    return result


def _hierarchy(members: _Members) -> tuple[tuple[tuple[int, int], ...], FloatArray]:
    """The mergers down to one cluster, and the entropies of 1, ..., K clusters."""
    groups: list[Components] = [(k,) for k in range(members.scorer.shape[0])]
    entropies, merges = np.zeros(len(groups)), []
    lowered, pairs = np.full((len(groups), len(groups)), -np.inf), np.triu_indices(len(groups), 1)
    while len(groups) > 1:
        entropies[len(groups) - 1], lowered[pairs] = _entropy_and_what_lowers_it(members, groups, *pairs)
        lowered.T[pairs] = lowered[pairs]
        one, other = divmod(int(lowered.argmax()), len(groups))  # the first of equal ones, so one < other
        merges.append((groups[one][0], groups[other][0]))
        groups[one] = tuple(sorted(groups[one] + groups.pop(other)))
        lowered = np.delete(np.delete(lowered, other, 0), other, 1)
        others = np.delete(np.arange(len(groups)), one)
        pairs = np.full(len(others), one), others
    return tuple(merges), entropies


def _entropy_and_what_lowers_it(
    members: _Members, groups: Sequence[Components], first: NDArray[np.intp], second: NDArray[np.intp]
) -> tuple[float, FloatArray]:
    """The mean entropy of the clusters, and by how much the union of each of the pairs lowers it: a pass."""
    entropy, lowered = 0.0, np.zeros(len(first))
    for place, shares in members.shares(groups, 3 * len(first)):
        own = _terms(shares)
        of_pairs = own[first] + own[second] - _terms(shares[first] + shares[second])
        # Not as products of matrices: what BLAS adds up in which order depends on its threads.
        lowered += np.einsum("pn,n->p", of_pairs, members.weights[place])
        entropy += float(np.einsum("kn,n->", own, members.weights[place]))
    return entropy, lowered


def _terms(shares: FloatArray) -> FloatArray:
    """−t log t, 0 for 0."""
    result = np.log(np.maximum(shares, _SMALLEST))
    result *= shares
    return np.negative(result, out=result)


def _after(merges: Sequence[tuple[int, int]], n_components: int, n_clusters: int) -> tuple[Components, ...]:
    """The clusters that the first mergers leave, in the order of their first components."""
    groups: dict[int, Components] = {k: (k,) for k in range(n_components)}
    for one, other in merges[: n_components - n_clusters]:
        groups[one] = tuple(sorted(groups[one] + groups.pop(other)))
    return tuple(groups.values())


def _elbow(entropies: FloatArray) -> int:
    """Where two straight lines meet that are fitted to the entropies, each to its side and the point that they share.

    Of equal ones the first; of one or two numbers there is none, and all clusters stay.
    """
    counts = np.arange(1.0, len(entropies) + 1)
    squares = [
        _squares_about_line(counts[:c], entropies[:c]) + _squares_about_line(counts[c - 1 :], entropies[c - 1 :])
        for c in range(2, len(entropies))
    ]
    return 2 + int(np.argmin(squares)) if squares else len(entropies)


def _squares_about_line(x: FloatArray, y: FloatArray) -> float:
    """Σ(y − ȳ − b(x − x̄))², b = Σ(x − x̄)(y − ȳ) / Σ(x − x̄)²"""
    x, y = x - x.mean(), y - y.mean()
    residuals = y - (x * y).sum() / (x * x).sum() * x
    return float((residuals * residuals).sum())


def _labels(members: _Members, groups: Sequence[Components]) -> IntArray:
    result = np.empty(members.rows.shape[0], np.int64)
    for place, shares in members.shares(groups):
        result[place] = shares.argmax(axis=0)
    return result


def _responsibilities(members: _Members, groups: Sequence[Components]) -> FloatArray:
    result = np.empty((members.rows.shape[0], len(groups)))
    for place, shares in members.shares(groups):
        result[place] = shares.T
    return result
