/* A run, many rows of one pattern next to each other, under components that have a covariance matrix each.
 *
 * The rows are complete in the features O that they have, so the full family's kernel collects N, s_O and S_OO of them
 * under N(mu_O, Sigma_OO), with L^-1 of L L^T = Sigma_OO. Then each component's moments are lifted to all features, once:
 *     B = V^T L^-1,   A = [I; B],   s = A s_O,   S = A S_OO A^T + N C
 * A row's log-density is not asked for in this way, lest it depend on its neighbors.
 */

/* So many rows repay it: two vectors are the fewest that the full family takes. Factors and lifts of a run took 5 us with
 * 16 features and 32 components, half of it where its pattern goes on from the tile before; a row less 0.7 us. */
INLINE int is_run(int64_t d, int64_t n) {
    return d <= FASTGMM_MOST_FEATURES_OF_A_RUN && n >= 2 * LANES && 2 * n >= d;
}

typedef struct {
    /* What the full family's kernel reads and writes, components one after the other. */
    NUMBER *constants, *means, *factors, *counts, *first, *second;
    /* B of every block, and of one block a triangle and B S. */
    NUMBER *lifts, *triangle, *products;
} Run;

/* Cut the scratch behind the holes. */
INLINE Run run_in(const Holes *holes) {
    const int64_t d = holes->d, n = holes->n_blocks * LANES;
    NUMBER *next = (NUMBER *)(holes->n_waiting + (holes->n_blocks + 7) / 8 * 8);
    Run run = {NULL};
    if (holes->is_tied || d > FASTGMM_MOST_FEATURES_OF_A_RUN) return run;
#define NUMBERS(name, size) run.name = next, next += (size)
    NUMBERS(constants, n);
    NUMBERS(counts, n);
    NUMBERS(means, n * d);
    NUMBERS(first, n * d);
    NUMBERS(factors, n * d * d);
    NUMBERS(second, n * d * d);
    NUMBERS(lifts, n * d * d);
    NUMBERS(triangle, triangle(d) * LANES);
    NUMBERS(products, d * d * LANES);
#undef NUMBERS
    return run;
}

/* The rows of L^-1: (L^-1)_ic = -(sum_{c <= l < i} L_il (L^-1)_lc) / L_ii for n columns from c on, all before i. */
INLINE void invert_columns(const NUMBER *factor, NUMBER *inverse, int64_t i, int64_t c, const int n) {
    const NUMBER *row = factor + triangle(i) * LANES;
    Vector sums[4];
    UNROLLED
    for (int r = 0; r < n; r++) {
        sums[r] = broadcast(0);
        for (int64_t l = c + r; l < c + n; l++)
            sums[r] = fma_(load(row + l * LANES), load(inverse + (triangle(l) + c + r) * LANES), sums[r]);
    }
    for (int64_t l = c + n; l < i; l++) {
        const Vector known = load(row + l * LANES);
        UNROLLED
        for (int r = 0; r < n; r++) sums[r] = fma_(known, load(inverse + (triangle(l) + c + r) * LANES), sums[r]);
    }
    UNROLLED
    for (int r = 0; r < n; r++)
        store(inverse + (triangle(i) + c + r) * LANES, -(load(row + i * LANES) * sums[r]));
}

/* The parameters of a block for the observed features; the exponent A makes A c of c, and sqrt(A) L^-1 of L^-1. */
OUTLINE void put_parameters_of_run(const Holes *holes, const Run *run, int64_t block) {
    const int64_t d = holes->d, n = holes->n_observed;
    const NUMBER *factor = holes->factors + block * triangle(d) * LANES, root = sqrt(holes->exponent);
    const Vector c = load(holes->log_weights + block * LANES) - broadcast(0.5 * LOG_TWO_PI * (NUMBER)n) -
                     load(holes->log_deviations + (block * (d + 1) + n) * LANES);
    store(run->constants + block * LANES, broadcast(holes->exponent) * c);
    for (int64_t i = 0; i < n; i++) {
        FOR_PANELS_OF_FOUR(i, invert_columns, factor, run->triangle, i);
        store(run->triangle + (triangle(i) + i) * LANES, load(factor + (triangle(i) + i) * LANES));
    }
    for (int64_t lane = 0; lane < LANES; lane++) {
        const int64_t k = block * LANES + lane;
        NUMBER *to = run->factors + k * n * n;
        for (int64_t i = 0; i < n; i++) {
            run->means[k * n + i] = holes->means[(block * d + holes->observed[i]) * LANES + lane];
            for (int64_t j = 0; j <= i; j++) to[i * n + j] = root * run->triangle[(triangle(i) + j) * LANES + lane];
        }
    }
}

