/* Kernels of the diag family.
 *
 * Joint log-density: c_k - sum_j ((x_j - mu_kj) / sigma_kj)^2 / 2; second moments: S_j = sum wr (x_j - mu_j)^2.
 */

INLINE void prepare_tile_diag(const fastgmm_prepared *prepared, const Tile *tile, int64_t d, int64_t n_points) {
    (void)prepared, (void)tile, (void)d, (void)n_points; /* nothing is common to all components */
}

OUTLINE void joint_density_diag(const fastgmm_prepared *prepared, const Tile *tile, int64_t d, int64_t n_points,
                                int64_t k, int64_t line, NUMBER margin) {
    (void)margin;
    const NUMBER *constants = prepared->log_constants, *inverse_deviations = (const NUMBER *)prepared->scales + k * d;
    const Vector minus_half = broadcast((NUMBER)-0.5), c = broadcast(constants[k]);
    Center center = center_of(tile, prepared->means + k * d, d);
    for (int64_t t = 0; t < n_points; t += 2 * LANES) {
        Vector q0 = broadcast(0), q1 = q0;
        for (int64_t j = 0; j < d; j++) {
            const NUMBER *x = tile->points + j * tile->stride + t;
            const Vector scale = broadcast(inverse_deviations[j]);
            Vector y0 = scale * difference(x, center, j), y1 = scale * difference(x + LANES, center, j);
            q0 = fma_(y0, y0, q0);
            q1 = fma_(y1, y1, q1);
        }
        put_joint(tile, line, t, fma_(minus_half, q0, c));
        put_joint(tile, line, t + LANES, fma_(minus_half, q1, c));
    }
}

INLINE void add_features_diag(const Tile *tile, const NUMBER *points, const NUMBER *r, Center center,
                              int64_t n_points, double *first, double *second, int64_t j, const int n) {
    Vector s[4], squares[4];
    UNROLLED
    for (int i = 0; i < n; i++) s[i] = squares[i] = broadcast(0);
    for (int64_t t = 0; t < n_points; t += LANES) {
        Vector weight = load(r + t);
        UNROLLED
        for (int i = 0; i < n; i++) {
            Vector z = difference(points + (j + i) * tile->stride + t, center, j + i);
            Vector weighted = weight * z;
            s[i] = s[i] + weighted;
            squares[i] = fma_(weighted, z, squares[i]);
        }
    }
    add_sums(first + j, s, n);
    add_sums(second + j, squares, n);
}

OUTLINE void add_moments_diag(const fastgmm_prepared *prepared, const Tile *tile, const NUMBER *points,
                              const NUMBER *weights, int64_t d, int64_t n_points, int64_t k, double *first,
                              double *second) {
    Center center = center_of(tile, prepared->means + k * d, d);
    FOR_BLOCKS_OF_FOUR(d, add_features_diag, tile, points, weights, center, n_points, first, second);
}

/* A point costs few multiply-adds, hardly more than its copies. */
INLINE int packing_repays_diag(int64_t d, int64_t n_active, int64_t n_points) {
    return d >= 16 && 8 * n_active <= n_points;
}
