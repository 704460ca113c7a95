/* Rows with holes under components that have variances alone, also those of the spherical family.
 *
 * Lanes are the points of a tile. A line o of each feature says which points have it:
 *     joint log-density = A (log w - sum_(j: o_j) (log 2 pi + log var_j + (x_j - mu_j)^2 / var_j) / 2) + log-prior
 */

/* What the components have instead of variances, a number for each feature. */
typedef struct {
    NUMBER *inverse_deviations, *constants; /* 1/sigma; (log 2 pi + log var)/2 */
    int are_equal;                          /* those of every component, whose constants need only be counted */
} Variances;

INLINE Variances variances_in(const Tile *tile, const fastgmm_prepared *prepared, int64_t d) {
    const double *variances = prepared->scales;
    const int64_t n = prepared->n_components * d;
    NUMBER *next = tile->low + d;
    int are_equal = 1;
    for (int64_t i = 0; i < n; i++) {
        are_equal &= variances[i] == variances[i / d * d];
        next[i] = 1 / sqrt(variances[i]);
        next[n + i] = 0.5 * (LOG_TWO_PI + log(variances[i]));
    }
    return (Variances){next, next + n, are_equal};
}

/* `vector` where the bits of `observed` are set, and 0 elsewhere: unlike a product, it leaves multipliers to others. */
INLINE Vector where_observed(Vector observed, Vector vector) { return vector_of(bits_of(observed) & bits_of(vector)); }

/* Put the rows first ... first + n_valid of the order into the tile, LANES of them at a time, and pad it to n_points.
 * A hole becomes 0, and the lines of `differences` get all bits where there is none. `output` counts what is there. */
OUTLINE void load_rows_with_holes(const fastgmm_rows *rows, const Tile *tile, int64_t first, int64_t n_valid,
                                  int64_t n_points) {
    const Vector least = broadcast((NUMBER)-INFINITY);
    for (int64_t t = 0; t < n_points; t += LANES) {
        int64_t starts[LANES];
        for (int64_t lane = 0; lane < LANES; lane++) {
            const int64_t at = t + lane, row = place_of(rows, first + (at < n_valid ? at : 0));
            if (at + ROWS_AHEAD < n_valid) prefetch_row(rows, rows->order[first + at + ROWS_AHEAD]);
            starts[lane] = row * rows->row_stride;
            tile->weights[at] = at < n_valid ? weight_of(rows, row) : 0;
        }
        Vector count = broadcast(0);
        for (int64_t j = 0; j < rows->n_features; j++) {
            const int64_t column = j * rows->column_stride, at = j * tile->stride + t;
            NUMBER feature[LANES];
            if (rows->dtype == FASTGMM_FLOAT32)
                for (int64_t lane = 0; lane < LANES; lane++)
                    feature[lane] = (NUMBER)((const float *)rows->values)[starts[lane] + column];
            else
                for (int64_t lane = 0; lane < LANES; lane++)
                    feature[lane] = ((const double *)rows->values)[starts[lane] + column];
            const Vector x = load(feature) - broadcast(rows->origin ? rows->origin[j] : 0);
            const Vector observed = vector_of(less(least, x));
            store(tile->differences + at, observed);
            store(tile->points + at, where_observed(observed, x));
            count = count + where_observed(observed, broadcast(1));
        }
        store(tile->output + t, count);
    }
}

/* Write the joint log-densities of two vectors of points at t for n components from k on, which share what is loaded. */
INLINE void put_density_with_holes(const Tile *tile, const fastgmm_prepared *prepared, Variances variances, int64_t d,
                                   int64_t t, int64_t k, const int n, const int are_equal) {
    const double *log_weights = prepared->log_constants, *means = prepared->means + k * d;
    const NUMBER *scales = variances.inverse_deviations + k * d, *constants = variances.constants + k * d;
    Vector q[2][2], c[2][2];
    UNROLLED
    for (int at = 0; at < 2 * n; at++) {
        q[at / 2][at % 2] = broadcast(0);
        c[at / 2][at % 2] = broadcast(log_weights[k + at / 2]);
        if (are_equal)
            c[at / 2][at % 2] =
                c[at / 2][at % 2] - load(tile->output + t + at % 2 * LANES) * broadcast(constants[at / 2 * d]);
    }
    for (int64_t j = 0; j < d; j++)
        UNROLLED
        for (int v = 0; v < 2; v++) {
            const int64_t at = j * tile->stride + t + v * LANES;
            const Vector x = load(tile->points + at), there = load(tile->differences + at);
            UNROLLED
            for (int i = 0; i < n; i++) {
                const Vector y = broadcast(scales[i * d + j]) * where_observed(there, x - broadcast(means[i * d + j]));
                q[i][v] = fma_(y, y, q[i][v]);
                if (!are_equal) c[i][v] = c[i][v] - where_observed(there, broadcast(constants[i * d + j]));
            }
        }
    UNROLLED
    for (int at = 0; at < 2 * n; at++)
        put_joint(tile, k + at / 2, t + at % 2 * LANES,
                  broadcast(prepared->exponent) * fma_(broadcast(-0.5), q[at / 2][at % 2], c[at / 2][at % 2]));
}

/* The same for all points. */
INLINE void put_densities_with_holes(const Tile *tile, const fastgmm_prepared *prepared, Variances variances, int64_t d,
                                     int64_t n_points, int64_t k, const int are_equal) {
    for (int64_t t = 0; t < n_points; t += 2 * LANES)
        if (k + 1 < prepared->n_components)
            put_density_with_holes(tile, prepared, variances, d, t, k, 2, are_equal);
        else
            put_density_with_holes(tile, prepared, variances, d, t, k, 1, are_equal);
}

