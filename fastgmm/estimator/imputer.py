"""``GaussianMixtureImputer``: missing values filled in from a mixture that was fitted to what is observed."""

import warnings
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastgmm.data.table import Table
from fastgmm.data.validation import (
    NO_VALUES,
    check_feature_names,
    check_n_features,
    check_rows,
    feature_names,
    have_values,
)
from fastgmm.errors import not_fitted
from fastgmm.estimator import protocol as estimator_protocol
from fastgmm.estimator import transformer
from fastgmm.estimator.mixture import GaussianMixture
from fastgmm.estimator.of_blocks import refuse_blocks
from fastgmm.fit import rules
from fastgmm.fit.options import Option, check_options
from fastgmm.machine.pieces import pieces
from fastgmm.parameters import Array

Imputer = TypeVar("Imputer", bound="GaussianMixtureImputer")

_OPTIONS = {
    "sample_posterior": Option(False, rules.BOOLEAN),
    "random_state": Option(None, rules.RANDOM_STATE),
    "add_indicator": Option(False, rules.BOOLEAN),
    "keep_empty_features": Option(False, rules.BOOLEAN),
}


class GaussianMixtureImputer:
    """Fills in missing values with what a Gaussian mixture expects of them, given the rest of their row.

    A transformer for pipelines, beside :class:`sklearn.impute.IterativeImputer` and :class:`sklearn.impute.KNNImputer`;
    scikit-learn itself is not needed but for ``add_indicator``. ``fit`` fits a mixture to what is observed, by maximum
    likelihood; ``transform`` is its :meth:`fastgmm.GaussianMixture.impute`, which says when that is right: values must
    be missing at random.

    Parameters
    ----------
    mixture : GaussianMixture, optional
        Not fitted: a clone of it is. By default ``GaussianMixture()``, one Gaussian, whose conditional means are linear
        regressions on whatever a row has. Where the data have clusters, give components: what is missing is then
        looked for near the clusters that the row may belong to.
    sample_posterior : bool, default=False
        Draw missing values from their conditional distribution, under the parameters that were fitted, instead of
        taking its mean: these spread as the values would. Of multiple imputation, which lets the parameters vary as
        well, :meth:`fastgmm.GaussianMixture.impute` has an example.
    random_state : int or RandomState, optional
        For draws; an int gives the same ones in every call. By default that of the mixture, which seeds its start in
        any case.
    add_indicator : bool, default=False
        Add columns that say what was missing, of the features of which something was in the fit.
    keep_empty_features : bool, default=False
        Whether features without any observed value in the fit are kept, with 0 for what is missing, or left out.

    Attributes
    ----------
    mixture_ : GaussianMixture
        The one that was fitted, to the features that are not empty.
    empty_features_ : ndarray of int
        The features without any observed value in the fit.
    indicator_ : sklearn.impute.MissingIndicator or None
        None without ``add_indicator``.
    n_features_in_ : int
    feature_names_in_ : ndarray of str
        Only where X has column names.

    Examples
    --------
    >>> import numpy as np
    >>> from fastgmm import GaussianMixture, GaussianMixtureImputer
    >>> X = np.random.RandomState(0).normal(size=(200, 2)) @ [[1.0, 0.9], [0.0, 0.1]]
    >>> imputer = GaussianMixtureImputer(GaussianMixture(1)).fit(X)
    >>> imputer.transform([[2.0, np.nan]]).round(1)
    array([[2. , 1.8]])
    """

    mixture_: GaussianMixture
    empty_features_: NDArray[np.intp]
    indicator_: Any
    n_features_in_: int
    feature_names_in_: NDArray[np.object_]

    @estimator_protocol.with_advice
    def __init__(
        self,
        mixture: GaussianMixture | None = None,
        *,
        sample_posterior: bool = False,
        random_state: "int | np.random.RandomState | None" = None,
        add_indicator: bool = False,
        keep_empty_features: bool = False,
    ) -> None:
        self.mixture = mixture
        self.sample_posterior = sample_posterior
        self.random_state = random_state
        self.add_indicator = add_indicator
        self.keep_empty_features = keep_empty_features

    def fit(self: Imputer, X: "ArrayLike", y: object = None) -> Imputer:
        """Fit the mixture to what is observed.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            NaN is missing.
        y : ignored

        Returns
        -------
        GaussianMixtureImputer
            The estimator itself. After any exception it is what it was before.

        Raises
        ------
        TypeError
            Where ``mixture`` is none.
        ValueError
            For other values of parameters than those above; and as :meth:`fastgmm.GaussianMixture.fit`, but not for
            features without any observed value.

        Examples
        --------
        >>> import numpy as np
        >>> from fastgmm import GaussianMixtureImputer
        >>> GaussianMixtureImputer().fit([[1.0, np.nan], [3.0, np.nan]]).mixture_.means_
        array([[2.]])
        """
        _fit(self, X)
        return self

    def transform(self, X: "ArrayLike") -> Any:
        """X with its missing values filled in, each row by itself.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples, n_features_out), in the dtype of X
            Or a frame, where ``set_output`` or scikit-learn's configuration asks for one.

        Raises
        ------
        NotFittedError
        ValueError
            For infinity and wrong shapes.

        Examples
        --------
        >>> import numpy as np
        >>> from fastgmm import GaussianMixtureImputer
        >>> GaussianMixtureImputer().fit([[1.0], [3.0]]).transform([[np.nan], [9.0]])
        array([[2.],
               [9.]])
        """
        return _transform(self, X)

    def fit_transform(self, X: "ArrayLike", y: object = None) -> Any:
        """``fit`` and ``transform`` of the same rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : ignored

        Returns
        -------
        ndarray of shape (n_samples, n_features_out), in the dtype of X
            Or a frame, as of ``transform``.

        Raises
        ------
        TypeError, ValueError
            As ``fit``.

        Examples
        --------
        >>> import numpy as np
        >>> from fastgmm import GaussianMixtureImputer
        >>> GaussianMixtureImputer().fit_transform([[1.0], [3.0], [np.nan]])
        array([[1.],
               [3.],
               [2.]])
        """
        _fit(self, X)
        return _transform(self, X)

    def get_feature_names_out(
        self, input_features: "Sequence[str] | NDArray[np.object_] | None" = None
    ) -> NDArray[np.object_]:
        """The names of the columns that ``transform`` returns.

        Parameters
        ----------
        input_features : sequence of str, optional
            Names of the features, where X had none; otherwise those that it had. By default x0, x1, and so on.

        Returns
        -------
        ndarray of str
            What says that a feature is missing is called ``missingindicator_`` and its name.

        Raises
        ------
        NotFittedError
        ValueError
            For other names than those of the fit, or more or fewer.

        Examples
        --------
        >>> from fastgmm import GaussianMixtureImputer
        >>> GaussianMixtureImputer().fit([[1.0], [3.0]]).get_feature_names_out(["width"])
        array(['width'], dtype=object)
        """
        fitted = _fitted(self)
        names = transformer.checked_names(input_features, fitted.get("feature_names_in_"), fitted["n_features_in_"])
        kept = names if self.keep_empty_features else np.delete(names, fitted["empty_features_"])
        indicator = fitted["indicator_"]
        return kept if indicator is None else np.concatenate([kept, indicator.get_feature_names_out(names)])

    set_output = transformer.set_output

    get_params = estimator_protocol.get_params
    set_params = estimator_protocol.set_params
    __repr__ = estimator_protocol.representation
    _repr_html_ = property(estimator_protocol.html_representation)
    __sklearn_tags__ = transformer.transformer_tags


