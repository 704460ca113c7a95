/* Rows with holes under components that have variances alone, also those of the spherical family.
 *
 * Lanes are the points of a tile. A line o of each feature is 1 where a point has it and 0 where not, and holes are 0 in
 * the lines of points, so that x - o mu is the difference from a mean, and 0 in a hole:
 *     joint log-density = A (log w - sum_j (o_j (log 2 pi + log var_j) + (x_j - o_j mu_j)^2 / var_j) / 2) + log-prior
 */

/* What the components have instead of variances, a number for each feature. */
typedef struct {
    NUMBER *inverse_deviations, *constants; /* 1/sigma; (log 2 pi + log var)/2 */
} Variances;

INLINE Variances variances_in(const Tile *tile, const fastgmm_prepared *prepared, int64_t d) {
    const double *variances = prepared->scales;
    const int64_t n = prepared->n_components * d;
    NUMBER *next = tile->low + d;
    for (int64_t i = 0; i < n; i++) {
        next[i] = 1 / sqrt(variances[i]);
        next[n + i] = 0.5 * (LOG_TWO_PI + log(variances[i]));
    }
    return (Variances){next, next + n};
}

/* Turn the NaN of a tile into zeros, and note in the lines of `differences` which values are there. */
OUTLINE void mark_holes(const Tile *tile, int64_t d, int64_t n_points) {
    const Vector one = broadcast(1), zero = broadcast(0), least = broadcast((NUMBER)-INFINITY);
    for (int64_t j = 0; j < d; j++)
        for (int64_t t = 0; t < n_points; t += LANES) {
            NUMBER *at = tile->points + j * tile->stride + t;
            const Vector x = load(at);
            store(tile->differences + j * tile->stride + t, where_less(least, x, one, zero));
            store(at, where_less(least, x, x, zero));
        }
}

/* Write the joint log-densities of n vectors of points at t. */
INLINE void put_density_with_holes(const Tile *tile, const double *mean, const NUMBER *inverse_deviations,
                                   const NUMBER *constants, int64_t d, int64_t line, Vector log_weight,
                                   Vector exponent, int64_t t, const int n) {
    Vector q[4], c[4];
    UNROLLED
    for (int i = 0; i < n; i++) q[i] = broadcast(0), c[i] = log_weight;
    for (int64_t j = 0; j < d; j++) {
        const Vector scale = broadcast(inverse_deviations[j]), mu = broadcast(mean[j]), constant = broadcast(constants[j]);
        UNROLLED
        for (int i = 0; i < n; i++) {
            const int64_t at = j * tile->stride + t + i * LANES;
            const Vector there = load(tile->differences + at);
            const Vector y = scale * (load(tile->points + at) - there * mu);
            q[i] = fma_(y, y, q[i]);
            c[i] = c[i] - there * constant;
        }
    }
    UNROLLED
    for (int i = 0; i < n; i++) put_joint(tile, line, t + i * LANES, exponent * fma_(broadcast(-0.5), q[i], c[i]));
}

/* The joint log-densities of the rows first ... first + n_valid of the order, priors included. */
OUTLINE void densities_with_holes(const fastgmm_rows *rows, const fastgmm_prepared *prepared, const Tile *tile,
                                  Variances variances, int64_t first, int64_t n_valid, int64_t n_points) {
    const int64_t d = rows->n_features, n_components = prepared->n_components;
    const double *log_weights = prepared->log_constants;
    load_tile_in_order(rows, rows->order, first, n_valid, n_points, prepared->means, tile);
    mark_holes(tile, d, n_points);
    for (int64_t k = 0; k < n_components; k++) {
        tile->members[k] = k;
        FOR_FOUR_VECTORS_AND_TWO(n_points, put_density_with_holes, tile, prepared->means + k * d,
                                 variances.inverse_deviations + k * d, variances.constants + k * d, d, k,
                                 broadcast(log_weights[k]), broadcast(prepared->exponent));
    }
    if (rows->groups) add_priors(rows, tile, first, n_valid, n_components, n_components);
}

