/* What all rows of a pattern share: L, V and C, or where few features are missing what W makes of them. */

/* The elements j ... j + rows of L^-1 x for n vectors. */
INLINE void solve_rows(const NUMBER *factor, int64_t j, NUMBER *const x[4], const int n, const int rows) {
    const NUMBER *f[4];
    Vector sums[4][4];
    UNROLLED
    for (int row = 0; row < rows; row++) {
        f[row] = factor + triangle(j + row) * LANES;
        UNROLLED
        for (int r = 0; r < n; r++) sums[row][r] = load(x[r] + (j + row) * LANES);
    }
    for (int64_t l = 0; l < j; l++)
        UNROLLED
        for (int r = 0; r < n; r++) {
            const Vector known = load(x[r] + l * LANES);
            UNROLLED
            for (int row = 0; row < rows; row++) sums[row][r] = sums[row][r] - load(f[row] + l * LANES) * known;
        }
    UNROLLED
    for (int row = 0; row < rows; row++)
        UNROLLED
        for (int r = 0; r < n; r++) {
            UNROLLED
            for (int c = 0; c < row; c++)
                sums[row][r] = sums[row][r] - load(f[row] + (j + c) * LANES) * sums[c][r];
            sums[row][r] = sums[row][r] * load(f[row] + (j + row) * LANES);
            store(x[r] + (j + row) * LANES, sums[row][r]);
        }
}

/* x := L^-1 x for n vectors of n_known features, each in lanes; always eight sums that do not wait for one another. */
INLINE void solve(const NUMBER *factor, int64_t n_known, NUMBER *const x[4], const int n) {
    int64_t j = 0;
    if (n <= 2)
        for (; j + 4 <= n_known; j += 4) solve_rows(factor, j, x, n, 4);
    for (; j + 2 <= n_known; j += 2) solve_rows(factor, j, x, n, 2);
    if (j < n_known) solve_rows(factor, j, x, n, 1);
}

/* The rows i ... i + n of L. A component without a factor gets a log-density of NaN, and numbers that harm nobody. */
INLINE void factor_rows(const NUMBER *covariance, const int64_t *features, NUMBER *factor, NUMBER *log_deviations,
                        int64_t i, const int n) {
    NUMBER *x[4] = {NULL};
    Vector block[4][4];
    UNROLLED
    for (int r = 0; r < n; r++) {
        const NUMBER *from = covariance + triangle(features[i + r]) * LANES;
        x[r] = factor + triangle(i + r) * LANES;
        for (int64_t j = 0; j < i; j++) store(x[r] + j * LANES, load(from + features[j] * LANES));
        UNROLLED
        for (int c = 0; c <= r; c++) block[r][c] = load(from + features[i + c] * LANES);
    }
    solve(factor, i, x, n);
    for (int64_t l = 0; l < i; l++) {
        Vector known[4];
        UNROLLED
        for (int r = 0; r < n; r++) {
            known[r] = load(x[r] + l * LANES);
            UNROLLED
            for (int c = 0; c <= r; c++) block[r][c] = block[r][c] - known[r] * known[c];
        }
    }
    const Vector least = broadcast(SMALLEST_PIVOT), one = broadcast(1), nan = broadcast(NAN);
    Vector sum = load(log_deviations + i * LANES);
    UNROLLED
    for (int c = 0; c < n; c++) {
        const Vector pivot = where_less(least, block[c][c], block[c][c], one);
        const Vector inverse = one / square_root(pivot);
        sum = sum + where_less(least, block[c][c], broadcast(0.5) * logarithm(pivot), nan);
        store(log_deviations + (i + c + 1) * LANES, sum);
        store(x[c] + (i + c) * LANES, inverse);
        UNROLLED
        for (int r = c + 1; r < n; r++) {
            block[r][c] = block[r][c] * inverse;
            store(x[r] + (i + c) * LANES, block[r][c]);
            UNROLLED
            for (int b = c + 1; b <= r; b++) block[r][b] = block[r][b] - block[r][c] * block[b][c];
        }
    }
}

