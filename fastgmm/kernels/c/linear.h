/* Rows of entries: joint log-densities that are linear in the data, and the sums that their M-step needs.
 *
 * Joint log-density: c_k + sum_j x_j theta_jk over the entries x_j of a row that are not 0; a missing one, NaN, counts 1
 * on line d + j. Sums: N_k = sum wr, s_jk = sum wr x_j. A line holds the numbers of all components next to each other,
 * so that an entry costs a multiply-add with a line, or with a few numbers of it where few components have the row.
 */

/* Below so little no number of these rows lies but 0. */
#define SMALLEST_NUMBER 4.9406564584124654e-324
/* Lowest joint log-densities, as in tile.h and groups.h: of any component, and of one that its group excludes. */
#define LOWEST_JOINT (-1.7e308)
#define EXCLUDED_JOINT (-1.79e308)
#define MOST_VECTORS 8

typedef struct {
    double *constants, *joint, *numbers, *look; /* `look` has room for a vector */
    int32_t *lines, *active;
} Desk;

INLINE Desk desk_in(void *scratch, int64_t step, int64_t n_features) {
    double *numbers = scratch;
    Desk desk = {numbers, numbers + step, numbers + 2 * step + 8, numbers + 2 * step};
    desk.lines = (int32_t *)(desk.numbers + n_features);
    desk.active = desk.lines + n_features;
    return desk;
}

/* Append what is not 0 among the numbers of a dense row, LANES of which are looked at together. */
INLINE int64_t pick_double(const double *values, int64_t first, int64_t count, int32_t *lines, double *numbers,
                           int64_t n) {
    int64_t j = 0;
#if HAS_VECTORS
    const Bits magnitude = bits_of(broadcast(0)) | INT64_MAX;
    for (; j + LANES <= count; j += LANES) {
        const Vector absolute = vector_of(bits_of(load(values + j)) & magnitude);
        unsigned present = ALL_LANES & ~lanes_less(absolute, broadcast(SMALLEST_NUMBER));
        while (present) {
            const int lane = __builtin_ctz(present);
            lines[n] = (int32_t)(first + j + lane);
            numbers[n++] = values[j + lane];
            present &= present - 1;
        }
    }
#endif
    for (; j < count; j++)
        if (values[j] != 0) lines[n] = (int32_t)(first + j), numbers[n++] = values[j];
    return n;
}

INLINE int64_t pick_single(const float *values, int64_t count, int32_t *lines, double *numbers) {
    double some[64];
    int64_t n = 0;
    for (int64_t j = 0; j < count; j += 64) {
        const int64_t m = smaller(64, count - j);
        for (int64_t i = 0; i < m; i++) some[i] = (double)values[j + i];
        n = pick_double(some, j, m, lines, numbers, n);
    }
    return n;
}

INLINE int64_t pick_bytes(const uint8_t *values, int64_t count, int32_t *lines, double *numbers) {
    int64_t n = 0;
    for (int64_t j = 0; j < count; j++) {
        uint64_t eight;
        if (j % 8 == 0 && j + 8 <= count && (memcpy(&eight, values + j, 8), eight == 0)) {
            j += 7;
            continue;
        }
        if (values[j]) lines[n] = (int32_t)j, numbers[n++] = values[j];
    }
    return n;
}

INLINE double number_at(const fastgmm_entries *rows, int64_t at) {
    switch (rows->values ? rows->kind : FASTGMM_ONES) {
    case FASTGMM_DOUBLES: return ((const double *)rows->values)[at];
    case FASTGMM_SINGLES: return ((const float *)rows->values)[at];
    case FASTGMM_BYTES: return ((const uint8_t *)rows->values)[at];
    default: return 1;
    }
}

/* The entries of row i: how many, and the line and the number of each. */
INLINE int64_t entries_of(const fastgmm_entries *rows, int64_t i, const Desk *desk) {
    const int64_t d = rows->n_features;
    int64_t n = 0;
    if (rows->starts) {
        int64_t end = smaller(rows->starts[i + 1], rows->n_entries);
        int64_t at = rows->starts[i] < 0 ? 0 : rows->starts[i];
        end = smaller(end, at + d); /* each line once */
        for (; at < end; at++)
            if (rows->lines[at] >= 0 && rows->lines[at] < d) {
                desk->lines[n] = rows->lines[at];
                desk->numbers[n++] = number_at(rows, at);
            }
    } else if (rows->kind == FASTGMM_DOUBLES)
        n = pick_double((const double *)rows->values + i * d, 0, d, desk->lines, desk->numbers, 0);
    else if (rows->kind == FASTGMM_SINGLES)
        n = pick_single((const float *)rows->values + i * d, d, desk->lines, desk->numbers);
    else
        n = pick_bytes((const uint8_t *)rows->values + i * d, d, desk->lines, desk->numbers);
    if (rows->has_missing)
        for (int64_t e = 0; e < n; e++)
            if (desk->numbers[e] != desk->numbers[e]) desk->numbers[e] = 1, desk->lines[e] += (int32_t)d;
    return n;
}

