/* The two kernels of rows with holes under components with covariance matrices: which rows of a tile go together. */

/* Copy the rows first ... first + n_valid of the order one after the other, without those of weight 0 where weights
 * count; `places` says where they come from. Returns how many they are. */
OUTLINE int64_t gather(const fastgmm_rows *rows, int64_t first, int64_t n_valid, int weights_count, NUMBER *to,
                       int64_t *places) {
    const int64_t d = rows->n_features;
    int64_t n = 0;
    for (int64_t t = 0; t < n_valid; t++) {
        const int64_t row = place_of(rows, first + t);
        if (t + ROWS_AHEAD < n_valid) prefetch_row(rows, rows->order[first + t + ROWS_AHEAD]);
        if (weights_count && !(weight_of(rows, row) > 0)) continue;
        copy_row(rows, row, to + n * d, 1);
        for (int64_t j = 0; rows->origin && j < d; j++) to[n * d + j] -= rows->origin[j];
        places[n++] = row;
    }
    return n;
}

INLINE int is_same_pattern(const NUMBER *one, const NUMBER *other, int64_t d) {
    for (int64_t j = 0; j < d; j++)
        if (!isnan(one[j]) != !isnan(other[j])) return 0;
    return 1;
}

/* How many of n rows have the pattern of the first, which stand next to it. */
INLINE int64_t count_neighbors(const NUMBER *row, int64_t n, int64_t d) {
    int64_t n_neighbors = 1;
    while (n_neighbors < n && is_same_pattern(row, row + n_neighbors * d, d)) n_neighbors++;
    return n_neighbors;
}

/* Write the joint log-densities of rows that begin with `row` and have its pattern, of at most n; returns of how many. */
INLINE int64_t put_joints_of_neighbors(const fastgmm_rows *rows, Holes *holes, const NUMBER *row, const int64_t *places,
                                       int64_t n) {
    const int64_t n_together = count_neighbors(row, smaller(n, ROWS_TOGETHER), holes->d);
    take_pattern(holes, row, 0);
    put_joints(holes, row, n_together);
    for (int64_t r = 0; rows->groups && r < n_together; r++)
        add_priors_of_row(rows, places[r], holes->joint + r * holes->n_blocks * LANES, holes->n_components);
    return n_together;
}

INLINE void sweep_tile_with_holes(const fastgmm_rows *rows, const Tile *tile, Holes *holes, const Run *run,
                                  int64_t first, int64_t n_valid, const Slot *slot) {
    const NUMBER margin = negligible_margin(holes->n_components);
    const int64_t n = gather(rows, first, n_valid, 1, holes->rows, holes->places);
    for (int64_t t = 0; t < n;) {
        const NUMBER *row = holes->rows + t * holes->d;
        const int64_t *places = holes->places + t;
        const int64_t n_of_pattern = holes->is_tied ? 1 : count_neighbors(row, n - t, holes->d);
        if (!holes->is_tied && is_run(holes->d, n_of_pattern)) {
            take_pattern(holes, row, 1);
            add_run(rows, holes, run, tile, row, places, n_of_pattern, slot->totals);
            t += n_of_pattern;
            continue;
        }
        const int64_t n_together = put_joints_of_neighbors(rows, holes, row, places, n - t);
        double weights[ROWS_TOGETHER];
        for (int64_t r = 0; r < n_together; r++) {
            weights[r] = weight_of(rows, places[r]);
            weigh(holes, holes->joint + r * holes->n_blocks * LANES, weights[r], margin, slot->totals);
        }
        if (holes->has_scatter)
            add_rows_to_scatter(holes, weights, n_together);
        else
            add_moments_of_rows(holes, row, n_together);
        t += n_together;
    }
    hand_over(holes, slot);
}

/* Holes with what does not depend on a row. */
INLINE Holes arranged_holes(const Tile *tile, const fastgmm_rows *rows, const fastgmm_prepared *prepared,
                            const int is_tied) {
    Holes holes = holes_in(tile, prepared, rows->n_features, is_tied);
    holes.has_scatter = is_tied && !rows->groups;
    arrange(&holes, prepared);
    if (is_tied) arrange_shared(&holes, prepared);
    return holes;
}

