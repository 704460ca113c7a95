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

/* Below the smallest normal number a pivot has no logarithm, nor where rounding made it negative. */
#define SMALLEST_PIVOT 2.3e-308

INLINE int64_t triangle(int64_t n) { return n * (n + 1) / 2; }

/* Of components that share their covariance, see incomplete_tied.h: what does not depend on a row, what is the
 * pattern's, the row's, and the scatter with the rows that are yet to be added to it. */
typedef struct {
    int64_t stride; /* of lines of features, whole vectors */
    NUMBER *pivot, *roots, *precisions, *whitened_means;
    NUMBER *factor, *inverse;
    NUMBER *differences, *whitened;
    NUMBER *observed, *halves, *weights, *scatter; /* a_O; w a_O / 2 + b; wr */
    int64_t *n_waiting;
} Shared;

typedef struct {
    int64_t d, n_components, n_blocks, n_factors; /* n_factors is 1 where the covariance is tied */
    int is_tied, has_scatter;
    double exponent;
    NUMBER *log_weights, *means, *covariances;
    NUMBER *roots, *log_roots; /* W, column by column, and the sums of log L_jj of whole covariances */
    int from_roots;            /* whether the pattern lacks so few features that it is computed from W */
    /* Of the pattern: features, L with the inverses of its diagonal, sums of log L_jj from 0 rows on, V^T, and C. */
    int64_t *observed, *missing, *other, n_observed, n_missing;
    /* |O| log(2 pi)/2, which stands in memory, so that no compiler rounds it in one place and not in another. */
    NUMBER half_log_two_pi;
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
    Shared shared;
} Holes;

INLINE Shared shared_in(int64_t *integers, int64_t d, int64_t n_blocks) {
    const int64_t stride = (d + LANES - 1) / LANES * LANES;
    Shared shared = {.stride = stride, .n_waiting = integers};
    NUMBER *next = (NUMBER *)(integers + 8);
#define NUMBERS(name, n) shared.name = next, next += (n)
    NUMBERS(pivot, stride);
    NUMBERS(differences, ROWS_TOGETHER * stride);
    NUMBERS(whitened, stride);
    NUMBERS(observed, ROWS_TOGETHER * stride);
    NUMBERS(halves, ROWS_TOGETHER * stride);
    NUMBERS(weights, ROWS_TOGETHER * n_blocks * LANES);
    NUMBERS(whitened_means, n_blocks * d * LANES);
    NUMBERS(roots, d * stride);
    NUMBERS(scatter, d * stride);
    NUMBERS(precisions, d * d);
    NUMBERS(factor, d * d);
    NUMBERS(inverse, d * stride);
#undef NUMBERS
    return shared;
}

/* Cut the scratch behind the tile; fastgmm_incomplete_scratch_bytes knows its size. */
INLINE Holes holes_in(const Tile *tile, const fastgmm_prepared *prepared, int64_t d, const int is_tied) {
    const int64_t n_blocks = (prepared->n_components + LANES - 1) / LANES, n_factors = is_tied ? 1 : n_blocks;
    Holes holes = {.d = d, .n_components = prepared->n_components, .n_blocks = n_blocks, .n_factors = n_factors,
                   .is_tied = is_tied, .exponent = prepared->exponent, .n_observed = -1};
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
    holes.observed = integers, integers += d + 1; /* a number may be written behind the last */
    holes.missing = integers, integers += d + 1;
    holes.other = integers, integers += d + 1; /* in turn with `observed` */
    holes.has_columns = integers, integers += n_factors;
    holes.n_waiting = integers, integers += (n_blocks + 7) / 8 * 8;
    if (is_tied) holes.shared = shared_in(integers, d, n_blocks);
    return holes;
}

