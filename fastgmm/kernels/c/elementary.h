/* exp and log as polynomials on vectors: a call of the C library for every number costs ten times more.
 * The same polynomials as in numba_/elementary.py, where their errors are stated. */

#define LOG2_E ((NUMBER)1.4426950408889634)
/* ln 2 in two parts: the first has so few bits that n * LN2_HIGH is exact for every exponent n. */
#if SINGLE
#define LN2_HIGH 0.693359375f
#define LN2_LOW -2.12194440e-4f
#else
#define LN2_HIGH 6.93147180369123816490e-01
#define LN2_LOW 1.90821492927058770002e-10
#endif

/* The polynomial with these coefficients, the highest first, by Horner's rule. */
INLINE Vector polynomial(Vector x, const NUMBER *coefficients, int n) {
    Vector p = broadcast(coefficients[0]);
    UNROLLED
    for (int i = 1; i < n; i++) p = fma_(p, x, broadcast(coefficients[i]));
    return p;
}

/* Of smaller numbers the exponential would be subnormal. */
#define SMALLEST_EXPONENT ((NUMBER)(SINGLE ? -87 : -708))

/* exp(x) for x <= 0, and 0 where x < smallest, itself at least SMALLEST_EXPONENT: x = n ln 2 + r with |r| <= ln(2)/2,
 * exp(x) = 2^n P(r). */
INLINE Vector exponential(Vector x, Vector smallest) {
#if SINGLE
    static const NUMBER coefficients[] = {0.0013941118895837f, 0.008375134774624326f, 0.04166635277111221f,
                                          0.16666415414041177f, 0.5000000047146057f,  1.0000000377388714f,
                                          1.0f};
    const Vector shift = broadcast(12582912.0f); /* 1.5 * 2^23 */
#else
    static const NUMBER coefficients[] = {
        2.5110049204818658e-08, 2.763265472252779e-07, 2.755724088722987e-06, 2.4801485441561313e-05,
        0.00019841269890076403, 0.0013888888952352863, 0.008333333333319589,  0.04166666666648795,
        0.1666666666666668,     0.5000000000000019,    1.0,                   1.0};
    const Vector shift = broadcast(6755399441055744.0); /* 1.5 * 2^52 */
#endif
    Vector bounded = where_less(x, smallest, smallest, x);
    /* Adding 1.5 * 2^52 leaves n, rounded to an integer, in the lowest bits of the sum. */
    Vector shifted = fma_(bounded, broadcast(LOG2_E), shift);
    Vector n = shifted - shift;
    Vector r = fma_(n, broadcast(-LN2_HIGH), bounded);
    r = fma_(n, broadcast(-LN2_LOW), r);
    Vector p = polynomial(r, coefficients, sizeof coefficients / sizeof *coefficients);
    return where_less(x, smallest, broadcast(0), add_exponent(p, shifted));
}

/* log(x) for positive normal x: x = m 2^e, log x = e ln 2 + 2 artanh(z) with z = (m - 1)/(m + 1). */
INLINE Vector logarithm(Vector x) {
#if SINGLE
    static const NUMBER coefficients[] = {0.2958015670534363f, 0.3998877599783465f, 0.6666668505073791f};
#else
    static const NUMBER coefficients[] = {0.14616721179861816, 0.15331699633543858, 0.18182889786191042,
                                          0.2222221112572281,  0.28571428626031065, 0.3999999999989938,
                                          0.666666666666667};
#endif
    Bits e = exponent(x);
    Vector m = mantissa(x, e), one = broadcast(1);
    Vector z = (m - one) / (m + one);
    Vector u = z * z;
    Vector p = polynomial(u, coefficients, sizeof coefficients / sizeof *coefficients);
    Vector artanh = fma_(z * u, p, z + z);
    Vector power = numbers_of(e);
    return fma_(power, broadcast(LN2_HIGH), fma_(power, broadcast(LN2_LOW), artanh));
}
