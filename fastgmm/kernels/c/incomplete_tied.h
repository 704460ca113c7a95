/* What rows with holes need besides where components share their covariance.
 *
 * W, P = W^T W and u_k = W (mu_k - pivot) are the same for all rows. With w = W (x - pivot), in which a hole has no
 * difference, and z_k = w - u_k, the values v that make |z_k - W_M v| smallest solve the normal equations
 *     P_MM v = W_M^T z_k,   R R^T = P_MM,   E[x_M | x_O] = pivot_M - v,   C = P_MM^-1,   |y|^2 = |z_k - W_M v|^2,
 *     det Sigma_OO = det Sigma (det R)^2.
 * R is as good as the factor of Sigma_OO is, and an error of v changes the distance by no more than its square.
 *
 * As everywhere, tied second moments come from a scatter where rows have no groups, here about the pivot: with
 * a_k = E[x | x_O, k] - pivot and m_k = mu_k - pivot, f_k = sum r a_k and T = sum_k r_k a_k a_k^T + w C,
 *     s_k = f_k - N_k m_k,   S = T - sum_k (f_k m_k^T + m_k f_k^T - N_k m_k m_k^T).
 * What is observed differs from the pivot by the same for all components, so of a row of weight w, with a_O in the
 * observed features and b = sum_k r_k a_k in the missing ones, 0 elsewhere,
 *     sum_k r_k a_k a_k^T = a_O (w a_O / 2 + b)^T + (w a_O / 2 + b) a_O^T + (on the block MM) sum_k r_k a_k a_k^T.
 */

/* What does not depend on a row. */
OUTLINE void arrange_shared(const Holes *holes, const fastgmm_prepared *prepared) {
    const Shared *shared = &holes->shared;
    const int64_t d = holes->d, n_components = holes->n_components;
    for (int64_t j = 0; j < d; j++) {
        double sum = 0;
        for (int64_t k = 0; k < n_components; k++) sum += prepared->means[k * d + j];
        shared->pivot[j] = sum / (double)n_components;
        for (int64_t i = 0; i < shared->stride; i++)
            shared->roots[j * shared->stride + i] = i < j || i >= d ? 0 : holes->roots[(j * d + i) * LANES];
    }
    for (int64_t a = 0; a < d; a++)
        for (int64_t b = 0; b <= a; b++) {
            const NUMBER *one = shared->roots + a * shared->stride, *other = shared->roots + b * shared->stride;
            Vector sum = broadcast(0);
            for (int64_t i = a / LANES * LANES; i < d; i += LANES) sum = fma_(load(one + i), load(other + i), sum);
            shared->precisions[a * d + b] = 0;
            add_sum(shared->precisions + a * d + b, sum);
        }
    for (int64_t block = 0; block < holes->n_blocks; block++)
        for (int64_t i = 0; i < d; i++) {
            Vector sum = broadcast(0);
            for (int64_t j = 0; j <= i; j++) {
                const Vector root = broadcast(shared->roots[j * shared->stride + i]);
                sum = fma_(root, mean_from_pivot(holes, block, j), sum);
            }
            store(shared->whitened_means + (block * d + i) * LANES, sum);
        }
    memset(shared->scatter, 0, (size_t)(d * shared->stride) * sizeof(NUMBER));
    memset(shared->differences, 0, (size_t)(ROWS_TOGETHER * shared->stride) * sizeof(NUMBER));
    *shared->n_waiting = 0;
}

