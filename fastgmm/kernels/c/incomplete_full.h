/* The joint log-densities of rows with holes, and their moments, where components have covariance matrices. */

/* Take the pattern of a row, and factor what it does not share with the pattern before. A run is computed from L however
 * few features it lacks. */
OUTLINE void take_pattern(Holes *holes, const NUMBER *row, int of_run) {
    int64_t n_observed = 0, n_missing = 0, n_shared = 0, *observed = holes->other;
    for (int64_t j = 0; j < holes->d; j++) { /* without a branch, which nobody could foresee */
        const int is_missing = isnan(row[j]) != 0;
        holes->missing[n_missing] = observed[n_observed] = j;
        n_missing += is_missing;
        n_observed += !is_missing;
    }
    while (n_shared < smaller(n_observed, holes->n_observed) && observed[n_shared] == holes->observed[n_shared])
        n_shared++;
    holes->other = holes->observed;
    holes->observed = observed;
    const int from_roots = !of_run && is_from_roots(holes, n_missing);
    if (n_shared == n_observed && n_observed == holes->n_observed && from_roots == holes->from_roots) return;
    /* What came before decides what is kept of L, but never how a pattern is computed. */
    if (holes->from_roots) n_shared = 0;
    holes->from_roots = from_roots;
    holes->run_is_ready = 0;
    holes->n_observed = n_observed;
    holes->n_missing = n_missing;
    holes->half_log_two_pi = 0.5 * LOG_TWO_PI * (NUMBER)n_observed;
    for (int64_t block = 0; block < holes->n_factors; block++) {
        holes->has_columns[block] = 0;
        if (holes->from_roots && holes->is_tied)
            factor_precisions(holes);
        else if (holes->from_roots)
            orthogonalize(holes, block);
        else
            factor_block(holes, block, n_shared / 4 * 4);
    }
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
    const int64_t length = holes->from_roots ? holes->d : holes->n_observed;
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
        put_joint_of_block(holes, r, block, q);
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
    if (holes->is_tied && holes->from_roots) {
        for (int64_t r = 0; r < n; r++) put_joints_of_shared(holes, rows + r * holes->d, r);
        return;
    }
    for (int64_t r = 0; holes->is_tied && r < n; r++) {
        whiten_row_of_shared(holes, rows + r * holes->d, r);
        FOR_PANELS_OF_FOUR(holes->n_blocks, put_whitened_in_blocks, holes, rows + r * holes->d, r);
    }
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
    for (int64_t k = 0; priors && k < n_components; k++) joint[k] = with_prior(joint[k], priors[k]);
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
    add_sum(&sum, sums);
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
    const int64_t d = holes->d, shared = factor_of(holes, block);
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

/* E[delta_M | x_O] behind the y of a row, from the pivot where a covariance is shared. */
INLINE void put_shifts(const Holes *holes, int64_t block, int64_t r) {
    const int64_t d = holes->d, n = holes->n_observed, shared = factor_of(holes, block);
    const NUMBER *columns = holes->columns + shared * d * d * LANES, *y = whitened_of(holes, block, r);
    NUMBER *shifts = shifts_of(holes, block, r);
    if (holes->from_roots) {
        NUMBER *const x[4] = {shifts};
        if (holes->is_tied) return; /* they came with the density */
        solve(holes->factors + block * triangle(d) * LANES, holes->n_missing, x, 1);
        for (int64_t m = 0; m < holes->n_missing; m++) store(shifts + m * LANES, -load(shifts + m * LANES));
        return;
    }
    for (int64_t m = 0; m < holes->n_missing; m += 4) {
        Vector sums[4];
        UNROLLED
        for (int c = 0; c < 4; c++) sums[c] = broadcast(0);
        for (int64_t j = 0; j < n; j++) {
            const Vector known = load(y + j * LANES);
            UNROLLED
            for (int c = 0; c < 4; c++) sums[c] = fma_(load(columns + ((m + c) * n + j) * LANES), known, sums[c]);
        }
        for (int64_t c = 0; c < 4 && m + c < holes->n_missing; c++)
            store(shifts + (m + c) * LANES,
                  holes->is_tied ? sums[c] + mean_from_pivot(holes, block, holes->missing[m + c]) : sums[c]);
    }
}

/* e = (x_O - mu_O, E[delta_M | x_O]) of a row, in the order of features. */
INLINE void put_expected(const Holes *holes, const NUMBER *row, int64_t block, int64_t r, NUMBER *e) {
    const NUMBER *mean = holes->means + block * holes->d * LANES, *shifts = shifts_of(holes, block, r);
    put_shifts(holes, block, r);
    for (int64_t j = 0; j < holes->n_observed; j++) {
        const int64_t feature = holes->observed[j];
        store(e + feature * LANES, broadcast(row[feature]) - load(mean + feature * LANES));
    }
    for (int64_t m = 0; m < holes->n_missing; m++) {
        const Vector shift = load(shifts + m * LANES);
        store(e + holes->missing[m] * LANES,
              holes->is_tied ? shift - mean_from_pivot(holes, block, holes->missing[m]) : shift);
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

/* V^T and C, where they are not there yet. */
INLINE void need_columns(const Holes *holes, int64_t block) {
    if (holes->has_columns[block]) return;
    if (holes->from_roots)
        condition_from_roots(holes, block);
    else
        condition(holes, block);
}

/* Add n rows of the pattern, whose weighted responsibilities stand in `joint`, to the moments of the tile. */
OUTLINE void add_moments_of_rows(const Holes *holes, const NUMBER *rows, int64_t n) {
    const int64_t d = holes->d;
    for (int64_t block = 0; block < holes->n_blocks; block++) {
        const int64_t shared = factor_of(holes, block);
        Vector of_block = broadcast(0);
        for (int64_t r = 0; r < n; r++) {
            const Vector weight = load(holes->joint + (r * holes->n_blocks + block) * LANES);
            if (!lanes_less(broadcast(0), weight)) continue;
            need_columns(holes, shared);
            of_block = of_block + weight;
            const int64_t at = block * ROWS_TOGETHER + holes->n_waiting[block]++;
            store(holes->weights + at * LANES, weight);
            put_expected(holes, rows + r * d, block, r, holes->expected + at * d * LANES);
            if (holes->n_waiting[block] == ROWS_TOGETHER) add_waiting(holes, block);
        }
        if (lanes_less(broadcast(0), of_block)) add_conditional(holes, shared, of_block);
    }
}

/* The same where second moments come from a scatter; the rows weigh so much. */
OUTLINE void add_rows_to_scatter(const Holes *holes, const double *weights, int64_t n) {
    NUMBER total[LANES] = {0};
    need_columns(holes, 0);
    for (int64_t r = 0; r < n; r++) {
        for (int64_t block = 0; block < holes->n_blocks; block++) put_shifts(holes, block, r);
        add_to_scatter(holes, r, weights[r]);
        total[0] += weights[r];
    }
    add_conditional(holes, 0, load(total));
}

/* Hand the moments of the tile over to the slot. */
OUTLINE void hand_over(const Holes *holes, const Slot *slot) {
    const int64_t d = holes->d;
    for (int64_t block = 0; block < holes->n_blocks; block++)
        if (holes->n_waiting[block] > 0) add_waiting(holes, block);
    if (holes->has_scatter) center_scatter(holes);
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
    clear_moments(holes);
}
