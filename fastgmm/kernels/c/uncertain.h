/* Rows of known errors: kernels/uncertain.py says what is computed of them. What matrices and variances share stands
 * here: rows and their errors in a tile, and products of many numbers.
 */

/* Scratch behind a tile's. `there` are the lines of `packed`, 1 where a value is there and 0 where it is missing. Of the
 * points of one vector: packed triangles of L, with 1/L_jj on its diagonal, and V, and lines of y and b; and the sums
 * over the points of a tile, of each component and each factor. */
typedef struct {
    const NUMBER *there;
    NUMBER *errors, *lower, *V, *y, *b, *first, *second;
    int64_t d, n_components, n_factors;
} ErrorDesk;

#define TRIANGLE(d) ((d) * ((d) + 1) / 2)

INLINE ErrorDesk error_desk_in(const Tile *tile, const fastgmm_rows *rows, const fastgmm_prepared *prepared) {
    const int64_t d = rows->n_features, n_components = prepared->n_components;
    ErrorDesk desk = {.there = tile->packed, .d = d, .n_components = n_components};
    desk.n_factors = prepared->family == FASTGMM_TIED ? 1 : n_components;
    NUMBER *next = tile->low + d;
    desk.lower = next, next += TRIANGLE(d) * LANES;
    desk.V = next, next += TRIANGLE(d) * LANES;
    desk.y = next, next += d * LANES;
    desk.b = next, next += d * LANES;
    desk.first = next, next += n_components * d * LANES;
    desk.second = next, next += desk.n_factors * TRIANGLE(d) * LANES;
    desk.errors = next;
    return desk;
}

INLINE int64_t n_error_lines(const fastgmm_rows *rows) {
    return rows->errors_are_matrices ? TRIANGLE(rows->n_features) : rows->n_features;
}

INLINE NUMBER number_of(const void *numbers, int dtype, int64_t at) {
    return dtype == FASTGMM_FLOAT32 ? (NUMBER)((const float *)numbers)[at] : (NUMBER)((const double *)numbers)[at];
}

INLINE void load_errors_of_row(const fastgmm_rows *rows, int64_t row, const Tile *tile, const ErrorDesk *desk, int64_t t) {
    const int64_t d = rows->n_features;
    NUMBER *to = desk->errors + t;
    if (!rows->errors_are_matrices) {
        for (int64_t j = 0; j < d; j++, to += tile->stride) *to = number_of(rows->errors, rows->errors_dtype, row * d + j);
        return;
    }
    for (int64_t i = 0; i < d; i++)
        for (int64_t j = 0; j <= i; j++, to += tile->stride)
            *to = number_of(rows->errors, rows->errors_dtype, (row * d + i) * d + j);
}

/* Put the visited rows first ... first + n_valid into the tile, with 0 for what is missing; returns whether anything is.
 * A row of weight 0 may hold anything, and is taken to lack all values. */
OUTLINE int load_uncertain_rows(const fastgmm_rows *rows, const Tile *tile, const ErrorDesk *desk, int64_t first,
                                int64_t n_valid, int64_t n_points) {
    int has_holes = 0;
    for (int64_t t = 0; t < n_points; t++) {
        const int64_t at = first + (t < n_valid ? t : 0), row = rows->order ? place_of(rows, at) : at;
        const NUMBER weight = t < n_valid ? weight_of(rows, row) : 0;
        tile->weights[t] = weight;
        copy_row(rows, row, tile->points + t, tile->stride);
        for (int64_t j = 0; j < rows->n_features; j++) {
            NUMBER *x = tile->points + j * tile->stride + t;
            if (rows->origin) *x -= rows->origin[j];
            const int is_there = weight > 0 && !isnan(*x);
            has_holes |= !is_there;
            if (!is_there) *x = 0;
            tile->packed[j * tile->stride + t] = is_there;
        }
        if (weight > 0)
            load_errors_of_row(rows, row, tile, desk, t);
        else
            for (int64_t line = 0; line < n_error_lines(rows); line++) desk->errors[line * tile->stride + t] = 0;
    }
    return has_holes;
}

INLINE Vector is_there(const Tile *tile, const ErrorDesk *desk, int64_t j, int64_t t) {
    return load(desk->there + j * tile->stride + t);
}

/* |O| log 2 pi of the points at t. */
INLINE Vector constants_of(const Tile *tile, const ErrorDesk *desk, int64_t t, const int has_holes) {
    if (!has_holes) return broadcast(LOG_TWO_PI * (NUMBER)desk->d);
    Vector n_observed = broadcast(0);
    for (int64_t j = 0; j < desk->d; j++) n_observed = n_observed + is_there(tile, desk, j, t);
    return broadcast(LOG_TWO_PI) * n_observed;
}

/* x - mu of feature j, 0 where it is missing. */
INLINE Vector known_difference(const Tile *tile, const ErrorDesk *desk, const double *mean, int64_t j, int64_t t,
                               const int has_holes) {
    const Vector delta = load(tile->points + j * tile->stride + t) - broadcast(mean[j]);
    return has_holes ? delta * is_there(tile, desk, j, t) : delta;
}

/* A product of positive numbers as product * 2^power, which neither overflows nor vanishes. */
typedef struct {
    Vector power, product;
} Determinant;

#define UNIT_DETERMINANT {broadcast(0), broadcast(1)}

INLINE Determinant times_corner(Determinant of, Vector factor) {
    const Bits e = exponent(factor);
    const Vector product = of.product * mantissa(factor, e);
    const Bits of_product = exponent(product);
    return (Determinant){of.power + (numbers_of(e) + numbers_of(of_product)), mantissa(product, of_product)};
}

INLINE Vector log_determinant(Determinant of) {
    return fma_(of.power, broadcast(LN2_HIGH), fma_(of.power, broadcast(LN2_LOW), logarithm(of.product)));
}

INLINE void put_uncertain_joint(const fastgmm_prepared *prepared, const Tile *tile, int64_t k, int64_t line, int64_t t,
                                Vector minus_two_normal) {
    const double *log_weights = prepared->log_constants;
    put_joint(tile, line, t,
              broadcast(prepared->exponent) * fma_(broadcast(-0.5), minus_two_normal, broadcast(log_weights[k])));
}
