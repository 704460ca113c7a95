/* The kernels of one dtype and instruction set: this text is compiled once for each of them (float64_avx512.c, ...).
 *
 * The includer defines SINGLE, AVX512, AVX2 and INSTANCE, as in `float64_avx512`.
 */
#include <math.h>
#include <stdint.h>
#include <string.h>

#include "kernels.h"

#ifdef _MSC_VER
#include <intrin.h>
#elif defined(__SSE2__)
#include <immintrin.h>
#endif

#include "instance.h"
#include "vector.h"
#include "elementary.h"
#include "tile.h"
#include "groups.h"
#include "collect.h"
#include "bounded.h"
#include "full.h"
#include "spherical.h"
#include "diag.h"
#include "tied.h"
#include "factor.h"

/* The next chunk, counted from 0, after this worker's last one. */
INLINE int64_t take_chunk(const fastgmm_share *share, int64_t last) {
    if (!share->next) return last + 1;
#ifdef _MSC_VER
    return _InterlockedExchangeAdd64(share->next, 1);
#else
    return __atomic_fetch_add(share->next, 1, __ATOMIC_RELAXED);
#endif
}

/* Whether the section has such a chunk, with any rows in it. */
INLINE int is_chunk(int64_t chunk, const fastgmm_section *section, const fastgmm_rows *rows) {
    return chunk >= 0 && chunk < section->n_chunks && chunk * section->chunk_rows < rows->n_visited;
}

/* Add the moments of the rows first ... first + n_valid to the slot. */
INLINE void sweep_tile(const fastgmm_rows *rows, const fastgmm_prepared *prepared, const Tile *tile, int64_t first,
                       int64_t n_valid, const Slot *slot, const Family family) {
    const int64_t d = rows->n_features, n_components = prepared->n_components, n_points = points_of(n_valid);
    const NUMBER margin = negligible_margin(n_components);
    /* A component that lies far below the others may lie above them once the priors are added. */
    const NUMBER depth = rows->groups ? (NUMBER)INFINITY : margin + CAUTION;
    if (rows->order)
        load_tile_in_order(rows, rows->order, first, n_valid, n_points, prepared->means, tile);
    else
        load_tile(rows, first, n_valid, n_points, prepared->means, tile);
    family.prepare(prepared, tile, d, n_points);
    const int64_t n_members = find_members(rows, tile, first, n_valid, n_components);
    for (int64_t line = 0; line < n_members; line++) {
        prefetch_rows(rows, first + n_valid, n_points, line, n_members);
        family.density(prepared, tile, d, n_points, tile->members[line], line, depth);
    }
    if (rows->groups) add_priors(rows, tile, first, n_valid, n_components, n_members);
    collect(prepared, tile, d, n_points, n_members, margin, slot, NULL, family);
}

/* Add the moments of the chunks that this worker takes to their slots. */
INLINE void sweep(const fastgmm_rows *rows, const fastgmm_prepared *prepared, const fastgmm_section *section,
                  const fastgmm_slots *slots, const fastgmm_bounds *bounds, const fastgmm_share *share,
                  const Family family) {
    const int64_t d = rows->n_features, n_components = prepared->n_components;
    const Tile tile = tile_in(share->scratch, section->tile_rows, d, n_components);
    for (int64_t chunk = take_chunk(share, -1); is_chunk(chunk, section, rows); chunk = take_chunk(share, chunk)) {
        int64_t begin = chunk * section->chunk_rows + section->start;
        int64_t end = smaller(chunk * section->chunk_rows + section->stop, rows->n_visited);
        const Slot slot = {slots->counts + chunk * n_components, slots->first + chunk * n_components * d,
                           slots->second ? slots->second + chunk * slots->second_size : NULL,
                           slots->totals + 2 * chunk, slots->second_step,
                           slots->extra ? slots->extra + chunk * n_components * slots->extra_step : NULL,
                           slots->extra_step};
        for (int64_t first = begin; first < end; first += section->tile_rows) {
            int64_t n_valid = smaller(section->tile_rows, end - first);
            if (bounds)
                bounds->evaluated[chunk] += bounded_sweep_tile(rows, prepared, &tile, first, n_valid, &slot, bounds,
                                                               first / section->tile_rows, family);
            else
                sweep_tile(rows, prepared, &tile, first, n_valid, &slot, family);
        }
    }
}