/* Add the sums of n features over the points that have them. */
INLINE void add_features_with_holes(const Tile *tile, const NUMBER *r, const double *mean, int64_t n_points,
                                    double *first, double *second, double *observed, int64_t j, const int n) {
    Vector s[4], squares[4], counts[4];
    UNROLLED
    for (int i = 0; i < n; i++) s[i] = squares[i] = counts[i] = broadcast(0);
    for (int64_t t = 0; t < n_points; t += LANES) {
        const Vector weight = load(r + t);
        UNROLLED
        for (int i = 0; i < n; i++) {
            const int64_t at = (j + i) * tile->stride + t;
            const Vector there = load(tile->differences + at);
            const Vector z = load(tile->points + at) - there * broadcast(mean[j + i]), weighted = weight * z;
            s[i] = s[i] + weighted;
            squares[i] = fma_(weighted, z, squares[i]);
            counts[i] = fma_(weight, there, counts[i]);
        }
    }
    add_sums(first + j, s, n);
    add_sums(second + j, squares, n);
    add_sums(observed + j, counts, n);
}

OUTLINE void add_moments_with_holes(const Tile *tile, const NUMBER *r, const double *mean, int64_t d, int64_t n_points,
                                    double *first, double *second, double *observed) {
    FOR_PANELS_OF_FOUR(d, add_features_with_holes, tile, r, mean, n_points, first, second, observed);
}

static void NAME(incomplete_sweep, diag)(const fastgmm_rows *rows, const fastgmm_prepared *prepared,
                                         const fastgmm_section *section, const fastgmm_slots *slots,
                                         const fastgmm_share *share) {
    const int64_t d = rows->n_features, n_components = prepared->n_components, all = n_components * d;
    const Tile tile = tile_in(share->scratch, section->tile_rows, d, n_components);
    const Variances variances = variances_in(&tile, prepared, d);
    for (int64_t chunk = take_chunk(share, -1); is_chunk(chunk, section, rows); chunk = take_chunk(share, chunk)) {
        const int64_t begin = chunk * section->chunk_rows + section->start;
        const int64_t end = smaller(chunk * section->chunk_rows + section->stop, rows->n_visited);
        for (int64_t first = begin; first < end; first += section->tile_rows) {
            const int64_t n_valid = smaller(section->tile_rows, end - first), n_points = points_of(n_valid);
            densities_with_holes(rows, prepared, &tile, variances, first, n_valid, n_points);
            responsibilities_whole(&tile, n_components, n_points, negligible_margin(n_components),
                                   slots->totals + 2 * chunk);
            for (int64_t k = 0; k < n_components; k++) {
                const int64_t at = chunk * all + k * d;
                if (scale_and_count_whole(&tile, k, n_points, slots->counts + chunk * n_components + k) == 0) continue;
                add_moments_with_holes(&tile, tile.joint + k * tile.stride, prepared->means + k * d, d, n_points,
                                       slots->first + at, slots->second + at, slots->observed + at);
            }
        }
    }
}

static void NAME(incomplete_log_density, diag)(const fastgmm_rows *rows, const fastgmm_prepared *prepared,
                                               const fastgmm_section *section, const fastgmm_outputs *outputs,
                                               const fastgmm_share *share) {
    const int64_t d = rows->n_features, n_components = prepared->n_components;
    const Tile tile = tile_in(share->scratch, section->tile_rows, d, n_components);
    const Variances variances = variances_in(&tile, prepared, d);
    for (int64_t chunk = take_chunk(share, -1); is_chunk(chunk, section, rows); chunk = take_chunk(share, chunk)) {
        const int64_t begin = chunk * section->chunk_rows + section->start;
        const int64_t end = smaller(chunk * section->chunk_rows + section->stop, rows->n_visited);
        for (int64_t first = begin; first < end; first += section->tile_rows) {
            const int64_t n_valid = smaller(section->tile_rows, end - first), n_points = points_of(n_valid);
            densities_with_holes(rows, prepared, &tile, variances, first, n_valid, n_points);
            put_outputs_in_places(rows, &tile, outputs, first, n_valid, n_points, n_components);
        }
    }
}
