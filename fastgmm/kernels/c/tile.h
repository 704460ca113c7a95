/* A tile: a few hundred rows copied feature by feature, and what every family does with its joint log-densities.
 *
 * Feature j (or component k) of point t stands at j * stride + t, where the stride is a cache line longer than the
 * tile, lest all features of a point fall into the same set of the cache. Rows beyond the end of the data and rows of
 * weight 0 hold the first mean and weigh nothing.
 */

typedef struct {
    NUMBER *points, *differences, *packed, *joint;                        /* a line for each feature or component */
    NUMBER *largest, *scales, *weights, *packed_weights, *output;         /* one line each */
    NUMBER *centered;                                                     /* LANES numbers for each feature */
    NUMBER *high, *low;                                                   /* one number for each feature, see Center */
    int64_t *positions;                                                   /* of packed points */
    int64_t *members;                                                     /* whose the lines of `joint` are */
    int64_t stride;
} Tile;

INLINE Tile tile_in(void *scratch, int64_t tile_rows, int64_t d, int64_t n_components) {
    Tile tile;
    tile.positions = scratch;
    tile.members = tile.positions + tile_rows;
    NUMBER *next = (NUMBER *)(tile.members + (n_components + 7) / 8 * 8); /* lines begin with a cache line */
    tile.stride = tile_rows + FASTGMM_ALIGNMENT / (int64_t)sizeof(NUMBER);
#define LINES(name, n) tile.name = next, next += (n) * tile.stride
    LINES(points, d);
    LINES(differences, d);
    LINES(packed, d);
    LINES(joint, n_components);
    LINES(largest, 1);
    LINES(scales, 1);
    LINES(weights, 1);
    LINES(packed_weights, 1);
    LINES(output, 1);
#undef LINES
    tile.centered = next, next += d * LANES;
    tile.high = next, next += d;
    tile.low = next;
    return tile;
}

/* A mean in the arithmetic's precision: what x is less of is `high` and then `low`, which is mu to 48 bits in float32,
 * so that x - mu is right to two units of its own last place wherever the data lie. In float64 `low` is not needed. */
typedef struct {
    const NUMBER *high, *low;
} Center;

INLINE Center center_of(const Tile *tile, const double *mean, int64_t d) {
#if SINGLE
    for (int64_t j = 0; j < d; j++) {
        tile->high[j] = (NUMBER)mean[j];
        tile->low[j] = (NUMBER)(mean[j] - (double)tile->high[j]);
    }
    return (Center){tile->high, tile->low};
#else
    (void)tile, (void)d;
    return (Center){mean, mean};
#endif
}

/* x - mu of feature j for the points at x. */
INLINE Vector difference(const NUMBER *x, Center center, int64_t j) {
#if SINGLE
    return (load(x) - broadcast(center.high[j])) - broadcast(center.low[j]);
#else
    return load(x) - broadcast(center.high[j]);
#endif
}

INLINE int64_t itemsize_of(const fastgmm_rows *rows) {
    return rows->dtype == FASTGMM_FLOAT32 ? (int64_t)sizeof(float) : (int64_t)sizeof(double);
}

INLINE void copy_row(const fastgmm_rows *rows, int64_t row, NUMBER *point, int64_t stride) {
    int64_t start = row * rows->row_stride;
    if (rows->dtype == FASTGMM_FLOAT32) {
        const float *values = (const float *)rows->values + start;
        for (int64_t j = 0; j < rows->n_features; j++) point[j * stride] = (NUMBER)values[j * rows->column_stride];
    } else {
        const double *values = (const double *)rows->values + start;
        for (int64_t j = 0; j < rows->n_features; j++) point[j * stride] = (NUMBER)values[j * rows->column_stride];
    }
}

/* Put one row into the tile, or padding where it is none or weighs nothing. */
INLINE void load_row(const fastgmm_rows *rows, int64_t row, int is_row, const double *padding, const Tile *tile,
                     int64_t t) {
    double weight = !is_row ? 0.0 : rows->weights ? rows->weights[row * rows->weight_stride] : 1.0;
    NUMBER *point = tile->points + t;
    tile->weights[t] = (NUMBER)weight;
    if (tile->weights[t] > 0) {
        copy_row(rows, row, point, tile->stride);
        if (!rows->origin) return;
        for (int64_t j = 0; j < rows->n_features; j++) point[j * tile->stride] -= (NUMBER)rows->origin[j];
    } else {
        for (int64_t j = 0; j < rows->n_features; j++) point[j * tile->stride] = (NUMBER)padding[j];
    }
}

