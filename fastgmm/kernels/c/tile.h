/* A tile: a few hundred rows copied feature by feature, and what every family does with its joint log-densities.
 *
 * Feature j (or component k) of point t stands at j * stride + t, where the stride is a cache line longer than the
 * tile, lest all features of a point fall into the same set of the cache. Rows beyond the end of the data and rows of
 * weight 0 hold the first mean and weigh nothing.
 */

typedef struct {
    NUMBER *points, *differences, *joint;   /* lines of `stride` numbers for each feature, feature, component */
    NUMBER *weights, *log_density, *labels; /* one line each */
    NUMBER *centered;                       /* LANES numbers for each feature */
    NUMBER *high, *low;                     /* one number for each feature, see Center */
    int64_t stride;
} Tile;

INLINE Tile tile_in(void *scratch, int64_t tile_rows, int64_t d, int64_t n_components) {
    NUMBER *next = scratch;
    Tile tile;
    tile.stride = tile_rows + FASTGMM_ALIGNMENT / (int64_t)sizeof(NUMBER);
#define LINES(name, n) tile.name = next, next += (n) * tile.stride
    LINES(points, d);
    LINES(differences, d);
    LINES(joint, n_components);
    LINES(weights, 1);
    LINES(log_density, 1);
    LINES(labels, 1);
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

/* Copy the rows first ... first + n_valid into the tile, and pad it to n_points. */
OUTLINE void load_tile(const fastgmm_rows *rows, int64_t first, int64_t n_valid, int64_t n_points,
                      const double *padding, const Tile *tile) {
    for (int64_t t = 0; t < n_points; t++) {
        double weight = t >= n_valid ? 0.0 : rows->weights ? rows->weights[(first + t) * rows->weight_stride] : 1.0;
        tile->weights[t] = (NUMBER)weight;
        if (weight > 0.0)
            copy_row(rows, first + t, tile->points + t, tile->stride);
        else
            for (int64_t j = 0; j < rows->n_features; j++) tile->points[j * tile->stride + t] = (NUMBER)padding[j];
    }
}

/* -inf and NaN (from inf - inf) become the lowest number, so that differences of joint densities stay numbers. */
#define LOWEST ((NUMBER)(SINGLE ? -3.0e38 : -1.7e308))

INLINE Vector finite_or_lowest(Vector joint) { return where_less(broadcast(LOWEST), joint, joint, broadcast(LOWEST)); }

/* Replace the joint log-densities of the points at t by exp(joint - m), m the largest of a point.
 * Returns log p(x) = m + log sum_k exp(joint_k - m), -inf where every joint log-density is, and the sum. */
INLINE Vector exponentials(const Tile *tile, int64_t t, int64_t n_components, Vector *sum) {
    NUMBER *joint = tile->joint + t;
    int64_t stride = tile->stride;
    Vector largest = load(joint), total = broadcast(0);
    for (int64_t k = 1; k < n_components; k++) {
        Vector value = load(joint + k * stride);
        largest = where_less(largest, value, value, largest);
    }
    for (int64_t k = 0; k < n_components; k++) {
        Vector value = exponential(load(joint + k * stride) - largest);
        store(joint + k * stride, value);
        total = total + value;
    }
    *sum = total;
    return where_less(broadcast(LOWEST), largest, largest + logarithm(total), broadcast((NUMBER)-INFINITY));
}

INLINE void scale_joint(const Tile *tile, int64_t t, int64_t n_components, Vector scale) {
    for (int64_t k = 0; k < n_components; k++) {
        NUMBER *at = tile->joint + k * tile->stride + t;
        store(at, load(at) * scale);
    }
}

/* Turn joint log-densities into weighted responsibilities w r_k = exp(joint_k - m) w / sum_k exp(joint_k - m), and add
 * sum w and sum w log p(x) to the totals. */
OUTLINE void responsibilities(const Tile *tile, int64_t n_components, int64_t n_points, double *totals) {
    Vector zero = broadcast(0), sum_weights = zero, sum_log_density = zero;
    for (int64_t t = 0; t < n_points; t += LANES) {
        Vector total, log_density = exponentials(tile, t, n_components, &total);
        Vector weight = load(tile->weights + t);
        scale_joint(tile, t, n_components, weight / total);
        sum_weights = sum_weights + weight;
        sum_log_density = sum_log_density + where_less(zero, weight, weight * log_density, zero);
    }
    add_sum(totals, sum_weights);
    add_sum(totals + 1, sum_log_density);
}

INLINE void add_counts_of(const Tile *tile, int64_t n_points, double *counts, int64_t k, const int n) {
    Vector sums[4];
    UNROLLED
    for (int i = 0; i < n; i++) sums[i] = broadcast(0);
    for (int64_t t = 0; t < n_points; t += LANES)
        UNROLLED
        for (int i = 0; i < n; i++) sums[i] = sums[i] + load(tile->joint + (k + i) * tile->stride + t);
    add_sums(counts + k, sums, n);
}

/* Add N = sum wr of every component, from weighted responsibilities. */
OUTLINE void add_counts(const Tile *tile, int64_t n_components, int64_t n_points, double *counts) {
    FOR_BLOCKS_OF_FOUR(n_components, add_counts_of, tile, n_points, counts);
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
        store(tile->labels + t, label);
    }
}

/* log p(x) = log sum_k exp(joint_k), and where asked the joint log-densities turned into responsibilities. */
OUTLINE void log_sum_exp(const Tile *tile, int64_t n_components, int64_t n_points, int normalize) {
    for (int64_t t = 0; t < n_points; t += LANES) {
        Vector total, log_density = exponentials(tile, t, n_components, &total);
        store(tile->log_density + t, log_density);
        if (normalize) scale_joint(tile, t, n_components, broadcast(1) / total);
    }
}
