"""Input arrays: checked, and brought into the form kernels read, with scikit-learn's words where it has them."""

import sys
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastgmm.data.frames import advice_on_columns, names_of, times_in
from fastgmm.data.times import WAY_OUT, is_time, kind_of_time
from fastgmm.data.whole_numbers import require_exact
from fastgmm.machine.pieces import pieces
from fastgmm.machine.waiting import attended
from fastgmm.parameters import Array, BoolArray, FloatArray
from fastgmm.rows import Rows

_READ_AS_THEY_ARE = (np.dtype(np.float64), np.dtype(np.float32))
NO_VALUES = "All rows of X are without any observed value."
NO_VALUES_OF_WEIGHT = "All rows of X of positive sample_weight are without any observed value."
# So few numbers are checked at once: half a megabyte, for which a loop over pieces is not worth its time.
_FEW_NUMBERS = 65_536
_FEWEST_ROWS_OF_A_FIT = 2
# Which count so many where they are read as numbers: 32,768 of them take some 5 ms.
_BYTES_OF_AN_OBJECT = 32
# To write a number where memory is touched for the first time takes as long as so many multiply-adds.
_WORK_OF_A_COPY = 30
# Warnings point at the user's line: past this module, the estimator's helper and its public method.
CALLER_OF_A_METHOD = 4


def feature_names(X: Any) -> NDArray[np.object_] | None:
    """The column names of a data frame where all are strings, else None.

    Raises
    ------
    TypeError
        Where some columns have strings for names and others have not, and for a lazy frame.
    """
    columns = None if type(X) is np.ndarray else names_of(X)
    if columns is None:
        return None
    names = np.asarray(columns, dtype=object)
    types = sorted({type(name).__name__ for name in names})
    if types == ["str"]:
        return names
    if "str" in types:
        raise TypeError(
            "Feature names are only supported if all input features have string names, but your input has "
            f"{types} as feature name / column name types. If you want feature names to be stored and validated, "
            "you must convert them all to strings, by using X.columns = X.columns.astype(str) for example. "
            "Otherwise you can remove feature / column names from your input data, or convert them all to a "
            "non-string data type."
        )
    return None


def check_feature_names(X: Any, fitted: NDArray[np.object_] | None, estimator: str) -> None:
    """Compare the names of X with those of the fit: warn where one side has none, raise where they differ."""
    given = feature_names(X)
    if given is None and fitted is None:
        return
    if fitted is None:
        message = f"X has feature names, but {estimator} was fitted without feature names"
        warnings.warn(message, stacklevel=CALLER_OF_A_METHOD)
    elif given is None:
        message = f"X does not have valid feature names, but {estimator} was fitted with feature names"
        warnings.warn(message, stacklevel=CALLER_OF_A_METHOD)
    elif not np.array_equal(given, fitted):
        raise ValueError(_names_message(set(given), set(fitted)))


def _names_message(given: set[str], fitted: set[str]) -> str:
    def listing(names: list[str]) -> str:
        shown = "".join(f"- {name}\n" for name in names[:5])
        return shown + ("- ...\n" if len(names) > 5 else "")

    message = "The feature names should match those that were passed during fit.\n"
    if given - fitted:
        message += "Feature names unseen at fit time:\n" + listing(sorted(given - fitted))
    if fitted - given:
        message += "Feature names seen at fit time, yet now missing:\n" + listing(sorted(fitted - given))
    if given == fitted:
        message += "Feature names must be in the same order as they were in fit.\n"
    return message


def check_rows(X: Any, estimator: str, min_rows: int = 1) -> Rows:
    """Rows of a two-dimensional float32 or float64 array, which is X itself where it is one already; NaN is missing.

    What else stands for a missing value becomes NaN: None and ``pandas.NA`` among objects, empty cells of nullable
    columns of pandas, Polars and Arrow, and what a mask covers.

    Raises
    ------
    TypeError
        For sparse data, ``numpy.matrix``, dates, times and durations, and for objects that are no numbers.
    ValueError
        For infinity (naming the first), whole numbers that float64 does not hold (naming the first), complex numbers,
        and wrong shapes.
    """
    if type(X) is np.ndarray and X.ndim == 2 and X.shape[1] > 0 and len(X) >= min_rows and X.dtype in _READ_AS_THEY_ARE:
        values = _readable_in_place(X)  # what follows would find nothing to say about it
        return Rows(values, has_missing=_holds_missing(values))
    values = _readable_in_place(_numbers_of(X, estimator, min_rows))
    return Rows(values, has_missing=_holds_missing(values))


def as_numbers(X: Any, name: str) -> Array:
    """A two-dimensional array of float32 or float64 with NaN for what is missing; errors name where it is from."""
    if type(X) is np.ndarray and X.ndim == 2 and X.dtype in _READ_AS_THEY_ARE:
        return X
    try:
        return _numbers_of(X, "fastgmm", 0)
    except (TypeError, ValueError) as error:
        raise type(error)(f"{name}: {error}") from error