/* Put LANES rows of weight 1 into the tile, a feature at a time: a vector is stored where load_row stores numbers. */
INLINE void load_rows(const fastgmm_rows *rows, int64_t first, const Tile *tile, int64_t t) {
    const int64_t start = first * rows->row_stride;
    store(tile->weights + t, broadcast(1));
#define LOAD_FEATURES(type)                                                                                            \
    do {                                                                                                               \
        for (int64_t j = 0; j < rows->n_features; j++) {                                                               \
            const type *values = (const type *)rows->values + start + j * rows->column_stride;                         \
            NUMBER feature[LANES];                                                                                     \
            UNROLLED                                                                                                   \
            for (int lane = 0; lane < LANES; lane++) feature[lane] = (NUMBER)values[lane * rows->row_stride];          \
            store(tile->points + j * tile->stride + t, load(feature));                                                 \
        }                                                                                                              \
    } while (0)
    if (rows->dtype == FASTGMM_FLOAT32)
        LOAD_FEATURES(float);
    else
        LOAD_FEATURES(double);
#undef LOAD_FEATURES
    if (!rows->origin) return;
    for (int64_t j = 0; j < rows->n_features; j++) {
        NUMBER *feature = tile->points + j * tile->stride + t;
        store(feature, load(feature) - broadcast((NUMBER)rows->origin[j]));
    }
}

/* Copy the rows first ... first + n_valid into the tile, and pad it to n_points. */
OUTLINE void load_tile(const fastgmm_rows *rows, int64_t first, int64_t n_valid, int64_t n_points,
                       const double *padding, const Tile *tile) {
    int64_t t = 0;
    if (!rows->weights)
        for (; t + LANES <= n_valid; t += LANES) load_rows(rows, first + t, tile, t);
    for (; t < n_points; t++) load_row(rows, first + t, t < n_valid, padding, tile, t);
}

/* Ask for a part of the rows that the next tile will copy, while there is arithmetic to do. */
INLINE void prefetch_rows(const fastgmm_rows *rows, int64_t first, int64_t n_rows, int64_t part, int64_t n_parts) {
#if defined(__GNUC__)
    const int64_t d = rows->n_features;
    if (rows->order || rows->column_stride != 1 || rows->row_stride != d || first >= rows->n_rows) return;
    const int64_t itemsize = itemsize_of(rows);
    const int64_t end = (first + n_rows < rows->n_rows ? first + n_rows : rows->n_rows) * d * itemsize;
    const int64_t size = n_rows * d * itemsize, share = (size + n_parts - 1) / n_parts;
    const int64_t begin = first * d * itemsize + part * share;
    for (int64_t at = begin; at < begin + share && at < end; at += FASTGMM_ALIGNMENT)
        __builtin_prefetch((const char *)rows->values + at, 0, 2);
#else
    (void)rows, (void)first, (void)n_rows, (void)part, (void)n_parts;
#endif
}

/* Each row that lies elsewhere in memory costs a wait unless it is asked for in time. How many rows ahead was chosen by
 * hand. */
#define ROWS_AHEAD 16

INLINE void prefetch_row(const fastgmm_rows *rows, int64_t row) {
#if defined(__GNUC__)
    const int64_t itemsize = itemsize_of(rows), in_line = FASTGMM_ALIGNMENT / itemsize;
    if (row < 0 || row >= rows->n_rows) return;
    for (int64_t j = 0; j < rows->n_features; j += in_line)
        __builtin_prefetch((const char *)rows->values + (row * rows->row_stride + j * rows->column_stride) * itemsize,
                           0, 2);
#else
    (void)rows, (void)row;
#endif
}

/* The row at a place of an order; a wrong one must not lead outside the data. */
INLINE int64_t place_in(const fastgmm_rows *rows, const int32_t *order, int64_t at) {
    const int64_t row = order[at];
    return row < 0 || row >= rows->n_rows ? 0 : row;
}

/* The same for the rows order[first] ... order[first + n_valid - 1], wherever they lie. */
OUTLINE void load_tile_in_order(const fastgmm_rows *rows, const int32_t *order, int64_t first, int64_t n_valid,
                                int64_t n_points, const double *padding, const Tile *tile) {
    for (int64_t t = 0; t < n_points; t++) {
        const int64_t row = t < n_valid ? place_in(rows, order, first + t) : 0;
        if (t + ROWS_AHEAD < n_valid) prefetch_row(rows, order[first + t + ROWS_AHEAD]);
        load_row(rows, row, t < n_valid, padding, tile, t);
    }
}