/* c_k + sum_j x_j theta_jk of as many components as some vectors hold. */
INLINE void put_joint_of_some(const double *loadings, int64_t step, const Desk *desk, int64_t n_entries, int64_t first,
                              const int n) {
    Vector sums[MOST_VECTORS];
    UNROLLED
    for (int i = 0; i < n; i++) sums[i] = load(desk->constants + first + i * LANES);
    for (int64_t e = 0; e < n_entries; e++) {
        const double *line = loadings + desk->lines[e] * step + first;
        const Vector x = broadcast(desk->numbers[e]);
        UNROLLED
        for (int i = 0; i < n; i++) sums[i] = fma_(x, load(line + i * LANES), sums[i]);
    }
    UNROLLED
    for (int i = 0; i < n; i++) store(desk->joint + first + i * LANES, sums[i]);
}

OUTLINE void put_joint_of_entries(const double *loadings, int64_t step, const Desk *desk, int64_t n_entries) {
    int64_t k = 0;
    for (; k + MOST_VECTORS * LANES <= step; k += MOST_VECTORS * LANES)
        put_joint_of_some(loadings, step, desk, n_entries, k, MOST_VECTORS);
    switch ((step - k) / LANES) {
    case 1: put_joint_of_some(loadings, step, desk, n_entries, k, 1); break;
    case 2: put_joint_of_some(loadings, step, desk, n_entries, k, 2); break;
    case 3: put_joint_of_some(loadings, step, desk, n_entries, k, 3); break;
    case 4: put_joint_of_some(loadings, step, desk, n_entries, k, 4); break;
    case 5: put_joint_of_some(loadings, step, desk, n_entries, k, 5); break;
    case 6: put_joint_of_some(loadings, step, desk, n_entries, k, 6); break;
    case 7: put_joint_of_some(loadings, step, desk, n_entries, k, 7); break;
    default: break;
    }
}

/* The joint log-densities of a row, never lower than the lowest, and -inf behind those of the components. */
INLINE void put_joint_of_row(const fastgmm_entries *rows, const fastgmm_linear *prepared, int64_t i, const Desk *desk,
                             int64_t n_entries) {
    const int64_t n_components = prepared->n_components, step = prepared->step;
    put_joint_of_entries(prepared->loadings, step, desk, n_entries);
    for (int64_t k = 0; k < n_components; k++)
        desk->joint[k] = desk->joint[k] > LOWEST_JOINT ? desk->joint[k] : LOWEST_JOINT;
    if (rows->groups && rows->groups[i] >= 0 && rows->groups[i] < rows->n_groups) {
        const double *prior = rows->group_prior + rows->groups[i] * n_components;
        for (int64_t k = 0; k < n_components; k++) {
            const double joint = desk->joint[k] + prior[k];
            desk->joint[k] = joint > EXCLUDED_JOINT ? joint : EXCLUDED_JOINT;
        }
    }
    for (int64_t k = n_components; k < step; k++) desk->joint[k] = -INFINITY;
}

/* Joint log-densities to exponentials exp(joint_k - m), m the largest; returns log p(x) = m + log(sum), and the sum. */
INLINE double exponentials_of_row(const Desk *desk, int64_t step, double margin, double *total) {
    Vector largest = load(desk->joint), sum = broadcast(0);
    for (int64_t k = LANES; k < step; k += LANES) {
        const Vector joint = load(desk->joint + k);
        largest = where_less(largest, joint, joint, largest);
    }
    store(desk->look, largest);
    double m = desk->look[0];
    for (int lane = 1; lane < LANES; lane++) m = desk->look[lane] > m ? desk->look[lane] : m;
    const Vector cutoff = broadcast(-margin);
    for (int64_t k = 0; k < step; k += LANES) {
        const Vector x = load(desk->joint + k) - broadcast(m);
        const Vector value = lanes_less(cutoff, x) ? exponential(x, cutoff) : broadcast(0);
        store(desk->joint + k, value);
        sum = sum + value;
    }
    *total = 0;
    add_sum(total, sum);
    store(desk->look, logarithm(broadcast(*total)));
    return m > LOWEST_JOINT ? m + desk->look[0] : -INFINITY;
}

/* Responsibilities, and N; returns how many components have any of the row. */
INLINE int64_t scale_row(const Desk *desk, int64_t n_components, double scale, double *counts) {
    int64_t n_active = 0;
    for (int64_t k = 0; k < n_components; k++) {
        const double r = desk->joint[k] * scale;
        desk->joint[k] = r;
        counts[k] += r;
        desk->active[n_active] = (int32_t)k;
        n_active += r > 0;
    }
    return n_active;
}