INLINE void put(void *to, int dtype, int64_t at, NUMBER number) {
    if (dtype == FASTGMM_FLOAT32)
        ((float *)to)[at] = (float)number;
    else
        ((double *)to)[at] = (double)number;
}

INLINE void put_table(const Tile *tile, const fastgmm_outputs *outputs, int64_t first, int64_t n_valid,
                      int64_t n_components) {
    for (int64_t t = 0; t < n_valid; t++)
        for (int64_t k = 0; k < n_components; k++)
            put(outputs->joint, outputs->dtype, (first + t) * n_components + k, tile->joint[k * tile->stride + t]);
}

/* Fill the outputs of the rows of one tile from its joint log-densities. */
INLINE void put_outputs(const Tile *tile, const fastgmm_outputs *outputs, int64_t first, int64_t n_valid,
                        int64_t n_points, int64_t n_components) {
    if (outputs->labels) {
        largest_component(tile, n_components, n_points);
        for (int64_t t = 0; t < n_valid; t++) outputs->labels[first + t] = (int64_t)tile->output[t];
    }
    if (outputs->joint && !outputs->normalize) put_table(tile, outputs, first, n_valid, n_components);
    if (!outputs->log_density && !outputs->normalize) return;
    log_sum_exp(tile, n_components, n_points, negligible_margin(n_components), outputs->normalize);
    if (outputs->log_density)
        for (int64_t t = 0; t < n_valid; t++)
            put(outputs->log_density, outputs->dtype, first + t, tile->output[t]);
    if (outputs->joint && outputs->normalize) put_table(tile, outputs, first, n_valid, n_components);
}

/* Fill the outputs of the chunks that this worker takes; a row's density is its own, whatever its weight. */
INLINE void log_density(const fastgmm_rows *rows, const fastgmm_prepared *prepared, const fastgmm_section *section,
                        const fastgmm_outputs *outputs, const fastgmm_share *share, prepare_tile *prepare,
                        joint_density *density) {
    const int64_t d = rows->n_features, n_components = prepared->n_components;
    /* A sum need not be computed to its end where no output shows it: labels want the largest one alone. */
    const NUMBER margin = outputs->joint || rows->groups ? (NUMBER)INFINITY
                          : outputs->log_density         ? negligible_margin(n_components) + CAUTION
                                                         : 0;
    const Tile tile = tile_in(share->scratch, section->tile_rows, d, n_components);
    for (int64_t chunk = take_chunk(share, -1); is_chunk(chunk, section, rows); chunk = take_chunk(share, chunk)) {
        int64_t begin = chunk * section->chunk_rows + section->start;
        int64_t end = smaller(chunk * section->chunk_rows + section->stop, rows->n_visited);
        for (int64_t first = begin; first < end; first += section->tile_rows) {
            int64_t n_valid = smaller(section->tile_rows, end - first), n_points = points_of(n_valid);
            load_tile(rows, first, n_valid, n_points, prepared->means, &tile);
            prepare(prepared, &tile, d, n_points);
            for (int64_t k = 0; k < n_components; k++) {
                tile.members[k] = k;
                prefetch_rows(rows, first + n_valid, n_points, k, n_components);
                density(prepared, &tile, d, n_points, k, k, margin);
            }
            if (rows->groups) add_priors(rows, &tile, first, n_valid, n_components, n_components);
            put_outputs(&tile, outputs, first, n_valid, n_points, n_components);
        }
    }
}

#define JOIN_(operation, family, instance) fastgmm_##operation##_##family##_##instance
#define JOIN(operation, family, instance) JOIN_(operation, family, instance)
#define NAME(operation, family) JOIN(operation, family, INSTANCE)