/* -inf and NaN (from inf - inf) become the lowest number, so that differences of joint densities stay numbers. */
#define LOWEST ((NUMBER)(SINGLE ? -3.0e38 : -1.7e308))

INLINE void put_joint(const Tile *tile, int64_t line, int64_t t, Vector joint) {
    store(tile->joint + line * tile->stride + t, where_less(broadcast(LOWEST), joint, joint, broadcast(LOWEST)));
}

/* m = max_k joint_k of the points at t. */
INLINE Vector largest_joint(const Tile *tile, int64_t t, int64_t n_components) {
    Vector largest = load(tile->joint + t);
    for (int64_t k = 1; k < n_components; k++) {
        Vector joint = load(tile->joint + k * tile->stride + t);
        largest = where_less(largest, joint, joint, largest);
    }
    return largest;
}

/* log p(x) = m + log sum_k exp(joint_k - m), -inf where every joint log-density is. */
INLINE Vector log_density_of(Vector largest, Vector sum) {
    return where_less(broadcast(LOWEST), largest, largest + logarithm(sum), broadcast((NUMBER)-INFINITY));
}

/* Whether each of the points at t has one component that counts, since all others lie below the margin. */
INLINE int are_settled(const Tile *tile, int64_t t, int64_t n_components, Vector largest, Vector cutoff) {
    int64_t n_counted = 0;
    for (int64_t k = 0; k < n_components; k++)
        n_counted += count_ones(lanes_less(cutoff, load(tile->joint + k * tile->stride + t) - largest));
    return n_counted == LANES;
}

/* Rows that lie between components stand among others that do, so only one vector in so many is looked at again. */
#define VECTORS_TO_A_LOOK 16

/* Turn joint log-densities into responsibilities yet to be scaled, and add sum w and sum w log p(x) to the totals:
 * r_k = exp(joint_k - m) / sum_k exp(joint_k - m). With `roots` the square roots of the exponentials are kept, and the
 * scales are sqrt(w / sum) instead of w / sum. What lies more than `margin` below m is 0: it would not change the last
 * place of the sum. Settled points need no exponential, and no branch that would be guessed wrong. */
INLINE void responsibilities_of(const Tile *tile, int64_t n_components, int64_t n_points, NUMBER margin,
                                const int roots, double *totals) {
    const NUMBER power = roots ? (NUMBER)0.5 : 1;
    const Vector zero = broadcast(0), one = broadcast(1), cutoff = broadcast(-margin);
    const Vector smallest = broadcast(-margin * power);
    Vector sum_weights = zero, sum_log_density = zero;
    int settled = 1;
    for (int64_t t = 0; t < n_points; t += LANES) {
        Vector largest = largest_joint(tile, t, n_components), sum = zero;
        if (settled || t % (VECTORS_TO_A_LOOK * LANES) == 0)
            settled = are_settled(tile, t, n_components, largest, cutoff);
        for (int64_t k = 0; settled && k < n_components; k++) {
            NUMBER *at = tile->joint + k * tile->stride + t;
            store(at, where_less(load(at), largest, zero, one));
        }
        for (int64_t k = 0; !settled && k < n_components; k++) {
            NUMBER *at = tile->joint + k * tile->stride + t;
            Vector x = load(at) - largest;
            if (!lanes_less(cutoff, x)) {
                store(at, zero);
                continue;
            }
            Vector value = exponential(roots ? broadcast(power) * x : x, smallest);
            store(at, value);
            sum = roots ? fma_(value, value, sum) : sum + value;
        }
        if (settled) sum = one;
        Vector weight = load(tile->weights + t), scale = weight / sum;
        store(tile->scales + t, roots ? square_root(scale) : scale);
        sum_weights = sum_weights + weight;
        sum_log_density =
            sum_log_density + where_less(zero, weight, weight * log_density_of(largest, sum), zero);
    }
    add_sum(totals, sum_weights);
    add_sum(totals + 1, sum_log_density);
}

