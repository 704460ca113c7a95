"""``MixtureRegressor``: targets from features, by a mixture that was fitted to both."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastgmm.data.table import Table
from fastgmm.data.targets import check_targets
from fastgmm.data.validation import check_feature_names, check_n_features, check_rows, feature_names
from fastgmm.data.weights import check_sample_weight, moderate
from fastgmm.errors import not_fitted
from fastgmm.estimator import metadata_routing
from fastgmm.estimator import protocol as estimator_protocol
from fastgmm.estimator.mixture import GaussianMixture
from fastgmm.estimator.of_blocks import refuse_blocks
from fastgmm.fit.options import RegCovar, StartMethod, check_options, check_random_state
from fastgmm.fit.prior import PriorOption
from fastgmm.fit.starts import StartFunction
from fastgmm.kernels import BackendName
from fastgmm.machine.pieces import pieces
from fastgmm.model.algebra_common import whole_number
from fastgmm.parameters import Array, FloatArray, FloatingArray, IntArray
from fastgmm.rows import Rows

Regressor = TypeVar("Regressor", bound="MixtureRegressor")


class MixtureRegressor:
    """Regression by a Gaussian mixture of features and targets together: Gaussian mixture regression.

    ``fit`` fits a mixture to the rows (x, y), and ``predict`` is E[y | x] by it [1]_: a regression line of every
    component, blended by how probable that is at x. One component is linear regression; more follow curves, and say how
    wide targets spread at each x, be it between several branches. scikit-learn itself is not needed.

    Parameters
    ----------
    n_components : int, default=1
    covariance_type : {'full', 'tied', 'diag', 'spherical'}, default='full'
        Of features and targets together. Without correlations, ``'diag'`` and ``'spherical'``, lines are level, so that
        predictions are means of components, blended.
    tol : float, default=1e-3
    reg_covar : float or 'relative', default=1e-6
    max_iter : int, default=100
    n_init : int, default=1
    init_params : {'auto', 'kmeans', 'k-means++', 'random', 'random_from_data'} or callable, default='auto'
    prior : 'default' or Prior, optional
    random_state : int, RandomState or None, default=None
        Seeds the start, and ``sample_y``.
    n_threads : int, optional
    backend : {'auto', 'c', 'numba', 'numpy'}, default='auto'
        All as of :class:`fastgmm.GaussianMixture`.

    Attributes
    ----------
    mixture_ : GaussianMixture
        Of the features and, after them, the targets; by their names, where X has some. Its ``condition`` gives the
        whole distribution of targets.
    n_iter_ : int
        Iterations of its best start.
    n_features_in_ : int
    n_outputs_ : int
        How many targets there are.
    feature_names_in_ : ndarray of str
        Only where X has column names.

    See Also
    --------
    GaussianMixture.regress : any features from any others, by a mixture that is there already.

    References
    ----------
    .. [1] H. G. Sung, "Gaussian mixture regression and classification", PhD thesis, Rice University (2004).

    Examples
    --------
    >>> import numpy as np
    >>> from fastgmm import MixtureRegressor
    >>> x = np.random.RandomState(0).uniform(0, 6, (2000, 1))
    >>> y = np.sin(x[:, 0]) + 0.1 * np.random.RandomState(1).normal(size=2000)
    >>> regressor = MixtureRegressor(8, random_state=0).fit(x, y)
    >>> mean, std = regressor.predict([[1.5], [4.5]], return_std=True)
    >>> mean.round(1), std.round(1)
    (array([ 1., -1.]), array([0.1, 0.1]))
    """

    mixture_: GaussianMixture
    n_iter_: int
    n_features_in_: int
    n_outputs_: int
    feature_names_in_: NDArray[np.object_]

    @estimator_protocol.with_advice
    def __init__(
        self,
        n_components: int = 1,
        *,
        covariance_type: str = "full",
        tol: float = 1e-3,
        reg_covar: RegCovar = 1e-6,
        max_iter: int = 100,
        n_init: int = 1,
        init_params: "StartMethod | StartFunction" = "auto",
        prior: PriorOption | None = None,
        random_state: int | np.random.RandomState | None = None,
        n_threads: int | None = None,
        backend: BackendName = "auto",
    ) -> None:
        self.n_components = n_components
        self.covariance_type = covariance_type
        self.tol = tol
        self.reg_covar = reg_covar
        self.max_iter = max_iter
        self.n_init = n_init
        self.init_params = init_params
        self.prior = prior
        self.random_state = random_state
        self.n_threads = n_threads
        self.backend = backend

    def fit(self: Regressor, X: "ArrayLike", y: "ArrayLike", *, sample_weight: "ArrayLike | None" = None) -> Regressor:
        """Fit the mixture to features and targets.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            NaN is missing.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
        sample_weight : array-like of shape (n_samples,), optional
            A weight of 0 is the row removed, an integer weight the row repeated.

        Returns
        -------
        MixtureRegressor
            The estimator itself. After any exception it is what it was before.

        Raises
        ------
        ValueError
            For other values of parameters than those of the mixture, unknown targets, and as
            :meth:`fastgmm.GaussianMixture.fit`.

        Examples
        --------
        >>> from fastgmm import MixtureRegressor
        >>> MixtureRegressor().fit([[0.0], [1.0], [2.0]], [1.0, 3.0, 5.0]).predict([[3.0]]).round(3)
        array([7.])
        """
        _fit(self, X, y, sample_weight)
        return self

    def predict(
        self, X: "ArrayLike", return_std: bool = False
    ) -> "FloatingArray | tuple[FloatingArray, FloatingArray]":
        """The targets that are expected, E[y | x], of every row.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            NaN is unknown: what is expected where the other features alone are known.
        return_std : bool, default=False
            Whether to return the standard deviation of the targets at x as well: within components and between them.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_targets), as y was in the fit, in the dtype of X
            With ``return_std`` a pair of this and of the deviations, in the same shape.

        Raises
        ------
        NotFittedError
        ValueError
            For infinity and wrong shapes.

        Examples
        --------
        >>> import numpy as np
        >>> from fastgmm import MixtureRegressor
        >>> regressor = MixtureRegressor().fit([[0.0], [1.0], [2.0]], [1.0, 3.0, 5.0])
        >>> regressor.predict([[2.0], [np.nan]]).round(3)
        array([5., 3.])
        """
        asked = _asked(self, X)
        found = asked.found(
            lambda values: asked.mixture.regress(values, asked.given, return_std=return_std),
            lambda rows: asked.mixture.impute(rows, return_std=return_std),
        )
        return (found[0], found[1]) if return_std else found

    def sample_y(
        self,
        X: "ArrayLike",
        n_samples: int = 1,
        random_state: "int | np.random.RandomState | None" = None,
    ) -> FloatingArray:
        """Draws from the distribution of the targets, given the features.

        Parameters
        ----------
        X : array-like of shape (n_samples_X, n_features)
            NaN is unknown.
        n_samples : int, default=1
            How many draws of every row, independent of each other.
        random_state : int or RandomState, optional
            That of the estimator by default.

        Returns
        -------
        ndarray of shape (n_samples_X, n_samples) or (n_samples_X, n_targets, n_samples), in the dtype of X
            As those of :class:`sklearn.gaussian_process.GaussianProcessRegressor` are.

        Raises
        ------
        NotFittedError
        ValueError
            As ``predict``, and for fewer draws than one.

        Examples
        --------
        >>> import numpy as np
        >>> from fastgmm import MixtureRegressor
        >>> x, noise = np.random.RandomState(0).normal(size=(2, 1000))
        >>> draws = MixtureRegressor().fit(x[:, np.newaxis], x + noise).sample_y([[2.0]], 5000, random_state=0)
        >>> draws.shape, round(float(draws.mean())), round(float(draws.std()))
        ((1, 5000), 2, 1)
        """
        check_options({"random_state": random_state}, "sample_y")
        n_draws = whole_number(n_samples, "n_samples", "sample_y")
        source = check_random_state(self.random_state if random_state is None else random_state)
        asked, options = _asked(self, X), {"n_draws": n_draws, "random_state": source}
        draws = asked.found(
            lambda values: asked.mixture.sample_conditional(values, asked.given, **options),
            lambda rows: asked.mixture.impute(rows, **options),
        )
        return np.moveaxis(draws, 0, -1)

    def score(self, X: "ArrayLike", y: "ArrayLike", sample_weight: "ArrayLike | None" = None) -> float:
        """The coefficient of determination R² = 1 − Σ(y − ŷ)²/Σ(y − ȳ)²; of several targets its mean.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
        sample_weight : array-like of shape (n_samples,), optional

        Returns
        -------
        float
            At most 1; 0 of a constant, whatever that is. Of a constant target it is 1 where it is met, else 0.

        Raises
        ------
        NotFittedError
        ValueError
            As ``predict``, for unknown targets, and other numbers of them than in the fit.

        Examples
        --------
        >>> from fastgmm import MixtureRegressor
        >>> X, y = [[0.0], [1.0], [2.0]], [1.0, 3.0, 5.0]
        >>> round(MixtureRegressor().fit(X, y).score(X, y), 3)
        1.0
        """
        found: Any = self.predict(X)
        predicted = found.reshape(len(found), -1)
        targets, _ = check_targets(y, len(predicted), type(self).__name__)
        if targets.shape != predicted.shape:
            raise ValueError(f"y has {targets.shape[1]} targets, but there were {predicted.shape[1]} in the fit.")
        return _r_squared(targets, predicted, moderate(check_sample_weight(sample_weight, len(targets))))

    get_params = estimator_protocol.get_params
    set_params = estimator_protocol.set_params
    __repr__ = estimator_protocol.representation
    _repr_html_ = property(estimator_protocol.html_representation)
    __sklearn_tags__ = estimator_protocol.regressor_tags
    get_metadata_routing = metadata_routing.get_metadata_routing
    set_fit_request = metadata_routing.set_fit_request_of_weights
    set_score_request = metadata_routing.set_score_request_of_weights
    _metadata_request = property(metadata_routing.get_metadata_routing, metadata_routing.keep_requests)


def _fit(regressor: MixtureRegressor, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None) -> None:
    name, options = type(regressor).__name__, regressor.get_params(deep=False)
    check_options(options, name)
    refuse_blocks(X, name, "fit a GaussianMixture to blocks of features and targets together, and ask its regress")
    names, rows = feature_names(X), check_rows(X, name, min_rows=2)
    targets, is_vector = check_targets(y, rows.shape[0], name)
    both = _side_by_side(rows.values, targets)
    of_both = None if names is None else _names_of_both(names, y, targets.shape[1])
    mixture = GaussianMixture(**options)
    mixture.fit(both if of_both is None else Table(both, of_both), sample_weight=sample_weight)
    fitted: dict[str, Any] = {
        "mixture_": mixture,
        "n_iter_": mixture.n_iter_,
        "n_features_in_": rows.shape[1],
        "n_outputs_": targets.shape[1],
        "_is_vector": is_vector,
    }
    kept = {each: value for each, value in vars(regressor).items() if each != "feature_names_in_"}
    regressor.__dict__ = kept | fitted | ({} if names is None else {"feature_names_in_": names})


def _side_by_side(values: Array, targets: Array) -> FloatingArray:
    result = np.empty((len(values), values.shape[1] + targets.shape[1]), np.result_type(values, targets))
    for part in pieces(len(result), result[:1].nbytes):
        result[part, : values.shape[1]] = values[part]
        result[part, values.shape[1] :] = targets[part]
    return result


def _names_of_both(names: NDArray[np.object_], y: Any, n_targets: int) -> tuple[str, ...] | None:
    """The names of features and of targets, which are y where they have none; None where that is one of a feature."""
    columns, own = feature_names(y), getattr(y, "name", None)
    if columns is not None:
        of_targets = tuple(columns)
    elif n_targets == 1:
        of_targets = (own if isinstance(own, str) else "y",)
    else:
        of_targets = tuple(f"y{target}" for target in range(n_targets))
    both = (*names, *of_targets)
    return both if len(set(both)) == len(both) else None


@dataclass(frozen=True, eq=False)
class _Asked:
    """Rows whose targets are asked for, under the mixture of one fit."""

    mixture: Any
    rows: Rows
    n_targets: int
    is_vector: bool

    @property
    def given(self) -> IntArray:
        """Which features of the mixture are those of the rows: the first ones."""
        return np.arange(self.rows.shape[1])

    def found(self, of_complete: Callable[[Array], Any], of_incomplete: Callable[[Array | Table], Any]) -> Array:
        """What is found of all rows (..., n, n_targets), without the last axis where y was a vector in the fit.

        Of rows that lack nothing a function of these finds it; of others one of rows (n, n_features + n_targets) that
        lack their targets, too, which finds all of them, as imputation does.
        """
        values = self.rows.values
        lacks = np.isnan(values).any(axis=1) if self.rows.has_missing else np.zeros(len(values), np.bool_)
        parts = []
        if not lacks.all():
            parts.append((~lacks, np.asarray(of_complete(values[~lacks] if lacks.any() else values))))
        if lacks.any():
            filled = np.asarray(of_incomplete(self._without_targets(values[lacks])))
            parts.append((lacks, filled[..., values.shape[1] :]))
        result = np.empty((*parts[0][1].shape[:-2], len(values), self.n_targets), values.dtype)
        for place, part in parts:
            result[..., place, :] = part
        return result[..., 0] if self.is_vector else result

    def _without_targets(self, values: Array) -> Array | Table:
        whole = np.full((len(values), values.shape[1] + self.n_targets), np.nan, values.dtype)
        whole[:, : values.shape[1]] = values
        names = getattr(self.mixture, "feature_names_in_", None)
        return whole if names is None else Table(whole, tuple(names))


def _asked(regressor: MixtureRegressor, X: ArrayLike) -> _Asked:
    """Validated rows, and the attributes of one fit, which the next one replaces together."""
    fitted, name = vars(regressor), type(regressor).__name__
    if "mixture_" not in fitted:
        raise not_fitted(name)
    refuse_blocks(X, name, "call it with one array of rows after another")
    check_feature_names(X, fitted.get("feature_names_in_"), name)
    rows = check_rows(X, name)
    check_n_features(rows.shape[1], fitted["n_features_in_"], name)
    return _Asked(fitted["mixture_"], rows, fitted["n_outputs_"], fitted["_is_vector"])


def _r_squared(targets: Array, predicted: Array, weights: FloatArray | None) -> float:
    left = np.average(np.square(targets - predicted, dtype=np.float64), axis=0, weights=weights)
    center = np.average(targets, axis=0, weights=weights)
    total = np.average(np.square(targets - center, dtype=np.float64), axis=0, weights=weights)
    of_constants = np.where(left == 0, 1.0, 0.0)
    return float(np.where(total > 0, 1 - left / np.where(total > 0, total, 1.0), of_constants).mean())