/* R^-1, row by row in whole vectors, and C = R^-T R^-1 for all lanes. */
INLINE void put_conditional_of_shared(const Holes *holes) {
    static const NUMBER units[2 * LANES] = {[LANES - 1] = 1};
    const int64_t n = holes->n_missing, stride = holes->shared.stride;
    const NUMBER *factor = holes->shared.factor;
    NUMBER *inverse = holes->shared.inverse, row[LANES];
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < n; j += LANES) {
            Vector sum = i >= j && i < j + LANES ? load(units + LANES - 1 - (i - j)) : broadcast(0);
            for (int64_t l = 0; l < i; l++)
                sum = sum - broadcast(factor[i * n + l]) * load(inverse + l * stride + j);
            store(inverse + i * stride + j, sum * broadcast(factor[i * n + i]));
        }
    for (int64_t a = 0; a < n; a++)
        for (int64_t j = 0; j <= a; j += LANES) {
            Vector sum = broadcast(0);
            for (int64_t c = a; c < n; c++)
                sum = fma_(broadcast(inverse[c * stride + a]), load(inverse + c * stride + j), sum);
            store(row, sum);
            for (int64_t b = j; b <= smaller(a, j + LANES - 1); b++)
                store(holes->conditional + (triangle(a) + b) * LANES, broadcast(row[b - j]));
        }
}

/* R with the inverses of its diagonal, R^-1, C, and the sum of log L_jj of what is observed. */
OUTLINE void factor_precisions(const Holes *holes) {
    const Shared *shared = &holes->shared;
    const int64_t d = holes->d, n = holes->n_missing;
    Vector logarithms = broadcast(0);
    NUMBER sum = 0, pivots[LANES];
    store(pivots, broadcast(1));
    for (int64_t a = 0; a < n; a++) {
        NUMBER *row = shared->factor + a * n;
        for (int64_t b = 0; b <= a; b++) {
            const NUMBER *other = shared->factor + b * n;
            NUMBER left = shared->precisions[holes->missing[a] * d + holes->missing[b]];
            for (int64_t c = 0; c < b; c++) left -= row[c] * other[c];
            if (b < a) {
                row[b] = left * other[b];
                continue;
            }
            const int is_factor = left > SMALLEST_PIVOT;
            row[a] = 1 / root_of(is_factor ? left : 1);
            pivots[a % LANES] = is_factor ? left : NAN;
        }
        if (a % LANES < LANES - 1 && a < n - 1) continue;
        /* A lane's logarithm of NaN is none. */
        const Vector pivot = load(pivots);
        logarithms = logarithms + where_less(broadcast(0), pivot, logarithm(pivot), broadcast(NAN));
        store(pivots, broadcast(1));
    }
    add_sum(&sum, logarithms);
    store(holes->log_deviations + holes->n_observed * LANES, load(holes->log_roots) + broadcast(0.5 * sum));
    put_conditional_of_shared(holes);
    holes->has_columns[0] = 1;
}

/* x - pivot of a row, 0 in the holes, and w. */
INLINE void whiten_row_of_shared(const Holes *holes, const NUMBER *row, int64_t r) {
    const Shared *shared = &holes->shared;
    NUMBER *differences = shared->differences + r * shared->stride;
    for (int64_t j = 0; j < holes->d; j++) {
        const NUMBER difference = row[j] - shared->pivot[j];
        differences[j] = difference == difference ? difference : 0;
    }
    for (int64_t i = 0; i < holes->d; i += LANES) {
        Vector sum = broadcast(0), other = sum;
        int64_t j = 0;
        for (; j + 2 <= smaller(i + LANES, holes->d); j += 2) {
            sum = fma_(broadcast(differences[j]), load(shared->roots + j * shared->stride + i), sum);
            other = fma_(broadcast(differences[j + 1]), load(shared->roots + (j + 1) * shared->stride + i), other);
        }
        if (j < smaller(i + LANES, holes->d))
            sum = fma_(broadcast(differences[j]), load(shared->roots + j * shared->stride + i), sum);
        store(shared->whitened + i, sum + other);
    }
}

