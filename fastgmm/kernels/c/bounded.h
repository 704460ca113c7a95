/* Sweeps over reordered rows that leave out components which bounds prove to be too far from a whole tile;
 * sweeps/bounded.py has the proof. The same as numba_/bounded.py.
 */

/* Bounds give way by this share of a distance, more than rounding: float32 distances are wrong by 6e-8 of themselves,
 * densities in single precision by up to d times that, 6e-5 with a thousand features. */
#define SHARE_OF_CAUTION 1e-4
/* Distances are kept in float32, which has no room for those of float64 rows; no mixture needs to tell farther ones. */
#define FARTHEST 1e18

INLINE NUMBER largest_lane(Vector vector) {
#if HAS_SHUFFLES && !SINGLE && VECTOR_BYTES == 64
    Vector other = SHUFFLE(vector, vector, 4, 5, 6, 7, 0, 1, 2, 3);
    vector = where_less(vector, other, other, vector);
    other = SHUFFLE(vector, vector, 2, 3, 0, 1, 6, 7, 4, 5);
    vector = where_less(vector, other, other, vector);
    return vector[0] < vector[1] ? vector[1] : vector[0];
#else
    NUMBER lanes[LANES], largest;
    store(lanes, vector);
    largest = lanes[0];
    for (int64_t lane = 1; lane < LANES; lane++)
        if (lanes[lane] > largest) largest = lanes[lane];
    return largest;
#endif
}

/* The smallest, over the points that weigh anything, of the largest joint log-density; -inf without members. */
INLINE double smallest_maximum(const Tile *tile, int64_t n_members, int64_t n_points) {
    const Vector everywhere = broadcast((NUMBER)INFINITY), zero = broadcast(0);
    Vector smallest = everywhere;
    if (n_members == 0) return -INFINITY;
    for (int64_t t = 0; t < n_points; t += LANES) {
        Vector largest = largest_joint(tile, t, n_members);
        largest = where_less(zero, load(tile->weights + t), largest, everywhere);
        smallest = where_less(largest, smallest, largest, smallest);
    }
    return -(double)largest_lane(-smallest);
}

/* At most the Mahalanobis distance of any point, from joint log-densities c - m^2/2. */
INLINE float smallest_distance(const Tile *tile, int64_t line, int64_t n_points, double log_constant) {
    const Vector nowhere = broadcast((NUMBER)-INFINITY), zero = broadcast(0);
    Vector largest = nowhere;
    for (int64_t t = 0; t < n_points; t += LANES) {
        Vector joint = load(tile->joint + line * tile->stride + t);
        joint = where_less(zero, load(tile->weights + t), joint, nowhere);
        largest = where_less(largest, joint, joint, largest);
    }
    const NUMBER nearest = largest_lane(largest);
    double squared = 2.0 * (log_constant - (double)nearest);
    /* Where the square has overflowed nothing is known of the distance, and 0 bounds any. */
    if (!(squared > 0.0 && nearest > LOWEST)) return 0.0f;
    double distance = sqrt(squared);
    return (float)((distance < FARTHEST ? distance : FARTHEST) * (1.0 - SHARE_OF_CAUTION));
}

INLINE int any_weight(const Tile *tile, int64_t n_points) {
    for (int64_t t = 0; t < n_points; t += LANES)
        if (lanes_less(broadcast(0), load(tile->weights + t))) return 1;
    return 0;
}

/* Moments of the tile from the components that may matter; returns how many these are. */
INLINE int64_t bounded_sweep_tile(const fastgmm_rows *rows, const fastgmm_prepared *prepared, const Tile *tile,
                                  int64_t first, int64_t n_valid, const Slot *slot, const fastgmm_bounds *bounds,
                                  int64_t number, const Family family) {
    const int64_t d = rows->n_features, n_components = prepared->n_components, n_points = points_of(n_valid);
    const NUMBER margin = negligible_margin(n_components), *constants = prepared->log_constants;
    float *distances = bounds->distances + number * n_components;
    uint8_t *matters = bounds->matters + number * n_components;
    load_tile_in_order(rows, bounds->order, first, n_valid, n_points, prepared->means, tile);
    if (!any_weight(tile, n_points)) return 0;
    family.prepare(prepared, tile, d, n_points);
    int64_t n_members = 0;
    for (int64_t k = 0; k < n_components; k++)
        if (matters[k]) tile->members[n_members++] = k;
    /* We compute their sums to the end, since a distance that is known in full may keep a component out of many sweeps,
     * and the weak bound of a sum that was stopped early would let it in again each time. */
    int64_t line = 0;
    for (; line < n_members; line++)
        family.density(prepared, tile, d, n_points, tile->members[line], line, (NUMBER)INFINITY);
    /* Then come the other components whose log-density may reach the floor: it is at most c_k - m^2/2 with
     * m = s_k m' - delta_k. */
    const double floor = smallest_maximum(tile, n_members, n_points) - (double)(margin + CAUTION);
    for (int64_t k = 0; k < n_components; k++) {
        if (matters[k]) continue;
        double distance = bounds->shrink[k] * (double)distances[k] - bounds->drift[k];
        if (!(distance > 0.0)) distance = 0.0;
        distances[k] = (float)(distance * (1.0 - SHARE_OF_CAUTION));
        if (!((double)constants[k] - 0.5 * distance * distance < floor)) tile->members[n_members++] = k;
    }
    for (; line < n_members; line++)
        family.density(prepared, tile, d, n_points, tile->members[line], line, (NUMBER)INFINITY);
    for (line = 0; line < n_members; line++) {
        const int64_t k = tile->members[line];
        distances[k] = smallest_distance(tile, line, n_points, (double)constants[k]);
    }
    collect(prepared, tile, d, n_points, n_members, margin, slot, matters, family);
    return n_members;
}
