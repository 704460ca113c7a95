/* Kernels of the full family: every component has its own covariance matrix.
 *
 * Joint log-density of a point x and component k, with W_k = L_k^-1 the inverse Cholesky factor of its covariance:
 *     log w_k + log N(x | mu_k, Sigma_k) = c_k - |y|^2 / 2,   y = W_k (x - mu_k),
 *     c_k = log w_k + log det W_k - (d/2) log 2 pi
 * Moments about the current means, with wr the weighted responsibilities:
 *     s = sum wr (x - mu),   S = sum wr (x - mu)(x - mu)^T = sum u u^T  with  u = sqrt(wr) (x - mu)   (lower triangle)
 *
 * Both triangles are cut into panels whose sums stay in registers; loops over a panel have constant bounds and are
 * unrolled by the compiler.
 */

/* Columns of a panel of S with four rows: as many sums as leave registers for their factors. */
#if VECTOR_BYTES == 64 || defined(__aarch64__)
#define PANEL_COLUMNS 4 /* of 32 registers */
#else
#define PANEL_COLUMNS 2 /* of 16 */
#endif

/* Each time so many rows of W (x - mu) are computed, we look whether the component is already too far away to matter:
 * two panels of four. It was chosen by hand; a multiple of 4. */
#define ROWS_BEFORE_A_LOOK 8

/* q += |y|^2 of the rows i ... i+n-1 of y = W z at two vectors of points; differences z of their features are computed
 * here, and kept for later rows. */
INLINE void add_squared_norm(const Tile *tile, Center center, const NUMBER *factor, int64_t d, int64_t t, Vector q[2],
                             int64_t i, const int n) {
    NUMBER *z = tile->differences;
    Vector y[4][2];
    UNROLLED
    for (int row = 0; row < n; row++) y[row][0] = y[row][1] = broadcast(0);
    for (int64_t j = 0; j < i; j++) {
        Vector z0 = load(z + 2 * j * LANES), z1 = load(z + (2 * j + 1) * LANES);
        UNROLLED
        for (int row = 0; row < n; row++) {
            Vector f = broadcast(factor[(i + row) * d + j]);
            y[row][0] = fma_(f, z0, y[row][0]);
            y[row][1] = fma_(f, z1, y[row][1]);
        }
    }
    UNROLLED
    for (int column = 0; column < n; column++) {
        int64_t j = i + column;
        const NUMBER *x = tile->points + j * tile->stride + t;
        Vector z0 = difference(x, center, j), z1 = difference(x + LANES, center, j);
        if (i + 4 < d) {
            store(z + 2 * j * LANES, z0);
            store(z + (2 * j + 1) * LANES, z1);
        }
        UNROLLED
        for (int row = column; row < n; row++) {
            Vector f = broadcast(factor[(i + row) * d + j]);
            y[row][0] = fma_(f, z0, y[row][0]);
            y[row][1] = fma_(f, z1, y[row][1]);
        }
    }
    UNROLLED
    for (int row = n - 1; row >= 0; row--) {
        q[0] = fma_(y[row][0], y[row][0], q[0]);
        q[1] = fma_(y[row][1], y[row][1], q[1]);
    }
}

/* Whether the joint log-densities are too far below the largest so far; more rows can only lower them. */
INLINE int is_negligible(const NUMBER *largest, const Vector q[2], Vector c, Vector margin) {
    const Vector minus_half = broadcast((NUMBER)-0.5);
    return !(lanes_less(load(largest) - margin, fma_(minus_half, q[0], c)) |
             lanes_less(load(largest + LANES) - margin, fma_(minus_half, q[1], c)));
}

/* q = |W (x - mu)|^2 of two vectors of points, or of some of its rows where these settle it. */
INLINE void squared_norm(const Tile *tile, Center center, const NUMBER *factor, int64_t d, int64_t t, int64_t line,
                         Vector c, Vector margin, Vector q[2]) {
    int64_t i = 0;
    q[0] = q[1] = broadcast(0);
    while (i + 4 <= d) {
        add_squared_norm(tile, center, factor, d, t, q, i, 4);
        i += 4;
        if (i % ROWS_BEFORE_A_LOOK == 0 && i < d && line > 0 && is_negligible(tile->largest + t, q, c, margin)) return;
    }
    switch (d - i) {
        case 1: add_squared_norm(tile, center, factor, d, t, q, i, 1); break;
        case 2: add_squared_norm(tile, center, factor, d, t, q, i, 2); break;
        case 3: add_squared_norm(tile, center, factor, d, t, q, i, 3); break;
        default: break;
    }
}

/* Keep the largest joint log-density so far of the points at t. */
INLINE void note_largest(const Tile *tile, int64_t line, int64_t t) {
    Vector joint = load(tile->joint + line * tile->stride + t), largest = load(tile->largest + t);
    store(tile->largest + t, line > 0 ? where_less(largest, joint, joint, largest) : joint);
}

