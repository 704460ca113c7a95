/* Rows with holes under components with covariance matrices, each its own or one for all (tied).
 *
 * Where most features are missing we factor what is observed, as kernels/incomplete.py writes it. Where few are, and
 * each component has its own covariance, less is to do from W, the inverse factor of the whole covariance: with z = W of
 * differences that are 0 in the holes, the missing differences are those that make |z + W_M delta_M| smallest. With an
 * orthogonal Q and a triangular T, W_M = Q T,
 *     E[delta_M | x_O] = -T^-1 Q^T z,   C = (T^T T)^-1,   |y|^2 = |z - Q Q^T z|^2,   det Sigma_OO = det Sigma (det T)^2,
 * by modified Gram-Schmidt, which is as good as Householder's reflections where z is among the vectors (A. Bjorck,
 * "Numerical Methods for Least Squares Problems", SIAM 1996, 2.4). It begins with the last feature, since W is lower
 * triangular: column j is 0 before row j. T is then lower triangular as well.
 *
 * Lanes are components, LANES of them in a block, so that all lanes have one pattern. A triangle of a block stands row
 * by row, LANES numbers for each element; where a covariance is tied, one block of it serves all.
 * Of the patterns that follow one another, the later keeps the rows of L of the features that both observe first: they
 * are the same sums in the same order.
 */

#define ROWS_TOGETHER 4 /* of one pattern, whose y share what is read of L */

INLINE int64_t triangle(int64_t n) { return n * (n + 1) / 2; }

typedef struct {
    int64_t d, n_components, n_blocks, n_factors; /* n_factors is 1 where the covariance is tied */
    int is_tied;
    double exponent;
    NUMBER *log_weights, *means, *covariances;
    NUMBER *roots, *log_roots; /* W, column by column, and the sums of log L_jj of whole covariances */
    int from_roots;            /* whether the pattern lacks so few features that it is computed from W */
    /* Of the pattern: features, L with the inverses of its diagonal, sums of log L_jj from 0 rows on, V^T, and C. */
    int64_t *observed, *missing, n_observed, n_missing;
    NUMBER *factors, *log_deviations, *columns, *conditional;
    int64_t *has_columns;
    int run_is_ready; /* whether incomplete_runs.h has prepared the pattern */
    /* Of up to ROWS_TOGETHER rows: y of every block, and for each component joint log-density or responsibility. */
    NUMBER *whitened, *joint;
    /* Rows whose squares are yet to be added: e and wr of every block. */
    NUMBER *expected, *weights;
    int64_t *n_waiting;
    /* Moments of the tile. */
    NUMBER *counts, *first, *second;
    /* Its rows, one after the other, and where they come from. */
    NUMBER *rows;
    int64_t *places;
} Holes;

/* Cut the scratch behind the tile; fastgmm_incomplete_scratch_bytes knows its size. */
INLINE Holes holes_in(const Tile *tile, const fastgmm_prepared *prepared, int64_t d, const int is_tied) {
    const int64_t n_blocks = (prepared->n_components + LANES - 1) / LANES, n_factors = is_tied ? 1 : n_blocks;
    Holes holes = {.d = d, .n_components = prepared->n_components, .n_blocks = n_blocks, .n_factors = n_factors,
                   .is_tied = is_tied,                    .exponent = prepared->exponent, .n_observed = -1};
    const uintptr_t end = (uintptr_t)(tile->low + d) + FASTGMM_ALIGNMENT - 1;
    NUMBER *next = (NUMBER *)(end & ~(uintptr_t)(FASTGMM_ALIGNMENT - 1));
#define VECTORS(name, n) holes.name = next, next += (n) * LANES
    VECTORS(log_weights, n_blocks);
    VECTORS(means, n_blocks * d);
    VECTORS(covariances, n_factors * triangle(d));
    VECTORS(factors, n_factors * triangle(d));
    VECTORS(log_deviations, n_factors * (d + 1));
    VECTORS(columns, n_factors * d * d);
    VECTORS(roots, n_factors * d * d);
    VECTORS(log_roots, n_factors);
    VECTORS(conditional, n_factors * triangle(d));
    VECTORS(whitened, 2 * ROWS_TOGETHER * n_blocks * d);
    VECTORS(joint, ROWS_TOGETHER * n_blocks);
    VECTORS(expected, ROWS_TOGETHER * n_blocks * d);
    VECTORS(weights, ROWS_TOGETHER * n_blocks);
    VECTORS(counts, n_blocks);
    VECTORS(first, n_blocks * d);
    VECTORS(second, n_factors * triangle(d));
#undef VECTORS
    holes.rows = next, next += tile->stride * d;
    int64_t *integers = (int64_t *)next;
    holes.places = integers, integers += tile->stride;
    holes.observed = integers, integers += d;
    holes.missing = integers, integers += d;
    holes.has_columns = integers, integers += n_factors;
    holes.n_waiting = integers;
    return holes;
}