def _fit(imputer: GaussianMixtureImputer, X: ArrayLike) -> None:
    check_options(vars(imputer), type(imputer).__name__, _OPTIONS)
    refuse_blocks(
        X, type(imputer).__name__, "fit a GaussianMixture to them, whose impute takes one array after another"
    )
    mixture = _unfitted(imputer.mixture)
    names = feature_names(X)
    rows = check_rows(X, type(imputer).__name__, min_rows=2)
    is_empty = ~have_values(rows)
    if is_empty.all():
        raise ValueError(NO_VALUES)
    empty = np.flatnonzero(is_empty)
    fitted: dict[str, Any] = {
        "mixture_": mixture.fit(_without(rows.values, empty, names)),
        "empty_features_": empty,
        "indicator_": transformer.indicator_of(rows.values) if imputer.add_indicator else None,
        "n_features_in_": rows.shape[1],
    }
    kept = {name: value for name, value in vars(imputer).items() if name != "feature_names_in_"}
    imputer.__dict__ = kept | fitted | ({} if names is None else {"feature_names_in_": names})


def _unfitted(mixture: GaussianMixture | None) -> GaussianMixture:
    """One of the same parameters."""
    if mixture is None:
        return GaussianMixture()
    if not isinstance(mixture, GaussianMixture):
        raise TypeError(f"mixture must be a fastgmm.GaussianMixture or None; got {mixture!r}")
    return type(mixture)(**mixture.get_params(deep=False))


