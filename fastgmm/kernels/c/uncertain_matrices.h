/* Rows of known errors under components with covariance matrices, or with errors that are matrices: lanes are points. */

/* What does not change within a tile, as constants. */
typedef struct {
    int are_matrices, has_holes;
} Errors;

/* T_ij of the points at t. */
INLINE Vector total_covariance(const Tile *tile, const ErrorDesk *desk, const double *covariance, int64_t t, int64_t i,
                               int64_t j, const Errors errors) {
    Vector total = broadcast(covariance[i * desk->d + j]);
    if (errors.are_matrices)
        total = total + load(desk->errors + (TRIANGLE(i) + j) * tile->stride + t);
    else if (i == j)
        total = total + load(desk->errors + j * tile->stride + t);
    if (!errors.has_holes) return total;
    const Vector there = is_there(tile, desk, i, t);
    if (i == j) return fma_(total, there, broadcast(1) - there);
    return total * (there * is_there(tile, desk, j, t));
}

/* L of the points at t; log det T. */
INLINE Vector factor_total(const Tile *tile, const ErrorDesk *desk, const double *covariance, int64_t t,
                           const Errors errors) {
    Determinant determinant = UNIT_DETERMINANT;
    for (int64_t i = 0; i < desk->d; i++) {
        NUMBER *own = desk->lower + TRIANGLE(i) * LANES;
        Vector squares = broadcast(0);
        for (int64_t j = 0; j < i; j++) {
            const NUMBER *other = desk->lower + TRIANGLE(j) * LANES;
            Vector known = broadcast(0);
            for (int64_t m = 0; m < j; m++) known = fma_(load(own + m * LANES), load(other + m * LANES), known);
            const Vector entry =
                (total_covariance(tile, desk, covariance, t, i, j, errors) - known) * load(other + j * LANES);
            store(own + j * LANES, entry);
            squares = fma_(entry, entry, squares);
        }
        const Vector corner = total_covariance(tile, desk, covariance, t, i, i, errors) - squares;
        determinant = times_corner(determinant, corner);
        store(own + i * LANES, broadcast(1) / square_root(corner));
    }
    return log_determinant(determinant);
}

/* y = L^-1 (x - mu); its square. */
INLINE Vector whiten_uncertain(const Tile *tile, const ErrorDesk *desk, const double *mean, int64_t t,
                               const Errors errors) {
    Vector squares = broadcast(0);
    for (int64_t i = 0; i < desk->d; i++) {
        const NUMBER *own = desk->lower + TRIANGLE(i) * LANES;
        Vector known = broadcast(0);
        for (int64_t m = 0; m < i; m++) known = fma_(load(own + m * LANES), load(desk->y + m * LANES), known);
        const Vector y =
            (known_difference(tile, desk, mean, i, t, errors.has_holes) - known) * load(own + i * LANES);
        store(desk->y + i * LANES, y);
        squares = fma_(y, y, squares);
    }
    return squares;
}

INLINE void put_uncertain_joints(const fastgmm_prepared *prepared, const Tile *tile, const ErrorDesk *desk,
                                 int64_t n_members, int64_t n_points, const Errors errors) {
    const int64_t d = desk->d;
    for (int64_t t = 0; t < n_points; t += LANES) {
        const Vector constants = constants_of(tile, desk, t, errors.has_holes);
        Vector of_factor = constants;
        for (int64_t line = 0, known = -1; line < n_members; line++) {
            const int64_t k = tile->members[line], f = smaller(k, desk->n_factors - 1);
            if (f != known)
                of_factor = factor_total(tile, desk, (const double *)prepared->scales + f * d * d, t, errors);
            known = f;
            const Vector squares = whiten_uncertain(tile, desk, prepared->means + k * d, t, errors);
            put_uncertain_joint(prepared, tile, k, line, t, constants + of_factor + squares);
        }
    }
}

/* V = L^-1 R of the points at t. */
INLINE void solve_roots(const Tile *tile, const ErrorDesk *desk, const double *root, int64_t t, const Errors errors) {
    for (int64_t i = 0; i < desk->d; i++) {
        const NUMBER *own = desk->lower + TRIANGLE(i) * LANES;
        const Vector scale = load(own + i * LANES);
        for (int64_t j = 0; j <= i; j++) {
            Vector known = broadcast(0), entry = broadcast(root[i * desk->d + j]);
            for (int64_t m = j; m < i; m++)
                known = fma_(load(own + m * LANES), load(desk->V + (TRIANGLE(m) + j) * LANES), known);
            if (errors.has_holes) entry = entry * is_there(tile, desk, i, t);
            store(desk->V + (TRIANGLE(i) + j) * LANES, (entry - known) * scale);
        }
    }
}