/* Put parameters into lanes; those beyond the last component are the last one's, and weigh nothing. */
OUTLINE void arrange(const Holes *holes, const fastgmm_prepared *prepared) {
    const int64_t d = holes->d, last = holes->n_components - 1;
    const double *covariances = prepared->scales, *log_weights = prepared->log_constants;
    for (int64_t at = 0; at < holes->n_blocks * LANES; at++) {
        const int64_t k = smaller(at, last), block = at / LANES, lane = at % LANES;
        holes->log_weights[at] = at > last ? -INFINITY : log_weights[k];
        for (int64_t j = 0; j < d; j++) holes->means[(block * d + j) * LANES + lane] = prepared->means[k * d + j];
    }
    for (int64_t at = 0; at < holes->n_factors * LANES; at++) {
        const int64_t k = prepared->family == FASTGMM_TIED ? 0 : smaller(at, last);
        const double *from = covariances + k * d * d;
        NUMBER *to = holes->covariances + at / LANES * triangle(d) * LANES + at % LANES;
        for (int64_t i = 0; i < d; i++)
            for (int64_t j = 0; j <= i; j++) to[(triangle(i) + j) * LANES] = from[i * d + j];
    }
    for (int64_t block = 0; block < holes->n_blocks; block++) holes->n_waiting[block] = 0;
    memset(holes->counts, 0, (size_t)(holes->n_blocks * LANES) * sizeof(NUMBER));
    memset(holes->first, 0, (size_t)(holes->n_blocks * d * LANES) * sizeof(NUMBER));
    memset(holes->second, 0, (size_t)(holes->n_factors * triangle(d) * LANES) * sizeof(NUMBER));
}

INLINE Vector covariance_of(const NUMBER *covariance, int64_t i, int64_t j) {
    return load(covariance + (i < j ? triangle(j) + i : triangle(i) + j) * LANES);
}

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

/* Below the smallest normal number a pivot has no logarithm, nor where rounding made it negative. */
#define SMALLEST_PIVOT 2.3e-308

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

/* W of a block, once for all rows. */
OUTLINE void invert_root(Holes *holes, int64_t block) {
    const int64_t d = holes->d;
    const NUMBER *factor = holes->factors + block * triangle(d) * LANES;
    NUMBER *root = holes->roots + block * d * d * LANES;
    for (int64_t j = 0; j < d; j++) holes->observed[j] = j;
    holes->n_observed = d;
    factor_block(holes, block, 0);
    holes->n_observed = -1;
    store(holes->log_roots + block * LANES, load(holes->log_deviations + (block * (d + 1) + d) * LANES));
    for (int64_t j = 0; j < d; j++) {
        NUMBER *const x[4] = {root + j * d * LANES};
        for (int64_t i = 0; i < d; i++) store(x[0] + i * LANES, broadcast(i == j));
        solve(factor, d, x, 1);
    }
}

