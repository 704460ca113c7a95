/* A vector of NUMBERs that lives in one register, and the few operations kernels need on it.
 *
 * instance.h defines NUMBER, INTEGER (as wide) and VECTOR_BYTES. gcc and clang have vectors in the
 * language; elsewhere a vector is one number, and the compiler may do what it likes with the loops.
 */
/* INLINE: vectors are cheap in registers, not across calls. OUTLINE: a loop nest that has the registers to itself; all of
 * a kernel in one function made gcc spill sums. */
#if defined(__GNUC__) && !defined(FASTGMM_NO_VECTORS)
#define HAS_VECTORS 1
#define INLINE static inline __attribute__((always_inline))
#define OUTLINE static __attribute__((noinline))
#define UNROLLED _Pragma("GCC unroll 16")
#elif defined(_MSC_VER)
#define HAS_VECTORS 0
#define INLINE static __forceinline
#define OUTLINE static __declspec(noinline)
#define UNROLLED
#else
#define HAS_VECTORS 0
#define INLINE static inline
#define OUTLINE static
#define UNROLLED
#endif

#if HAS_VECTORS
#define LANES (VECTOR_BYTES / (int64_t)sizeof(NUMBER))
#define WIDE_LANES (VECTOR_BYTES / (int64_t)sizeof(double))
typedef NUMBER Vector __attribute__((vector_size(VECTOR_BYTES)));
typedef INTEGER Bits __attribute__((vector_size(VECTOR_BYTES)));
typedef UNSIGNED Words __attribute__((vector_size(VECTOR_BYTES)));
typedef double Wide __attribute__((vector_size(VECTOR_BYTES)));
typedef NUMBER Memory __attribute__((vector_size(VECTOR_BYTES), aligned(sizeof(NUMBER)), may_alias));
#else
#define LANES 1
#define WIDE_LANES 1
typedef NUMBER Vector;
typedef INTEGER Bits;
typedef UNSIGNED Words;
typedef double Wide;
typedef NUMBER Memory;
#endif

INLINE Vector load(const NUMBER *from) { return *(const Memory *)from; }

INLINE void store(NUMBER *to, Vector vector) { *(Memory *)to = vector; }

INLINE Vector broadcast(NUMBER number) { return number - (Vector){0}; }

/* a*b + c: compiled with -ffp-contract=fast, this is one instruction where the machine has one. Of single numbers that is
 * said, since a compiler that makes vectors of their products rounds these, in one place and not in another. */
#if !HAS_VECTORS && (defined(__FMA__) || (defined(__FP_FAST_FMA) && defined(__FP_FAST_FMAF)))
INLINE Vector fma_(Vector a, Vector b, Vector c) {
    return _Generic(a, float: __builtin_fmaf, double: __builtin_fma)(a, b, c);
}
#else
INLINE Vector fma_(Vector a, Vector b, Vector c) { return a * b + c; }
#endif

#if HAS_VECTORS
INLINE Bits bits_of(Vector vector) { return (Bits)vector; }
INLINE Vector vector_of(Bits bits) { return (Vector)bits; }
INLINE Bits less(Vector a, Vector b) { return (Bits)(a < b); }
INLINE Vector numbers_of(Bits integers) { return __builtin_convertvector(integers, Vector); }
#else
INLINE Bits bits_of(Vector vector) {
    Bits bits;
    memcpy(&bits, &vector, sizeof bits);
    return bits;
}
INLINE Vector vector_of(Bits bits) {
    Vector vector;
    memcpy(&vector, &bits, sizeof vector);
    return vector;
}
INLINE Bits less(Vector a, Vector b) { return a < b ? -1 : 0; }
INLINE Vector numbers_of(Bits integers) { return (Vector)integers; }
#endif

/* `then` in the lanes with a < b, `otherwise` in the rest (also where a or b is NaN): one blend. */
INLINE Vector where_less(Vector a, Vector b, Vector then, Vector otherwise) {
    Bits mask = less(a, b);
    return vector_of((mask & bits_of(then)) | (~mask & bits_of(otherwise)));
}

