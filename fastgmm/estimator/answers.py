"""What a fitted model answers, as methods of the estimator: labels, probabilities, densities, and random points."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, overload

import numpy as np
from numpy.typing import ArrayLike

from fastgmm.data.blocks.block import Blocks, is_blocks
from fastgmm.estimator.calls import checked_score, ready_for_blocks, ready_to_score, require_fitted
from fastgmm.estimator.of_blocks import evaluated, refuse_blocks, require_nothing_beside, score_of
from fastgmm.fit.options import check_n_draws, check_n_samples, check_options, check_random_state
from fastgmm.kernels.contract import work_of
from fastgmm.machine.waiting import attended
from fastgmm.model import criteria, sampling
from fastgmm.model import impute as imputation
from fastgmm.model.attributes import noise_of, parameters_of
from fastgmm.parameters import FloatArray, FloatingArray, IntArray

# To draw a normal number takes as long as so many multiply-adds in kernels.
_WORK_OF_A_DRAW = 50


@overload
def predict(self: Any, X: Blocks, *, errors: None = None) -> Iterator[IntArray]: ...
@overload
def predict(self: Any, X: "ArrayLike", *, errors: "ArrayLike | None" = None) -> IntArray: ...
def predict(
    self: Any, X: "ArrayLike | Blocks", *, errors: "ArrayLike | None" = None
) -> "IntArray | Iterator[IntArray]":
    """The component with the largest posterior probability, for every row.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features), or blocks
        NaN is missing: all scores are of the values that are observed, under their marginal distribution.
    errors : array-like of shape (n_samples, n_features) or (n_samples, n_features, n_features), optional
        Variances or covariances of the errors of X, as ``fit`` takes them: scores are of the values as
        they were measured, under Σ + S of every row. Without them, and for blocks, X are true values.

    Returns
    -------
    ndarray of int64, shape (n_samples,)
        -1 is noise. Of :func:`fastgmm.blocks_of` an iterator of the arrays of blocks, each made when it is asked for.

    Raises
    ------
    NotFittedError
    ValueError
        For infinity, wrong shapes, or attributes set by hand that make no mixture.

    Examples
    --------
    >>> from fastgmm import GaussianMixture
    >>> gm = GaussianMixture.from_parameters([0.5, 0.5], [[0.0], [8.0]], [1.0, 1.0], "spherical")
    >>> gm.predict([[-1.0], [3.0], [5.0]])
    array([0, 0, 1])
    """
    if type(X) is not np.ndarray and is_blocks(X):  # which to ask takes a twentieth of a row's time
        require_nothing_beside(None, None, errors)
        return evaluated(ready_for_blocks(self, X), X, self.n_threads, "labels")
    scorer, rows = ready_to_score(self, X, errors)
    return scorer.evaluate(rows, self.n_threads, "labels")


@overload
def predict_proba(self: Any, X: Blocks, *, errors: None = None) -> Iterator[FloatingArray]: ...
@overload
def predict_proba(self: Any, X: "ArrayLike", *, errors: "ArrayLike | None" = None) -> FloatingArray: ...
def predict_proba(
    self: Any, X: "ArrayLike | Blocks", *, errors: "ArrayLike | None" = None
) -> "FloatingArray | Iterator[FloatingArray]":
    """Posterior probabilities of the components, which sum to 1 in every row.

    Parameters
    ----------
    X, errors
        As for ``predict``.

    Returns
    -------
    ndarray of shape (n_samples, n_components), in the dtype of X
        With one more column, the last, where there is ``noise``.

    Raises
    ------
    NotFittedError
    ValueError
        As ``predict``.

    Examples
    --------
    >>> from fastgmm import GaussianMixture
    >>> gm = GaussianMixture.from_parameters([0.25, 0.75], [[0.0], [8.0]], [1.0, 1.0], "spherical")
    >>> gm.predict_proba([[0.0], [4.0]]).round(6)
    array([[1.  , 0.  ],
           [0.25, 0.75]])
    """
    if type(X) is not np.ndarray and is_blocks(X):  # which to ask takes a twentieth of a row's time
        require_nothing_beside(None, None, errors)
        return evaluated(ready_for_blocks(self, X), X, self.n_threads, "responsibilities")
    scorer, rows = ready_to_score(self, X, errors)
    return scorer.evaluate(rows, self.n_threads, "responsibilities")


@overload
def score_samples(self: Any, X: Blocks, *, errors: None = None) -> Iterator[FloatingArray]: ...
@overload
def score_samples(self: Any, X: "ArrayLike", *, errors: "ArrayLike | None" = None) -> FloatingArray: ...
def score_samples(
    self: Any, X: "ArrayLike | Blocks", *, errors: "ArrayLike | None" = None
) -> "FloatingArray | Iterator[FloatingArray]":
    """The log-density log p(x) of every row; −inf where it lies below the range of numbers.

    Of a row with missing values it is that of the others, which is not comparable with that of more or fewer values; of
    a row that has none it is 0.

    Parameters
    ----------
    X, errors
        As for ``predict``.

    Returns
    -------
    ndarray of shape (n_samples,), in the dtype of X

    Raises
    ------
    NotFittedError
    ValueError
        As ``predict``.

    Examples
    --------
    A row that no component is near stands out:

    >>> from fastgmm import GaussianMixture
    >>> gm = GaussianMixture.from_parameters([0.5, 0.5], [[0.0], [8.0]], [1.0, 1.0], "spherical")
    >>> gm.score_samples([[0.0], [8.0], [20.0]]).round(1)
    array([ -1.6,  -1.6, -73.6])
    """
    if type(X) is not np.ndarray and is_blocks(X):  # which to ask takes a twentieth of a row's time
        require_nothing_beside(None, None, errors)
        return evaluated(ready_for_blocks(self, X), X, self.n_threads, "log_density")
    scorer, rows = ready_to_score(self, X, errors)
    return scorer.evaluate(rows, self.n_threads, "log_density")


def score(
    self: Any,
    X: "ArrayLike | Blocks",
    y: object = None,
    sample_weight: "ArrayLike | None" = None,
    *,
    errors: "ArrayLike | None" = None,
) -> float:
    """The (weighted) mean log-density of the rows, but for those without any observed value.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
    y : ignored
        With a warning where it may be meant as weights.
    sample_weight : array-like of shape (n_samples,), optional
        A weight of 0 is the row removed, an integer weight the row repeated.
    errors : array-like of shape (n_samples, n_features) or (n_samples, n_features, n_features), optional
        As for ``predict``.

    Returns
    -------
    float

    Raises
    ------
    NotFittedError
    ValueError
        As ``predict``, and for weights that are negative or all 0.

    Examples
    --------
    >>> from fastgmm import GaussianMixture
    >>> gm = GaussianMixture.from_parameters([1.0], [[0.0]], [1.0], "spherical")
    >>> round(gm.score([[0.0], [2.0]]), 3), round(gm.score([[0.0], [2.0]], sample_weight=[3, 1]), 3)
    (-1.919, -1.419)
    """
    if is_blocks(X):
        return _score_of_blocks(self, X, sample_weight, errors)[0]
    return checked_score(*ready_to_score(self, X, errors), self.n_threads, y, sample_weight)[0]


def bic(
    self: Any,
    X: "ArrayLike | Blocks",
    sample_weight: "ArrayLike | None" = None,
    *,
    errors: "ArrayLike | None" = None,
) -> float:
    """The Bayesian information criterion, −2·log-likelihood + log n · free parameters; lower is better.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
    sample_weight : array-like of shape (n_samples,), optional
        n is the number of rows with an observed value, or the sum of their weights: a whole weight is the row
        repeated. Weights that count nothing, such as inverse variances, should be scaled to sum to the number of
        observations first.
    errors : array-like of shape (n_samples, n_features) or (n_samples, n_features, n_features), optional
        As for ``predict``.

    Returns
    -------
    float

    Raises
    ------
    NotFittedError
    ValueError
        As ``score``.

    Examples
    --------
    How many components the data call for:

    >>> import numpy as np
    >>> from fastgmm import GaussianMixture
    >>> X = np.random.RandomState(0).normal(size=(300, 1)) + np.repeat([[0.0], [8.0]], 150, axis=0)
    >>> bics = {k: GaussianMixture(k, random_state=0).fit(X).bic(X) for k in (1, 2, 3)}
    >>> min(bics, key=bics.get)
    2
    """
    if is_blocks(X):
        return criteria.bic(*_score_of_blocks(self, X, sample_weight, errors))
    scored = checked_score(*ready_to_score(self, X, errors), self.n_threads, None, sample_weight)
    return criteria.bic(*scored)


def aic(
    self: Any,
    X: "ArrayLike | Blocks",
    sample_weight: "ArrayLike | None" = None,
    *,
    errors: "ArrayLike | None" = None,
) -> float:
    """Akaike's information criterion, −2·log-likelihood + 2 · free parameters; lower is better.

    Parameters
    ----------
    X, sample_weight, errors
        As for ``bic``; the log-likelihood is a sum over rows times their weights.

    Returns
    -------
    float

    Raises
    ------
    NotFittedError
    ValueError
        As ``score``.

    Examples
    --------
    The criterion counts a mean and a variance, of two rows:

    >>> from fastgmm import GaussianMixture
    >>> gm = GaussianMixture.from_parameters([1.0], [[0.0]], [1.0], "spherical")
    >>> X = [[0.0], [2.0]]
    >>> gm.aic(X) == -2 * 2 * gm.score(X) + 2 * 2
    True
    """
    if is_blocks(X):
        return criteria.aic(*_score_of_blocks(self, X, sample_weight, errors))
    scored = checked_score(*ready_to_score(self, X, errors), self.n_threads, None, sample_weight)
    return criteria.aic(*scored)


def _score_of_blocks(estimator: Any, blocks: Blocks, sample_weight: object, errors: object) -> tuple[float, float, int]:
    require_nothing_beside(sample_weight, None, errors)
    return score_of(ready_for_blocks(estimator, blocks), blocks, estimator.n_threads)


def sample(self: Any, n_samples: float = 1) -> tuple[FloatArray, IntArray]:
    """Draw points from the mixture.

    Parameters
    ----------
    n_samples : int, default=1
        A float is taken where it is whole, as 1e3 is.

    Returns
    -------
    X : ndarray of shape (n_samples, n_features)
    y : ndarray of shape (n_samples,)
        The component of each; rows are ordered by it, and those of noise, -1, come last.

    Raises
    ------
    NotFittedError
    ValueError
        For fewer points than one, and for fractions of a point.

    Examples
    --------
    >>> from fastgmm import GaussianMixture
    >>> gm = GaussianMixture.from_parameters([0.5, 0.5], [[0.0], [8.0]], [1.0, 1.0], "spherical", random_state=0)
    >>> X, y = gm.sample(5)
    >>> X.shape, y
    ((5, 1), array([0, 0, 0, 1, 1]))
    """
    attributes = require_fitted(self)
    parameters, noise = parameters_of(attributes), noise_of(attributes)
    size, random_state = check_n_samples(n_samples), check_random_state(self.random_state)
    operations = _WORK_OF_A_DRAW * size * work_of(1, parameters.n_features, 1)
    if noise is not None:
        return attended(lambda: sampling.sample_with_noise(parameters, *noise, size, random_state), operations)
    return attended(lambda: sampling.sample(parameters, size, random_state), operations)


def impute(
    self: Any,
    X: "ArrayLike",
    *,
    return_std: bool = False,
    n_draws: int | None = None,
    random_state: "int | np.random.RandomState | None" = None,
) -> "FloatingArray | tuple[FloatingArray, FloatingArray]":
    """What missing values are expected to be, given those of their row that are there; or draws of them.

    Values must be *missing at random*: that one is missing may depend on what is observed, not on the value itself.
    Nothing in the data can tell, so that this is the analyst's to know.

    Means are for those who need a best guess of every value. Do not fit another model to them: they lie nearer to the
    center than what they stand for, so that variances come out too small, and correlations too large. A mixture needs
    no imputation: ``fit`` takes rows with NaN. For other analyses there are draws, which spread as the values would,
    were the parameters known; the examples have the recipe for multiple imputation, which draws these too.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
        NaN is missing.
    return_std : bool, default=False
        Whether to return standard deviations as well.
    n_draws : int, optional
        Return so many draws from the conditional distribution, independent of each other, instead of its mean.
    random_state : int or RandomState, optional
        For draws; that of the estimator by default.

    Returns
    -------
    ndarray of shape (n_samples, n_features), in the dtype of X
        X with conditional means for NaN; with ``return_std`` a pair of this and of conditional standard deviations,
        which are 0 where a value is observed. With ``n_draws`` of shape (n_draws, n_samples, n_features).

    Raises
    ------
    NotFittedError
    ValueError
        As ``predict``; for fewer draws than one, and for standard deviations of draws. ``TypeError`` for blocks.

    Examples
    --------
    >>> import numpy as np
    >>> from fastgmm import GaussianMixture
    >>> gm = GaussianMixture.from_parameters([1.0], [[0.0, 0.0]], [[[1.0, 0.8], [0.8, 1.0]]])
    >>> mean, std = gm.impute([[2.0, np.nan], [2.0, 3.0]], return_std=True)
    >>> mean.round(2), std.round(2)
    (array([[2. , 1.6],
           [2. , 3. ]]), array([[0. , 0.6],
           [0. , 0. ]]))

    Multiple imputation: parameters are uncertain too, and a bootstrap draws them. What is estimated from each of the
    completed tables is then combined by Rubin's rules.

    >>> rng = np.random.RandomState(0)
    >>> X = np.where(rng.uniform(size=(200, 2)) < 0.2, np.nan, gm.set_params(random_state=0).sample(200)[0])
    >>> def completed(X):
    ...     counts = rng.multinomial(len(X), np.full(len(X), 1 / len(X)))
    ...     mixture = GaussianMixture(1, random_state=rng).fit(X, sample_weight=counts)
    ...     return mixture.impute(X, n_draws=1, random_state=rng)[0]
    >>> tables = [completed(X) for _ in range(5)]
    """
    if n_draws is not None and return_std:
        raise ValueError("return_std=True is for means: draws have no standard deviation, only the spread among them.")
    refuse_blocks(X, "impute", "call it with one array of rows after another")
    check_options({"random_state": random_state}, "impute")
    scorer, rows = ready_to_score(self, X)
    how = rows, scorer, self.n_threads
    work: Callable[[], Any] = partial(imputation.expected_with_deviations if return_std else imputation.expected, *how)
    if n_draws is not None:
        random_state = check_random_state(self.random_state if random_state is None else random_state)
        work = partial(imputation.drawn, *how, check_n_draws(n_draws), random_state)
    # Where every row lacks other values each takes factors of its own, and those of many features are long calls.
    n_components, n_features = scorer.shape
    answer: FloatingArray | tuple[FloatingArray, FloatingArray] = attended(
        work, n_features * work_of(rows.shape[0], n_features, n_components)
    )
    return answer
