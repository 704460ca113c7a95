/* Kernels of the factor family: Sigma = Lambda Lambda^T + Psi of low rank q, of which no matrix is ever made.
 *
 * Joint log-density: c_k - h_k (|z|^2 + |y|^2) with the factors z = M (x - mu) and
 * y = Psi^-1/2 (x - mu) - Psi^-1/2 Lambda z, two skinny products of q multiply-adds for each feature. Moments: those of
 * the diag family, and C = sum wr (x - mu) z^T.
 *
 * Panels of the products are up to eight factors, or eight features, by two vectors of points: 16 multiply-adds for 2
 * vectors and 8 numbers that are loaded. The mean is subtracted where a feature is loaded, which is an eighth more, and
 * saves a copy of the tile that would not fit beside it into a second-level cache.
 */

/* Factors or features of a panel: as many sums as leave registers for what is multiplied, of 32 or 16. */
#if VECTOR_BYTES == 64 || defined(__aarch64__)
#define PANEL_ROWS 8
#else
#define PANEL_ROWS 4
#endif

/* After so many features we look whether the component is already too far away to matter. A multiple of the above. */
#define FEATURES_BEFORE_A_LOOK 64

/* n factors from `first` on of `columns` vectors of points, to lines of `differences`. */
INLINE void put_factors_of(const Tile *tile, const NUMBER *points, Center center, const NUMBER *projections, int64_t rank,
                           int64_t d, int64_t t, int64_t first, const int n, const int columns) {
    Vector z[8][2];
    UNROLLED
    for (int at = 0; at < 16; at++) z[at / 2][at % 2] = broadcast(0);
    for (int64_t j = 0; j < d; j++) {
        Vector x[2];
        UNROLLED
        for (int column = 0; column < columns; column++)
            x[column] = difference(points + j * tile->stride + t + column * LANES, center, j);
        UNROLLED
        for (int row = 0; row < n; row++) {
            Vector f = broadcast(projections[j * rank + first + row]);
            UNROLLED
            for (int column = 0; column < columns; column++) z[row][column] = fma_(f, x[column], z[row][column]);
        }
    }
    UNROLLED
    for (int row = 0; row < n; row++) {
        UNROLLED
        for (int column = 0; column < columns; column++)
            store(tile->differences + (first + row) * tile->stride + t + column * LANES, z[row][column]);
    }
}

#define PUT_FACTORS(n)                                                                                                 \
    case n:                                                                                                            \
        for (; t + 2 * LANES <= n_points; t += 2 * LANES)                                                              \
            put_factors_of(tile, points, center, projections, rank, d, t, first, n, 2);                                \
        if (t < n_points) put_factors_of(tile, points, center, projections, rank, d, t, first, n, 1);                  \
        break

/* z = M (x - mu) of all points to the first lines of `differences`; panels are as equal as may be. */
OUTLINE void put_factors(const fastgmm_prepared *prepared, const Tile *tile, const NUMBER *points, Center center,
                         int64_t d, int64_t n_points, int64_t k) {
    const int64_t rank = prepared->rank;
    const NUMBER *projections = (const NUMBER *)prepared->projections + k * d * rank;
    int64_t n_panels = (rank + PANEL_ROWS - 1) / PANEL_ROWS;
    for (int64_t first = 0; first < rank; n_panels--) {
        const int64_t n = (rank - first + n_panels - 1) / n_panels;
        int64_t t = 0;
        switch (n) {
            PUT_FACTORS(1);
            PUT_FACTORS(2);
            PUT_FACTORS(3);
            PUT_FACTORS(4);
#if PANEL_ROWS == 8
            PUT_FACTORS(5);
            PUT_FACTORS(6);
            PUT_FACTORS(7);
            PUT_FACTORS(8);
#endif
            default: break;
        }
        first += n;
    }
}
#undef PUT_FACTORS

/* q += |y|^2 of n features from j on, of two vectors of points. */
INLINE void add_unexplained(const Tile *tile, Center center, const NUMBER *inverse, const NUMBER *loadings, int64_t rank,
                            int64_t t, Vector q[2], int64_t j, const int n) {
    Vector y[8][2];
    UNROLLED
    for (int row = 0; row < n; row++) {
        const NUMBER *x = tile->points + (j + row) * tile->stride + t;
        Vector scale = broadcast(inverse[j + row]);
        y[row][0] = scale * difference(x, center, j + row);
        y[row][1] = scale * difference(x + LANES, center, j + row);
    }
    for (int64_t factor = 0; factor < rank; factor++) {
        const NUMBER *z = tile->differences + factor * tile->stride + t;
        Vector z0 = load(z), z1 = load(z + LANES);
        UNROLLED
        for (int row = 0; row < n; row++) {
            Vector f = broadcast(loadings[(j + row) * rank + factor]);
            y[row][0] = fma_(f, z0, y[row][0]);
            y[row][1] = fma_(f, z1, y[row][1]);
        }
    }
    UNROLLED
    for (int row = 0; row < n; row++) {
        q[0] = fma_(y[row][0], y[row][0], q[0]);
        q[1] = fma_(y[row][1], y[row][1], q[1]);
    }
}

/* Whether the joint log-densities are too far below the largest so far; more features can only lower them. */
INLINE int is_negligible_factor(const NUMBER *largest, const Vector q[2], Vector c, Vector h, Vector margin) {
    return !(lanes_less(load(largest) - margin, c - h * q[0]) | lanes_less(load(largest + LANES) - margin, c - h * q[1]));
}