/* Scale the responsibilities of a line and add N = sum wr; returns how many points are not 0. */
INLINE int64_t scale_and_count_of(const Tile *tile, int64_t line, int64_t n_points, const int roots, double *count) {
    NUMBER *joint = tile->joint + line * tile->stride;
    Vector sum = broadcast(0);
    int64_t n_active = 0;
    for (int64_t t = 0; t < n_points; t += LANES) {
        Vector value = load(joint + t) * load(tile->scales + t);
        store(joint + t, value);
        sum = roots ? fma_(value, value, sum) : sum + value;
        n_active += count_ones(lanes_less(broadcast(0), value));
    }
    add_sum(count, sum);
    return n_active;
}

/* The two kinds, each with the registers to itself. */
#define DEFINE_RESPONSIBILITIES(kind, roots)                                                                           \
    OUTLINE void responsibilities_##kind(const Tile *tile, int64_t n_components, int64_t n_points, NUMBER margin,      \
                                         double *totals) {                                                             \
        responsibilities_of(tile, n_components, n_points, margin, roots, totals);                                      \
    }                                                                                                                  \
    OUTLINE int64_t scale_and_count_##kind(const Tile *tile, int64_t line, int64_t n_points, double *count) {          \
        return scale_and_count_of(tile, line, n_points, roots, count);                                                 \
    }

DEFINE_RESPONSIBILITIES(roots, 1)
DEFINE_RESPONSIBILITIES(whole, 0)

/* Copy the points with a responsibility in a line of `joint` to `packed`; returns how many, in whole vectors. */
OUTLINE int64_t pack(const Tile *tile, int64_t line, int64_t d, int64_t n_points) {
    const NUMBER *joint = tile->joint + line * tile->stride;
    int64_t n_packed = 0;
    for (int64_t t = 0; t < n_points; t++) {
        tile->positions[n_packed] = t;
        n_packed += joint[t] > 0;
    }
    int64_t n_whole = (n_packed + LANES - 1) / LANES * LANES;
    for (int64_t a = 0; a < n_whole; a++) tile->packed_weights[a] = a < n_packed ? joint[tile->positions[a]] : 0;
    for (int64_t j = 0; j < d; j++) {
        const NUMBER *from = tile->points + j * tile->stride;
        NUMBER *to = tile->packed + j * tile->stride;
        for (int64_t a = 0; a < n_packed; a++) to[a] = from[tile->positions[a]];
        for (int64_t a = n_packed; a < n_whole; a++) to[a] = to[0];
    }
    return n_whole;
}

/* The component with the largest joint log-density, the first of equals. */
INLINE void largest_component(const Tile *tile, int64_t n_components, int64_t n_points) {
    for (int64_t t = 0; t < n_points; t += LANES) {
        Vector largest = load(tile->joint + t), label = broadcast(0);
        for (int64_t k = 1; k < n_components; k++) {
            Vector value = load(tile->joint + k * tile->stride + t);
            label = where_less(largest, value, broadcast((NUMBER)k), label);
            largest = where_less(largest, value, value, largest);
        }
        store(tile->output + t, label);
    }
}

/* log p(x) = log sum_k exp(joint_k), and where asked the joint log-densities turned into responsibilities. The sum
 * leaves out what lies more than `margin` below the largest, as if its sum had been stopped. For responsibilities, what
 * its additions lose is added up beside it (D. E. Knuth, "Seminumerical Algorithms", 4.2.2), so that they sum to 1
 * however many they are. */
OUTLINE void log_sum_exp(const Tile *tile, int64_t n_components, int64_t n_points, NUMBER margin, int normalize) {
    for (int64_t t = 0; t < n_points; t += LANES) {
        Vector largest = largest_joint(tile, t, n_components), sum = broadcast(0), lost = sum;
        for (int64_t k = 0; k < n_components; k++) {
            NUMBER *at = tile->joint + k * tile->stride + t;
            Vector x = load(at) - largest, value = exponential(x, broadcast(SMALLEST_EXPONENT));
            store(at, value);
            Vector term = where_less(broadcast(-margin), x, value, broadcast(0));
            Vector after = sum + term, added = after - sum;
            if (normalize) lost = lost + ((sum - (after - added)) + (term - added));
            sum = after;
        }
        sum = sum + lost;
        store(tile->output + t, log_density_of(largest, sum));
        for (int64_t k = 0; normalize && k < n_components; k++) {
            NUMBER *at = tile->joint + k * tile->stride + t;
            store(at, load(at) / sum);
        }
    }
}
