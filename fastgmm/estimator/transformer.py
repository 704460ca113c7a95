"""What scikit-learn asks of transformers beside its estimator protocol, as functions that need no base class from it.

``GaussianMixtureImputer`` has some of them as methods: the first argument is the estimator.
"""

import sys
from collections.abc import Sequence
from typing import Any, Literal, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from fastgmm.machine.pieces import pieces
from fastgmm.parameters import Array, BoolArray

Estimator = TypeVar("Estimator")
Container: TypeAlias = Literal["default", "pandas", "polars"]


def set_output(self: Estimator, *, transform: "Container | None" = None) -> Estimator:
    """Choose what ``transform`` and ``fit_transform`` return.

    Parameters
    ----------
    transform : {'default', 'pandas', 'polars'}, optional
        An array, or a frame with names of columns. None changes nothing.

    Returns
    -------
    object
        The estimator itself.

    Examples
    --------
    >>> import pandas
    >>> from fastgmm import GaussianMixtureImputer
    >>> imputer = GaussianMixtureImputer().set_output(transform="pandas")
    >>> type(imputer.fit_transform([[1.0], [2.0], [None]])).__name__
    'DataFrame'
    """
    if transform is not None:
        # A name of scikit-learn's, whose ``clone`` copies it.
        vars(self)["_sklearn_output_config"] = {"transform": transform}
    return self


def contained(estimator: Any, values: Array, X: Any) -> Any:
    """The values in the container that ``set_output`` or, where it is loaded, scikit-learn's configuration asks for."""
    config = vars(estimator).get("_sklearn_output_config")
    if config is None and sys.modules.get("sklearn") is not None:
        from sklearn import get_config

        config = {"transform": get_config()["transform_output"]}
    container = "default" if config is None else config["transform"]
    if container == "default":
        return values
    columns = list(estimator.get_feature_names_out())
    if container == "pandas":
        import pandas

        return pandas.DataFrame(values, index=X.index if isinstance(X, pandas.DataFrame) else None, columns=columns)
    if container == "polars":
        import polars

        return polars.DataFrame(values, schema=columns, orient="row")
    raise ValueError(f"output config must be in ['default', 'pandas', 'polars'], got {container}")


def checked_names(
    given: "Sequence[str] | NDArray[np.object_] | None", fitted: NDArray[np.object_] | None, n_features: int
) -> NDArray[np.object_]:
    """The names of the features that went in: those of the fit, the given ones, or x0, x1, ..."""
    if given is None:
        return fitted if fitted is not None else np.array([f"x{feature}" for feature in range(n_features)], object)
    names = np.asarray(given, dtype=object)
    if fitted is not None and not np.array_equal(names, fitted):
        raise ValueError("input_features is not equal to feature_names_in_")
    if len(names) != n_features:
        raise ValueError(
            f"input_features should have length equal to number of features ({n_features}), got {len(names)}"
        )
    return names


def indicator_of(values: Array) -> Any:
    """scikit-learn's ``MissingIndicator`` of what is missing."""
    try:
        from sklearn.impute import MissingIndicator
    except ImportError as error:
        raise ImportError("add_indicator=True needs scikit-learn: pip install 'fastgmm[sklearn]'") from error
    is_lacking = np.zeros(values.shape[1], np.bool_)
    for part in pieces(len(values), values[:1].nbytes):
        is_lacking |= np.isnan(values[part]).any(axis=0)
    return MissingIndicator(error_on_new=False).fit(_holes(is_lacking[np.newaxis]))


def indicated(indicator: Any, values: Array) -> BoolArray:
    """The columns that say what is missing, of the features of which something was in the fit."""
    return np.asarray(indicator.transform(_holes(np.isnan(values))), np.bool_)


def _holes(is_missing: BoolArray) -> Array:
    """NaN for what is missing, 0 for all else, whatever range the values have."""
    return np.where(is_missing, np.nan, 0.0)


def transformer_tags(estimator: object) -> Any:
    """scikit-learn's description of what the imputer takes and gives; only scikit-learn asks for it."""
    from sklearn.utils import InputTags, Tags, TargetTags, TransformerTags

    return Tags(
        estimator_type=None,
        target_tags=TargetTags(required=False),
        transformer_tags=TransformerTags(preserves_dtype=["float64", "float32"]),
        regressor_tags=None,
        classifier_tags=None,
        input_tags=InputTags(allow_nan=True),
    )
