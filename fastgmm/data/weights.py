"""Weights of rows: checked, and brought into a unit whose sums neither overflow nor vanish."""

import math
import warnings
from contextlib import suppress
from dataclasses import replace
from numbers import Real
from typing import Any

import numpy as np

from fastgmm.data.validation import CALLER_OF_A_METHOD, as_float
from fastgmm.machine.pieces import pieces
from fastgmm.parameters import FloatArray
from fastgmm.rows import Rows

# Weights are used as they are where the largest is between 2⁻⁶⁰ and 2⁶⁰: a billion of these sum to 2⁹⁰, well within the
# range of float32.
_LARGEST_EXPONENT = 60
# What is counted in the unit of weights is scaled by no more than two to this power, lest it leave float64's range.
_MOST_OF_A_UNIT = 900


def check_sample_weight(sample_weight: Any, n_rows: int) -> FloatArray | None:
    """Weights (n_rows,) in float64, finite and not negative; None where there are none; a number weighs all rows.

    They are the user's, who may ask for their sum; what needs only their ratios takes ``moderate`` ones.
    """
    if sample_weight is None:
        return None
    weights = as_float(sample_weight, "sample_weight").astype(np.float64, copy=False)
    if weights.ndim == 0:
        weights = np.full(n_rows, weights)
    if weights.ndim != 1:
        raise ValueError(f"Sample weights must be 1D array or scalar, got {weights.ndim}D array.")
    if weights.shape != (n_rows,):
        raise ValueError(f"sample_weight.shape == {weights.shape}, expected {(n_rows,)}!")
    for part in pieces(n_rows, weights.itemsize):
        some = weights[part]
        if not np.isfinite(some).all():
            row = part.start + int(np.argmin(np.isfinite(some)))
            raise ValueError(f"Input sample_weight contains NaN or infinity. The first is at row {row}.")
        if (some < 0).any():
            row = part.start + int(np.argmax(some < 0))
            raise ValueError(f"Negative values in data passed to `sample_weight`: row {row}.")
    if not weights.any():
        raise ValueError("All values of sample_weight are zero: there is nothing to fit.")
    return np.ascontiguousarray(weights)


def warn_of_weights(y: Any, n_rows: int) -> None:
    """Warn where ``y``, which is ignored, may be meant as weights."""
    if y is not None and _may_be_weights(y, n_rows):
        message = "y is ignored. If it holds weights, pass them by name: sample_weight=..."
        warnings.warn(message, stacklevel=CALLER_OF_A_METHOD)


def _may_be_weights(y: Any, n_rows: int) -> bool:
    """Whether it has a number from 0 up for every row, and fractions among them, which labels have not."""
    values = np.empty(0)
    is_array = isinstance(getattr(y, "dtype", None), np.dtype)  # or a pandas Series
    if is_array or (isinstance(y, list | tuple) and y and isinstance(y[0], Real)):
        with suppress(TypeError, ValueError):  # a list may hold anything
            values = np.asarray(y)
    if values.dtype.kind != "f" or values.shape != (n_rows,):
        return False
    are_fractions = False
    for part in pieces(n_rows, values.itemsize):
        some = values[part]
        if not (np.isfinite(some) & (some >= 0)).all():
            return False
        are_fractions = are_fractions or bool((some != np.floor(some)).any())
    return are_fractions


def moderate(weights: FloatArray | None) -> FloatArray | None:
    """Weights scaled by a power of two where they are far from 1, so that their sums neither overflow nor vanish."""
    power = 0 if weights is None else moderating_power(weights.max())
    return weights if weights is None or power == 0 else np.ldexp(weights, power)


def in_moderate_unit(rows: Rows) -> tuple[Rows, float]:
    """The rows with ``moderate`` weights, and the factor that brings there what else counts rows, as a prior does."""
    power = 0 if rows.weights is None else moderating_power(rows.weights.max())
    if power == 0:
        return rows, 1.0
    limited = max(-_MOST_OF_A_UNIT, min(power, _MOST_OF_A_UNIT))
    return replace(rows, weights=moderate(rows.weights)), math.ldexp(1.0, limited)


def moderating_power(largest: float) -> int:
    """Two to this power makes weights moderate the largest of which is given; 0 where they are."""
    _, exponent = np.frexp(largest)
    return 0 if abs(int(exponent)) <= _LARGEST_EXPONENT else -int(exponent)
