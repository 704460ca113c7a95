"""exp and log as polynomials on vectors: Numba has no vector library, and a scalar call costs ten times more.

The coefficients interpolate the function at Chebyshev nodes (computed with 40 digits); the stated errors are
those of the polynomial, rounding adds about one unit in the last place.
"""

from typing import Any

from fastgmm.kernels.numba_.jit import inline
from fastgmm.kernels.numba_.vector import add_exponent, constant, exponent, fma, is_single, mantissa, where_less

# Of smaller numbers the exponential would be subnormal.
SMALLEST_EXPONENT = -708.0
SMALLEST_EXPONENT_SINGLE = -87.0
LOG2_E = 1.4426950408889634
# ln 2 in two parts: the first has so few bits that n·LN2_HIGH is exact for every exponent n.
LN2_HIGH = 6.93147180369123816490e-01
LN2_LOW = 1.90821492927058770002e-10
LN2_HIGH_SINGLE = 0.693359375
LN2_LOW_SINGLE = -2.12194440e-4


@inline
def exponential(x: Any, smallest: Any) -> Any:
    """exp(x) for x ≤ 0, and 0 where x < ``smallest``, itself at least ``SMALLEST_EXPONENT``.

    x = n·ln 2 + r with |r| ≤ ln(2)/2, exp(x) = 2ⁿ·P(r).
    """
    shift = constant(x, 12582912.0 if is_single(x) else 6755399441055744.0)  # 1.5·2²³ or 1.5·2⁵²
    bounded = where_less(x, smallest, smallest, x)
    # Adding 1.5·2⁵² leaves n, rounded to an integer, in the lowest bits of the sum.
    shifted = fma(bounded, constant(x, LOG2_E), shift)
    n = shifted - shift
    if is_single(x):
        r = fma(n, constant(x, -LN2_HIGH_SINGLE), bounded)
        r = fma(n, constant(x, -LN2_LOW_SINGLE), r)
        p = constant(x, 0.0013941118895837)  # relative error 2.5e-9
        p = fma(p, r, constant(x, 0.008375134774624326))
        p = fma(p, r, constant(x, 0.04166635277111221))
        p = fma(p, r, constant(x, 0.16666415414041177))
        p = fma(p, r, constant(x, 0.5000000047146057))
        p = fma(p, r, constant(x, 1.0000000377388714))
    else:
        r = fma(n, constant(x, -LN2_HIGH), bounded)
        r = fma(n, constant(x, -LN2_LOW), r)
        p = constant(x, 2.5110049204818658e-08)  # relative error 4.3e-18
        p = fma(p, r, constant(x, 2.763265472252779e-07))
        p = fma(p, r, constant(x, 2.755724088722987e-06))
        p = fma(p, r, constant(x, 2.4801485441561313e-05))
        p = fma(p, r, constant(x, 0.00019841269890076403))
        p = fma(p, r, constant(x, 0.0013888888952352863))
        p = fma(p, r, constant(x, 0.008333333333319589))
        p = fma(p, r, constant(x, 0.04166666666648795))
        p = fma(p, r, constant(x, 0.1666666666666668))
        p = fma(p, r, constant(x, 0.5000000000000019))
        p = fma(p, r, constant(x, 1.0))
    p = fma(p, r, constant(x, 1.0))
    return where_less(x, smallest, constant(x, 0.0), add_exponent(p, shifted))


@inline
def logarithm(x: Any) -> Any:
    """log(x) for positive normal x: x = m·2ᵉ, log x = e·ln 2 + 2·artanh(z) with z = (m − 1)/(m + 1)."""
    one = constant(x, 1.0)
    m = mantissa(x)
    z = (m - one) / (m + one)
    u = z * z
    if is_single(x):
        p = constant(x, 0.2958015670534363)  # absolute error 2.7e-9
        p = fma(p, u, constant(x, 0.3998877599783465))
        p = fma(p, u, constant(x, 0.6666668505073791))
        low, high = constant(x, LN2_LOW_SINGLE), constant(x, LN2_HIGH_SINGLE)
    else:
        p = constant(x, 0.14616721179861816)  # absolute error 4.5e-18
        p = fma(p, u, constant(x, 0.15331699633543858))
        p = fma(p, u, constant(x, 0.18182889786191042))
        p = fma(p, u, constant(x, 0.2222221112572281))
        p = fma(p, u, constant(x, 0.28571428626031065))
        p = fma(p, u, constant(x, 0.3999999999989938))
        p = fma(p, u, constant(x, 0.666666666666667))
        low, high = constant(x, LN2_LOW), constant(x, LN2_HIGH)
    e = exponent(x)
    artanh = fma(z * u, p, z + z)
    return fma(e, high, fma(e, low, artanh))