/* W_M^T z of n missing features from m on, in two blocks or one; with the first of them |z|^2. */
INLINE void put_normal_side(const Holes *holes, int64_t r, int64_t block, const int n_blocks, int64_t m, const int n) {
    const Shared *shared = &holes->shared;
    const int64_t d = holes->d;
    const NUMBER *means[2] = {NULL}, *roots[4] = {NULL};
    Vector sums[4][2], q[2], z[2];
    UNROLLED
    for (int b = 0; b < n_blocks; b++) {
        means[b] = shared->whitened_means + (block + b) * d * LANES;
        q[b] = broadcast(0);
    }
    UNROLLED
    for (int c = 0; c < n; c++) {
        roots[c] = shared->roots + holes->missing[m + c] * shared->stride;
        sums[c][0] = sums[c][1] = broadcast(0);
    }
    for (int64_t i = 0; m == 0 && i < holes->missing[0]; i++)
        UNROLLED
        for (int b = 0; b < n_blocks; b++) {
            z[b] = broadcast(shared->whitened[i]) - load(means[b] + i * LANES);
            q[b] = fma_(z[b], z[b], q[b]);
        }
    for (int64_t i = holes->missing[m]; i < d; i++) {
        UNROLLED
        for (int b = 0; b < n_blocks; b++) {
            z[b] = broadcast(shared->whitened[i]) - load(means[b] + i * LANES);
            q[b] = fma_(z[b], z[b], q[b]);
        }
        UNROLLED
        for (int c = 0; c < n; c++) {
            const Vector along = broadcast(roots[c][i]);
            UNROLLED
            for (int b = 0; b < n_blocks; b++) sums[c][b] = fma_(along, z[b], sums[c][b]);
        }
    }
    UNROLLED
    for (int b = 0; b < n_blocks; b++) {
        UNROLLED
        for (int c = 0; c < n; c++) store(shifts_of(holes, block + b, r) + (m + c) * LANES, sums[c][b]);
        if (m == 0) store(whitened_of(holes, block + b, r), q[b]);
    }
}

/* -v of n blocks, v = R^-T u and u = R^-1 W_M^T z, and what |u|^2 leaves of |z|^2. */
INLINE void solve_normal_equations(const Holes *holes, int64_t r, int64_t block, Vector left[4], const int n) {
    const NUMBER *inverse = holes->shared.inverse;
    const int64_t n_missing = holes->n_missing, stride = holes->shared.stride;
    NUMBER *u[4] = {NULL}, *v[4] = {NULL};
    Vector sums[4];
    UNROLLED
    for (int b = 0; b < n; b++) {
        v[b] = shifts_of(holes, block + b, r);
        u[b] = whitened_of(holes, block + b, r);
        left[b] = load(u[b]);
        u[b] += LANES;
    }
    for (int64_t m = 0; m < n_missing; m++) {
        UNROLLED
        for (int b = 0; b < n; b++) sums[b] = broadcast(0);
        for (int64_t c = 0; c <= m; c++) {
            const Vector known = broadcast(inverse[m * stride + c]);
            UNROLLED
            for (int b = 0; b < n; b++) sums[b] = fma_(known, load(v[b] + c * LANES), sums[b]);
        }
        UNROLLED
        for (int b = 0; b < n; b++) {
            left[b] = left[b] - sums[b] * sums[b];
            store(u[b] + m * LANES, sums[b]);
        }
    }
    for (int64_t m = 0; m < n_missing; m++) {
        UNROLLED
        for (int b = 0; b < n; b++) sums[b] = broadcast(0);
        for (int64_t c = m; c < n_missing; c++) {
            const Vector known = broadcast(inverse[c * stride + m]);
            UNROLLED
            for (int b = 0; b < n; b++) sums[b] = sums[b] - known * load(u[b] + c * LANES);
        }
        UNROLLED
        for (int b = 0; b < n; b++) store(v[b] + m * LANES, sums[b]);
    }
}

