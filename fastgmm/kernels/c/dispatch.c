/* The instances by instruction set, and which of them run on this CPU. */
#include <stddef.h>

#include "kernels.h"

#if defined(__x86_64__) && defined(__GNUC__)
#define HAS_AVX 1
#else
#define HAS_AVX 0
#endif

#define DECLARE(instance)                                                                                              \
    extern fastgmm_sweep *const fastgmm_sweep_families_##instance[FASTGMM_FAMILIES];                                   \
    extern fastgmm_log_density *const fastgmm_log_density_families_##instance[FASTGMM_FAMILIES];
#define DECLARE_INCOMPLETE(instance)                                                                                   \
    extern fastgmm_incomplete_sweep *const fastgmm_incomplete_sweep_families_##instance[FASTGMM_FAMILIES];             \
    extern fastgmm_log_density *const fastgmm_incomplete_log_density_families_##instance[FASTGMM_FAMILIES];            \
    extern fastgmm_linear_sweep *const fastgmm_linear_sweep_of_##instance;                                             \
    extern fastgmm_linear_log_density *const fastgmm_linear_log_density_of_##instance;
#define DECLARE_CHAINS(instance) extern const fastgmm_chain_kernels fastgmm_kernels_of_chains_##instance;
#define DECLARE_UNCERTAIN(instance)                                                                                    \
    extern fastgmm_incomplete_sweep *const fastgmm_uncertain_sweep_kinds_##instance[FASTGMM_KINDS_OF_ERRORS];          \
    extern fastgmm_log_density *const fastgmm_uncertain_log_density_kinds_##instance[FASTGMM_KINDS_OF_ERRORS];