/* B of n missing features from m on: L^T b = v from the last element on. */
INLINE void put_lifts(const NUMBER *factor, const NUMBER *columns, NUMBER *lifts, int64_t n_observed, int64_t m,
                      const int n) {
    for (int64_t at = m * n_observed; at < (m + n) * n_observed; at++)
        store(lifts + at * LANES, load(columns + at * LANES));
    for (int64_t j = n_observed - 1; j >= 0; j--) {
        const NUMBER *row = factor + triangle(j) * LANES;
        Vector b[4];
        UNROLLED
        for (int r = 0; r < n; r++) {
            NUMBER *at = lifts + ((m + r) * n_observed + j) * LANES;
            b[r] = load(at) * load(row + j * LANES);
            store(at, b[r]);
        }
        for (int64_t l = 0; l < j; l++) {
            const Vector known = load(row + l * LANES);
            UNROLLED
            for (int r = 0; r < n; r++) {
                NUMBER *at = lifts + ((m + r) * n_observed + l) * LANES;
                store(at, load(at) - known * b[r]);
            }
        }
    }
}

/* What all rows of the pattern share. */
OUTLINE void prepare_run(Holes *holes, const Run *run) {
    const int64_t d = holes->d;
    for (int64_t block = 0; block < holes->n_blocks; block++) {
        put_parameters_of_run(holes, run, block);
        if (!holes->has_columns[block]) condition(holes, block);
        FOR_PANELS_OF_FOUR(holes->n_missing, put_lifts, holes->factors + block * triangle(d) * LANES,
                           holes->columns + block * d * d * LANES, run->lifts + block * d * d * LANES,
                           holes->n_observed);
    }
    holes->run_is_ready = 1;
}

/* Copy n rows of the run into the tile, and pad it. */
INLINE void load_run(const fastgmm_rows *rows, const Holes *holes, const Tile *tile, const NUMBER *points,
                     const int64_t *places, int64_t n, int64_t n_points, const NUMBER *padding) {
    for (int64_t t = 0; t < n_points; t++) {
        tile->weights[t] = t < n ? weight_of(rows, places[t]) : 0;
        for (int64_t j = 0; j < holes->n_observed; j++)
            tile->points[j * tile->stride + t] = t < n ? points[t * holes->d + holes->observed[j]] : padding[j];
    }
}

/* s_O and S_OO of a block, components in lanes: S in the triangle, s before it in `sums`. */
INLINE void take_moments_of_run(const Run *run, int64_t block, int64_t n, NUMBER *sums) {
    for (int64_t lane = 0; lane < LANES; lane++) {
        const int64_t k = block * LANES + lane;
        for (int64_t i = 0; i < n; i++) {
            sums[i * LANES + lane] = run->first[k * n + i];
            for (int64_t j = 0; j <= i; j++)
                run->triangle[(triangle(i) + j) * LANES + lane] = run->second[(k * n + i) * n + j];
        }
    }
}

/* n rows of B S from m on, and B s. */
INLINE void put_products(const Run *run, const NUMBER *lifts, const NUMBER *sums, NUMBER *lifted, int64_t n_observed,
                         int64_t m, const int n) {
    for (int64_t j = 0; j <= n_observed; j++) {
        Vector product[4];
        UNROLLED
        for (int r = 0; r < n; r++) product[r] = broadcast(0);
        for (int64_t l = 0; l < n_observed; l++) {
            const Vector s = j < n_observed ? covariance_of(run->triangle, l, j) : load(sums + l * LANES);
            UNROLLED
            for (int r = 0; r < n; r++)
                product[r] = fma_(load(lifts + ((m + r) * n_observed + l) * LANES), s, product[r]);
        }
        UNROLLED
        for (int r = 0; r < n; r++)
            store(j < n_observed ? run->products + ((m + r) * n_observed + j) * LANES : lifted + (m + r) * LANES,
                  product[r]);
    }
}

INLINE void add_to(NUMBER *at, Vector vector) { store(at, load(at) + vector); }