/* A bit for every lane, 1 where a < b. */
INLINE unsigned lanes_less(Vector a, Vector b) {
#if !HAS_VECTORS
    return a < b;
#elif AVX512
    return SINGLE ? (unsigned)_mm512_cmp_ps_mask((__m512)a, (__m512)b, _CMP_LT_OQ)
                  : (unsigned)_mm512_cmp_pd_mask((__m512d)a, (__m512d)b, _CMP_LT_OQ);
#elif AVX2
    return SINGLE ? (unsigned)_mm256_movemask_ps(_mm256_cmp_ps((__m256)a, (__m256)b, _CMP_LT_OQ))
                  : (unsigned)_mm256_movemask_pd(_mm256_cmp_pd((__m256d)a, (__m256d)b, _CMP_LT_OQ));
#elif defined(__SSE2__)
    return SINGLE ? (unsigned)_mm_movemask_ps(_mm_cmplt_ps((__m128)a, (__m128)b))
                  : (unsigned)_mm_movemask_pd(_mm_cmplt_pd((__m128d)a, (__m128d)b));
#else
    unsigned bits = 0;
    for (int lane = 0; lane < LANES; lane++) bits |= (unsigned)(a[lane] < b[lane]) << lane;
    return bits;
#endif
}

/* What lanes_less says where it is so in all of them. */
#define ALL_LANES ((1u << LANES) - 1)

INLINE int64_t count_ones(unsigned bits) {
#if HAS_VECTORS
    return __builtin_popcount(bits);
#else
    return bits; /* of one lane */
#endif
}

INLINE NUMBER root_of(NUMBER number) { return SINGLE ? (NUMBER)sqrtf((float)number) : (NUMBER)sqrt((double)number); }

INLINE Vector square_root(Vector vector) {
#if !HAS_VECTORS
    return root_of(vector);
#elif AVX512
    return SINGLE ? (Vector)_mm512_sqrt_ps((__m512)vector) : (Vector)_mm512_sqrt_pd((__m512d)vector);
#elif AVX2
    return SINGLE ? (Vector)_mm256_sqrt_ps((__m256)vector) : (Vector)_mm256_sqrt_pd((__m256d)vector);
#elif defined(__SSE2__)
    return SINGLE ? (Vector)_mm_sqrt_ps((__m128)vector) : (Vector)_mm_sqrt_pd((__m128d)vector);
#else
    for (int lane = 0; lane < LANES; lane++) vector[lane] = root_of(vector[lane]);
    return vector;
#endif
}

#if SINGLE
#define MANTISSA_BITS 23
#define ROOT_HALF_BITS 0x3F3504F3 /* of the square root of 1/2 */
#else
#define MANTISSA_BITS 52
#define ROOT_HALF_BITS 0x3FE6A09E667F3BCD
#endif

/* Bits are added and shifted as unsigned words, whose overflow C defines: NaN has bits as well. */

/* vector * 2^n, where shifted = n + 1.5 * 2^52 (2^23 in float32), by adding n to the exponent's bits. */
INLINE Vector add_exponent(Vector vector, Vector shifted) {
    return vector_of((Bits)((Words)bits_of(vector) + ((Words)bits_of(shifted) << MANTISSA_BITS)));
}

/* The e of x = m * 2^e with m in [sqrt(1/2), sqrt(2)); x positive and normal. */
INLINE Bits exponent(Vector x) { return (Bits)((Words)bits_of(x) - (UNSIGNED)ROOT_HALF_BITS) >> MANTISSA_BITS; }

INLINE Vector mantissa(Vector x, Bits e) {
    return vector_of((Bits)((Words)bits_of(x) - ((Words)e << MANTISSA_BITS)));
}

/* Sums over lanes go to float64 first, so that they lose nothing more. */

#if HAS_VECTORS && (defined(__clang__) || __GNUC__ >= 12)
#define SHUFFLE(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#define HAS_SHUFFLES 1
#else
#define HAS_SHUFFLES 0
#endif

#if !SINGLE || !HAS_VECTORS
INLINE Wide widen(Vector vector) { return vector; }
#elif HAS_SHUFFLES
/* The lanes folded in two as float64. */
INLINE Wide widen(Vector vector) {
#if VECTOR_BYTES == 64
    return __builtin_convertvector(SHUFFLE(vector, vector, 0, 1, 2, 3, 4, 5, 6, 7), Wide) +
           __builtin_convertvector(SHUFFLE(vector, vector, 8, 9, 10, 11, 12, 13, 14, 15), Wide);
#elif VECTOR_BYTES == 32
    return __builtin_convertvector(SHUFFLE(vector, vector, 0, 1, 2, 3), Wide) +
           __builtin_convertvector(SHUFFLE(vector, vector, 4, 5, 6, 7), Wide);
#else
    return __builtin_convertvector(SHUFFLE(vector, vector, 0, 1), Wide) +
           __builtin_convertvector(SHUFFLE(vector, vector, 2, 3), Wide);
#endif
}
#else
INLINE Wide widen(Vector vector) {
    Wide wide;
    for (int64_t lane = 0; lane < WIDE_LANES; lane++)
        wide[lane] = (double)vector[lane] + (double)vector[lane + WIDE_LANES];
    return wide;
}
#endif

