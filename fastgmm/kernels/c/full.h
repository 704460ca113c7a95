/* Kernels of the full family: every component has its own covariance matrix.
 *
 * Joint log-density of a point x and component k, with W_k = L_k^-1 the inverse Cholesky factor of its covariance:
 *     log w_k + log N(x | mu_k, Sigma_k) = c_k - |y|^2 / 2,   y = W_k (x - mu_k),
 *     c_k = log w_k + log det W_k - (d/2) log 2 pi
 * Moments about the current means, with wr the weighted responsibilities:
 *     N = sum wr,   s = sum wr (x - mu),   S = sum wr (x - mu)(x - mu)^T   (lower triangle)
 *
 * Both triangles are cut into blocks whose sums stay in registers; loops over a block have constant bounds and are
 * unrolled by the compiler.
 */

/* Columns of a block of S with four rows: as many sums as leave registers for their factors. */
#if VECTOR_BYTES == 64 || defined(__aarch64__)
#define BLOCK_COLUMNS 4 /* of 32 registers */
#else
#define BLOCK_COLUMNS 2 /* of 16 */
#endif

/* q += |y|^2 of the rows i ... i+n-1 of y = W z, for two vectors of points. */
INLINE void add_squared_norm(const NUMBER *z, const NUMBER *factor, int64_t d, Vector q[2], int64_t i, const int n) {
    Vector y[4][2];
    UNROLLED
    for (int row = 0; row < n; row++) y[row][0] = y[row][1] = broadcast(0);
    for (int64_t j = 0; j <= i; j++) {
        Vector z0 = load(z + 2 * j * LANES), z1 = load(z + (2 * j + 1) * LANES);
        UNROLLED
        for (int row = 0; row < n; row++) {
            Vector f = broadcast(factor[(i + row) * d + j]);
            y[row][0] = fma_(f, z0, y[row][0]);
            y[row][1] = fma_(f, z1, y[row][1]);
        }
    }
    /* The triangle at the end of the block. */
    UNROLLED
    for (int column = 1; column < n; column++) {
        int64_t j = i + column;
        Vector z0 = load(z + 2 * j * LANES), z1 = load(z + (2 * j + 1) * LANES);
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

OUTLINE void joint_density_full(const fastgmm_prepared *prepared, const Tile *tile, int64_t d, int64_t n_points) {
    const NUMBER *constants = prepared->log_constants, *factors = prepared->scales;
    const Vector minus_half = broadcast((NUMBER)-0.5);
    for (int64_t k = 0; k < prepared->n_components; k++) {
        Center center = center_of(tile, prepared->means + k * d, d);
        const Vector c = broadcast(constants[k]);
        NUMBER *joint = tile->joint + k * tile->stride, *z = tile->differences;
        for (int64_t t = 0; t < n_points; t += 2 * LANES) {
            for (int64_t j = 0; j < d; j++) {
                const NUMBER *x = tile->points + j * tile->stride + t;
                store(z + 2 * j * LANES, difference(x, center, j));
                store(z + (2 * j + 1) * LANES, difference(x + LANES, center, j));
            }
            Vector q[2] = {broadcast(0), broadcast(0)};
            FOR_BLOCKS_OF_FOUR(d, add_squared_norm, z, factors + k * d * d, d, q);
            store(joint + t, finite_or_lowest(fma_(minus_half, q[0], c)));
            store(joint + t + LANES, finite_or_lowest(fma_(minus_half, q[1], c)));
        }
    }
}

/* Add S of n features from i on with `columns` features from j on, all of them before i. */
INLINE void add_square_block(const NUMBER *r, const NUMBER *z, int64_t stride, int64_t n_points, double *second,
                             int64_t d, int64_t i, const int n, int64_t j, const int columns) {
    Vector sums[4][4];
    UNROLLED
    for (int at = 0; at < 16; at++) sums[at / 4][at % 4] = broadcast(0);
    for (int64_t t = 0; t < n_points; t += LANES) {
        Vector weight = load(r + t), y[4];
        UNROLLED
        for (int column = 0; column < columns; column++) y[column] = load(z + (j + column) * stride + t);
        UNROLLED
        for (int row = 0; row < n; row++) {
            Vector x = weight * load(z + (i + row) * stride + t);
            UNROLLED
            for (int column = 0; column < columns; column++)
                sums[row][column] = fma_(x, y[column], sums[row][column]);
        }
    }
    UNROLLED
    for (int row = 0; row < n; row++) add_sums(second + (i + row) * d + j, sums[row], columns);
}

/* Add s of n features from i on, and S of these with each other; zeros where a row of the block reaches into the upper
 * triangle. */
INLINE void add_diagonal_block(const NUMBER *r, const NUMBER *z, int64_t stride, int64_t n_points, double *first,
                               double *second, int64_t d, int64_t i, const int n) {
    Vector s[4], sums[4][4];
    UNROLLED
    for (int at = 0; at < 16; at++) sums[at / 4][at % 4] = broadcast(0);
    UNROLLED
    for (int row = 0; row < n; row++) s[row] = broadcast(0);
    for (int64_t t = 0; t < n_points; t += LANES) {
        Vector weight = load(r + t), y[4];
        UNROLLED
        for (int row = 0; row < n; row++) y[row] = load(z + (i + row) * stride + t);
        UNROLLED
        for (int row = 0; row < n; row++) {
            Vector x = weight * y[row];
            s[row] = s[row] + x;
            UNROLLED
            for (int column = 0; column <= row; column++) sums[row][column] = fma_(x, y[column], sums[row][column]);
        }
    }
    add_sums(first + i, s, n);
    UNROLLED
    for (int row = 0; row < n; row++) add_sums(second + (i + row) * d + i, sums[row], n);
}

/* Add s of n features from i on, and their rows of S. */
INLINE void add_rows(const NUMBER *r, const NUMBER *z, int64_t stride, int64_t n_points, double *first, double *second,
                     int64_t d, int64_t i, const int n) {
    for (int64_t j = 0; j < i; j += BLOCK_COLUMNS)
        add_square_block(r, z, stride, n_points, second, d, i, n, j, BLOCK_COLUMNS);
    add_diagonal_block(r, z, stride, n_points, first, second, d, i, n);
}

OUTLINE void add_moments_full(const fastgmm_prepared *prepared, const Tile *tile, int64_t d, int64_t n_points,
                             double *first, double *second) {
    const int64_t stride = tile->stride;
    NUMBER *z = tile->differences;
    for (int64_t k = 0; k < prepared->n_components; k++, first += d, second += d * d) {
        Center center = center_of(tile, prepared->means + k * d, d);
        const NUMBER *r = tile->joint + k * stride;
        for (int64_t j = 0; j < d; j++)
            for (int64_t t = 0; t < n_points; t += LANES)
                store(z + j * stride + t, difference(tile->points + j * stride + t, center, j));
        FOR_BLOCKS_OF_FOUR(d, add_rows, r, z, stride, n_points, first, second, d);
    }
}