/* Add A s_O and A S_OO A^T + N C of a block to the moments of the tile. */
OUTLINE void lift_moments(const Holes *holes, const Run *run, int64_t block) {
    const int64_t d = holes->d, n = holes->n_observed, *observed = holes->observed, *missing = holes->missing;
    const NUMBER *lifts = run->lifts + block * d * d * LANES;
    const NUMBER *conditional = holes->conditional + block * triangle(d) * LANES;
    const Vector count = load(run->counts + block * LANES);
    NUMBER *first = holes->first + block * d * LANES, *second = holes->second + block * triangle(d) * LANES;
    NUMBER *sums = holes->whitened, *lifted = sums + d * LANES; /* which nobody uses now */
    take_moments_of_run(run, block, n, sums);
    FOR_PANELS_OF_FOUR(holes->n_missing, put_products, run, lifts, sums, lifted, n);
    for (int64_t i = 0; i < n; i++) {
        add_to(first + observed[i] * LANES, load(sums + i * LANES));
        for (int64_t j = 0; j <= i; j++)
            add_to(second + pair_at(observed[i], observed[j]), load(run->triangle + (triangle(i) + j) * LANES));
    }
    for (int64_t a = 0; a < holes->n_missing; a++) {
        const NUMBER *product = run->products + a * n * LANES;
        add_to(first + missing[a] * LANES, load(lifted + a * LANES));
        for (int64_t j = 0; j < n; j++) add_to(second + pair_at(missing[a], observed[j]), load(product + j * LANES));
        for (int64_t b = 0; b <= a; b++) {
            Vector sum = count * load(conditional + (triangle(a) + b) * LANES);
            for (int64_t j = 0; j < n; j++)
                sum = fma_(load(product + j * LANES), load(lifts + (b * n + j) * LANES), sum);
            add_to(second + pair_at(missing[a], missing[b]), sum);
        }
    }
}

INLINE void add_priors_of_run(const fastgmm_rows *rows, const Tile *tile, const int64_t *places, int64_t n,
                              int64_t n_components) {
    for (int64_t t = 0; t < n; t++) {
        const double *priors = priors_of(rows, places[t], n_components);
        for (int64_t k = 0; priors && k < n_components; k++) {
            NUMBER *at = tile->joint + k * tile->stride + t;
            *at = with_prior(*at, priors[k]);
        }
    }
}

/* Add the moments of n rows, all of the pattern of the holes, to those of the tile. */
OUTLINE void add_run(const fastgmm_rows *rows, Holes *holes, const Run *run, const Tile *tile, const NUMBER *points,
                     const int64_t *places, int64_t n, double *totals) {
    const int64_t n_observed = holes->n_observed, n_components = holes->n_components, n_points = points_of(n);
    const int64_t size = holes->n_blocks * LANES * n_observed;
    const NUMBER margin = negligible_margin(n_components), depth = rows->groups ? (NUMBER)INFINITY : margin + CAUTION;
    const Family full = {.prepare = prepare_nothing,
                         .density = joint_density_full,
                         .responsibilities = responsibilities_roots,
                         .scale_and_count = scale_and_count_roots,
                         .packing = packing_repays_full,
                         .moments = add_moments_full};
    const fastgmm_prepared prepared = {.n_components = n_components, .log_constants = run->constants,
                                       .means = run->means, .scales = run->factors};
    const Slot slot = {.counts = run->counts, .first = run->first, .second = run->second, .totals = totals,
                       .second_step = n_observed * n_observed};
    if (!holes->run_is_ready) prepare_run(holes, run);
    memset(run->counts, 0, (size_t)(holes->n_blocks * LANES) * sizeof(NUMBER));
    memset(run->first, 0, (size_t)size * sizeof(NUMBER));
    memset(run->second, 0, (size_t)(size * n_observed) * sizeof(NUMBER));
    load_run(rows, holes, tile, points, places, n, n_points, run->means);
    for (int64_t k = 0; k < n_components; k++) {
        tile->members[k] = k;
        joint_density_full(&prepared, tile, n_observed, n_points, k, k, depth);
    }
    if (rows->groups) add_priors_of_run(rows, tile, places, n, n_components);
    collect(&prepared, tile, n_observed, n_points, n_components, margin, &slot, NULL, full);
    for (int64_t block = 0; block < holes->n_blocks; block++) {
        if (!lanes_less(broadcast(0), load(run->counts + block * LANES))) continue;
        add_to(holes->counts + block * LANES, load(run->counts + block * LANES));
        lift_moments(holes, run, block);
    }
}
