/* Kernels of the diag family.
 *
 * Joint log-density: c_k - sum_j ((x_j - mu_kj) / sigma_kj)^2 / 2; second moments: S_j = sum wr (x_j - mu_j)^2.
 */

/* Write c - sum_j ((x_j - mu_j) / sigma_j)^2 / 2 of n vectors of points at t. */
INLINE void put_density_diag(const Tile *tile, Center center, const NUMBER *inverse_deviations, int64_t d, int64_t line,
                             Vector c, int64_t t, const int n) {
    Vector q[4];
    UNROLLED
    for (int i = 0; i < n; i++) q[i] = broadcast(0);
    for (int64_t j = 0; j < d; j++) {
        const Vector scale = broadcast(inverse_deviations[j]);
        UNROLLED
        for (int i = 0; i < n; i++) {
            Vector y = scale * difference(tile->points + j * tile->stride + t + i * LANES, center, j);
            q[i] = fma_(y, y, q[i]);
        }
    }
    put_densities(tile, line, t, q, broadcast((NUMBER)-0.5), c, n);
}

OUTLINE void joint_density_diag(const fastgmm_prepared *prepared, const Tile *tile, int64_t d, int64_t n_points,
                                int64_t k, int64_t line, NUMBER margin) {
    (void)margin;
    const NUMBER *constants = prepared->log_constants, *inverse_deviations = (const NUMBER *)prepared->scales + k * d;
    Center center = center_of(tile, prepared->means + k * d, d);
    FOR_FOUR_VECTORS_AND_TWO(n_points, put_density_diag, tile, center, inverse_deviations, d, line,
                             broadcast(constants[k]));
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
    FOR_PANELS_OF_FOUR(d, add_features_diag, tile, points, weights, center, n_points, first, second);
}