#define ENTRY(name, runs_here)                                                                                         \
    {                                                                                                                  \
        #name, runs_here,                                                                                              \
            {[FASTGMM_FLOAT32] = fastgmm_sweep_families_float32_##name,                                                \
             [FASTGMM_FLOAT64] = fastgmm_sweep_families_float64_##name},                                               \
            {[FASTGMM_FLOAT32] = fastgmm_log_density_families_float32_##name,                                          \
             [FASTGMM_FLOAT64] = fastgmm_log_density_families_float64_##name},                                         \
            fastgmm_incomplete_sweep_families_float64_##name, fastgmm_incomplete_log_density_families_float64_##name,  \
            &fastgmm_linear_sweep_of_float64_##name, &fastgmm_linear_log_density_of_float64_##name,                    \
            &fastgmm_kernels_of_chains_float64_##name,                                                                 \
            fastgmm_uncertain_sweep_kinds_float64_##name, fastgmm_uncertain_log_density_kinds_float64_##name,          \
    }

static int always(void) { return 1; }

DECLARE(float32_baseline)
DECLARE(float64_baseline)
DECLARE_INCOMPLETE(float64_baseline)
DECLARE_CHAINS(float64_baseline)
DECLARE_UNCERTAIN(float64_baseline)

#if HAS_AVX
DECLARE(float32_avx2)
DECLARE(float64_avx2)
DECLARE_INCOMPLETE(float64_avx2)
DECLARE_CHAINS(float64_avx2)
DECLARE_UNCERTAIN(float64_avx2)
DECLARE(float32_avx512)
DECLARE(float64_avx512)
DECLARE_INCOMPLETE(float64_avx512)
DECLARE_CHAINS(float64_avx512)
DECLARE_UNCERTAIN(float64_avx512)

/* The compiler's own check of CPUID also asks whether the operating system saves the wide registers. */
static int has_avx2(void) {
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}

static int has_avx512(void) {
    return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512vl");
}
#endif

const fastgmm_instruction_set fastgmm_instruction_sets[] = {
#if HAS_AVX
    ENTRY(avx512, has_avx512),
    ENTRY(avx2, has_avx2),
#endif
    ENTRY(baseline, always),
    {NULL, NULL, {NULL, NULL}, {NULL, NULL}, NULL, NULL, NULL, NULL, NULL, NULL, NULL},
};

/* a * b + c of numbers that are not negative; -1 where that is no int64, or an argument is -1 already. */
static int64_t multiply_add(int64_t a, int64_t b, int64_t c) {
    if (a < 0 || b < 0 || c < 0 || (b > 0 && a > (INT64_MAX - c) / b)) return -1;
    return a * b + c;
}

int64_t fastgmm_scratch_bytes(int64_t tile_rows, int64_t n_features, int64_t n_components, int dtype) {
    /* As tile_in of tile.h cuts it: positions and members; three lines of features, one of components and five more,
     * each a cache line longer than the tile; and for each feature a vector and two numbers. */
    int64_t itemsize = dtype == FASTGMM_FLOAT32 ? 4 : 8;
    int64_t lines = multiply_add(3, n_features, multiply_add(1, n_components, 5));
    int64_t line = multiply_add(tile_rows, itemsize, FASTGMM_ALIGNMENT);
    int64_t members = multiply_add(1, n_components, 8);
    int64_t others = multiply_add(n_features, FASTGMM_ALIGNMENT + 16, multiply_add(8, members, 0));
    others = multiply_add(tile_rows, 8, others);
    return multiply_add(lines, line, others);
}

int64_t fastgmm_incomplete_scratch_bytes(int64_t tile_rows, int64_t n_features, int64_t n_components, int family) {
    /* Behind a tile, as holes_in of incomplete_holes.h and variances_in of incomplete_diag.h cut it. Components fill
     * whole vectors, of at most 8 numbers. */
    const int64_t tile = fastgmm_scratch_bytes(tile_rows, n_features, n_components, FASTGMM_FLOAT64);
    if (family == FASTGMM_DIAG) return multiply_add(n_features, multiply_add(16, n_components, 0), tile);
    const int64_t lanes = multiply_add(1, n_components, 7);
    const int64_t factors = family == FASTGMM_TIED ? 8 : lanes;
    /* For each lane of a factor four triangles, V, W and a line; for each component some lines and numbers more; the
     * rows of the tile; and for a run three squares of each component, and two of a vector. */
    const int64_t square = multiply_add(n_features, multiply_add(4, n_features, 3), 2);
    const int64_t lines = multiply_add(n_features, 14, 10);
    const int64_t rows = multiply_add(multiply_add(1, tile_rows, 8), multiply_add(1, n_features, 1), 0);
    const int64_t others = multiply_add(3, n_features, multiply_add(1, rows, 3));
    int64_t numbers = multiply_add(factors, square, multiply_add(lanes, lines, others));
    if (family == FASTGMM_FULL && n_features <= FASTGMM_MOST_FEATURES_OF_A_RUN) {
        const int64_t of_a_run = multiply_add(n_features, multiply_add(3, n_features, 2), 2);
        numbers = multiply_add(lanes, of_a_run, multiply_add(16 * n_features, n_features + 1, numbers));
    }
    if (family == FASTGMM_TIED) { /* five squares of lines of whole vectors, some lines, and of each component one and some numbers */
        const int64_t line = multiply_add(1, n_features, 8);
        numbers = multiply_add(line, multiply_add(5, line, 14), multiply_add(lanes, multiply_add(1, n_features, 4), numbers));
    }
    const int64_t integers = multiply_add(2, lanes, FASTGMM_ALIGNMENT);
    return multiply_add(8, multiply_add(1, numbers, integers), tile);
}

int64_t fastgmm_chain_scratch_bytes(int64_t n_states, int64_t longest, int64_t n_sequences) {
    /* As desk_in of chains.h cuts it, once or twice: five tables and four lines of states, and of each step three lines and a
     * number. */
    const int64_t line = multiply_add(multiply_add(1, n_states, 7) / 8, 8, 0);
    const int64_t lines = multiply_add(3, longest, multiply_add(5, n_states, 4));
    return multiply_add(n_sequences > 1 ? 16 : 8, multiply_add(lines, line, longest), 0);
}

int64_t fastgmm_uncertain_scratch_bytes(int64_t tile_rows, int64_t n_features, int64_t n_components, int are_matrices) {
    /* Behind a tile, as error_desk_in of uncertain.h cuts it, with vectors of at most 8 numbers: two triangles and two lines of
     * them, and for each component a line and a triangle; and lines of errors. */
    const int64_t tile = fastgmm_scratch_bytes(tile_rows, n_features, n_components, FASTGMM_FLOAT64);
    const int64_t triangle = multiply_add(n_features, multiply_add(1, n_features, 1), 0);
    if (triangle < 0) return -1;
    const int64_t of_a_component = multiply_add(1, n_features, triangle / 2);
    const int64_t vectors = multiply_add(multiply_add(1, n_components, 2), of_a_component, 0);
    const int64_t line = multiply_add(1, tile_rows, FASTGMM_ALIGNMENT / 8);
    const int64_t numbers = multiply_add(are_matrices ? triangle / 2 : n_features, line, multiply_add(8, vectors, 0));
    return multiply_add(8, numbers, tile);
}