/* q = |z|^2 + |y|^2 of two vectors of points, or part of it where that settles it. */
INLINE void squared_norm_factor(const fastgmm_prepared *prepared, const Tile *tile, Center center, int64_t d, int64_t t,
                                int64_t k, int64_t line, Vector c, Vector h, Vector margin, Vector q[2]) {
    const int64_t rank = prepared->rank;
    const NUMBER *inverse = (const NUMBER *)prepared->scales + k * d;
    const NUMBER *loadings = (const NUMBER *)prepared->loadings + k * d * rank;
    q[0] = q[1] = broadcast(0);
    for (int64_t factor = 0; factor < rank; factor++) {
        const NUMBER *z = tile->differences + factor * tile->stride + t;
        Vector z0 = load(z), z1 = load(z + LANES);
        q[0] = fma_(z0, z0, q[0]);
        q[1] = fma_(z1, z1, q[1]);
    }
    int64_t j = 0;
    while (j + PANEL_ROWS <= d) {
        add_unexplained(tile, center, inverse, loadings, rank, t, q, j, PANEL_ROWS);
        j += PANEL_ROWS;
        if (j % FEATURES_BEFORE_A_LOOK == 0 && j < d && line > 0 &&
            is_negligible_factor(tile->largest + t, q, c, h, margin))
            return;
    }
    for (; j < d; j++) add_unexplained(tile, center, inverse, loadings, rank, t, q, j, 1);
}

OUTLINE void joint_density_factor(const fastgmm_prepared *prepared, const Tile *tile, int64_t d, int64_t n_points,
                                  int64_t k, int64_t line, NUMBER margin) {
    const NUMBER *constants = prepared->log_constants, *halves = prepared->halves;
    const Vector c = broadcast(constants[k]), h = broadcast(halves[k]);
    Center center = center_of(tile, prepared->means + k * d, d);
    put_factors(prepared, tile, tile->points, center, d, n_points, k);
    for (int64_t t = 0; t < n_points; t += 2 * LANES) {
        Vector q[2];
        squared_norm_factor(prepared, tile, center, d, t, k, line, c, h, broadcast(margin), q);
        put_joint(tile, line, t, c - h * q[0]);
        put_joint(tile, line, t + LANES, c - h * q[1]);
        if (d > FEATURES_BEFORE_A_LOOK) {
            note_largest(tile, line, t);
            note_largest(tile, line, t + LANES);
        }
    }
}

/* C of n features from j on with `columns` factors from `factor` on, whose weighted lines stand in `differences`. */
INLINE void add_cross_panel(const Tile *tile, const NUMBER *points, Center center, int64_t n_points, double *extra,
                            int64_t rank, int64_t j, const int n, int64_t factor, const int columns) {
    Vector sums[4][4];
    UNROLLED
    for (int at = 0; at < 16; at++) sums[at / 4][at % 4] = broadcast(0);
    for (int64_t t = 0; t < n_points; t += LANES) {
        Vector z[4];
        UNROLLED
        for (int column = 0; column < columns; column++)
            z[column] = load(tile->differences + (factor + column) * tile->stride + t);
        UNROLLED
        for (int row = 0; row < n; row++) {
            Vector x = difference(points + (j + row) * tile->stride + t, center, j + row);
            UNROLLED
            for (int column = 0; column < columns; column++)
                sums[row][column] = fma_(x, z[column], sums[row][column]);
        }
    }
    UNROLLED
    for (int row = 0; row < n; row++) add_sums(extra + (j + row) * rank + factor, sums[row], columns);
}

/* Of n features from j on. */
INLINE void add_cross_rows(const Tile *tile, const NUMBER *points, Center center, int64_t n_points, double *extra,
                           int64_t rank, int64_t j, const int n) {
    int64_t factor = 0;
    for (; factor + 4 <= rank; factor += 4) add_cross_panel(tile, points, center, n_points, extra, rank, j, n, factor, 4);
    switch (rank - factor) {
        case 1: add_cross_panel(tile, points, center, n_points, extra, rank, j, n, factor, 1); break;
        case 2: add_cross_panel(tile, points, center, n_points, extra, rank, j, n, factor, 2); break;
        case 3: add_cross_panel(tile, points, center, n_points, extra, rank, j, n, factor, 3); break;
        default: break;
    }
}

/* Add C of component k. */
OUTLINE void add_extra_factor(const fastgmm_prepared *prepared, const Tile *tile, const NUMBER *points,
                              const NUMBER *weights, int64_t d, int64_t n_points, int64_t k, double *extra) {
    const int64_t rank = prepared->rank;
    Center center = center_of(tile, prepared->means + k * d, d);
    put_factors(prepared, tile, points, center, d, n_points, k);
    for (int64_t factor = 0; factor < rank; factor++)
        for (int64_t t = 0; t < n_points; t += LANES) {
            NUMBER *z = tile->differences + factor * tile->stride + t;
            store(z, load(z) * load(weights + t));
        }
    FOR_PANELS_OF_FOUR(d, add_cross_rows, tile, points, center, n_points, extra, rank);
}

/* s and the squares are those of variances. */
#define add_moments_factor add_moments_diag
