"""Features of many rows from other features of theirs: conditional means, spreads, and draws.

With r the responsibilities of the features a that are given, and mₖ = μ_b + Bₖ(x_a − μ_a) as in ``algebra_parts.py``,

    E[x_b | x_a] = Σ rₖmₖ = c + Σ rₖ(μ_b − c) + Σ Bₖ rₖ(x_a − μ_a)
    Cov[x_b | x_a] = Σ rₖ(Cₖ + (mₖ − E)(mₖ − E)ᵀ),   Cₖ = Cov[x_b | x_a, k]

c is any point amid the means. Rows go in pieces that stay in a cache, feature by feature, so that the last sum, most of
the work, is one matrix product of a piece: that of all Bₖ side by side and of rₖ(x_a − μ_a) one below the other.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from fastgmm.data.features import indices_of
from fastgmm.data.validation import check_feature_names, check_n_features, check_rows, feature_names
from fastgmm.fit.options import check_options, check_random_state
from fastgmm.machine.pieces import pieces
from fastgmm.machine.waiting import attended
from fastgmm.model import impute as imputation
from fastgmm.model.algebra_common import (
    attributes_of,
    estimator_of,
    fitted_names,
    fitted_parameters,
    whole_number,
)
from fastgmm.model.algebra_parts import Conditional, Indices, conditional_of
from fastgmm.model.attributes import work_on
from fastgmm.model.scoring import Scorer, scorer_of
from fastgmm.parameters import Array, FloatArray, FloatingArray, Names
from fastgmm.rows import Rows

# A call of a kernel is for so many pieces, lest starting its threads takes longer than its work.
_PIECES_OF_A_CALL = 8


def regress(
    self: Any,
    X_given: "ArrayLike",
    given: "ArrayLike | None" = None,
    *,
    return_std: bool = False,
    return_cov: bool = False,
) -> "FloatingArray | tuple[FloatingArray, FloatingArray]":
    """What the other features are expected to be, where the values of some are known: Gaussian mixture regression.

    E[x_b | x_a] = Σₖ rₖ(x_a) (μ_b + Σ_ba Σ_aa⁻¹ (x_a − μ_a)), where r are the responsibilities of the features a that
    are given [1]_: a regression line of every component, blended by how probable that is.

    Parameters
    ----------
    X_given : array-like of shape (n_samples, n_given)
    given : int, str, or array-like of shape (n_given,), optional
        Which features the columns of ``X_given`` are: their numbers, counted from 0, or their names. By default what
        the columns of a data frame are called.
    return_std : bool, default=False
        Whether to return conditional standard deviations as well: of Σₖ rₖ(Cₖ + (mₖ − m)(mₖ − m)ᵀ), within components
        and between them.
    return_cov : bool, default=False
        Whether to return the conditional covariances instead.

    Returns
    -------
    ndarray of shape (n_samples, n_others), in the dtype of X_given
        Of the features that are not given, in their order. With ``return_std`` a pair of this and an array of that
        shape, with ``return_cov`` one of shape (n_samples, n_others, n_others).

    Raises
    ------
    NotFittedError
    ValueError
        For features that are not there, missing values (which ``impute`` takes), and where both spreads are wanted.

    See Also
    --------
    condition : the whole distribution of one row.
    impute : rows each of which lacks other features.

    References
    ----------
    .. [1] Z. Ghahramani and M. I. Jordan, "Supervised learning from incomplete data via an EM approach", NIPS 6 (1994).

    Examples
    --------
    >>> from fastgmm import GaussianMixture
    >>> gm = GaussianMixture.from_parameters([1.0], [[0.0, 0.0]], [[[1.0, 0.8], [0.8, 1.0]]])
    >>> mean, std = gm.regress([[2.0], [0.0]], given=[0], return_std=True)
    >>> mean.round(2).tolist(), std.round(2).tolist()
    ([[1.6], [0.0]], [[0.6], [0.6]])
    """
    if return_std and return_cov:
        raise ValueError(
            "return_std and return_cov are both True: deviations are the roots of the diagonals of covariances."
        )
    known, scorer, rows = _ready_to_regress(self, attributes_of(self), X_given, given)
    n_rows, n_others = rows.shape[0], len(known.targets)
    mean = np.empty((n_rows, n_others), rows.values.dtype)
    if not (return_std or return_cov):
        for part, values, shares in _parts(rows, scorer, self.n_threads):
            mean[part] = _means(known, values, shares)
        return mean
    spread = np.empty((n_rows, n_others, n_others)[: 3 if return_cov else 2], rows.values.dtype)
    within = known.matrices() if return_cov else np.diagonal(known.matrices(), axis1=1, axis2=2)
    for part, values, shares in _parts(rows, scorer, self.n_threads, 4 * n_others):
        each = _means_of_components(known, values)
        center = np.einsum("kn,kbn->bn", shares, each)
        deviations = each - center
        mean[part] = center.T
        if return_cov:
            of_components = np.moveaxis(deviations * np.sqrt(shares)[:, np.newaxis], 2, 0)  # (n, K, b)
            between = np.swapaxes(of_components, 1, 2) @ of_components
            spread[part] = between + np.tensordot(shares, within, (0, 0))
        else:
            variances = np.einsum("kn,kbn->nb", shares, deviations**2) + shares.T @ within
            spread[part] = np.sqrt(variances)
    return mean, spread


def sample_conditional(
    self: Any,
    X_given: "ArrayLike",
    given: "ArrayLike | None" = None,
    *,
    n_draws: int = 1,
    random_state: "int | np.random.RandomState | None" = None,
) -> FloatingArray:
    """Draws of the other features, where the values of some are known.

    For every row a component is drawn by the responsibilities of the features that are given, and then the others by
    the component's conditional distribution: see ``condition``.

    Parameters
    ----------
    X_given : array-like of shape (n_samples, n_given)
    given : int, str, or array-like of shape (n_given,), optional
        Which features the columns of ``X_given`` are, as ``regress`` takes them.
    n_draws : int, default=1
        How many draws of every row, independent of each other.
    random_state : int or RandomState, optional
        That of the estimator by default.

    Returns
    -------
    ndarray of shape (n_draws, n_samples, n_others), in the dtype of X_given
        Of the features that are not given, in their order.

    Raises
    ------
    NotFittedError
    ValueError
        As ``regress``, and for fewer draws than one.

    Examples
    --------
    >>> from fastgmm import GaussianMixture
    >>> gm = GaussianMixture.from_parameters([1.0], [[0.0, 0.0]], [[[1.0, 0.8], [0.8, 1.0]]])
    >>> draws = gm.sample_conditional([[2.0]], given=[0], n_draws=1000, random_state=0)
    >>> draws.shape, round(float(draws.mean()), 1), round(float(draws.std()), 1)
    ((1000, 1, 1), 1.6, 0.6)
    """
    check_options({"random_state": random_state}, "sample_conditional")
    n_draws = whole_number(n_draws, "n_draws", "sample_conditional")
    attributes = attributes_of(self)
    known, _, rows = _ready_to_regress(self, attributes, X_given, given)
    source = check_random_state(self.random_state if random_state is None else random_state)
    scorer, n_features = scorer_of(attributes), len(known.given) + len(known.targets)
    result = np.empty((n_draws, rows.shape[0], len(known.targets)), rows.values.dtype)

    def work() -> FloatingArray:
        for part in pieces(rows.shape[0], 8 * n_draws * n_features):
            whole = np.full((part.stop - part.start, n_features), np.nan, rows.values.dtype)
            whole[:, known.given] = rows.values[part]
            drawn = imputation.drawn(Rows(whole, has_missing=True), scorer, self.n_threads, n_draws, source)
            result[:, part] = drawn[..., known.targets]
        return result

    return attended(work, 50.0 * result.size * n_features)


def _ready_to_regress(
    estimator: Any, attributes: Mapping[str, Any], X: Any, given: Any
) -> tuple[Conditional, Scorer, Rows]:
    """What is known of the others, a scorer of the features that are given, and validated rows of these."""
    parameters, names = fitted_parameters(attributes), fitted_names(attributes)
    indices = _given_features(X, given, parameters.n_features, names)
    if len(indices) == parameters.n_features:
        raise ValueError("given names all features, so that there is none left to be found.")
    rows = check_rows(X, type(estimator).__name__)
    check_n_features(rows.shape[1], len(indices), "given")
    if rows.has_missing:
        raise ValueError(
            "X_given has missing values. Where rows lack different features, impute(X) of rows of all features, with "
            "NaN for what is not known, finds the same means, deviations and draws."
        )
    known = attended(lambda: conditional_of(parameters, indices), work_on(parameters.covariances))
    among: Any = estimator_of(estimator, known.marginal, None)
    return known, scorer_of(vars(among)), rows


def _given_features(X: Any, given: Any, n_features: int, names: Names | None) -> Indices:
    columns = feature_names(X)
    if given is None:
        if columns is None or names is None:
            raise ValueError("Say which features the columns of X_given are: given=[0, 2], or their names.")
        return indices_of(columns, n_features, names, "X_given")
    indices = indices_of(given, n_features, names, "given")
    if columns is not None and names is not None:
        check_feature_names(X, names[indices], "given")
    return indices


def _parts(
    rows: Rows, scorer: Scorer, n_threads: int | None, n_numbers: int = 0
) -> Iterator[tuple[slice, FloatArray, FloatArray]]:
    """Pieces of the rows: places, values (a, n) and responsibilities (K, n), feature by feature.

    Rows of a piece are few enough for K(a + 1 + ``n_numbers``) numbers of each to stay in a cache.
    """
    n_components, n_given = scorer.shape
    for call in pieces(rows.shape[0], max(1, 8 * n_components * (n_given + 1) // _PIECES_OF_A_CALL)):
        shares = scorer.evaluate(rows.take(call), n_threads, "responsibilities")
        for part in pieces(len(shares), 8 * n_components * (n_given + 1 + n_numbers)):
            place = slice(call.start + part.start, call.start + part.stop)
            values = np.array(rows.values[place].T, np.float64, order="C")
            yield place, values, np.array(shares[part].T, np.float64, order="C")


def _means(known: Conditional, values: FloatArray, shares: FloatArray) -> Array:
    """E[x_b | x_a] (n, b)."""
    center = known.marginal.weights @ known.centers
    result = (known.centers - center).T @ shares
    if known.coefficients is not None:
        differences = values - known.marginal.means[:, :, np.newaxis]
        differences *= shares[:, np.newaxis]
        n_components, n_others, n_given = known.coefficients.shape
        side_by_side = np.moveaxis(known.coefficients, 0, 1).reshape(n_others, n_components * n_given)
        result += side_by_side @ differences.reshape(n_components * n_given, -1)
    result += center[:, np.newaxis]
    return result.T


def _means_of_components(known: Conditional, values: FloatArray) -> FloatArray:
    """mₖ (K, b, n)."""
    centers = known.centers[:, :, np.newaxis]
    if known.coefficients is None:
        return np.broadcast_to(centers, (*known.centers.shape, values.shape[1]))
    means: FloatArray = known.coefficients @ (values - known.marginal.means[:, :, np.newaxis]) + centers
    return means