/* Put the covariances and W of a block into lanes: row by row, and column by column with 0 above the diagonal. */
OUTLINE void arrange_matrices(const Holes *holes, const fastgmm_prepared *prepared, int64_t block) {
    const int64_t d = holes->d;
    const double *covariances[LANES], *inverses[LANES];
    NUMBER *covariance = holes->covariances + block * triangle(d) * LANES;
    NUMBER *root = holes->roots + block * d * d * LANES;
    Vector sum = broadcast(0);
    for (int64_t lane = 0; lane < LANES; lane++) {
        const int64_t k = holes->is_tied ? 0 : smaller(block * LANES + lane, holes->n_components - 1);
        covariances[lane] = (const double *)prepared->scales + k * d * d;
        inverses[lane] = prepared->inverse_cholesky + k * d * d;
    }
    for (int64_t i = 0; i < d; i++)
        for (int64_t j = 0; j <= i; j++)
            for (int64_t lane = 0; lane < LANES; lane++)
                covariance[(triangle(i) + j) * LANES + lane] = covariances[lane][i * d + j];
    for (int64_t j = 0; j < d; j++) {
        for (int64_t i = 0; i < j; i++) store(root + (j * d + i) * LANES, broadcast(0));
        for (int64_t i = j; i < d; i++)
            for (int64_t lane = 0; lane < LANES; lane++)
                root[(j * d + i) * LANES + lane] = inverses[lane][i * d + j];
        const Vector pivot = load(root + (j * d + j) * LANES);
        sum = sum - where_less(broadcast(SMALLEST_PIVOT), pivot, logarithm(pivot), broadcast(NAN));
    }
    store(holes->log_roots + block * LANES, sum);
}

/* Put parameters into lanes; those beyond the last component are the last one's, and weigh nothing. */
OUTLINE void arrange(const Holes *holes, const fastgmm_prepared *prepared) {
    const int64_t d = holes->d, last = holes->n_components - 1;
    const double *log_weights = prepared->log_constants;
    for (int64_t at = 0; at < holes->n_blocks * LANES; at++) {
        const int64_t k = smaller(at, last), block = at / LANES, lane = at % LANES;
        holes->log_weights[at] = at > last ? -INFINITY : log_weights[k];
        for (int64_t j = 0; j < d; j++) holes->means[(block * d + j) * LANES + lane] = prepared->means[k * d + j];
    }
    for (int64_t block = 0; block < holes->n_factors; block++) arrange_matrices(holes, prepared, block);
}

/* Begin the moments of a tile. */
OUTLINE void clear_moments(const Holes *holes) {
    const int64_t d = holes->d;
    for (int64_t block = 0; block < holes->n_blocks; block++) holes->n_waiting[block] = 0;
    memset(holes->counts, 0, (size_t)(holes->n_blocks * LANES) * sizeof(NUMBER));
    memset(holes->first, 0, (size_t)(holes->n_blocks * d * LANES) * sizeof(NUMBER));
    memset(holes->second, 0, (size_t)(holes->n_factors * triangle(d) * LANES) * sizeof(NUMBER));
}

/* The place of a pair of features in a triangle. */
INLINE int64_t pair_at(int64_t i, int64_t j) { return (i < j ? triangle(j) + i : triangle(i) + j) * LANES; }

INLINE Vector covariance_of(const NUMBER *covariance, int64_t i, int64_t j) { return load(covariance + pair_at(i, j)); }

/* Which block of factors is that of a block of components. */
INLINE int64_t factor_of(const Holes *holes, int64_t block) { return holes->is_tied ? 0 : block; }

INLINE NUMBER *whitened_of(const Holes *holes, int64_t block, int64_t r) {
    return holes->whitened + 2 * (block * ROWS_TOGETHER + r) * holes->d * LANES;
}

/* Behind y: Q^T z, or where a covariance is shared a_k = v, and then a_k = E[x_M | x_O, k] - pivot_M. */
INLINE NUMBER *shifts_of(const Holes *holes, int64_t block, int64_t r) {
    return whitened_of(holes, block, r) + holes->d * LANES;
}

INLINE Vector mean_from_pivot(const Holes *holes, int64_t block, int64_t j) {
    return load(holes->means + (block * holes->d + j) * LANES) - broadcast(holes->shared.pivot[j]);
}

/* The joint log-densities of a block at the row r, from |y|^2. */
INLINE void put_joint_of_block(const Holes *holes, int64_t r, int64_t block, Vector q) {
    const int64_t n_observed = holes->n_observed, shared = factor_of(holes, block);
    const Vector c = load(holes->log_weights + block * LANES) - broadcast(holes->half_log_two_pi) -
                     load(holes->log_deviations + (shared * (holes->d + 1) + n_observed) * LANES);
    const Vector joint = broadcast(holes->exponent) * fma_(broadcast(-0.5), q, c), lowest = broadcast(LOWEST);
    store(holes->joint + (r * holes->n_blocks + block) * LANES, where_less(lowest, joint, joint, lowest));
}
