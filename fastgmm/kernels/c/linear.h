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

/* Where a row lies while it is worked on, by its entries; `look` has room for a vector. */
typedef struct {
    const double *constants;
    double *joint, *numbers, *look;
    int32_t *lines, *active;
} LinearDesk;

/* Of rows without many zeros so many are computed together, since a line of loadings then is read once for all. */
#define ROWS_TOGETHER 4

typedef struct {
    LinearDesk desks[ROWS_TOGETHER];
    double *table; /* by line, the number of each row there */
} Desks;

/* As linear_module.c counts it. */
INLINE Desks desks_in(void *scratch, const fastgmm_linear *prepared, int64_t n_features) {
    Desks desks;
    const int64_t step = prepared->step;
    double *constants = scratch, *next = constants + step;
    for (int64_t k = 0; k < step; k++) constants[k] = k < prepared->n_components ? prepared->log_constants[k] : 0;
    desks.table = next, next += ROWS_TOGETHER * prepared->n_lines;
    for (int row = 0; row < ROWS_TOGETHER; row++) {
        LinearDesk *desk = &desks.desks[row];
        desk->constants = constants;
        desk->joint = next, next += step;
        desk->look = next, next += 8;
        desk->numbers = next, next += n_features;
        desk->lines = (int32_t *)next, desk->active = desk->lines + n_features;
        next += (n_features + step + 1) / 2;
    }
    return desks;
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

/* Of eight bytes that are looked at together the highest bits say which are not 0. */
INLINE int64_t pick_bytes(const uint8_t *values, int64_t count, int32_t *lines, double *numbers) {
    int64_t n = 0, j = 0;
#if HAS_VECTORS && defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    const uint64_t low = 0x7f7f7f7f7f7f7f7f;
    for (; j + 8 <= count; j += 8) {
        uint64_t eight;
        memcpy(&eight, values + j, 8);
        uint64_t present = (((eight & low) + low) | eight) & ~low;
        while (present) {
            const int64_t at = j + __builtin_ctzll(present) / 8;
            lines[n] = (int32_t)at;
            numbers[n++] = values[at];
            present &= present - 1;
        }
    }
#endif
    for (; j < count; j++)
        if (values[j]) lines[n] = (int32_t)j, numbers[n++] = values[j];
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
INLINE int64_t entries_of(const fastgmm_entries *rows, int64_t i, const LinearDesk *desk) {
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
INLINE void put_joint_of_some(const double *loadings, int64_t step, const LinearDesk *desk, int64_t n_entries, int64_t first,
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

OUTLINE void put_joint_of_entries(const double *loadings, int64_t step, const LinearDesk *desk, int64_t n_entries) {
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

/* The same of several rows by their table: to add nothing changes no bit of a sum. */
INLINE void put_joint_of_table(const fastgmm_linear *prepared, const Desks *desks, int64_t first, const int n) {
    Vector sums[ROWS_TOGETHER][4];
    const double *numbers = desks->table, *line = prepared->loadings + first;
    UNROLLED
    for (int row = 0; row < ROWS_TOGETHER; row++)
        UNROLLED
        for (int i = 0; i < n; i++) sums[row][i] = load(desks->desks[row].constants + first + i * LANES);
    for (int64_t j = 0; j < prepared->n_lines; j++, numbers += ROWS_TOGETHER, line += prepared->step) {
        Vector theta[4];
        UNROLLED
        for (int i = 0; i < n; i++) theta[i] = load(line + i * LANES);
        UNROLLED
        for (int row = 0; row < ROWS_TOGETHER; row++) {
            const Vector x = broadcast(numbers[row]);
            UNROLLED
            for (int i = 0; i < n; i++) sums[row][i] = fma_(x, theta[i], sums[row][i]);
        }
    }
    UNROLLED
    for (int row = 0; row < ROWS_TOGETHER; row++)
        UNROLLED
        for (int i = 0; i < n; i++) store(desks->desks[row].joint + first + i * LANES, sums[row][i]);
}

OUTLINE void put_joint_together(const fastgmm_linear *prepared, const Desks *desks) {
    const int64_t most = (AVX512 ? 4 : 2) * LANES;
    int64_t k = 0;
    for (; k + most <= prepared->step; k += most) put_joint_of_table(prepared, desks, k, AVX512 ? 4 : 2);
    switch ((prepared->step - k) / LANES) {
    case 1: put_joint_of_table(prepared, desks, k, 1); break;
    case 2: put_joint_of_table(prepared, desks, k, 2); break;
    case 3: put_joint_of_table(prepared, desks, k, 3); break;
    default: break;
    }
}

/* Joint log-densities are never lower than the lowest, have their priors, and are -inf behind those of components. */
INLINE void bound_joint_of_row(const fastgmm_entries *rows, const fastgmm_linear *prepared, int64_t i,
                               const LinearDesk *desk) {
    const int64_t n_components = prepared->n_components, step = prepared->step;
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
INLINE double exponentials_of_row(const LinearDesk *desk, int64_t step, double margin, double *total) {
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
INLINE int64_t scale_row(const LinearDesk *desk, int64_t n_components, double scale, double *counts) {
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
OUTLINE void add_entries(const LinearDesk *desk, int64_t n_entries, int64_t n_active, int64_t step, double *first) {
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

/* The same of several rows by their table, in the same order of sums. */
OUTLINE void add_together(const fastgmm_linear *prepared, const Desks *desks, double *first) {
    const double *numbers = desks->table;
    const int64_t step = prepared->step;
    for (int64_t j = 0; j < prepared->n_lines; j++, numbers += ROWS_TOGETHER, first += step) {
        for (int64_t k = 0; k < step; k += LANES) {
            Vector sum = load(first + k);
            UNROLLED
            for (int row = 0; row < ROWS_TOGETHER; row++)
                sum = fma_(broadcast(numbers[row]), load(desks->desks[row].joint + k), sum);
            store(first + k, sum);
        }
    }
}

/* Put the entries of rows on their desks, and where most numbers are entries the table; whether that was done. A missing
 * value is another line of the table, but stands where its feature does among entries: a row has one order of sums alone. */
INLINE int are_together(const Desks *desks, const int64_t *n_entries, int n_rows, int64_t n_lines, int has_missing) {
    int64_t total = 0;
    if (has_missing) return 0;
    for (int row = 0; row < n_rows; row++) total += n_entries[row];
    if (n_rows < ROWS_TOGETHER || 2 * total < ROWS_TOGETHER * n_lines) return 0;
    memset(desks->table, 0, (size_t)(8 * ROWS_TOGETHER * n_lines));
    for (int row = 0; row < ROWS_TOGETHER; row++) {
        const LinearDesk *desk = &desks->desks[row];
        for (int64_t e = 0; e < n_entries[row]; e++) desks->table[desk->lines[e] * ROWS_TOGETHER + row] = desk->numbers[e];
    }
    return 1;
}

INLINE void sweep_together(const fastgmm_entries *rows, const fastgmm_linear *prepared, const Desks *desks,
                           const int64_t *places, int n_rows, double *counts, double *first, double *totals) {
    const int64_t n_components = prepared->n_components, step = prepared->step;
    const double margin = (double)negligible_margin(n_components);
    int64_t n_entries[ROWS_TOGETHER], n_active[ROWS_TOGETHER], all_active = 0;
    for (int row = 0; row < n_rows; row++) n_entries[row] = entries_of(rows, places[row], &desks->desks[row]);
    const int together = are_together(desks, n_entries, n_rows, prepared->n_lines, rows->has_missing);
    if (together) put_joint_together(prepared, desks);
    for (int row = 0; row < n_rows; row++) {
        const LinearDesk *desk = &desks->desks[row];
        const double weight = rows->weights ? rows->weights[places[row]] : 1;
        double total;
        if (!together) put_joint_of_entries(prepared->loadings, step, desk, n_entries[row]);
        bound_joint_of_row(rows, prepared, places[row], desk);
        const double log_density = exponentials_of_row(desk, step, margin, &total);
        totals[0] += weight;
        totals[1] += weight * log_density;
        all_active += n_active[row] = scale_row(desk, n_components, weight / total, counts);
    }
    if (together && all_active * LANES > step) {
        add_together(prepared, desks, first);
        return;
    }
    for (int row = 0; row < n_rows; row++)
        add_entries(&desks->desks[row], n_entries[row], n_active[row], step, first);
}

static void NAME(linear_sweep, entries)(const fastgmm_entries *rows, const fastgmm_linear *prepared,
                                        const fastgmm_section *section, const fastgmm_linear_slots *slots,
                                        const fastgmm_share *share) {
    const int64_t step = prepared->step;
    const Desks desks = desks_in(share->scratch, prepared, rows->n_features);
    for (int64_t chunk = take_chunk(share, -1); chunk < section->n_chunks; chunk = take_chunk(share, chunk)) {
        const int64_t begin = chunk * section->chunk_rows + section->start;
        const int64_t end = smaller(chunk * section->chunk_rows + section->stop, rows->n_rows);
        double *counts = slots->counts + chunk * step, *first = slots->first + chunk * prepared->n_lines * step;
        int64_t places[ROWS_TOGETHER];
        int n_rows = 0;
        for (int64_t i = begin; i < end; i++) {
            if (!rows->weights || rows->weights[i] > 0) places[n_rows++] = i;
            if (n_rows < ROWS_TOGETHER && i + 1 < end) continue;
            sweep_together(rows, prepared, &desks, places, n_rows, counts, first, slots->totals + 2 * chunk);
            n_rows = 0;
        }
    }
}

INLINE void put_outputs_of_row(const LinearDesk *desk, const fastgmm_linear *prepared, const fastgmm_outputs *outputs,
                               int64_t i) {
    const int64_t n_components = prepared->n_components;
    double *densities = outputs->log_density, *table = outputs->joint, total;
    if (outputs->labels) {
        int64_t best = 0;
        for (int64_t k = 1; k < n_components; k++)
            if (desk->joint[k] > desk->joint[best]) best = k;
        outputs->labels[i] = best;
    }
    if (table && !outputs->normalize)
        for (int64_t k = 0; k < n_components; k++) table[i * n_components + k] = desk->joint[k];
    if (!densities && !outputs->normalize) return;
    const double log_density = exponentials_of_row(desk, prepared->step, -SMALLEST_EXPONENT, &total);
    if (densities) densities[i] = log_density;
    if (table && outputs->normalize)
        for (int64_t k = 0; k < n_components; k++) table[i * n_components + k] = desk->joint[k] / total;
}

static void NAME(linear_log_density, entries)(const fastgmm_entries *rows, const fastgmm_linear *prepared,
                                              const fastgmm_section *section, const fastgmm_outputs *outputs,
                                              const fastgmm_share *share) {
    const Desks desks = desks_in(share->scratch, prepared, rows->n_features);
    for (int64_t chunk = take_chunk(share, -1); chunk < section->n_chunks; chunk = take_chunk(share, chunk)) {
        const int64_t begin = chunk * section->chunk_rows + section->start;
        const int64_t end = smaller(chunk * section->chunk_rows + section->stop, rows->n_rows);
        for (int64_t i = begin; i < end; i += ROWS_TOGETHER) {
            const int n_rows = (int)smaller(ROWS_TOGETHER, end - i);
            int64_t n_entries[ROWS_TOGETHER];
            for (int row = 0; row < n_rows; row++) n_entries[row] = entries_of(rows, i + row, &desks.desks[row]);
            const int together = are_together(&desks, n_entries, n_rows, prepared->n_lines, rows->has_missing);
            if (together) put_joint_together(prepared, &desks);
            for (int row = 0; row < n_rows; row++) {
                const LinearDesk *desk = &desks.desks[row];
                if (!together) put_joint_of_entries(prepared->loadings, prepared->step, desk, n_entries[row]);
                bound_joint_of_row(rows, prepared, i + row, desk);
                put_outputs_of_row(desk, prepared, outputs, i + row);
            }
        }
    }
}

fastgmm_linear_sweep *const JOIN(linear_sweep, of, INSTANCE) = NAME(linear_sweep, entries);
fastgmm_linear_log_density *const JOIN(linear_log_density, of, INSTANCE) = NAME(linear_log_density, entries);