def _numbers_of(X: Any, estimator: str, min_rows: int) -> Array:
    if hasattr(X, "toarray") and hasattr(X, "tocsr"):
        raise TypeError(
            "Sparse data was passed for X, but dense data is required. Use '.toarray()' to convert to a dense "
            "numpy array."
        )
    if isinstance(X, np.matrix):
        raise TypeError("np.matrix is not supported. Please convert to a numpy array with np.asarray.")
    mask = None
    if is_masked(X):
        X, mask = X.filled(0), np.ma.getmaskarray(X)
    values = as_float(X, "X")
    if values.ndim == 1 and hasattr(X, "to_frame"):
        raise ValueError(
            f"Expected a 2-dimensional container but got {type(X)} instead. Pass a DataFrame containing a single row "
            "(i.e. single sample) or a single column (i.e. single feature) instead."
        )
    check_shape(values, estimator, min_rows)
    require_exact(X, values)
    return np.where(mask, values.dtype.type(np.nan), values) if mask is not None and mask.any() else values


def is_masked(data: Any) -> bool:
    """Whether this is one of NumPy's masked arrays; numpy.ma is not imported in order to say no."""
    masked_array = getattr(sys.modules.get("numpy.ma"), "MaskedArray", None)  # None also while it is being imported
    return masked_array is not None and isinstance(data, masked_array)


def as_float(data: Any, name: str) -> Array:
    """An array of native float32 or float64; an error begins with NumPy's or scikit-learn's own words."""
    if is_masked(data):
        raise ValueError(
            f"Masked arrays are not supported for {name}, since their mask would be ignored. Drop the masked rows, or "
            f"use {name}.filled(...) to give them values."
        )
    array, time = np.empty(0), times_in(data)  # before NumPy makes whole numbers of them
    try:
        if time is None:
            array = np.asarray(data)
            time = kind_of_time(array)
        if time is None:
            array = _numbers(data, array)
    except (TypeError, ValueError, OverflowError) as error:
        way_out = f" {WAY_OUT}" if any(map(is_time, array.flat)) else ""
        message = f"{error}. {name} cannot be read as an array of numbers.{advice_on_columns(data, name)}{way_out}"
        raise (TypeError if isinstance(error, TypeError) else ValueError)(message) from error
    if time is not None:
        raise TypeError(f"{name} must be numbers; got {time}.{advice_on_columns(data, name)} {WAY_OUT}")
    if array.dtype.kind in "cO":
        raise ValueError(f"Complex data not supported\n{array}\n")
    if array.dtype.kind not in "biuf":
        raise TypeError(f"{name} must be numbers; got {array.dtype}")
    is_kept = array.dtype.kind == "f" and array.dtype.itemsize in (4, 8)
    dtype = array.dtype.newbyteorder("=") if is_kept else np.dtype(np.float64)
    if array.dtype == dtype:
        return array
    return attended(lambda: array.astype(dtype), _WORK_OF_A_COPY * array.size)


def _numbers(data: Any, array: Array) -> Array:
    """The array that NumPy makes of the data, with objects and strings read as numbers where they are any."""
    if array.dtype.kind == "O" and hasattr(data, "iloc"):
        # A pandas frame with nullable columns: its missing values become NaN.
        numbers: Array = data.to_numpy(dtype=np.float64, na_value=np.nan)
        return numbers
    if array.dtype.kind == "O" and not _holds_complex(array):
        return numbers_of_objects(array)
    return array.astype(np.float64) if array.dtype.kind in "SU" else array


def numbers_of_objects(objects: Array) -> FloatArray:
    """Objects as float64, NaN for None and ``pandas.NA``; in pieces, since NumPy holds Python's lock meanwhile."""
    result = np.empty_like(objects, np.float64)
    if not objects.ndim:
        return _with_none(objects).astype(np.float64)
    for part in pieces(len(objects), _BYTES_OF_AN_OBJECT * objects[:1].size):
        result[part] = _with_none(objects[part])  # where NumPy makes NaN of None
    return result


def _with_none(objects: Array) -> Array:
    """Objects with None for ``pandas.NA``."""
    if "pandas" not in sys.modules:
        return objects
    missing = sys.modules["pandas"].NA
    is_missing = np.fromiter((value is missing for value in objects.flat), np.bool_, objects.size)
    if not is_missing.any():
        return objects
    result = objects.copy()
    result[is_missing.reshape(objects.shape)] = None
    return result


def _holds_complex(objects: Array) -> bool:
    return any(isinstance(value, complex) for value in objects.flat)