INLINE void incomplete_sweep(const fastgmm_rows *rows, const fastgmm_prepared *prepared,
                             const fastgmm_section *section, const fastgmm_slots *slots, const fastgmm_share *share,
                             const int is_tied) {
    const int64_t d = rows->n_features, n_components = prepared->n_components;
    const Tile tile = tile_in(share->scratch, section->tile_rows, d, n_components);
    Holes holes = arranged_holes(&tile, rows, prepared, is_tied);
    const Run run = run_in(&holes);
    clear_moments(&holes);
    for (Visit visit = BEFORE_ALL_VISITS; next_visit(&visit, rows, section, share);) {
        const int64_t chunk = visit.chunk;
        const Slot slot = {.counts = slots->counts + chunk * n_components,
                           .first = slots->first + chunk * n_components * d,
                           .second = slots->second + chunk * slots->second_size,
                           .totals = slots->totals + 2 * chunk,
                           .second_step = slots->second_step};
        sweep_tile_with_holes(rows, &tile, &holes, &run, visit.first, visit.n_valid, &slot);
    }
}

/* Write the joint log-densities of the rows first ... first + n_valid of the order to the lines of the tile. */
INLINE void put_joints_of_tile(const fastgmm_rows *rows, const Tile *tile, Holes *holes, int64_t first,
                               int64_t n_valid) {
    const int64_t d = holes->d, n_components = holes->n_components;
    gather(rows, first, n_valid, 0, holes->rows, holes->places);
    for (int64_t t = 0; t < n_valid;) {
        const int64_t n = put_joints_of_neighbors(rows, holes, holes->rows + t * d, holes->places + t, n_valid - t);
        for (int64_t r = 0; r < n; r++)
            for (int64_t k = 0; k < n_components; k++)
                tile->joint[k * tile->stride + t + r] = holes->joint[r * holes->n_blocks * LANES + k];
        t += n;
    }
    /* The lanes beyond the last row are computed, and shown to nobody. */
    for (int64_t k = 0; k < n_components; k++)
        for (int64_t t = n_valid; t < points_of(n_valid); t++) tile->joint[k * tile->stride + t] = 0;
}

INLINE void incomplete_log_density(const fastgmm_rows *rows, const fastgmm_prepared *prepared,
                                   const fastgmm_section *section, const fastgmm_outputs *outputs,
                                   const fastgmm_share *share, const int is_tied) {
    const Tile tile = tile_in(share->scratch, section->tile_rows, rows->n_features, prepared->n_components);
    Holes holes = arranged_holes(&tile, rows, prepared, is_tied);
    for (Visit visit = BEFORE_ALL_VISITS; next_visit(&visit, rows, section, share);) {
        put_joints_of_tile(rows, &tile, &holes, visit.first, visit.n_valid);
        put_outputs_in_places(rows, &tile, outputs, visit.first, visit.n_valid, points_of(visit.n_valid),
                              prepared->n_components);
    }
}

#define DEFINE_INCOMPLETE(family, is_tied)                                                                             \
    static void NAME(incomplete_sweep, family)(const fastgmm_rows *rows, const fastgmm_prepared *prepared,             \
                                               const fastgmm_section *section, const fastgmm_slots *slots,             \
                                               const fastgmm_share *share) {                                           \
        incomplete_sweep(rows, prepared, section, slots, share, is_tied);                                              \
    }                                                                                                                  \
    static void NAME(incomplete_log_density, family)(const fastgmm_rows *rows, const fastgmm_prepared *prepared,       \
                                                     const fastgmm_section *section, const fastgmm_outputs *outputs,   \
                                                     const fastgmm_share *share) {                                     \
        incomplete_log_density(rows, prepared, section, outputs, share, is_tied);                                      \
    }

DEFINE_INCOMPLETE(full, 0)
DEFINE_INCOMPLETE(tied, 1)
