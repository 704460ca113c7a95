"""Weights of rows: checked, and brought into a unit whose sums neither overflow nor vanish."""

import math
import warnings
from contextlib import suppress
from dataclasses import dataclass, replace
from numbers import Real
from typing import Any, Generic, Protocol, Self, TypeVar

import numpy as np

from fastgmm.data.validation import CALLER_OF_A_METHOD, as_float
from fastgmm.machine.pieces import pieces
from fastgmm.parameters import Array, FloatArray
from fastgmm.rows import Rows

# Weights are used as they are where the largest is between 2⁻⁶⁰ and 2⁶⁰: a billion of these sum to 2⁹⁰, well within the
# range of float32.
_LARGEST_EXPONENT = 60
# What is counted in the unit of weights is scaled by no more than two to this power, lest it leave float64's range.
_MOST_OF_A_UNIT = 900


class Summable(Protocol):
    """Sums over weighted rows."""

    def __add__(self, other: Self) -> Self: ...

    def scaled(self, factor: float) -> Self: ...


S = TypeVar("S", bound=Summable)


@dataclass(frozen=True, eq=False)
class InModerateUnit(Generic[S]):
    """Sums over rows with ``moderate`` weights, the largest of which was ``largest``; 0 of rows that weigh nothing.

    Those of other rows add up with them in the unit of the larger weights, beside which nothing overflows or counts.
    """

    sums: S
    largest: float

    def __add__(self, other: "InModerateUnit[S]") -> "InModerateUnit[S]":
        largest = max(self.largest, other.largest)
        power = moderating_power(largest)
        return InModerateUnit(self._read_with(power) + other._read_with(power), largest)

    def _read_with(self, power: int) -> S:
        change = power - moderating_power(self.largest)
        if change == 0 or not self.largest:
            return self.sums
        return self.sums.scaled(math.ldexp(1.0, max(-_MOST_OF_A_UNIT, change)))

    def as_given(self) -> S:
        """In the unit of the weights as they were; infinite where they add up to more than float64 holds."""
        power = -moderating_power(self.largest)
        if power == 0:
            return self.sums
        with np.errstate(over="ignore", under="ignore"):  # in two steps, either of which is within float64's range
            return self.sums.scaled(math.ldexp(1.0, power // 2)).scaled(math.ldexp(1.0, power - power // 2))


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
    row = first_of_no_weight(weights)
    if row is not None:
        if weights[row] < 0 and np.isfinite(weights[row]):
            raise ValueError(f"Negative values in data passed to `sample_weight`: row {row}.")
        raise ValueError(f"Input sample_weight contains NaN or infinity. The first is at row {row}.")
    require_some_weight(bool(weights.any()))
    return np.ascontiguousarray(weights)


def first_of_no_weight(weights: Array) -> int | None:
    """The first row whose weight is negative or not finite."""
    for part in pieces(len(weights), weights.itemsize):
        some = weights[part]
        are_sound = np.isfinite(some) & (some >= 0)
        if not are_sound.all():
            return int(part.start + np.argmin(are_sound))
    return None


def require_some_weight(is_any_positive: bool, source: str | None = None) -> None:
    """A positive weight among those of ``sample_weight``, or of a source of blocks."""
    if not is_any_positive:
        what = "All values of sample_weight" if source is None else f"{source}: all weights"
        raise ValueError(f"{what} are zero: there is nothing to fit.")


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
