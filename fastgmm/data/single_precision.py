"""Where single precision ends: float32 numbers whose squares overflow or vanish are computed in float64."""

from dataclasses import replace

import numpy as np

from fastgmm.data.facts import Facts
from fastgmm.parameters import Array
from fastgmm.rows import Rows

# No joint log-density of float32 rows is less: kernels that compute in single precision keep to it.
LOWEST_IN_SINGLE = np.float32(-3.0e38)
# Normal numbers of float32 lie between 2⁻¹²⁶ and 2¹²⁸. Of a deviation of 2⁻⁴⁰ the last place, 2⁻²³ of it, has the
# square 2⁻¹²⁶: nothing that counts vanishes. The square of 2⁵⁰ leaves a factor of 2²⁸ for sums over features and rows.
_SMALLEST, _LARGEST = 2.0**-40, 2.0**50


def are_ordinary(deviations: Array) -> bool:
    """Whether single precision has room for the squares of numbers of these sizes."""
    return bool(((deviations >= _SMALLEST) & (deviations <= _LARGEST)).all())


def with_room_for_squares(facts: Facts) -> Facts:
    """Those of the rows; of a copy in float64 where they are float32 in absurd units."""
    if facts.rows.values.dtype != np.float32:
        return facts
    deviations = np.sqrt(facts.variances)
    lowest, highest = facts.ranges
    largest = max(-lowest.min(), highest.max())
    is_ordinary = are_ordinary(deviations[deviations > 0]) and largest <= _LARGEST
    return facts if is_ordinary else facts.read_as(as_float64(facts.rows))


def as_float64(rows: Rows) -> Rows:
    """A copy in float64."""
    return replace(rows, values=rows.values.astype(np.float64))