def check_shape(values: Array, estimator: str, min_rows: int) -> None:
    if values.ndim < 2:
        raise ValueError(
            f"Expected 2D array, got {'scalar' if values.ndim == 0 else '1D'} array instead:\narray={values}.\nReshape "
            "your data either using array.reshape(-1, 1) if your data has a single feature or array.reshape(1, -1) if "
            "it contains a single sample."
        )
    if values.ndim > 2:
        raise ValueError(f"Found array with dim {values.ndim}, while dim <= 2 is required by {estimator}.")
    n_rows, n_features = values.shape
    if n_rows < min_rows:
        raise ValueError(
            f"Found array with {n_rows} sample(s) (shape={values.shape}) while a minimum of {min_rows} is required "
            f"by {estimator}."
        )
    if n_features < 1:
        raise ValueError(
            f"Found array with 0 feature(s) (shape={values.shape}) while a minimum of 1 is required by {estimator}."
        )


def is_readable_in_place(values: Array) -> bool:
    """Whether kernels can read an array where it is: they step through memory in whole numbers forward."""
    flags = values.flags
    if not flags.aligned or flags.c_contiguous:
        return flags.aligned
    steps = [divmod(stride, values.itemsize) for stride in values.strides]
    return all(step >= 0 and rest == 0 for step, rest in steps)


def _readable_in_place(values: Array) -> Array:
    """The array itself where kernels can read it, else a copy."""
    if is_readable_in_place(values):
        return np.asarray(values)
    return attended(lambda: values.copy(order="C"), _WORK_OF_A_COPY * values.size)


def _all_finite(values: Array) -> bool:
    return 0 not in np.isfinite(values).tobytes()  # for a few numbers a third of the time that all() takes


def _holds_missing(values: Array) -> bool:
    """Whether some of the values are NaN; ``ValueError`` where one is infinite."""
    if values.size <= _FEW_NUMBERS and _all_finite(values):
        return False

    def infinite(row: int, column: int) -> ValueError:
        return ValueError(
            f"Input X contains infinity or a value too large for {values.dtype!r}. The first is at row {row}, column "
            f"{column} (counted from 0)."
        )

    return holds_missing_or(infinite, values)


def holds_missing_or(infinite: Callable[[int, int], ValueError], values: Array) -> bool:
    """Whether some of the values are NaN; the error of the row and the column where the first is infinite."""
    if values.size <= _FEW_NUMBERS and not np.isinf(values).any():
        return not _all_finite(values)
    has_missing = False
    for part in pieces(len(values), values[:1].nbytes):
        block = values[part]
        if _all_finite(block):
            continue
        is_infinite = np.isinf(block)
        if is_infinite.any():
            row, column = (int(position) for position in np.argwhere(is_infinite)[0])
            raise infinite(part.start + row, column)
        has_missing = True
    return has_missing


def have_observed(rows: Rows) -> BoolArray:
    """Which rows (n,) have an observed value; ``ValueError`` where none has."""
    result = rows.are_observed
    if not result.any():
        raise ValueError(NO_VALUES)
    return result


def have_values(rows: Rows) -> BoolArray:
    """Which features (d,) have a value in some row that weighs something."""
    result = np.full(rows.shape[1], not rows.has_missing)
    for part in pieces(rows.shape[0], rows.values[:1].nbytes):
        if result.all():
            break
        counted = slice(None) if rows.weights is None else rows.weights[part] > 0
        result |= ~np.isnan(rows.values[part][counted]).all(axis=0)
    return result


def check_observed(rows: Rows, names: NDArray[np.object_] | None) -> None:
    """Refuse to fit rows with missing values of which too few have any other, or that all lack a feature."""
    require_informative(int(np.count_nonzero(have_observed(rows))))
    require_columns_observed(have_values(rows), names)


def require_rows(n_rows: int, source: str) -> None:
    """Enough rows that come in blocks, whatever they weigh or hold."""
    if n_rows < _FEWEST_ROWS_OF_A_FIT:
        raise ValueError(f"{source}: found {n_rows} sample(s), while a minimum of {_FEWEST_ROWS_OF_A_FIT} is required.")


def require_informative(n_rows: int) -> None:
    """Enough rows with an observed value."""
    if n_rows < _FEWEST_ROWS_OF_A_FIT:
        raise ValueError(
            f"Found {n_rows} row(s) with an observed value, while a minimum of {_FEWEST_ROWS_OF_A_FIT} is required."
        )


def require_columns_observed(are_observed: BoolArray, names: Sequence[str] | NDArray[np.object_] | None) -> None:
    """A value of every feature (d,)."""
    if not are_observed.all():
        feature = int(np.argmin(are_observed))
        name = "" if names is None else f" ({names[feature]!r})"
        raise ValueError(
            f"Feature {feature}{name} has no observed value in X. Drop the column, or impute it from elsewhere."
        )


def require_rows_for_components(n_rows: int, n_components: int) -> None:
    """As many rows that count as components."""
    if n_rows < n_components:
        raise ValueError(
            f"Expected n_samples >= n_components but got n_components = {n_components}, n_samples = {n_rows}"
        )


def check_n_features(n_given: int, n_fitted: int, estimator: str) -> None:
    if n_given != n_fitted:
        raise ValueError(f"X has {n_given} features, but {estimator} is expecting {n_fitted} features as input.")