/* s_jk += x_j r_k: whole lines, or where few components have the row theirs alone. */
OUTLINE void add_entries(const Desk *desk, int64_t n_entries, int64_t n_active, int64_t step, double *first) {
    if (n_active * LANES <= step) {
        for (int64_t a = 0; a < n_active; a++) {
            const double r = desk->joint[desk->active[a]];
            double *of_component = first + desk->active[a];
            for (int64_t e = 0; e < n_entries; e++) of_component[desk->lines[e] * step] += desk->numbers[e] * r;
        }
        return;
    }
    for (int64_t e = 0; e < n_entries; e++) {
        double *line = first + desk->lines[e] * step;
        const Vector x = broadcast(desk->numbers[e]);
        for (int64_t k = 0; k < step; k += LANES) store(line + k, fma_(x, load(desk->joint + k), load(line + k)));
    }
}

INLINE void put_constants(const fastgmm_linear *prepared, const Desk *desk) {
    for (int64_t k = 0; k < prepared->step; k++)
        desk->constants[k] = k < prepared->n_components ? prepared->log_constants[k] : 0;
}

static void NAME(linear_sweep, entries)(const fastgmm_entries *rows, const fastgmm_linear *prepared,
                                        const fastgmm_section *section, const fastgmm_linear_slots *slots,
                                        const fastgmm_share *share) {
    const int64_t n_components = prepared->n_components, step = prepared->step;
    const Desk desk = desk_in(share->scratch, step, rows->n_features);
    const double margin = (double)negligible_margin(n_components);
    put_constants(prepared, &desk);
    for (int64_t chunk = take_chunk(share, -1); chunk < section->n_chunks; chunk = take_chunk(share, chunk)) {
        const int64_t begin = chunk * section->chunk_rows + section->start;
        const int64_t end = smaller(chunk * section->chunk_rows + section->stop, rows->n_rows);
        double *counts = slots->counts + chunk * step, *first = slots->first + chunk * prepared->n_lines * step;
        double *totals = slots->totals + 2 * chunk;
        for (int64_t i = begin; i < end; i++) {
            const double weight = rows->weights ? rows->weights[i] : 1;
            if (!(weight > 0)) continue;
            const int64_t n_entries = entries_of(rows, i, &desk);
            double total;
            put_joint_of_row(rows, prepared, i, &desk, n_entries);
            const double log_density = exponentials_of_row(&desk, step, margin, &total);
            totals[0] += weight;
            totals[1] += weight * log_density;
            const int64_t n_active = scale_row(&desk, n_components, weight / total, counts);
            add_entries(&desk, n_entries, n_active, step, first);
        }
    }
}

static void NAME(linear_log_density, entries)(const fastgmm_entries *rows, const fastgmm_linear *prepared,
                                              const fastgmm_section *section, const fastgmm_outputs *outputs,
                                              const fastgmm_share *share) {
    const int64_t n_components = prepared->n_components, step = prepared->step;
    const Desk desk = desk_in(share->scratch, step, rows->n_features);
    double *densities = outputs->log_density, *table = outputs->joint;
    put_constants(prepared, &desk);
    for (int64_t chunk = take_chunk(share, -1); chunk < section->n_chunks; chunk = take_chunk(share, chunk)) {
        const int64_t begin = chunk * section->chunk_rows + section->start;
        const int64_t end = smaller(chunk * section->chunk_rows + section->stop, rows->n_rows);
        for (int64_t i = begin; i < end; i++) {
            put_joint_of_row(rows, prepared, i, &desk, entries_of(rows, i, &desk));
            if (outputs->labels) {
                int64_t best = 0;
                for (int64_t k = 1; k < n_components; k++)
                    if (desk.joint[k] > desk.joint[best]) best = k;
                outputs->labels[i] = best;
            }
            if (table && !outputs->normalize)
                for (int64_t k = 0; k < n_components; k++) table[i * n_components + k] = desk.joint[k];
            if (!densities && !outputs->normalize) continue;
            double total;
            const double log_density = exponentials_of_row(&desk, step, -SMALLEST_EXPONENT, &total);
            if (densities) densities[i] = log_density;
            if (table && outputs->normalize)
                for (int64_t k = 0; k < n_components; k++) table[i * n_components + k] = desk.joint[k] / total;
        }
    }
}

fastgmm_linear_sweep *const JOIN(linear_sweep, of, INSTANCE) = NAME(linear_sweep, entries);
fastgmm_linear_log_density *const JOIN(linear_log_density, of, INSTANCE) = NAME(linear_log_density, entries);