/* Below a third of the features, W takes fewer multiply-adds than L. */
INLINE int is_from_roots(const Holes *holes, int64_t n_missing) {
    return !holes->is_tied && 3 * n_missing <= holes->d;
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

/* Take the pattern of a row, and factor what it does not share with the pattern before. A run is computed from L however
 * few features it lacks. */
OUTLINE void take_pattern(Holes *holes, const NUMBER *row, int of_run) {
    int64_t n_observed = 0, n_missing = 0, n_shared = 0;
    for (int64_t j = 0; j < holes->d; j++) {
        if (isnan(row[j])) {
            holes->missing[n_missing++] = j;
            continue;
        }
        if (n_shared == n_observed && n_observed < holes->n_observed && holes->observed[n_observed] == j) n_shared++;
        holes->observed[n_observed++] = j;
    }
    const int from_roots = !of_run && is_from_roots(holes, n_missing);
    if (n_shared == n_observed && n_observed == holes->n_observed && from_roots == holes->from_roots) return;
    /* What came before decides what is kept of L, but never how a pattern is computed. */
    if (holes->from_roots) n_shared = 0;
    holes->from_roots = from_roots;
    holes->run_is_ready = 0;
    holes->n_observed = n_observed;
    holes->n_missing = n_missing;
    for (int64_t block = 0; block < holes->n_factors; block++) {
        holes->has_columns[block] = 0;
        if (holes->from_roots)
            orthogonalize(holes, block);
        else
            factor_block(holes, block, n_shared / 4 * 4);
    }
}

INLINE NUMBER *whitened_of(const Holes *holes, int64_t block, int64_t r) {
    return holes->whitened + 2 * (block * ROWS_TOGETHER + r) * holes->d * LANES;
}

/* z += W delta of n observed features from j on. */
INLINE void add_root_columns(const Holes *holes, const NUMBER *row, const NUMBER *mean, const NUMBER *root, NUMBER *z,
                             int64_t j, const int n) {
    const NUMBER *columns[4];
    Vector difference[4];
    UNROLLED
    for (int c = 0; c < n; c++) {
        const int64_t feature = holes->observed[j + c];
        columns[c] = root + feature * holes->d * LANES;
        difference[c] = broadcast(row[feature]) - load(mean + feature * LANES);
    }
    for (int64_t i = holes->observed[j]; i < holes->d; i++) {
        Vector sum = load(z + i * LANES);
        UNROLLED
        for (int c = 0; c < n; c++) sum = fma_(load(columns[c] + i * LANES), difference[c], sum);
        store(z + i * LANES, sum);
    }
}

/* z - Q Q^T z, and behind it Q^T z, of n rows. */
INLINE void put_residuals(const Holes *holes, const NUMBER *rows, int64_t block, NUMBER *const z[4], const int n) {
    const int64_t d = holes->d;
    const NUMBER *mean = holes->means + block * d * LANES, *root = holes->roots + block * d * d * LANES;
    for (int r = 0; r < n; r++) {
        for (int64_t i = 0; i < d; i++) store(z[r] + i * LANES, broadcast(0));
        FOR_PANELS_OF_FOUR(holes->n_observed, add_root_columns, holes, rows + r * d, mean, root, z[r]);
    }
    for (int64_t m = holes->n_missing - 1; m >= 0; m--) {
        NUMBER *to[4] = {NULL};
        UNROLLED
        for (int r = 0; r < n; r++) to[r] = z[r] + (d + m) * LANES;
        project(holes->columns + (block * d + m) * d * LANES, holes->missing[m], d, z, to, n);
    }
}

/* The differences of what is observed. */
INLINE void put_differences(const Holes *holes, const NUMBER *row, int64_t block, NUMBER *to) {
    const NUMBER *mean = holes->means + block * holes->d * LANES;
    for (int64_t j = 0; j < holes->n_observed; j++) {
        const int64_t feature = holes->observed[j];
        store(to + j * LANES, broadcast(row[feature]) - load(mean + feature * LANES));
    }
}

/* y = L^-1 of the differences of n rows. */
INLINE void put_whitened(const Holes *holes, const NUMBER *rows, int64_t block, NUMBER *const y[4], const int n) {
    UNROLLED
    for (int r = 0; r < n; r++) put_differences(holes, rows + r * holes->d, block, y[r]);
    solve(holes->factors + block * triangle(holes->d) * LANES, holes->n_observed, y, n);
}

/* Joint log-densities of a block at n rows of the pattern. */
INLINE void put_joint_of_rows(const Holes *holes, const NUMBER *rows, int64_t block, const int n) {
    const int64_t d = holes->d, n_observed = holes->n_observed, shared = holes->n_factors == 1 ? 0 : block;
    const int64_t length = holes->from_roots ? d : n_observed;
    const Vector c = load(holes->log_weights + block * LANES) - broadcast(0.5 * LOG_TWO_PI * (NUMBER)n_observed) -
                     load(holes->log_deviations + (shared * (d + 1) + n_observed) * LANES);
    NUMBER *y[4] = {NULL};
    UNROLLED
    for (int r = 0; r < n; r++) y[r] = whitened_of(holes, block, r);
    if (holes->from_roots)
        put_residuals(holes, rows, block, y, n);
    else if (!holes->is_tied)
        put_whitened(holes, rows, block, y, n);
    UNROLLED
    for (int r = 0; r < n; r++) {
        Vector q = broadcast(0);
        for (int64_t j = 0; j < length; j++) q = fma_(load(y[r] + j * LANES), load(y[r] + j * LANES), q);
        const Vector joint = broadcast(holes->exponent) * fma_(broadcast(-0.5), q, c), lowest = broadcast(LOWEST);
        store(holes->joint + (r * holes->n_blocks + block) * LANES, where_less(lowest, joint, joint, lowest));
    }
}

/* y of a row in n blocks that share their L. */
INLINE void put_whitened_in_blocks(const Holes *holes, const NUMBER *row, int64_t r, int64_t block, const int n) {
    NUMBER *y[4] = {NULL};
    UNROLLED
    for (int b = 0; b < n; b++) {
        y[b] = whitened_of(holes, block + b, r);
        put_differences(holes, row, block + b, y[b]);
    }
    solve(holes->factors, holes->n_observed, y, n);
}

/* The same of all blocks. */
OUTLINE void put_joints(const Holes *holes, const NUMBER *rows, int64_t n) {
    for (int64_t r = 0; holes->is_tied && r < n; r++)
        FOR_PANELS_OF_FOUR(holes->n_blocks, put_whitened_in_blocks, holes, rows + r * holes->d, r);
    for (int64_t block = 0; block < holes->n_blocks; block++) switch (n) {
            case 1: put_joint_of_rows(holes, rows, block, 1); break;
            case 2: put_joint_of_rows(holes, rows, block, 2); break;
            case 3: put_joint_of_rows(holes, rows, block, 3); break;
            default: put_joint_of_rows(holes, rows, block, 4); break;
        }
}

/* Add the priors of a row to its joint log-densities. */
OUTLINE void add_priors_of_row(const fastgmm_rows *rows, int64_t row, NUMBER *joint, int64_t n_components) {
    const double *priors = priors_of(rows, row, n_components);
    for (int64_t k = 0; priors && k < n_components; k++) {
        const double sum = joint[k] + priors[k];
        joint[k] = sum > EXCLUDED ? sum : EXCLUDED;
    }
}

/* Turn the joint log-densities of a row into weighted responsibilities, and add to the totals. */
OUTLINE void weigh(const Holes *holes, NUMBER *joint, double weight, NUMBER margin, double *totals) {
    const int64_t n_components = holes->n_components;
    NUMBER lanes[LANES], sum = 0;
    for (int64_t k = n_components; k < holes->n_blocks * LANES; k++) joint[k] = -INFINITY;
    Vector each = load(joint), sums = broadcast(0);
    for (int64_t block = 1; block < holes->n_blocks; block++)
        each = where_less(each, load(joint + block * LANES), load(joint + block * LANES), each);
    const NUMBER largest = largest_lane(each);
    for (int64_t block = 0; block < holes->n_blocks; block++) {
        const Vector x = load(joint + block * LANES) - broadcast(largest);
        const int matters = lanes_less(broadcast(-margin), x) != 0;
        const Vector value = matters ? exponential(x, broadcast(-margin)) : broadcast(0);
        store(joint + block * LANES, value);
        sums = sums + value;
    }
    store(lanes, sums);
    for (int64_t lane = 0; lane < LANES; lane++) sum += lanes[lane];
    const Vector scale = broadcast(weight / sum);
    for (int64_t block = 0; block < holes->n_blocks; block++) {
        const Vector r = load(joint + block * LANES) * scale;
        store(joint + block * LANES, r);
        store(holes->counts + block * LANES, load(holes->counts + block * LANES) + r);
    }
    store(lanes, log_density_of(broadcast(largest), broadcast(sum)));
    totals[0] += weight;
    totals[1] += weight * lanes[0];
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

/* Add wr e e^T of the rows that wait to n rows of S from i on, and wr e to s. */
INLINE void add_square_rows(const NUMBER *e, const NUMBER *weights, int64_t d, NUMBER *first, NUMBER *second, int64_t i,
                            const int n) {
    Vector weighted[2][ROWS_TOGETHER];
    UNROLLED
    for (int row = 0; row < n; row++) {
        Vector sum = load(first + (i + row) * LANES);
        UNROLLED
        for (int r = 0; r < ROWS_TOGETHER; r++) {
            weighted[row][r] = load(weights + r * LANES) * load(e + (r * d + i + row) * LANES);
            sum = sum + weighted[row][r];
        }
        store(first + (i + row) * LANES, sum);
    }
    for (int64_t j = 0; j < i; j++)
        UNROLLED
        for (int row = 0; row < n; row++) {
            NUMBER *at = second + (triangle(i + row) + j) * LANES;
            Vector sum = load(at);
            UNROLLED
            for (int r = 0; r < ROWS_TOGETHER; r++) sum = fma_(weighted[row][r], load(e + (r * d + j) * LANES), sum);
            store(at, sum);
        }
    UNROLLED
    for (int row = 0; row < n; row++)
        UNROLLED
        for (int column = 0; column <= row; column++) {
            NUMBER *at = second + (triangle(i + row) + i + column) * LANES;
            Vector sum = load(at);
            UNROLLED
            for (int r = 0; r < ROWS_TOGETHER; r++)
                sum = fma_(weighted[row][r], load(e + (r * d + i + column) * LANES), sum);
            store(at, sum);
        }
}

/* Add the rows that wait to s and S. */
OUTLINE void add_waiting(const Holes *holes, int64_t block) {
    const int64_t d = holes->d, shared = holes->n_factors == 1 ? 0 : block;
    NUMBER *e = holes->expected + block * ROWS_TOGETHER * d * LANES;
    NUMBER *weights = holes->weights + block * ROWS_TOGETHER * LANES;
    NUMBER *first = holes->first + block * d * LANES, *second = holes->second + shared * triangle(d) * LANES;
    for (int64_t r = holes->n_waiting[block]; r < ROWS_TOGETHER; r++) {
        store(weights + r * LANES, broadcast(0));
        for (int64_t j = 0; j < d; j++) store(e + (r * d + j) * LANES, broadcast(0));
    }
    int64_t i = 0;
    for (; i + 2 <= d; i += 2) add_square_rows(e, weights, d, first, second, i, 2);
    if (i < d) add_square_rows(e, weights, d, first, second, i, 1);
    holes->n_waiting[block] = 0;
}

/* e = (x_O - mu_O, V^T y) of a row, in the order of features. */
INLINE void put_expected(const Holes *holes, const NUMBER *row, int64_t block, NUMBER *y, NUMBER *e) {
    const int64_t d = holes->d, n = holes->n_observed, shared = holes->n_factors == 1 ? 0 : block;
    const NUMBER *mean = holes->means + block * d * LANES, *columns = holes->columns + shared * d * d * LANES;
    for (int64_t j = 0; j < n; j++) {
        const int64_t feature = holes->observed[j];
        store(e + feature * LANES, broadcast(row[feature]) - load(mean + feature * LANES));
    }
    if (holes->from_roots) {
        NUMBER *const x[4] = {y + d * LANES};
        solve(holes->factors + block * triangle(d) * LANES, holes->n_missing, x, 1);
        for (int64_t m = 0; m < holes->n_missing; m++) store(e + holes->missing[m] * LANES, -load(x[0] + m * LANES));
        return;
    }
    for (int64_t m = 0; m < holes->n_missing; m += 4) {
        Vector sums[4];
        UNROLLED
        for (int r = 0; r < 4; r++) sums[r] = broadcast(0);
        for (int64_t j = 0; j < n; j++) {
            const Vector known = load(y + j * LANES);
            UNROLLED
            for (int r = 0; r < 4; r++) sums[r] = fma_(load(columns + ((m + r) * n + j) * LANES), known, sums[r]);
        }
        for (int64_t r = 0; r < 4 && m + r < holes->n_missing; r++)
            store(e + holes->missing[m + r] * LANES, sums[r]);
    }
}

/* Add wr C to the block MM of S. */
INLINE void add_conditional(const Holes *holes, int64_t shared, Vector weight) {
    const NUMBER *conditional = holes->conditional + shared * triangle(holes->d) * LANES;
    NUMBER *second = holes->second + shared * triangle(holes->d) * LANES;
    for (int64_t a = 0; a < holes->n_missing; a++)
        for (int64_t b = 0; b <= a; b++) {
            NUMBER *at = second + (triangle(holes->missing[a]) + holes->missing[b]) * LANES;
            store(at, fma_(weight, load(conditional + (triangle(a) + b) * LANES), load(at)));
        }
}

/* Add n rows of the pattern, whose weighted responsibilities stand in `joint`, to the moments of the tile. */
OUTLINE void add_moments_of_rows(const Holes *holes, const NUMBER *rows, int64_t n) {
    const int64_t d = holes->d;
    const int is_tied = holes->is_tied;
    Vector of_all = broadcast(0);
    for (int64_t block = 0; block < holes->n_blocks; block++) {
        Vector of_block = broadcast(0);
        for (int64_t r = 0; r < n; r++) {
            const Vector weight = load(holes->joint + (r * holes->n_blocks + block) * LANES);
            if (!lanes_less(broadcast(0), weight)) continue;
            if (!holes->has_columns[is_tied ? 0 : block]) {
                if (holes->from_roots)
                    condition_from_roots(holes, block);
                else
                    condition(holes, is_tied ? 0 : block);
            }
            of_block = of_block + weight;
            const int64_t at = block * ROWS_TOGETHER + holes->n_waiting[block]++;
            store(holes->weights + at * LANES, weight);
            put_expected(holes, rows + r * d, block, whitened_of(holes, block, r), holes->expected + at * d * LANES);
            if (holes->n_waiting[block] == ROWS_TOGETHER) add_waiting(holes, block);
        }
        of_all = of_all + of_block;
        if (!is_tied && lanes_less(broadcast(0), of_block)) add_conditional(holes, block, of_block);
    }
    if (is_tied && lanes_less(broadcast(0), of_all)) add_conditional(holes, 0, of_all);
}

/* Hand the moments of the tile over to the slot. */
OUTLINE void hand_over(const Holes *holes, const Slot *slot) {
    const int64_t d = holes->d;
    for (int64_t block = 0; block < holes->n_blocks; block++)
        if (holes->n_waiting[block] > 0) add_waiting(holes, block);
    for (int64_t k = 0; k < holes->n_components; k++) {
        const int64_t block = k / LANES, lane = k % LANES;
        slot->counts[k] += holes->counts[k];
        for (int64_t j = 0; j < d; j++) slot->first[k * d + j] += holes->first[(block * d + j) * LANES + lane];
    }
    /* Those of a tied covariance are a sum over the lanes. */
    const int64_t n = slot->second_step ? holes->n_components : LANES;
    for (int64_t k = 0; k < n; k++) {
        const NUMBER *from = holes->second + k / LANES * triangle(d) * LANES + k % LANES;
        double *to = slot->second + k * slot->second_step;
        for (int64_t i = 0; i < d; i++)
            for (int64_t j = 0; j <= i; j++) to[i * d + j] += from[(triangle(i) + j) * LANES];
    }
    memset(holes->counts, 0, (size_t)(holes->n_blocks * LANES) * sizeof(NUMBER));
    memset(holes->first, 0, (size_t)(holes->n_blocks * d * LANES) * sizeof(NUMBER));
    memset(holes->second, 0, (size_t)(holes->n_factors * triangle(d) * LANES) * sizeof(NUMBER));
}
