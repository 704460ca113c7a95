"""Fitting, as methods of the estimator."""

from collections.abc import Iterator
from typing import Any, TypeVar, cast

from numpy.typing import ArrayLike

from fastgmm.data.blocks.block import Blocks, is_blocks
from fastgmm.estimator.calls import checked_fit, checked_fit_of_blocks
from fastgmm.estimator.of_blocks import evaluated
from fastgmm.model.scoring import adopt, make_scorer, scorer_of
from fastgmm.parameters import IntArray

Estimator = TypeVar("Estimator")


def fit(
    self: Estimator,
    X: "ArrayLike | Blocks",
    y: object = None,
    sample_weight: "ArrayLike | None" = None,
    *,
    labels: "ArrayLike | None" = None,
) -> Estimator:
    """Estimate the parameters.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features), or blocks
        float32 and float64 arrays are read in place unless a stride is negative. NaN is missing. Rows beyond memory
        come in blocks, see :func:`fastgmm.blocks_of`, whose columns hold weights and labels, too.
    y : ignored
        With a warning where it may be meant as weights.
    sample_weight : array-like of shape (n_samples,), optional
        A weight of 0 is the row removed, an integer weight the row repeated.
    labels : array-like of shape (n_samples,) or (n_samples, n_components), optional
        What is known of the components of rows: component numbers, -1 or missing where unknown; or, of dtype bool,
        whether a row may belong to each component; or numbers not below 0, how much it is believed to. The last
        multiply the component's weight for that row; only ratios within a row matter. Components keep the numbers that
        labels give them, and one that ``max(32, 8 * n_features)`` rows name starts at their moments, unless the start
        is given. Where clusters are not what labels mean, unlabelled rows mislead: give them less ``sample_weight``.
        Rows without any observed value count towards the weights; not at all, where nothing is known of their
        components. Rows of beliefs that are mostly distinct are kept in 8 bytes for each component.

    Returns
    -------
    GaussianMixture
        The estimator itself. After any exception, Ctrl-C included, it is what it was before.

    Raises
    ------
    ValueError
        For infinity, integers that float64 does not hold, wrong shapes, a feature without any observed value, fewer
        rows than components, or labels that leave a row without a component or a component without rows;
        ``TypeError`` for those that are names.
    DegenerateComponentError
        A ``ValueError``: a covariance is not positive definite, in every start.

    Examples
    --------
    >>> from fastgmm import GaussianMixture
    >>> GaussianMixture().fit([[0.0], [4.0]], sample_weight=[3, 1]).means_
    array([[1.]])

    Two rows whose component is known:

    >>> X = [[0.0], [1.0], [2.0], [8.0], [9.0], [10.0]]
    >>> GaussianMixture(2).fit(X, labels=[-1, 1, -1, -1, 0, -1]).means_.ravel().round(3)
    array([9., 1.])
    """
    if is_blocks(X):
        adopt(self, checked_fit_of_blocks(self, X, sample_weight, labels))
        return self
    _, fitted = checked_fit(self, cast("ArrayLike", X), y, sample_weight, labels)
    adopt(self, fitted)
    return self


def fit_predict(
    self: Any,
    X: "ArrayLike | Blocks",
    y: object = None,
    sample_weight: "ArrayLike | None" = None,
    *,
    labels: "ArrayLike | None" = None,
) -> "IntArray | Iterator[IntArray]":
    """Estimate the parameters, and return the labels that ``predict`` then gives, but for those that are known.

    Parameters
    ----------
    X, y, sample_weight, labels
        As for ``fit``.

    Returns
    -------
    ndarray of int64, shape (n_samples,)
        Of blocks an iterator, as :meth:`predict`.

    Raises
    ------
    ValueError
        As ``fit``, ``DegenerateComponentError`` among them.

    Examples
    --------
    >>> from fastgmm import GaussianMixture
    >>> GaussianMixture(2, means_init=[[0.0], [8.0]]).fit_predict([[0.0], [1.0], [8.0], [9.0]])
    array([0, 0, 1, 1])
    >>> GaussianMixture(2).fit_predict([[0.0], [1.0], [2.0], [8.0], [9.0]], labels=[1, -1, 0, 0, -1])
    array([1, 1, 0, 0, 0])
    """
    if is_blocks(X):
        adopt(self, checked_fit_of_blocks(self, X, sample_weight, labels))
        return evaluated(scorer_of(vars(self)), X, self.n_threads, "labels")
    rows, fitted = checked_fit(self, cast("ArrayLike", X), y, sample_weight, labels)
    labels = make_scorer(vars(self) | fitted).evaluate(rows, self.n_threads, "labels")
    adopt(self, fitted)
    return labels