/* L of a block, whose rows before `begin`, a multiple of four, are there. */
OUTLINE void factor_block(const Holes *holes, int64_t block, int64_t begin) {
    const int64_t n = holes->n_observed;
    const NUMBER *covariance = holes->covariances + block * triangle(holes->d) * LANES;
    NUMBER *factor = holes->factors + block * triangle(holes->d) * LANES;
    NUMBER *log_deviations = holes->log_deviations + block * (holes->d + 1) * LANES;
    store(log_deviations, broadcast(0));
    int64_t i = begin;
    for (; i + 4 <= n; i += 4) factor_rows(covariance, holes->observed, factor, log_deviations, i, 4);
    switch (n - i) {
        case 1: factor_rows(covariance, holes->observed, factor, log_deviations, i, 1); break;
        case 2: factor_rows(covariance, holes->observed, factor, log_deviations, i, 2); break;
        case 3: factor_rows(covariance, holes->observed, factor, log_deviations, i, 3); break;
        default: break;
    }
}

/* Below a third of the features, W takes fewer multiply-adds than L; where all components share them, below a half. */
INLINE int is_from_roots(const Holes *holes, int64_t n_missing) {
    return n_missing > 0 && (holes->is_tied ? 2 : 3) * n_missing <= holes->d;
}

/* s = q^T x and x := x - s q for n vectors whose elements begin ... d count. */
INLINE void project(const NUMBER *q, int64_t begin, int64_t d, NUMBER *const x[4], NUMBER *const to[4], const int n) {
    Vector s[4], others[4];
    UNROLLED
    for (int r = 0; r < n; r++) s[r] = others[r] = broadcast(0);
    int64_t at = begin;
    for (; at + 2 <= d; at += 2) {
        const Vector along = load(q + at * LANES), next = load(q + (at + 1) * LANES);
        UNROLLED
        for (int r = 0; r < n; r++) {
            s[r] = fma_(along, load(x[r] + at * LANES), s[r]);
            others[r] = fma_(next, load(x[r] + (at + 1) * LANES), others[r]);
        }
    }
    UNROLLED
    for (int r = 0; r < n; r++) {
        if (at < d) s[r] = fma_(load(q + at * LANES), load(x[r] + at * LANES), s[r]);
        s[r] = s[r] + others[r];
    }
    for (int64_t i = begin; i < d; i++) {
        const Vector along = load(q + i * LANES);
        UNROLLED
        for (int r = 0; r < n; r++) store(x[r] + i * LANES, load(x[r] + i * LANES) - s[r] * along);
    }
    UNROLLED
    for (int r = 0; r < n; r++) store(to[r], s[r]);
}

/* The same for n columns from a on, whose products are a row of T. */
INLINE void project_columns(const NUMBER *q, int64_t begin, int64_t d, NUMBER *columns, NUMBER *row, int64_t a,
                            const int n) {
    NUMBER *x[4] = {NULL}, *to[4] = {NULL};
    UNROLLED
    for (int r = 0; r < n; r++) x[r] = columns + (a + r) * d * LANES, to[r] = row + (a + r) * LANES;
    project(q, begin, d, x, to, n);
}

/* Q and T of a block, and the sum of log L_jj of what is observed. */
OUTLINE void orthogonalize(const Holes *holes, int64_t block) {
    const int64_t d = holes->d, n_missing = holes->n_missing;
    NUMBER *columns = holes->columns + block * d * d * LANES, *factor = holes->factors + block * triangle(d) * LANES;
    Vector sum = load(holes->log_roots + block * LANES);
    for (int64_t m = 0; m < n_missing; m++) {
        const int64_t feature = holes->missing[m];
        const NUMBER *from = holes->roots + (block * d + feature) * d * LANES;
        for (int64_t i = feature; i < d; i++) store(columns + (m * d + i) * LANES, load(from + i * LANES));
    }
    for (int64_t m = n_missing - 1; m >= 0; m--) {
        const int64_t begin = holes->missing[m];
        NUMBER *q = columns + m * d * LANES, *row = factor + triangle(m) * LANES;
        Vector squares = broadcast(0);
        for (int64_t i = begin; i < d; i++) squares = fma_(load(q + i * LANES), load(q + i * LANES), squares);
        const Vector inverse = broadcast(1) / square_root(squares);
        sum = sum + broadcast(0.5) * logarithm(squares);
        store(row + m * LANES, inverse);
        for (int64_t i = begin; i < d; i++) store(q + i * LANES, load(q + i * LANES) * inverse);
        FOR_PANELS_OF_FOUR(m, project_columns, q, begin, d, columns, row);
    }
    store(holes->log_deviations + (block * (d + 1) + holes->n_observed) * LANES, sum);
}