/* |z - W_M v|^2 of a block. */
OUTLINE Vector squared_residual(const Holes *holes, int64_t r, int64_t block) {
    const Shared *shared = &holes->shared;
    const NUMBER *means = shared->whitened_means + block * holes->d * LANES, *shifts = shifts_of(holes, block, r);
    Vector q = broadcast(0);
    for (int64_t i = 0; i < holes->d; i++) {
        Vector z = broadcast(shared->whitened[i]) - load(means + i * LANES);
        for (int64_t m = 0; m < holes->n_missing && holes->missing[m] <= i; m++)
            z = fma_(broadcast(shared->roots[holes->missing[m] * shared->stride + i]), load(shifts + m * LANES), z);
        q = fma_(z, z, q);
    }
    return q;
}

/* Joint log-densities of n blocks. |y|^2 = |z|^2 - |u|^2, unless that would cancel more than three binary digits. */
INLINE void put_joint_of_shared(const Holes *holes, int64_t r, int64_t block, const int n) {
    Vector left[4];
    solve_normal_equations(holes, r, block, left, n);
    UNROLLED
    for (int b = 0; b < n; b++) {
        const Vector least = broadcast(0.125) * load(whitened_of(holes, block + b, r));
        const int is_sound = lanes_less(least, left[b]) == ALL_LANES;
        put_joint_of_block(holes, r, block + b, is_sound ? left[b] : squared_residual(holes, r, block + b));
    }
}

/* Joint log-densities of a row. */
OUTLINE void put_joints_of_shared(const Holes *holes, const NUMBER *row, int64_t r) {
    whiten_row_of_shared(holes, row, r);
    for (int64_t block = 0; block < holes->n_blocks; block += 2) {
        if (block + 1 < holes->n_blocks)
            FOR_PANELS_OF_FOUR(holes->n_missing, put_normal_side, holes, r, block, 2);
        else
            FOR_PANELS_OF_FOUR(holes->n_missing, put_normal_side, holes, r, block, 1);
    }
    FOR_PANELS_OF_FOUR(holes->n_blocks, put_joint_of_shared, holes, r);
}

/* Add the rows that wait to T, and what they have observed to f. */
OUTLINE void add_waiting_to_scatter(const Holes *holes) {
    const Shared *shared = &holes->shared;
    const int64_t d = holes->d, stride = shared->stride;
    for (int64_t r = *shared->n_waiting; r < ROWS_TOGETHER; r++) {
        memset(shared->observed + r * stride, 0, (size_t)stride * sizeof(NUMBER));
        memset(shared->halves + r * stride, 0, (size_t)stride * sizeof(NUMBER));
        memset(shared->weights + r * holes->n_blocks * LANES, 0, (size_t)(holes->n_blocks * LANES) * sizeof(NUMBER));
    }
    for (int64_t i = 0; i < d; i++) {
        Vector observed[ROWS_TOGETHER];
        UNROLLED
        for (int r = 0; r < ROWS_TOGETHER; r++) observed[r] = broadcast(shared->observed[r * stride + i]);
        for (int64_t j = 0; j < d; j += LANES) {
            Vector sum = load(shared->scatter + i * stride + j);
            UNROLLED
            for (int r = 0; r < ROWS_TOGETHER; r++) sum = fma_(observed[r], load(shared->halves + r * stride + j), sum);
            store(shared->scatter + i * stride + j, sum);
        }
    }
    for (int64_t block = 0; block < holes->n_blocks; block++) {
        Vector weights[ROWS_TOGETHER], any = broadcast(0);
        UNROLLED
        for (int r = 0; r < ROWS_TOGETHER; r++) {
            weights[r] = load(shared->weights + (r * holes->n_blocks + block) * LANES);
            any = any + weights[r];
        }
        for (int64_t j = 0; lanes_less(broadcast(0), any) && j < d; j++) {
            NUMBER *at = holes->first + (block * d + j) * LANES;
            Vector sum = load(at);
            UNROLLED
            for (int r = 0; r < ROWS_TOGETHER; r++)
                sum = fma_(weights[r], broadcast(shared->observed[r * stride + j]), sum);
            store(at, sum);
        }
    }
    *shared->n_waiting = 0;
}

