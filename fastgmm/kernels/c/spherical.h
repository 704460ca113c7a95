/* Kernels of the spherical family, and the squared distances that the tied family shares.
 *
 * Joint log-density: c_k - |x - mu_k|^2 / (2 sigma_k^2); second moment: S = sum wr |x - mu|^2.
 */

/* |x - center|^2 of two vectors of points. */
INLINE void squared_distance(const NUMBER *points, int64_t stride, Center center, int64_t d, Vector q[2]) {
    Vector q0 = broadcast(0), q1 = q0;
    for (int64_t j = 0; j < d; j++) {
        Vector z0 = difference(points + j * stride, center, j);
        Vector z1 = difference(points + j * stride + LANES, center, j);
        q0 = fma_(z0, z0, q0);
        q1 = fma_(z1, z1, q1);
    }
    q[0] = q0, q[1] = q1;
}

/* Write c + factor |x - center|^2 of lines of points. */
INLINE void put_density_of_distances(const Tile *tile, const NUMBER *points, Center center, int64_t d,
                                     int64_t n_points, int64_t line, Vector c, Vector factor) {
    for (int64_t t = 0; t < n_points; t += 2 * LANES) {
        Vector q[2];
        squared_distance(points + t, tile->stride, center, d, q);
        put_joint(tile, line, t, fma_(factor, q[0], c));
        put_joint(tile, line, t + LANES, fma_(factor, q[1], c));
    }
}

INLINE void prepare_tile_spherical(const fastgmm_prepared *prepared, const Tile *tile, int64_t d, int64_t n_points) {
    (void)prepared, (void)tile, (void)d, (void)n_points; /* nothing is common to all components */
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
    FOR_BLOCKS_OF_FOUR(d, add_features_spherical, tile, points, weights, center, n_points, first, second);
}

/* A point costs few multiply-adds, hardly more than its copies. */
INLINE int packing_repays_spherical(int64_t d, int64_t n_active, int64_t n_points) {
    return d >= 16 && 8 * n_active <= n_points;
}