/* n rows of V^T from the missing feature m on. */
INLINE void put_columns(const Holes *holes, const NUMBER *covariance, const NUMBER *factor, NUMBER *columns, int64_t m,
                        const int n) {
    NUMBER *x[4] = {NULL};
    UNROLLED
    for (int r = 0; r < n; r++) {
        x[r] = columns + (m + r) * holes->n_observed * LANES;
        for (int64_t j = 0; j < holes->n_observed; j++)
            store(x[r] + j * LANES, covariance_of(covariance, holes->missing[m + r], holes->observed[j]));
    }
    solve(factor, holes->n_observed, x, n);
}

/* C of four missing features from a on with two from b on; rows of V beyond the last are 0. */
INLINE void put_conditional(const Holes *holes, const NUMBER *covariance, const NUMBER *columns, NUMBER *conditional,
                            int64_t a, int64_t b) {
    const int64_t n = holes->n_observed, n_missing = holes->n_missing;
    Vector sums[4][2];
    UNROLLED
    for (int r = 0; r < 8; r++) sums[r / 2][r % 2] = broadcast(0);
    for (int64_t l = 0; l < n; l++) {
        const Vector left = load(columns + (b * n + l) * LANES), right = load(columns + ((b + 1) * n + l) * LANES);
        UNROLLED
        for (int r = 0; r < 4; r++) {
            const Vector v = load(columns + ((a + r) * n + l) * LANES);
            sums[r][0] = fma_(v, left, sums[r][0]);
            sums[r][1] = fma_(v, right, sums[r][1]);
        }
    }
    for (int64_t r = 0; r < 4 && a + r < n_missing; r++)
        for (int64_t c = 0; c < 2 && b + c <= a + r; c++)
            store(conditional + (triangle(a + r) + b + c) * LANES,
                  covariance_of(covariance, holes->missing[a + r], holes->missing[b + c]) - sums[r][c]);
}

/* C of a block from T, of whose inverse row a is the column a of what is solved for here. */
OUTLINE void condition_from_roots(const Holes *holes, int64_t block) {
    const int64_t d = holes->d, n = holes->n_missing;
    NUMBER *factor = holes->factors + block * triangle(d) * LANES, *inverse = factor + triangle(n) * LANES;
    NUMBER *conditional = holes->conditional + block * triangle(d) * LANES;
    for (int64_t c = 0; c < n; c++) {
        NUMBER *const x[4] = {inverse + c * n * LANES};
        for (int64_t a = 0; a < n; a++) store(x[0] + a * LANES, broadcast(a == c));
        solve(factor, n, x, 1);
    }
    for (int64_t a = 0; a < n; a++)
        for (int64_t b = 0; b <= a; b++) {
            Vector sum = broadcast(0);
            for (int64_t c = 0; c <= b; c++)
                sum = fma_(load(inverse + (c * n + a) * LANES), load(inverse + (c * n + b) * LANES), sum);
            store(conditional + (triangle(a) + b) * LANES, sum);
        }
    holes->has_columns[block] = 1;
}

/* V^T and C of a block, once for its pattern. */
OUTLINE void condition(const Holes *holes, int64_t block) {
    const int64_t d = holes->d, n = holes->n_observed, n_missing = holes->n_missing;
    const NUMBER *covariance = holes->covariances + block * triangle(d) * LANES;
    const NUMBER *factor = holes->factors + block * triangle(d) * LANES;
    NUMBER *columns = holes->columns + block * d * d * LANES;
    NUMBER *conditional = holes->conditional + block * triangle(d) * LANES;
    FOR_PANELS_OF_FOUR(n_missing, put_columns, holes, covariance, factor, columns);
    for (int64_t at = n_missing * n; at < (n_missing + 3) / 4 * 4 * n; at++) store(columns + at * LANES, broadcast(0));
    for (int64_t a = 0; a < n_missing; a += 4)
        for (int64_t b = 0; b < a + 4; b += 2) put_conditional(holes, covariance, columns, conditional, a, b);
    holes->has_columns[block] = 1;
}