/* The joint log-densities of the rows first ... first + n_valid of the order, priors included. */
OUTLINE void densities_with_holes(const fastgmm_rows *rows, const fastgmm_prepared *prepared, const Tile *tile,
                                  Variances variances, int64_t first, int64_t n_valid, int64_t n_points) {
    const int64_t d = rows->n_features, n_components = prepared->n_components;
    load_rows_with_holes(rows, tile, first, n_valid, n_points);
    for (int64_t k = 0; k < n_components; k++) tile->members[k] = k;
    for (int64_t k = 0; k < n_components; k += 2)
        if (variances.are_equal)
            put_densities_with_holes(tile, prepared, variances, d, n_points, k, 1);
        else
            put_densities_with_holes(tile, prepared, variances, d, n_points, k, 0);
    if (rows->groups) add_priors(rows, tile, first, n_valid, n_components, n_components);
}

/* Add the sums of two features from j on, or of one, over the points that have them, for n components from k on. */
INLINE void add_features_with_holes(const Tile *tile, const double *means, double *const to[3], int64_t d,
                                    int64_t n_points, int64_t k, const int n, int64_t j, const int n_features) {
    Vector sums[3][4];
    UNROLLED
    for (int at = 0; at < 12; at++) sums[at / 4][at % 4] = broadcast(0);
    for (int64_t t = 0; t < n_points; t += LANES) {
        Vector weights[2];
        UNROLLED
        for (int i = 0; i < n; i++) weights[i] = load(tile->joint + (k + i) * tile->stride + t);
        UNROLLED
        for (int f = 0; f < n_features; f++) {
            const int64_t at = (j + f) * tile->stride + t;
            const Vector x = load(tile->points + at), observed = load(tile->differences + at);
            UNROLLED
            for (int i = 0; i < n; i++) {
                const Vector z = where_observed(observed, x - broadcast(means[i * d + j + f]));
                const Vector weighted = weights[i] * z;
                sums[0][2 * i + f] = sums[0][2 * i + f] + weighted;
                sums[1][2 * i + f] = fma_(weighted, z, sums[1][2 * i + f]);
                sums[2][2 * i + f] = sums[2][2 * i + f] + where_observed(observed, weights[i]);
            }
        }
    }
    UNROLLED
    for (int i = 0; i < n; i++)
        UNROLLED
        for (int of = 0; of < 3; of++) add_sums(to[of] + i * d + j, sums[of] + 2 * i, n_features);
}

/* Add the moments of n components from k on; `to` are those of the first: sum wr z, sum wr z^2, and sum wr. */
INLINE void add_moments_with_holes(const Tile *tile, const double *means, double *const to[3], int64_t d,
                                   int64_t n_points, int64_t k, const int n) {
    int64_t j = 0;
    for (; j + 2 <= d; j += 2) add_features_with_holes(tile, means, to, d, n_points, k, n, j, 2);
    if (j < d) add_features_with_holes(tile, means, to, d, n_points, k, n, j, 1);
}

/* Add the moments of all components. */
OUTLINE void collect_with_holes(const fastgmm_prepared *prepared, const Tile *tile, int64_t d, int64_t n_points,
                                const fastgmm_slots *slots, int64_t chunk) {
    const int64_t n_components = prepared->n_components;
    for (int64_t k = 0; k < n_components; k += 2) {
        const int64_t at = (chunk * n_components + k) * d, n = smaller(2, n_components - k);
        double *const to[3] = {slots->first + at, slots->second + at, slots->observed + at};
        int64_t n_active = 0;
        for (int64_t i = k; i < k + n; i++)
            n_active += scale_and_count_whole(tile, i, n_points, slots->counts + chunk * n_components + i);
        if (n_active == 0) continue;
        if (n == 2)
            add_moments_with_holes(tile, prepared->means + k * d, to, d, n_points, k, 2);
        else
            add_moments_with_holes(tile, prepared->means + k * d, to, d, n_points, k, 1);
    }
}

static void NAME(incomplete_sweep, diag)(const fastgmm_rows *rows, const fastgmm_prepared *prepared,
                                         const fastgmm_section *section, const fastgmm_slots *slots,
                                         const fastgmm_share *share) {
    const int64_t d = rows->n_features, n_components = prepared->n_components;
    const Tile tile = tile_in(share->scratch, section->tile_rows, d, n_components);
    const Variances variances = variances_in(&tile, prepared, d);
    for (Visit visit = BEFORE_ALL_VISITS; next_visit(&visit, rows, section, share);) {
        const int64_t n_points = points_of(visit.n_valid);
        densities_with_holes(rows, prepared, &tile, variances, visit.first, visit.n_valid, n_points);
        responsibilities_whole(&tile, n_components, n_points, negligible_margin(n_components),
                               slots->totals + 2 * visit.chunk);
        collect_with_holes(prepared, &tile, d, n_points, slots, visit.chunk);
    }
}

static void NAME(incomplete_log_density, diag)(const fastgmm_rows *rows, const fastgmm_prepared *prepared,
                                               const fastgmm_section *section, const fastgmm_outputs *outputs,
                                               const fastgmm_share *share) {
    const int64_t d = rows->n_features, n_components = prepared->n_components;
    const Tile tile = tile_in(share->scratch, section->tile_rows, d, n_components);
    const Variances variances = variances_in(&tile, prepared, d);
    for (Visit visit = BEFORE_ALL_VISITS; next_visit(&visit, rows, section, share);) {
        const int64_t n_points = points_of(visit.n_valid);
        densities_with_holes(rows, prepared, &tile, variances, visit.first, visit.n_valid, n_points);
        put_outputs_in_places(rows, &tile, outputs, visit.first, visit.n_valid, n_points, n_components);
    }
}
