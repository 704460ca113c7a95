/* What is believed of the components of a row before it is looked at: joint log-densities become
 *     c_k - |W_k (x - mu_k)|^2 / 2 + prior[group][k]
 * A prior of -inf excludes a component, which then lies below those that are allowed, however far these are.
 */
#define EXCLUDED (SINGLE ? -3.3e38 : -1.79e308) /* below LOWEST, and still a number */

/* The priors of a row; NULL where nothing is believed of it, since its group is none of the table. */
INLINE const double *priors_of(const fastgmm_rows *rows, int64_t row, int64_t n_components) {
    const int64_t group = rows->groups[row];
    return group >= 0 && group < rows->n_groups ? rows->group_prior + group * n_components : NULL;
}

/* The row that is visited there. */
INLINE int64_t row_at(const fastgmm_rows *rows, int64_t at) {
    return rows->order ? place_in(rows, rows->order, at) : at;
}

INLINE int is_allowed(const fastgmm_rows *rows, int64_t first, int64_t n_valid, int64_t n_components, int64_t k) {
    for (int64_t t = 0; t < n_valid; t++) {
        const double *priors = priors_of(rows, row_at(rows, first + t), n_components);
        if (!priors || priors[k] > -INFINITY) return 1;
    }
    return 0;
}

/* The components that any of the rows first ... first + n_valid may belong to; returns how many these are. All of them
 * where there are no groups, or none is left. */
OUTLINE int64_t find_members(const fastgmm_rows *rows, const Tile *tile, int64_t first, int64_t n_valid,
                             int64_t n_components) {
    int64_t n_members = 0;
    for (int64_t k = 0; rows->groups && k < n_components; k++)
        if (is_allowed(rows, first, n_valid, n_components, k)) tile->members[n_members++] = k;
    if (n_members > 0) return n_members;
    for (int64_t k = 0; k < n_components; k++) tile->members[k] = k;
    return n_components;
}

INLINE double with_prior(double joint, double prior) {
    const double sum = joint + prior;
    return sum > EXCLUDED ? sum : EXCLUDED;
}

/* Add the priors to the lines of the members. */
OUTLINE void add_priors(const fastgmm_rows *rows, const Tile *tile, int64_t first, int64_t n_valid,
                        int64_t n_components, int64_t n_members) {
    for (int64_t t = 0; t < n_valid; t++) {
        const double *priors = priors_of(rows, row_at(rows, first + t), n_components);
        for (int64_t line = 0; priors && line < n_members; line++) {
            NUMBER *at = tile->joint + line * tile->stride + t;
            *at = (NUMBER)with_prior((double)*at, priors[tile->members[line]]);
        }
    }
}
