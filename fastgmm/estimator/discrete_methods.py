"""What mixtures of counts and categories do, as methods: the first argument is the estimator."""

from typing import Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike

from fastgmm.data.counts import SparseMatrix
from fastgmm.data.weights import check_sample_weight, warn_of_weights
from fastgmm.estimator.discrete_calls import adopt, checked_fit, model_of, ready_to_score
from fastgmm.estimator.protocol import discrete_tags
from fastgmm.fit.options import check_n_samples, check_random_state
from fastgmm.model import criteria
from fastgmm.parameters import Array, FloatArray, IntArray

Mixture = TypeVar("Mixture")


def fit(
    self: Mixture,
    X: "ArrayLike | SparseMatrix",
    y: object = None,
    sample_weight: "ArrayLike | None" = None,
    *,
    labels: "ArrayLike | None" = None,
) -> Mixture:
    """Estimate the parameters by expectation-maximization.

    Parameters
    ----------
    X : array-like or sparse matrix of shape (n_samples, n_features)
        As the class says. Sparse ones take time that follows their entries; those of categories are not sparse.
    y : ignored
        With a warning where it may be meant as weights.
    sample_weight : array-like of shape (n_samples,), optional
        A weight of 0 is the row removed, an integer weight the row repeated.
    labels : array-like of shape (n_samples,) or (n_samples, n_components), optional
        What is known of the components of rows: a number, -1 where unknown; or for each component whether it is
        allowed, or how much it is believed in.

    Returns
    -------
    object
        The estimator itself. After any exception, Ctrl-C included, it is what it was before.

    Raises
    ------
    ValueError
        For parameters and values that are not what they may be, fewer rows than components, and labels that leave a row
        without a component or a component without rows; ``TypeError`` for labels that are names.

    Examples
    --------
    >>> from fastgmm import BernoulliMixture
    >>> X = [[1, 1, 0], [1, 0, 0], [0, 0, 1], [0, 1, 1]]
    >>> mixture = BernoulliMixture(2, alpha=0.1, random_state=0).fit(X, labels=[0, -1, 1, -1])
    >>> mixture.probabilities_.round(1)
    array([[1. , 0.5, 0. ],
           [0. , 0.5, 1. ]])
    """
    _, fitted = checked_fit(self, X, y, sample_weight, labels)
    adopt(self, fitted)
    return self


def fit_predict(
    self: Any,
    X: "ArrayLike | SparseMatrix",
    y: object = None,
    sample_weight: "ArrayLike | None" = None,
    *,
    labels: "ArrayLike | None" = None,
) -> IntArray:
    """Estimate the parameters, and return the labels that ``predict`` then gives.

    Parameters
    ----------
    X, y, sample_weight, labels
        As for ``fit``.

    Returns
    -------
    ndarray of int64, shape (n_samples,)

    Raises
    ------
    ValueError
        As ``fit``.

    Examples
    --------
    >>> from fastgmm import PoissonMixture
    >>> PoissonMixture(2, random_state=0).fit_predict([[9], [11], [0], [1]], labels=[1, -1, 0, -1])
    array([1, 1, 0, 0])
    """
    read, fitted = checked_fit(self, X, y, sample_weight, labels)
    model = model_of(vars(self) | fitted, self._kind, type(self).__name__)
    found: IntArray = model.evaluate(read.entries, self.backend, self.n_threads, "labels")
    adopt(self, fitted)
    return found


def predict(self: Any, X: "ArrayLike | SparseMatrix") -> IntArray:
    """The component with the largest posterior probability, for every row.

    Parameters
    ----------
    X : array-like or sparse matrix of shape (n_samples, n_features)

    Returns
    -------
    ndarray of int64, shape (n_samples,)

    Raises
    ------
    NotFittedError
    ValueError
        As ``fit``; for categories that the fit did not know.

    Examples
    --------
    >>> from fastgmm import BernoulliMixture
    >>> X = [[1, 1, 0], [1, 0, 0], [0, 0, 1], [0, 1, 1]]
    >>> BernoulliMixture(2, random_state=0).fit(X, labels=[0, 0, 1, 1]).predict([[1, 0, 0], [0, 0, 1]])
    array([0, 1])
    """
    model, rows = ready_to_score(self, X)
    found: IntArray = model.evaluate(rows, self.backend, self.n_threads, "labels")
    return found


def predict_proba(self: Any, X: "ArrayLike | SparseMatrix") -> FloatArray:
    """Posterior probabilities of the components, which sum to 1 in every row.

    Parameters
    ----------
    X : array-like or sparse matrix of shape (n_samples, n_features)

    Returns
    -------
    ndarray of float64, shape (n_samples, n_components)

    Raises
    ------
    NotFittedError
    ValueError
        As ``predict``.

    Examples
    --------
    >>> from fastgmm import BernoulliMixture
    >>> X = [[1, 1, 0], [1, 0, 0], [0, 0, 1], [0, 1, 1]]
    >>> BernoulliMixture(2, random_state=0).fit(X, labels=[0, 0, 1, 1]).predict_proba([[1, 0, 0]]).round(2)
    array([[0.9, 0.1]])
    """
    model, rows = ready_to_score(self, X)
    found: FloatArray = model.evaluate(rows, self.backend, self.n_threads, "responsibilities")
    return found


