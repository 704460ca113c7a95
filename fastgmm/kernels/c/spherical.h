/* Kernels of the spherical family, the squared distances that the tied family shares, and how
 * all light families write their densities.
 *
 * Joint log-density: c_k - |x - mu_k|^2 / (2 sigma_k^2); second moment: S = sum wr |x - mu|^2.
 */

/* Write c + factor q of n vectors of points. */
INLINE void put_densities(const Tile *tile, int64_t line, int64_t t, const Vector q[4], Vector factor, Vector c,
                          const int n) {
    UNROLLED
    for (int i = 0; i < n; i++) put_joint(tile, line, t + i * LANES, fma_(factor, q[i], c));
}

/* Write c + factor |x - center|^2 of n vectors of points at t. */
INLINE void put_density_of_distance(const Tile *tile, const NUMBER *points, Center center, int64_t d, int64_t line,
                                    Vector c, Vector factor, int64_t t, const int n) {
    Vector q[4];
    UNROLLED
    for (int i = 0; i < n; i++) q[i] = broadcast(0);
    for (int64_t j = 0; j < d; j++) {
        UNROLLED
        for (int i = 0; i < n; i++) {
            Vector z = difference(points + j * tile->stride + t + i * LANES, center, j);
            q[i] = fma_(z, z, q[i]);
        }
    }
    put_densities(tile, line, t, q, factor, c, n);
}

/* Write c + factor |x - center|^2 of lines of points. */
INLINE void put_density_of_distances(const Tile *tile, const NUMBER *points, Center center, int64_t d,
                                     int64_t n_points, int64_t line, Vector c, Vector factor) {
    FOR_FOUR_VECTORS_AND_TWO(n_points, put_density_of_distance, tile, points, center, d, line, c, factor);
}

OUTLINE void joint_density_spherical(const fastgmm_prepared *prepared, const Tile *tile, int64_t d, int64_t n_points,
                                     int64_t k, int64_t line, NUMBER margin) {
    (void)margin;
    const NUMBER *constants = prepared->log_constants, *precisions = prepared->scales;
    Center center = center_of(tile, prepared->means + k * d, d);
    put_density_of_distances(tile, tile->points, center, d, n_points, line, broadcast(constants[k]),
                             broadcast((NUMBER)-0.5 * precisions[k]));
}

INLINE void add_features_spherical(const Tile *tile, const NUMBER *points, const NUMBER *r, Center center,
                                   int64_t n_points, double *first, double *second, int64_t j, const int n) {
    Vector s[4], square = broadcast(0);
    UNROLLED
    for (int i = 0; i < n; i++) s[i] = broadcast(0);
    for (int64_t t = 0; t < n_points; t += LANES) {
        Vector weight = load(r + t), norm = broadcast(0);
        UNROLLED
        for (int i = 0; i < n; i++) {
            Vector z = difference(points + (j + i) * tile->stride + t, center, j + i);
            s[i] = fma_(weight, z, s[i]);
            norm = fma_(z, z, norm);
        }
        square = fma_(weight, norm, square);
    }
    add_sums(first + j, s, n);
    add_sum(second, square);
}

OUTLINE void add_moments_spherical(const fastgmm_prepared *prepared, const Tile *tile, const NUMBER *points,
                              const NUMBER *weights, int64_t d, int64_t n_points, int64_t k, double *first,
                              double *second) {
    Center center = center_of(tile, prepared->means + k * d, d);
    FOR_PANELS_OF_FOUR(d, add_features_spherical, tile, points, weights, center, n_points, first, second);
}