#define DEFINE(family, kind, prepare, packing, extra)                                                                  \
    static void NAME(sweep, family)(const fastgmm_rows *rows, const fastgmm_prepared *prepared,                        \
                                    const fastgmm_section *section, const fastgmm_slots *slots,                        \
                                    const fastgmm_bounds *bounds, const fastgmm_share *share) {                        \
        const Family functions = {prepare, joint_density_##family, responsibilities_##kind,                            \
                                  scale_and_count_##kind, packing, add_moments_##family, extra};                       \
        sweep(rows, prepared, section, slots, bounds, share, functions);                                               \
    }                                                                                                                  \
    static void NAME(log_density, family)(const fastgmm_rows *rows, const fastgmm_prepared *prepared,                  \
                                          const fastgmm_section *section, const fastgmm_outputs *outputs,              \
                                          const fastgmm_share *share) {                                                \
        log_density(rows, prepared, section, outputs, share, prepare, joint_density_##family);                         \
    }

DEFINE(full, roots, prepare_nothing, packing_repays_full, NULL)
DEFINE(tied, whole, prepare_tile_tied, packing_repays_light, NULL)
DEFINE(diag, whole, prepare_nothing, packing_repays_light, NULL)
DEFINE(spherical, whole, prepare_nothing, packing_repays_light, NULL)
DEFINE(factor, whole, prepare_nothing, packing_repays_light, add_extra_factor)

fastgmm_sweep *const NAME(sweep, families)[FASTGMM_FAMILIES] = {
    [FASTGMM_FULL] = NAME(sweep, full),
    [FASTGMM_TIED] = NAME(sweep, tied),
    [FASTGMM_DIAG] = NAME(sweep, diag),
    [FASTGMM_SPHERICAL] = NAME(sweep, spherical),
    [FASTGMM_FACTOR] = NAME(sweep, factor),
};
fastgmm_log_density *const NAME(log_density, families)[FASTGMM_FAMILIES] = {
    [FASTGMM_FULL] = NAME(log_density, full),
    [FASTGMM_TIED] = NAME(log_density, tied),
    [FASTGMM_DIAG] = NAME(log_density, diag),
    [FASTGMM_SPHERICAL] = NAME(log_density, spherical),
    [FASTGMM_FACTOR] = NAME(log_density, factor),
};

/* Rows with holes, and chains, are computed in float64, whatever the dtype of the rows. */
#if !SINGLE
#include "incomplete.h"
#include "incomplete_diag.h"
#include "incomplete_holes.h"
#include "incomplete_factors.h"
#include "incomplete_tied.h"
#include "incomplete_full.h"
#include "incomplete_runs.h"
#include "incomplete_matrices.h"
#include "chains.h"

fastgmm_incomplete_sweep *const NAME(incomplete_sweep, families)[FASTGMM_FAMILIES] = {
    [FASTGMM_FULL] = NAME(incomplete_sweep, full),
    [FASTGMM_TIED] = NAME(incomplete_sweep, tied),
    [FASTGMM_DIAG] = NAME(incomplete_sweep, diag),
};
fastgmm_log_density *const NAME(incomplete_log_density, families)[FASTGMM_FAMILIES] = {
    [FASTGMM_FULL] = NAME(incomplete_log_density, full),
    [FASTGMM_TIED] = NAME(incomplete_log_density, tied),
    [FASTGMM_DIAG] = NAME(incomplete_log_density, diag),
};

/* Sums of many small counts, too, whatever dtype these are kept in. */
#include "linear.h"
/* So are those of known errors. */
#include "uncertain.h"
#include "uncertain_matrices.h"
#include "uncertain_diag.h"

fastgmm_incomplete_sweep *const NAME(uncertain_sweep, kinds)[FASTGMM_KINDS_OF_ERRORS] = {
    [FASTGMM_MATRICES] = NAME(uncertain_sweep, matrices),
    [FASTGMM_VARIANCES] = NAME(uncertain_sweep, variances),
};
fastgmm_log_density *const NAME(uncertain_log_density, kinds)[FASTGMM_KINDS_OF_ERRORS] = {
    [FASTGMM_MATRICES] = NAME(uncertain_log_density, matrices),
    [FASTGMM_VARIANCES] = NAME(uncertain_log_density, variances),
};
#endif

END_OF_INSTANCE
