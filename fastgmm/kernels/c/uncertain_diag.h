/* Rows whose errors are variances under components that have variances alone: T = var + s of every feature by itself,
 * b = sigma (x - mu) / T and V'V = var / T. Lanes are points.
 */

/* T of feature j at t, 1 where the value is missing. */
INLINE Vector total_variance(const Tile *tile, const ErrorDesk *desk, double variance, int64_t j, int64_t t,
                             const int has_holes) {
    const Vector total = broadcast(variance) + load(desk->errors + j * tile->stride + t);
    if (!has_holes) return total;
    const Vector there = is_there(tile, desk, j, t);
    return fma_(total, there, broadcast(1) - there);
}

INLINE void put_joint_of_variances(const fastgmm_prepared *prepared, const Tile *tile, const ErrorDesk *desk,
                                   int64_t n_points, int64_t k, int64_t line, const int has_holes) {
    const double *variances = (const double *)prepared->scales + k * desk->d, *mean = prepared->means + k * desk->d;
    for (int64_t t = 0; t < n_points; t += LANES) {
        Determinant determinant = UNIT_DETERMINANT;
        Vector squares = broadcast(0);
        for (int64_t j = 0; j < desk->d; j++) {
            const Vector total = total_variance(tile, desk, variances[j], j, t, has_holes);
            const Vector delta = known_difference(tile, desk, mean, j, t, has_holes);
            squares = squares + delta * delta / total;
            determinant = times_corner(determinant, total);
        }
        put_uncertain_joint(prepared, tile, k, line, t,
                            constants_of(tile, desk, t, has_holes) + log_determinant(determinant) + squares);
    }
}

INLINE void add_moments_of_component(const fastgmm_prepared *prepared, const Tile *tile, const ErrorDesk *desk,
                                     int64_t n_points, int64_t k, int64_t line, const int has_holes, double *first,
                                     double *second) {
    const int64_t d = desk->d;
    const double *variances = (const double *)prepared->scales + k * d, *mean = prepared->means + k * d;
    for (int64_t j = 0; j < d; j++) {
        const Vector variance = broadcast(variances[j]), deviation = broadcast(prepared->inverse_cholesky[k * d + j]);
        Vector sum = broadcast(0), squares = broadcast(0);
        for (int64_t t = 0; t < n_points; t += LANES) {
            Vector inverse = broadcast(1) / total_variance(tile, desk, variances[j], j, t, has_holes);
            if (has_holes) inverse = inverse * is_there(tile, desk, j, t);
            const Vector b = deviation * (known_difference(tile, desk, mean, j, t, has_holes) * inverse);
            const Vector weight = load(tile->joint + line * tile->stride + t), weighted = weight * b;
            sum = sum + weighted;
            squares = squares + (weighted * b - weight * (variance * inverse));
        }
        add_sum(first + j, sum);
        add_sum(second + j, squares);
    }
}

/* Each with the registers to itself, without holes and with. */
#define DEFINE_OF_HOLES(name, has_holes)                                                                               \
    OUTLINE void put_joint_##name(const fastgmm_prepared *prepared, const Tile *tile, const ErrorDesk *desk,                \
                                  int64_t n_points, int64_t k, int64_t line) {                                         \
        put_joint_of_variances(prepared, tile, desk, n_points, k, line, has_holes);                                    \
    }                                                                                                                  \
    OUTLINE void add_##name(const fastgmm_prepared *prepared, const Tile *tile, const ErrorDesk *desk, int64_t n_points,    \
                            int64_t k, int64_t line, double *first, double *second) {                                  \
        add_moments_of_component(prepared, tile, desk, n_points, k, line, has_holes, first, second);                   \
    }

DEFINE_OF_HOLES(whole_rows, 0)
DEFINE_OF_HOLES(rows_with_holes, 1)

/* The joint log-densities of the tile's members, priors included; returns whether any value is missing. */
INLINE int put_joints_of_tile_of_variances(const fastgmm_rows *rows, const fastgmm_prepared *prepared, const Tile *tile,
                                           const ErrorDesk *desk, const Visit *visit, int64_t n_points, int64_t n_members) {
    const int has_holes = load_uncertain_rows(rows, tile, desk, visit->first, visit->n_valid, n_points);
    for (int64_t line = 0; line < n_members; line++)
        (has_holes ? put_joint_rows_with_holes : put_joint_whole_rows)(prepared, tile, desk, n_points,
                                                                       tile->members[line], line);
    if (rows->groups) add_priors(rows, tile, visit->first, visit->n_valid, prepared->n_components, n_members);
    return has_holes;
}

static void NAME(uncertain_sweep, variances)(const fastgmm_rows *rows, const fastgmm_prepared *prepared,
                                             const fastgmm_section *section, const fastgmm_slots *slots,
                                             const fastgmm_share *share) {
    const int64_t d = rows->n_features, n_components = prepared->n_components;
    const Tile tile = tile_in(share->scratch, section->tile_rows, d, n_components);
    const ErrorDesk desk = error_desk_in(&tile, rows, prepared);
    for (Visit visit = BEFORE_ALL_VISITS; next_visit(&visit, rows, section, share);) {
        const int64_t n_points = points_of(visit.n_valid);
        const int64_t n_members = find_members(rows, &tile, visit.first, visit.n_valid, n_components);
        const int has_holes =
            put_joints_of_tile_of_variances(rows, prepared, &tile, &desk, &visit, n_points, n_members);
        responsibilities_whole(&tile, n_members, n_points, negligible_margin(n_components),
                               slots->totals + 2 * visit.chunk);
        for (int64_t line = 0; line < n_members; line++) {
            const int64_t k = tile.members[line], slot = visit.chunk * n_components + k;
            if (!scale_and_count_whole(&tile, line, n_points, slots->counts + slot)) continue;
            (has_holes ? add_rows_with_holes : add_whole_rows)(prepared, &tile, &desk, n_points, k, line,
                                                               slots->first + slot * d, slots->second + slot * d);
        }
    }
}

static void NAME(uncertain_log_density, variances)(const fastgmm_rows *rows, const fastgmm_prepared *prepared,
                                                   const fastgmm_section *section, const fastgmm_outputs *outputs,
                                                   const fastgmm_share *share) {
    const int64_t n_components = prepared->n_components;
    const Tile tile = tile_in(share->scratch, section->tile_rows, rows->n_features, n_components);
    const ErrorDesk desk = error_desk_in(&tile, rows, prepared);
    for (int64_t k = 0; k < n_components; k++) tile.members[k] = k;
    for (Visit visit = BEFORE_ALL_VISITS; next_visit(&visit, rows, section, share);) {
        const int64_t n_points = points_of(visit.n_valid);
        put_joints_of_tile_of_variances(rows, prepared, &tile, &desk, &visit, n_points, n_components);
        put_outputs(&tile, outputs, visit.first, visit.n_valid, n_points, n_components);
    }
}
