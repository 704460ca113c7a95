"""What a picture is of: a mixture of one or two features, and the rows as these features show them.

Of many features a picture shows some, or the two directions in which the components differ most.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastgmm.data.blocks.block import is_blocks
from fastgmm.data.weights import check_sample_weight
from fastgmm.families import name_of
from fastgmm.families.component import component_matrix
from fastgmm.machine.pieces import pieces
from fastgmm.parameters import Array, BoolArray, FloatArray, IntArray, Names, Parameters

# Of features that follow from others no smaller variance can be told from 0, in units of theirs.
_ROUNDING = float(np.finfo(np.float64).eps)


@dataclass(frozen=True, eq=False)
class Classified:
    """Rows, and what the mixture says of them.

    Attributes
    ----------
    values : ndarray of shape (n_rows, n_features)
        NaN is missing.
    labels : ndarray of int64, shape (n_rows,)
        The most probable component of each, given all that is known of it.
    uncertainty : ndarray of shape (n_rows,), or None
        1 − max p, where it is asked for.
    weights : ndarray of shape (n_rows,), or None
    """

    values: Array
    labels: IntArray
    uncertainty: FloatArray | None
    weights: FloatArray | None

    def rows(self, chosen: BoolArray) -> "Classified":
        """Some of them."""
        parts = (None if part is None else part[chosen] for part in (self.uncertainty, self.weights))
        return Classified(self.values[chosen], self.labels[chosen], *parts)


@dataclass(frozen=True, eq=False)
class View:
    """A mixture of one or two features, their names, and the rows that have them all and a positive weight."""

    mixture: Any
    names: tuple[str, ...]
    rows: Classified | None
    n_left_out: int

    @property
    def names_of_mixture(self) -> tuple[str, ...] | None:
        """Those that it asks rows for, of which a projection has none."""
        return self.names if hasattr(self.mixture, "feature_names_in_") else None

    @property
    def parameters(self) -> Parameters:
        """Those of the mixture, which are complete: it comes from ``marginal`` or ``transformed``."""
        gm = self.mixture
        return Parameters(name_of(gm.covariance_type, gm.rank), gm.weights_, gm.means_, gm.covariances_)


def classified(estimator: Any, X: Any, sample_weight: Any, with_uncertainty: bool) -> Classified:
    """The rows of X, checked as for ``predict``, under the mixture."""
    if is_blocks(X):
        raise TypeError("A picture takes rows in memory, not blocks: draw an array of some of them.")
    scorer, rows = estimator._ready_to_score(X)
    weights = check_sample_weight(sample_weight, rows.shape[0])
    labels = scorer.evaluate(rows, estimator.n_threads, "labels")
    if not with_uncertainty:
        return Classified(rows.values, labels, None, weights)
    uncertainty = np.empty(rows.shape[0])
    for part in pieces(rows.shape[0], 8 * scorer.shape[0]):  # probabilities of all rows could be too many to hold
        probabilities = scorer.evaluate(rows.take(part), estimator.n_threads, "responsibilities")
        uncertainty[part] = 1.0 - probabilities.max(axis=1)
    return Classified(rows.values, labels, uncertainty, weights)


def view_of_features(estimator: Any, features: NDArray[np.intp], names: Names, rows: Classified | None) -> View:
    """As one or two features show the mixture: its marginal distribution."""
    shown = None if rows is None else rows.values[:, features]
    return _view(estimator.marginal(features), tuple(names[features]), rows, shown)


def view_of_discriminants(estimator: Any, rows: Classified | None) -> View:
    """As the two directions do in which components differ most: a projection."""
    everything = estimator.marginal(np.arange(estimator.means_.shape[1]))
    name = name_of(everything.covariance_type, everything.rank)
    directions = discriminants(Parameters(name, everything.weights_, everything.means_, everything.covariances_))
    shown = None if rows is None else _projected(rows.values, directions)
    names = "first discriminant direction", "second discriminant direction"
    return _view(estimator.transformed(directions), names, rows, shown)


def _view(mixture: Any, names: tuple[str, ...], rows: Classified | None, shown: Array | None) -> View:
    if rows is None or shown is None:
        return View(mixture, names, None, 0)
    is_complete = ~np.asarray(np.isnan(shown).any(axis=1))
    is_drawn = is_complete if rows.weights is None else is_complete & (rows.weights > 0)
    of_view = Classified(shown, rows.labels, rows.uncertainty, rows.weights)
    n_left_out = len(shown) - int(np.count_nonzero(is_complete))
    return View(mixture, names, of_view if is_drawn.all() else of_view.rows(is_drawn), n_left_out)


def _projected(values: Array, directions: FloatArray) -> FloatArray:
    result = np.empty((len(values), len(directions)))
    for part in pieces(len(values), 8 * values.shape[1]):
        result[part] = values[part].astype(np.float64, copy=False) @ directions.T
    return result


def discriminants(parameters: Parameters) -> FloatArray:
    """Two directions (2, d), each with a variance of 1 within components, in which the components differ most.

    With W = Σ wₖΣₖ, the scatter within, and B = Σ wₖ(μₖ − μ)(μₖ − μ)ᵀ, that between, they are the eigenvectors of
    W^(−1/2) B W^(−1/2) with the largest eigenvalues (R. A. Fisher, "The use of multiple measurements in taxonomic
    problems", 1936). K components have K − 1 of them at most; after these come the directions in which covariances
    differ most, by Σ wₖ(W^(−1/2) Σₖ W^(−1/2) − I)², as in L. Scrucca, "Dimension reduction for model-based clustering"
    (2010).
    """
    weights = parameters.weights / parameters.weights.sum()
    within = _weighted_sum(weights, lambda component: component_matrix(parameters, component))
    # In units of the features, lest those of small numbers are lost beside those of large ones.
    units = np.sqrt(np.diagonal(within))
    variances, axes = np.linalg.eigh(within / np.outer(units, units))
    whitening = (axes / np.sqrt(np.maximum(variances, _ROUNDING))).T / units
    centers = (parameters.means - weights @ parameters.means) @ whitening.T
    sizes, of_means = np.linalg.eigh((centers.T * weights) @ centers)
    n_of_means = min(2, int(np.count_nonzero(sizes > 1e-10 * max(1.0, sizes[-1]))))
    others, chosen = of_means[:, : len(units) - n_of_means], of_means[:, len(units) - n_of_means :]
    if n_of_means < 2:

        def squared_excess(component: int) -> FloatArray:
            excess = whitening @ component_matrix(parameters, component) @ whitening.T - np.eye(len(units))
            return np.asarray(excess @ excess)

        differing = _weighted_sum(weights, squared_excess)
        of_covariances = others @ np.linalg.eigh(others.T @ differing @ others)[1]
        chosen = np.hstack([of_covariances[:, n_of_means - 2 :], chosen])
    directions: FloatArray = chosen[:, ::-1].T @ whitening
    # The sign of an eigenvector is nobody's: the largest coefficient, seen in deviations, is positive.
    seen = directions * units
    largest = np.take_along_axis(seen, np.abs(seen).argmax(axis=1)[:, np.newaxis], axis=1)
    result: FloatArray = directions * np.sign(largest)
    return result


def _weighted_sum(weights: FloatArray, matrix_of: Callable[[int], FloatArray]) -> FloatArray:
    """Σ wₖ Mₖ of one matrix after the other, since all could be too many to hold."""
    total: FloatArray = weights[0] * matrix_of(0)
    for component in range(1, len(weights)):
        total += weights[component] * matrix_of(component)
    return total
