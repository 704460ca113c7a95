"""Where a fit counts from: features far from zero are read as their differences from a number amid them.

A mean that lies 10⁸ standard deviations from zero would be rounded to 10⁻⁸ of them in every iteration, and what follows
from it as well. So a feature x whose values lie close together, as seen from zero, is read as x − c, and means count
from c until the fit ends. All x lie between c/2 and 2c, where x − c is exact (P. H. Sterbenz, "Floating-Point
Computation", 1974): a fit of the differences is a fit of the data.
"""

import numpy as np

from fastgmm.data.facts import Facts
from fastgmm.parameters import BoolArray, FloatArray, Parameters

# How many times its range a feature must be from zero. At 128 = 2⁷ ranges a mean has lost 7 of its 53 bits and is known
# to 10⁻¹⁴ of the range, which is no more than rounding in a sum over many rows. From 2 ranges on x − c would be exact.
_FAR = 128.0


def origin_of(facts: Facts) -> FloatArray | None:
    """What is best subtracted from every row (n_features,), exact in the dtype of the values; None where nothing is."""
    rows = facts.rows
    center = facts.center.astype(rows.values.dtype).astype(np.float64)
    if not _are_far(center, facts.look.lowest, facts.look.highest).any():
        return None
    far = _are_far(center, *facts.ranges)
    return np.where(far, center, 0.0) if far.any() else None


def counted_from_origin(facts: Facts) -> Facts:
    """Those of the same rows as a fit reads them."""
    origin = origin_of(facts)
    return facts if origin is None else facts.counted_from(origin)


def less_origin(means: FloatArray, origin: FloatArray | None) -> FloatArray:
    """Means among the values of the data as a fit counts them."""
    return means if origin is None else means - origin


def plus_origin(parameters: Parameters, origin: FloatArray | None) -> Parameters:
    """A read-only copy of parameters of a fit, with means among the values of the data."""
    means = parameters.means if origin is None else parameters.means + origin
    arrays = parameters.weights, means, parameters.covariances, parameters.extra
    copies = [array.astype(np.float64) for array in arrays]
    for copy in copies:
        copy.flags.writeable = False
    return Parameters(parameters.covariance_type, *copies)


def _are_far(center: FloatArray, lowest: FloatArray, highest: FloatArray) -> BoolArray:
    """Which features are, as seen from zero, in one place."""
    counted = lowest <= highest
    with np.errstate(over="ignore", invalid="ignore"):
        far: BoolArray = counted & (center != 0.0) & (np.abs(center) >= _FAR * (highest - lowest))
    return far
