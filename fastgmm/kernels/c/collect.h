/* What a family does in a sweep, and how the moments of a tile are collected from its responsibilities. */

/* What a family does before any component sees the tile. */
typedef void prepare_tile(const fastgmm_prepared *, const Tile *, int64_t d, int64_t n_points);
/* Write the joint log-densities of component k to a line. A component known to lie further than `margin` below another
 * one at a point need not be computed to its end there. */
typedef void joint_density(const fastgmm_prepared *, const Tile *, int64_t d, int64_t n_points, int64_t k, int64_t line,
                           NUMBER margin);
/* Add the moments of component k from lines of points and of weighted responsibilities. */
typedef void add_moments(const fastgmm_prepared *, const Tile *, const NUMBER *points, const NUMBER *weights, int64_t d,
                         int64_t n_points, int64_t k, double *first, double *second);
/* Add the further sums of component k, from the same. */
typedef void add_extra(const fastgmm_prepared *, const Tile *, const NUMBER *points, const NUMBER *weights, int64_t d,
                       int64_t n_points, int64_t k, double *extra);
/* Of square roots or of whole responsibilities, as the family's moments want them. */
typedef void responsibilities_kind(const Tile *, int64_t n_components, int64_t n_points, NUMBER margin, double *totals);
typedef int64_t scale_and_count_kind(const Tile *, int64_t k, int64_t n_points, double *count);
/* Whether to copy the points that count for a component together before their moments are taken. */
typedef int packing_repays(int64_t d, int64_t n_active, int64_t n_points);

/* For families with nothing common to all components. */
INLINE void prepare_nothing(const fastgmm_prepared *prepared, const Tile *tile, int64_t d, int64_t n_points) {
    (void)prepared, (void)tile, (void)d, (void)n_points;
}

/* In the light families the moments of a point cost few multiply-adds, hardly more than copying it. With components far
 * apart, packing took 0.96 of the time at d = 32, 1.02 at d = 16 and 1.14 at d = 8; where we also packed where a
 * quarter of the points count, it took 1.4 of the time at any d. */
INLINE int packing_repays_light(int64_t d, int64_t n_active, int64_t n_points) {
    return d >= 16 && 8 * n_active <= n_points;
}

/* Rows rounded up to the two vectors that the density kernels take at a time. */
INLINE int64_t points_of(int64_t n_valid) { return (n_valid + 2 * LANES - 1) / (2 * LANES) * (2 * LANES); }

INLINE int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }

/* K joint log-densities of a point that lie so far below the largest one do not change the last place of their sum even
 * together: log K for their number, and the 24 or 53 binary digits of a number, 24 ln 2 = 16.6 or 53 ln 2 = 36.7. */
INLINE NUMBER negligible_margin(int64_t n_components) {
    return (NUMBER)(log((double)n_components) + (SINGLE ? 16.6 : 36.7));
}

/* We stop a sum early only where it lies this much beyond the margin below the best, so that a sum that was stopped and
 * one that was not round to the same responsibility, 0. */
#define CAUTION 1

/* The functions of a family. */
typedef struct {
    prepare_tile *prepare;
    joint_density *density;
    responsibilities_kind *responsibilities;
    scale_and_count_kind *scale_and_count;
    packing_repays *packing;
    add_moments *moments;
    add_extra *extra; /* NULL where there are no further sums */
} Family;

/* Where the moments of one chunk go. */
typedef struct {
    double *counts, *first, *second, *totals;
    int64_t second_step;
    double *extra; /* of the family's further sums, else NULL */
    int64_t extra_step;
} Slot;

/* Compute the responsibilities of the components whose lines stand in `joint`, and add their moments. `active`, where it
 * is not NULL, is told of each of these components whether any point counts for it. */
INLINE void collect(const fastgmm_prepared *prepared, const Tile *tile, int64_t d, int64_t n_points, int64_t n_members,
                    NUMBER margin, const Slot *slot, uint8_t *active, const Family family) {
    family.responsibilities(tile, n_members, n_points, margin, slot->totals);
    for (int64_t line = 0; line < n_members; line++) {
        const int64_t k = tile->members[line];
        const int64_t n_active = family.scale_and_count(tile, line, n_points, slot->counts + k);
        if (active) active[k] = n_active > 0;
        if (n_active == 0) continue;
        const NUMBER *points = tile->points, *weights = tile->joint + line * tile->stride;
        int64_t n_taken = n_points;
        if (family.packing(d, n_active, n_points)) {
            n_taken = pack(tile, line, d, n_points);
            points = tile->packed, weights = tile->packed_weights;
        }
        family.moments(prepared, tile, points, weights, d, n_taken, k, slot->first + k * d,
                       slot->second ? slot->second + k * slot->second_step : NULL);
        if (family.extra)
            family.extra(prepared, tile, points, weights, d, n_taken, k, slot->extra + k * slot->extra_step);
    }
}