/* Add f of n missing features from b on, and the products of the missing feature a with them, those of a row whose a_k
 * stand in its shifts. */
INLINE void add_products_of_shifts(const Holes *holes, int64_t r, const NUMBER *weights, int64_t a, int64_t b,
                                   const int n) {
    const int64_t *missing = holes->missing;
    Vector sums[4];
    UNROLLED
    for (int c = 0; c < n; c++) sums[c] = broadcast(0);
    for (int64_t block = 0; block < holes->n_blocks; block++) {
        const NUMBER *shifts = shifts_of(holes, block, r);
        const Vector weighted = load(weights + block * LANES) * load(shifts + a * LANES);
        UNROLLED
        for (int c = 0; c < n; c++) sums[c] = fma_(weighted, load(shifts + (b + c) * LANES), sums[c]);
    }
    UNROLLED
    for (int c = 0; c < n; c++) {
        NUMBER *at = holes->second + (triangle(missing[a]) + missing[b + c]) * LANES;
        store(at, load(at) + sums[c]);
    }
}

/* Add a row, whose a_k of the missing features stand in its shifts, to N, f and T. */
OUTLINE void add_to_scatter(const Holes *holes, int64_t r, double weight) {
    const Shared *shared = &holes->shared;
    const int64_t d = holes->d, waits = (*shared->n_waiting)++, lanes = holes->n_blocks * LANES;
    const NUMBER *responsibilities = holes->joint + r * lanes;
    NUMBER *observed = shared->observed + waits * shared->stride, *halves = shared->halves + waits * shared->stride;
    memcpy(shared->weights + waits * lanes, responsibilities, (size_t)lanes * sizeof(NUMBER));
    for (int64_t j = 0; j < shared->stride; j += LANES) {
        const Vector differences = load(shared->differences + r * shared->stride + j);
        store(observed + j, differences);
        store(halves + j, broadcast(0.5 * weight) * differences);
    }
    for (int64_t a = 0; a < holes->n_missing; a++) {
        Vector sum = broadcast(0);
        for (int64_t block = 0; block < holes->n_blocks; block++) {
            NUMBER *at = holes->first + (block * d + holes->missing[a]) * LANES;
            const Vector weighted =
                load(responsibilities + block * LANES) * load(shifts_of(holes, block, r) + a * LANES);
            sum = sum + weighted;
            store(at, load(at) + weighted);
        }
        add_sum(halves + holes->missing[a], sum);
        FOR_PANELS_OF_FOUR(a + 1, add_products_of_shifts, holes, r, responsibilities, a);
    }
    if (*shared->n_waiting == ROWS_TOGETHER) add_waiting_to_scatter(holes);
}

/* Turn f and T into s and S. */
OUTLINE void center_scatter(const Holes *holes) {
    const Shared *shared = &holes->shared;
    const int64_t d = holes->d, stride = shared->stride;
    if (*shared->n_waiting > 0) add_waiting_to_scatter(holes);
    for (int64_t block = 0; block < holes->n_blocks; block++) {
        NUMBER *first = holes->first + block * d * LANES;
        const Vector count = load(holes->counts + block * LANES);
        for (int64_t i = 0; i < d; i++) {
            const Vector m = mean_from_pivot(holes, block, i);
            const Vector f = load(first + i * LANES), s = f - count * m;
            store(first + i * LANES, s);
            for (int64_t j = 0; j <= i; j++) {
                /* s of j, and of i where j is i, stands there already. */
                NUMBER *at = holes->second + (triangle(i) + j) * LANES;
                store(at, load(at) - f * mean_from_pivot(holes, block, j) - m * load(first + j * LANES));
            }
        }
    }
    for (int64_t i = 0; i < d; i++)
        for (int64_t j = 0; j <= i; j++)
            holes->second[(triangle(i) + j) * LANES] += shared->scatter[i * stride + j] + shared->scatter[j * stride + i];
    memset(shared->scatter, 0, (size_t)(d * stride) * sizeof(NUMBER));
}