OUTLINE void joint_density_full(const fastgmm_prepared *prepared, const Tile *tile, int64_t d, int64_t n_points,
                                int64_t k, int64_t line, NUMBER margin) {
    const NUMBER *constants = prepared->log_constants, *factors = prepared->scales;
    const Vector minus_half = broadcast((NUMBER)-0.5), c = broadcast(constants[k]);
    Center center = center_of(tile, prepared->means + k * d, d);
    for (int64_t t = 0; t < n_points; t += 2 * LANES) {
        Vector q[2];
        squared_norm(tile, center, factors + k * d * d, d, t, line, c, broadcast(margin), q);
        put_joint(tile, line, t, fma_(minus_half, q[0], c));
        put_joint(tile, line, t + LANES, fma_(minus_half, q[1], c));
        if (d > ROWS_BEFORE_A_LOOK) {
            note_largest(tile, line, t);
            note_largest(tile, line, t + LANES);
        }
    }
}

/* Packing costs d copies of every point that counts, and saves about d^2/2 multiply-adds for every other one. */
INLINE int packing_repays_full(int64_t d, int64_t n_active, int64_t n_points) {
    return d >= 4 && 2 * n_active <= n_points;
}

/* Add S of n features from i on with `columns` features from j on, all of them before i. */
INLINE void add_square_panel(const NUMBER *u, int64_t stride, int64_t n_points, double *second, int64_t d, int64_t i,
                             const int n, int64_t j, const int columns) {
    Vector sums[4][4];
    UNROLLED
    for (int at = 0; at < 16; at++) sums[at / 4][at % 4] = broadcast(0);
    for (int64_t t = 0; t < n_points; t += LANES) {
        Vector y[4];
        UNROLLED
        for (int column = 0; column < columns; column++) y[column] = load(u + (j + column) * stride + t);
        UNROLLED
        for (int row = 0; row < n; row++) {
            Vector x = load(u + (i + row) * stride + t);
            UNROLLED
            for (int column = 0; column < columns; column++)
                sums[row][column] = fma_(x, y[column], sums[row][column]);
        }
    }
    UNROLLED
    for (int row = 0; row < n; row++) add_sums(second + (i + row) * d + j, sums[row], columns);
}

/* Add s of n features from i on, and S of these with each other; keep their u. Zeros where a row of the panel reaches
 * into the upper triangle. */
INLINE void add_diagonal_panel(const Tile *tile, const NUMBER *points, const NUMBER *roots, Center center,
                               int64_t n_points, double *first, double *second, int64_t d, int64_t i, const int n) {
    Vector s[4], sums[4][4];
    UNROLLED
    for (int at = 0; at < 16; at++) sums[at / 4][at % 4] = broadcast(0);
    UNROLLED
    for (int row = 0; row < n; row++) s[row] = broadcast(0);
    for (int64_t t = 0; t < n_points; t += LANES) {
        Vector root = load(roots + t), u[4];
        UNROLLED
        for (int row = 0; row < n; row++) {
            u[row] = root * difference(points + (i + row) * tile->stride + t, center, i + row);
            if (d > 4) store(tile->differences + (i + row) * tile->stride + t, u[row]);
        }
        UNROLLED
        for (int row = 0; row < n; row++) {
            s[row] = fma_(root, u[row], s[row]);
            UNROLLED
            for (int column = 0; column <= row; column++)
                sums[row][column] = fma_(u[row], u[column], sums[row][column]);
        }
    }
    add_sums(first + i, s, n);
    UNROLLED
    for (int row = 0; row < n; row++) add_sums(second + (i + row) * d + i, sums[row], n);
}

/* Add s of n features from i on, and their rows of S. */
INLINE void add_rows(const Tile *tile, const NUMBER *points, const NUMBER *roots, Center center, int64_t n_points,
                     double *first, double *second, int64_t d, int64_t i, const int n) {
    add_diagonal_panel(tile, points, roots, center, n_points, first, second, d, i, n);
    for (int64_t j = 0; j < i; j += PANEL_COLUMNS)
        add_square_panel(tile->differences, tile->stride, n_points, second, d, i, n, j, PANEL_COLUMNS);
}

/* `roots` are square roots of weighted responsibilities. */
OUTLINE void add_moments_full(const fastgmm_prepared *prepared, const Tile *tile, const NUMBER *points,
                              const NUMBER *roots, int64_t d, int64_t n_points, int64_t k, double *first,
                              double *second) {
    Center center = center_of(tile, prepared->means + k * d, d);
    FOR_PANELS_OF_FOUR(d, add_rows, tile, points, roots, center, n_points, first, second, d);
}