/* Sum wr b and sum wr b b', b = V'y. */
INLINE void add_expected(const ErrorDesk *desk, int64_t k, int64_t f, Vector weight) {
    const int64_t d = desk->d;
    NUMBER *first = desk->first + k * d * LANES, *second = desk->second + f * TRIANGLE(d) * LANES;
    for (int64_t i = 0; i < d; i++) {
        Vector b = broadcast(0);
        for (int64_t m = i; m < d; m++)
            b = fma_(load(desk->V + (TRIANGLE(m) + i) * LANES), load(desk->y + m * LANES), b);
        store(desk->b + i * LANES, b);
        const Vector weighted = weight * b;
        store(first + i * LANES, load(first + i * LANES) + weighted);
        for (int64_t j = 0; j <= i; j++, second += LANES)
            store(second, fma_(weighted, load(desk->b + j * LANES), load(second)));
    }
}

/* - sum wr V'V */
INLINE void subtract_explained(const ErrorDesk *desk, int64_t f, Vector weight) {
    const int64_t d = desk->d;
    NUMBER *second = desk->second + f * TRIANGLE(d) * LANES;
    for (int64_t i = 0; i < d; i++)
        for (int64_t j = 0; j <= i; j++, second += LANES) {
            Vector product = broadcast(0);
            for (int64_t m = i; m < d; m++) {
                const NUMBER *row = desk->V + TRIANGLE(m) * LANES;
                product = fma_(load(row + i * LANES), load(row + j * LANES), product);
            }
            store(second, load(second) - weight * product);
        }
}

/* Sums over all points; components without a share of a vector's points cost nothing there. */
INLINE void add_uncertain_moments(const fastgmm_prepared *prepared, const Tile *tile, const ErrorDesk *desk,
                                  int64_t n_members, int64_t n_points, const Errors errors) {
    const int64_t d = desk->d;
    const int is_shared = desk->n_factors < desk->n_components;
    for (int64_t t = 0; t < n_points; t += LANES) {
        Vector of_all = broadcast(0);
        int64_t known = -1;
        for (int64_t line = 0; line < n_members; line++) {
            const Vector weight = load(tile->joint + line * tile->stride + t);
            if (!lanes_less(broadcast(0), weight)) continue;
            const int64_t k = tile->members[line], f = smaller(k, desk->n_factors - 1);
            if (f != known) {
                factor_total(tile, desk, (const double *)prepared->scales + f * d * d, t, errors);
                solve_roots(tile, desk, prepared->inverse_cholesky + f * d * d, t, errors);
            }
            known = f;
            whiten_uncertain(tile, desk, prepared->means + k * d, t, errors);
            add_expected(desk, k, f, weight);
            of_all = of_all + weight;
            if (!is_shared) subtract_explained(desk, f, weight);
        }
        if (is_shared && known >= 0) subtract_explained(desk, 0, of_all);
    }
}

/* Where d is a constant its loops are unrolled: for the few features that sky surveys and meta-analyses have. */
#define OF_FEW_FEATURES(function, prepared, tile, desk, n_members, n_points, errors)                                   \
    do {                                                                                                               \
        ErrorDesk of_d = *(desk);                                                                                           \
        switch (errors.has_holes ? 0 : (desk)->d) {                                                                    \
            case 2: of_d.d = 2, function(prepared, tile, &of_d, n_members, n_points, errors); break;                   \
            case 3: of_d.d = 3, function(prepared, tile, &of_d, n_members, n_points, errors); break;                   \
            default: function(prepared, tile, desk, n_members, n_points, errors);                                      \
        }                                                                                                              \
    } while (0)

#define DEFINE_OF_ERRORS(name, are_matrices, has_holes)                                                                \
    OUTLINE void put_joints_##name(const fastgmm_prepared *prepared, const Tile *tile, const ErrorDesk *desk,               \
                                   int64_t n_members, int64_t n_points) {                                              \
        const Errors errors = {are_matrices, has_holes};                                                               \
        OF_FEW_FEATURES(put_uncertain_joints, prepared, tile, desk, n_members, n_points, errors);                      \
    }                                                                                                                  \
    OUTLINE void add_moments_##name(const fastgmm_prepared *prepared, const Tile *tile, const ErrorDesk *desk,              \
                                    int64_t n_members, int64_t n_points) {                                             \
        const Errors errors = {are_matrices, has_holes};                                                               \
        OF_FEW_FEATURES(add_uncertain_moments, prepared, tile, desk, n_members, n_points, errors);                     \
    }