/* *to += sum of the lanes. */
INLINE void add_sum(double *to, Vector vector) {
    Wide wide = widen(vector);
#if HAS_SHUFFLES && VECTOR_BYTES == 64
    wide = wide + SHUFFLE(wide, wide, 4, 5, 6, 7, 0, 1, 2, 3);
    wide = wide + SHUFFLE(wide, wide, 2, 3, 0, 1, 6, 7, 4, 5);
    *to += wide[0] + wide[1];
#elif HAS_SHUFFLES && VECTOR_BYTES == 32
    wide = wide + SHUFFLE(wide, wide, 2, 3, 0, 1);
    *to += wide[0] + wide[1];
#elif HAS_VECTORS
    for (int64_t lane = 0; lane < WIDE_LANES; lane++) *to += wide[lane];
#else
    *to += wide;
#endif
}

/* to[i] += sum of the lanes of v[i] for i < n, which is at most 4.
 *
 * Four sums at once share their shuffles: lanes are interleaved in pairs, then in fours, and a third of the
 * instructions of four separate sums remains. */
INLINE void add_sums(double *to, const Vector v[4], int n) {
#if HAS_SHUFFLES && VECTOR_BYTES >= 32
    if (n == 4) {
        Wide a = widen(v[0]), b = widen(v[1]), c = widen(v[2]), d = widen(v[3]);
#if VECTOR_BYTES == 64
        typedef double Four __attribute__((vector_size(32)));
        Wide ab = SHUFFLE(a, b, 0, 8, 2, 10, 4, 12, 6, 14) + SHUFFLE(a, b, 1, 9, 3, 11, 5, 13, 7, 15);
        Wide cd = SHUFFLE(c, d, 0, 8, 2, 10, 4, 12, 6, 14) + SHUFFLE(c, d, 1, 9, 3, 11, 5, 13, 7, 15);
        Wide eight = SHUFFLE(ab, cd, 0, 1, 8, 9, 4, 5, 12, 13) + SHUFFLE(ab, cd, 2, 3, 10, 11, 6, 7, 14, 15);
        Four sums = SHUFFLE(eight, eight, 0, 1, 2, 3) + SHUFFLE(eight, eight, 4, 5, 6, 7);
#else
        Wide ab = SHUFFLE(a, b, 0, 4, 2, 6) + SHUFFLE(a, b, 1, 5, 3, 7);
        Wide cd = SHUFFLE(c, d, 0, 4, 2, 6) + SHUFFLE(c, d, 1, 5, 3, 7);
        Wide sums = SHUFFLE(ab, cd, 0, 1, 4, 5) + SHUFFLE(ab, cd, 2, 3, 6, 7);
#endif
        UNROLLED
        for (int i = 0; i < 4; i++) to[i] += sums[i];
        return;
    }
#endif
    UNROLLED
    for (int i = 0; i < n; i++) add_sum(to + i, v[i]);
}

/* Call `f(arguments..., first, n)` for the panels of four of 0 ... count - 1 and for the rest, with n a constant, so
 * that the sums of a panel stay in registers. */
#define FOR_PANELS_OF_FOUR(count, f, ...)                                                                              \
    do {                                                                                                               \
        int64_t panel = 0;                                                                                             \
        for (; panel + 4 <= (count); panel += 4) f(__VA_ARGS__, panel, 4);                                             \
        switch ((count) - panel) {                                                                                     \
            case 1: f(__VA_ARGS__, panel, 1); break;                                                                   \
            case 2: f(__VA_ARGS__, panel, 2); break;                                                                   \
            case 3: f(__VA_ARGS__, panel, 3); break;                                                                   \
            default: break;                                                                                            \
        }                                                                                                              \
    } while (0)

/* Call `f(arguments..., t, n)` for n = 4 vectors of points at a time, and for the two that may remain: four share their
 * constants, and hide the latency of each other's sums. */
#define FOR_FOUR_VECTORS_AND_TWO(n_points, f, ...)                                                                     \
    do {                                                                                                               \
        int64_t point = 0;                                                                                             \
        for (; point + 4 * LANES <= (n_points); point += 4 * LANES) f(__VA_ARGS__, point, 4);                          \
        if (point < (n_points)) f(__VA_ARGS__, point, 2);                                                              \
    } while (0)
