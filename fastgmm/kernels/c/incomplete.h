/* Rows that lack some of their values, which are NaN: kernels/incomplete.py says what is computed of them. What all
 * families share stands here: which rows a tile has, and where the numbers of a row go.
 */

#define LOG_TWO_PI 1.8378770664093453

INLINE int64_t place_of(const fastgmm_rows *rows, int64_t at) { return place_in(rows, rows->order, at); }

/* A tile: the rows first ... first + n_valid of the order, in one of the chunks that this worker takes. */
typedef struct {
    int64_t chunk, first, n_valid, end;
} Visit;

#define BEFORE_ALL_VISITS {-1, 0, 0, 0}

/* Go on to the next tile; returns whether there is one. */
INLINE int next_visit(Visit *visit, const fastgmm_rows *rows, const fastgmm_section *section,
                      const fastgmm_share *share) {
    visit->first += visit->n_valid;
    while (visit->first >= visit->end) {
        visit->chunk = take_chunk(share, visit->chunk);
        if (!is_chunk(visit->chunk, section, rows)) return 0;
        visit->first = visit->chunk * section->chunk_rows + section->start;
        visit->end = smaller(visit->chunk * section->chunk_rows + section->stop, rows->n_visited);
    }
    visit->n_valid = smaller(section->tile_rows, visit->end - visit->first);
    return 1;
}

INLINE double weight_of(const fastgmm_rows *rows, int64_t row) {
    return rows->weights ? rows->weights[row * rows->weight_stride] : 1.0;
}

/* Write the lines of joint log-densities, or of responsibilities, of the rows of one tile. */
INLINE void put_joint_in_places(const fastgmm_rows *rows, const Tile *tile, const fastgmm_outputs *outputs,
                                int64_t first, int64_t n_valid, int64_t n_components) {
    for (int64_t t = 0; t < n_valid; t++)
        for (int64_t k = 0; k < n_components; k++)
            put(outputs->joint, outputs->dtype, place_of(rows, first + t) * n_components + k,
                tile->joint[k * tile->stride + t]);
}

/* Fill the outputs of the rows of one tile, each in its place, from the lines of joint log-densities. */
OUTLINE void put_outputs_in_places(const fastgmm_rows *rows, const Tile *tile, const fastgmm_outputs *outputs,
                                   int64_t first, int64_t n_valid, int64_t n_points, int64_t n_components) {
    if (outputs->labels) {
        largest_component(tile, n_components, n_points);
        for (int64_t t = 0; t < n_valid; t++) outputs->labels[place_of(rows, first + t)] = (int64_t)tile->output[t];
    }
    if (outputs->joint && !outputs->normalize) put_joint_in_places(rows, tile, outputs, first, n_valid, n_components);
    if (!outputs->log_density && !outputs->normalize) return;
    log_sum_exp(tile, n_components, n_points, negligible_margin(n_components), outputs->normalize);
    if (outputs->joint && outputs->normalize) put_joint_in_places(rows, tile, outputs, first, n_valid, n_components);
    for (int64_t t = 0; outputs->log_density && t < n_valid; t++)
        put(outputs->log_density, outputs->dtype, place_of(rows, first + t), tile->output[t]);
}
