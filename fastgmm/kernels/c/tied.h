/* Kernels of the tied family: rows are whitened once, then the arithmetic is the spherical one.
 *
 * Joint log-density: c_k - |z - nu_k|^2 / 2 with z = W (x - pivot) and nu_k = W (mu_k - pivot). Second moments are those
 * of the full family, added up over the components, where there is room for them: a fit knows them from the scatter of
 * all rows. Always in float64.
 */

/* n rows of z = W (x - pivot) at the points t; the zeros above the diagonal of W do no harm. */
INLINE void whiten_rows(const NUMBER *factor, const Tile *tile, int64_t d, int64_t t, int64_t i, const int n) {
    Vector y[4];
    UNROLLED
    for (int row = 0; row < n; row++) y[row] = broadcast(0);
    for (int64_t j = 0; j < i + n; j++) {
        Vector x = load(tile->centered + j * LANES);
        UNROLLED
        for (int row = 0; row < n; row++) y[row] = fma_(broadcast(factor[(i + row) * d + j]), x, y[row]);
    }
    UNROLLED
    for (int row = 0; row < n; row++) store(tile->differences + (i + row) * tile->stride + t, y[row]);
}

/* All components compare the same whitened rows. */
OUTLINE void prepare_tile_tied(const fastgmm_prepared *prepared, const Tile *tile, int64_t d, int64_t n_points) {
    const NUMBER *factor = prepared->scales;
    Center pivot = center_of(tile, prepared->pivot, d);
    for (int64_t t = 0; t < n_points; t += LANES) {
        for (int64_t j = 0; j < d; j++)
            store(tile->centered + j * LANES, difference(tile->points + j * tile->stride + t, pivot, j));
        FOR_PANELS_OF_FOUR(d, whiten_rows, factor, tile, d, t);
    }
}

OUTLINE void joint_density_tied(const fastgmm_prepared *prepared, const Tile *tile, int64_t d, int64_t n_points,
                                int64_t k, int64_t line, NUMBER margin) {
    (void)margin;
    const NUMBER *constants = prepared->log_constants;
    Center center = center_of(tile, prepared->whitened_means + k * d, d);
    put_density_of_distances(tile, tile->differences, center, d, n_points, line, broadcast(constants[k]),
                             broadcast((NUMBER)-0.5));
}

INLINE void add_features_tied(const Tile *tile, const NUMBER *points, const NUMBER *r, Center center,
                              int64_t n_points, double *first, int64_t j, const int n) {
    Vector s[4];
    UNROLLED
    for (int i = 0; i < n; i++) s[i] = broadcast(0);
    for (int64_t t = 0; t < n_points; t += LANES) {
        Vector weight = load(r + t);
        UNROLLED
        for (int i = 0; i < n; i++)
            s[i] = fma_(weight, difference(points + (j + i) * tile->stride + t, center, j + i), s[i]);
    }
    add_sums(first + j, s, n);
}

OUTLINE void add_moments_tied(const fastgmm_prepared *prepared, const Tile *tile, const NUMBER *points,
                              const NUMBER *weights, int64_t d, int64_t n_points, int64_t k, double *first,
                              double *second) {
    if (second) {
        for (int64_t t = 0; t < n_points; t += LANES) store(tile->output + t, square_root(load(weights + t)));
        add_moments_full(prepared, tile, points, tile->output, d, n_points, k, first, second);
        return;
    }
    Center center = center_of(tile, prepared->means + k * d, d);
    FOR_PANELS_OF_FOUR(d, add_features_tied, tile, points, weights, center, n_points, first);
}