def _fitted(imputer: GaussianMixtureImputer) -> Mapping[str, Any]:
    """All attributes as they are now: a fit replaces them together, so one look sees one fit."""
    attributes = vars(imputer)
    if "mixture_" not in attributes:
        raise not_fitted(type(imputer).__name__)
    return attributes


def _without(values: Array, empty: NDArray[np.intp], names: NDArray[np.object_] | None) -> Array | Table:
    """The features that a mixture is fitted to, with their names."""
    if len(empty):
        kept = np.delete(np.arange(values.shape[1]), empty)
        some = np.empty((len(values), len(kept)), values.dtype)
        for part in pieces(len(values), values[:1].nbytes):
            some[part] = values[part][:, kept]
        values = some
    return values if names is None else Table(values, tuple(np.delete(names, empty)))


def _transform(imputer: GaussianMixtureImputer, X: ArrayLike) -> Any:
    fitted, name = _fitted(imputer), type(imputer).__name__
    names, empty, indicator = fitted.get("feature_names_in_"), fitted["empty_features_"], fitted["indicator_"]
    refuse_blocks(X, name, "call transform with one array of rows after another")
    check_feature_names(X, names, name)
    rows = check_rows(X, name)
    check_n_features(rows.shape[1], fitted["n_features_in_"], name)
    if len(empty) and not imputer.keep_empty_features:
        warnings.warn(
            f"Skipping features without any observed values: {empty if names is None else names[empty]}. At least one "
            "non-missing value is needed for imputation.",
            stacklevel=3,
        )
    result = _filled(imputer, fitted["mixture_"], _without(rows.values, empty, names))
    if len(empty) and imputer.keep_empty_features:
        result = _with_empty(result, rows.values, empty)
    if indicator is not None:
        result = _with_indicator(result, rows.values, indicator)
    return transformer.contained(imputer, result, X)


def _filled(imputer: GaussianMixtureImputer, mixture: Any, X: Array | Table) -> Array:
    if imputer.sample_posterior:
        draws: Array = mixture.impute(X, n_draws=1, random_state=imputer.random_state)
        draw: Array = draws[0]
        return draw
    means: Array = mixture.impute(X)
    return means


def _with_indicator(filled: Array, values: Array, indicator: Any) -> Array:
    """With columns that say what was missing."""
    n_features = filled.shape[1]
    result = np.empty((len(filled), n_features + len(indicator.features_)), filled.dtype)
    for part in pieces(len(result), values[:1].nbytes + result[:1].nbytes):
        result[part, :n_features] = filled[part]
        result[part, n_features:] = transformer.indicated(indicator, values[part])
    return result


def _with_empty(filled: Array, values: Array, empty: NDArray[np.intp]) -> Array:
    """All features: the empty ones have 0 for what is missing."""
    result = np.empty(values.shape, filled.dtype)
    others = np.setdiff1d(np.arange(values.shape[1]), empty)
    for part in pieces(len(result), result[:1].nbytes):
        result[part, others] = filled[part]
        result[part, empty] = np.nan_to_num(values[part][:, empty])
    return result