DEFINE_OF_ERRORS(of_variances, 0, 0)
DEFINE_OF_ERRORS(of_variances_with_holes, 0, 1)
DEFINE_OF_ERRORS(of_matrices, 1, 0)
DEFINE_OF_ERRORS(of_matrices_with_holes, 1, 1)

/* By what the errors are and whether the tile has holes. */
typedef void OfErrors(const fastgmm_prepared *, const Tile *, const ErrorDesk *, int64_t, int64_t);
static OfErrors *const put_joints_of_errors[2][2] = {{put_joints_of_variances, put_joints_of_variances_with_holes},
                                                     {put_joints_of_matrices, put_joints_of_matrices_with_holes}};
static OfErrors *const add_moments_of_errors[2][2] = {{add_moments_of_variances, add_moments_of_variances_with_holes},
                                                      {add_moments_of_matrices, add_moments_of_matrices_with_holes}};

/* Add the sums of a tile to the slot of a chunk, and begin anew. */
INLINE void put_down(const ErrorDesk *desk, const fastgmm_slots *slots, int64_t chunk) {
    const int64_t d = desk->d, n_means = desk->n_components * d;
    for (int64_t at = 0; at < n_means; at++) {
        add_sum(slots->first + chunk * n_means + at, load(desk->first + at * LANES));
        store(desk->first + at * LANES, broadcast(0));
    }
    NUMBER *from = desk->second;
    for (int64_t f = 0; f < desk->n_factors; f++)
        for (int64_t i = 0; i < d; i++)
            for (int64_t j = 0; j <= i; j++, from += LANES) {
                add_sum(slots->second + chunk * slots->second_size + (f * d + i) * d + j, load(from));
                store(from, broadcast(0));
            }
}

static void NAME(uncertain_sweep, matrices)(const fastgmm_rows *rows, const fastgmm_prepared *prepared,
                                            const fastgmm_section *section, const fastgmm_slots *slots,
                                            const fastgmm_share *share) {
    const int64_t d = rows->n_features, n_components = prepared->n_components;
    const Tile tile = tile_in(share->scratch, section->tile_rows, d, n_components);
    const ErrorDesk desk = error_desk_in(&tile, rows, prepared);
    for (int64_t at = 0; at < n_components * d + desk.n_factors * TRIANGLE(d); at++)
        store(desk.first + at * LANES, broadcast(0));
    for (Visit visit = BEFORE_ALL_VISITS; next_visit(&visit, rows, section, share);) {
        const int64_t n_points = points_of(visit.n_valid);
        const int has_holes = load_uncertain_rows(rows, &tile, &desk, visit.first, visit.n_valid, n_points);
        const int64_t n_members = find_members(rows, &tile, visit.first, visit.n_valid, n_components);
        put_joints_of_errors[rows->errors_are_matrices][has_holes](prepared, &tile, &desk, n_members, n_points);
        if (rows->groups) add_priors(rows, &tile, visit.first, visit.n_valid, n_components, n_members);
        responsibilities_whole(&tile, n_members, n_points, negligible_margin(n_components),
                               slots->totals + 2 * visit.chunk);
        for (int64_t line = 0; line < n_members; line++)
            scale_and_count_whole(&tile, line, n_points,
                                  slots->counts + visit.chunk * n_components + tile.members[line]);
        add_moments_of_errors[rows->errors_are_matrices][has_holes](prepared, &tile, &desk, n_members, n_points);
        put_down(&desk, slots, visit.chunk);
    }
}

static void NAME(uncertain_log_density, matrices)(const fastgmm_rows *rows, const fastgmm_prepared *prepared,
                                                  const fastgmm_section *section, const fastgmm_outputs *outputs,
                                                  const fastgmm_share *share) {
    const int64_t n_components = prepared->n_components;
    const Tile tile = tile_in(share->scratch, section->tile_rows, rows->n_features, n_components);
    const ErrorDesk desk = error_desk_in(&tile, rows, prepared);
    for (int64_t k = 0; k < n_components; k++) tile.members[k] = k;
    for (Visit visit = BEFORE_ALL_VISITS; next_visit(&visit, rows, section, share);) {
        const int64_t n_points = points_of(visit.n_valid);
        const int has_holes = load_uncertain_rows(rows, &tile, &desk, visit.first, visit.n_valid, n_points);
        put_joints_of_errors[rows->errors_are_matrices][has_holes](prepared, &tile, &desk, n_components, n_points);
        if (rows->groups) add_priors(rows, &tile, visit.first, visit.n_valid, n_components, n_components);
        put_outputs(&tile, outputs, visit.first, visit.n_valid, n_points, n_components);
    }
}