def score_samples(self: Any, X: "ArrayLike | SparseMatrix") -> FloatArray:
    """The log-probability log p(x) of every row, with the factorials of counts.

    Of a row with missing values it is that of the others.

    Parameters
    ----------
    X : array-like or sparse matrix of shape (n_samples, n_features)

    Returns
    -------
    ndarray of float64, shape (n_samples,)

    Raises
    ------
    NotFittedError
    ValueError
        As ``predict``.

    Examples
    --------
    >>> from fastgmm import PoissonMixture
    >>> PoissonMixture(alpha=0).fit([[1], [3]]).score_samples([[0], [2]]).round(3)
    array([-2.   , -1.307])
    """
    model, rows = ready_to_score(self, X)
    found: FloatArray = model.evaluate(rows, self.backend, self.n_threads, "log_density")
    return found


def score(
    self: Any, X: "ArrayLike | SparseMatrix", y: object = None, sample_weight: "ArrayLike | None" = None
) -> float:
    """The mean log-probability of the rows.

    Parameters
    ----------
    X : array-like or sparse matrix of shape (n_samples, n_features)
    y : ignored
    sample_weight : array-like of shape (n_samples,), optional

    Returns
    -------
    float

    Raises
    ------
    NotFittedError
    ValueError
        As ``predict``.

    Examples
    --------
    >>> from fastgmm import BernoulliMixture
    >>> round(BernoulliMixture(alpha=0).fit([[1], [0]]).score([[1]]), 3)
    -0.693
    """
    return scored(self, X, y, sample_weight)[0]


def scored(self: Any, X: Any, y: object, sample_weight: Any) -> tuple[float, float, int]:
    """The score, and the numbers of rows and of free parameters of the same model."""
    model, rows = ready_to_score(self, X)
    weights = check_sample_weight(sample_weight, rows.n_rows)
    if weights is None:
        warn_of_weights(y, rows.n_rows)
    log_density = model.evaluate(rows, self.backend, self.n_threads, "log_density")
    return criteria.mean(log_density, weights), criteria.number_of_rows(rows.n_rows, weights), model.n_parameters


def bic(self: Any, X: "ArrayLike | SparseMatrix") -> float:
    """The Bayesian information criterion, −2·log-likelihood + log(n)·parameters: the lower the better.

    Parameters
    ----------
    X : array-like or sparse matrix of shape (n_samples, n_features)

    Returns
    -------
    float

    Raises
    ------
    NotFittedError
    ValueError
        As ``predict``.

    Examples
    --------
    >>> from fastgmm import BernoulliMixture
    >>> X = [[1], [0], [1], [1]]
    >>> round(BernoulliMixture(alpha=0).fit(X).bic(X), 3)
    5.885
    """
    return criteria.bic(*scored(self, X, None, None))


def aic(self: Any, X: "ArrayLike | SparseMatrix") -> float:
    """The Akaike information criterion, −2·log-likelihood + 2·parameters: the lower the better.

    Parameters
    ----------
    X : array-like or sparse matrix of shape (n_samples, n_features)

    Returns
    -------
    float

    Raises
    ------
    NotFittedError
    ValueError
        As ``predict``.

    Examples
    --------
    >>> from fastgmm import BernoulliMixture
    >>> X = [[1], [0], [1], [1]]
    >>> round(BernoulliMixture(alpha=0).fit(X).aic(X), 3)
    6.499
    """
    return criteria.aic(*scored(self, X, None, None))


def icl(self: Any, X: "ArrayLike | SparseMatrix") -> float:
    """The integrated completed likelihood: BIC, and twice the entropy of the rows' components: the lower the better.

    It prefers components that are apart: −2·log-likelihood + log(n)·parameters − 2·Σ log maxₖ rₖ [1]_.

    Parameters
    ----------
    X : array-like or sparse matrix of shape (n_samples, n_features)

    Returns
    -------
    float

    Raises
    ------
    NotFittedError
    ValueError
        As ``predict``.

    References
    ----------
    .. [1] C. Biernacki, G. Celeux and G. Govaert, "Assessing a mixture model for clustering with the integrated
       completed likelihood", IEEE PAMI 22 (2000).

    Examples
    --------
    >>> from fastgmm import BernoulliMixture
    >>> X = [[1], [0], [1], [1]]
    >>> mixture = BernoulliMixture(alpha=0).fit(X)
    >>> mixture.icl(X) == mixture.bic(X)
    True
    """
    return criteria.icl(bic(self, X), log_certainty(self, X))


def log_certainty(self: Any, X: Any) -> float:
    """Σ log maxₖ r of the rows."""
    model, rows = ready_to_score(self, X)
    shares = model.evaluate(rows, self.backend, self.n_threads, "responsibilities")
    return float(np.log(shares.max(axis=1)).sum())


def sample(self: Any, n_samples: int = 1) -> "tuple[Array, IntArray]":
    """Random rows from the mixture, in the order of their components.

    Parameters
    ----------
    n_samples : int, default=1

    Returns
    -------
    X : ndarray of shape (n_samples, n_features), uint8 of zeros and ones, else int64
    labels : ndarray of int64, shape (n_samples,)

    Raises
    ------
    NotFittedError
    ValueError
        For fewer than one.

    Examples
    --------
    >>> from fastgmm import BernoulliMixture
    >>> BernoulliMixture(alpha=0, random_state=0).fit([[1, 0], [1, 0]]).sample(2)
    (array([[1, 0],
           [1, 0]], dtype=uint8), array([0, 0]))
    """
    return draws(self, n_samples, 0)


def draws(self: Any, n_samples: int, total: int) -> "tuple[Array, IntArray]":
    """The same, where rows have a total."""
    model, n_rows = model_of(vars(self), self._kind, type(self).__name__), check_n_samples(n_samples)
    return model.sample(np.full(n_rows, total), check_random_state(self.random_state))


def sklearn_tags(self: Any) -> Any:
    """scikit-learn's description of what the estimator takes; only scikit-learn asks for it."""
    return discrete_tags(self, self._kind.family)
