/* What module.c hands to the kernels, and the table it finds them in. No Python here.
 *
 * One kernel exists for each operation, covariance family, dtype of the arithmetic and instruction set:
 * fastgmm_{operation}_{family}_{dtype}_{instruction set}. All of them are the same source text (body.h).
 */
#ifndef FASTGMM_KERNELS_H
#define FASTGMM_KERNELS_H

#include <stdint.h>

enum { FASTGMM_FULL, FASTGMM_TIED, FASTGMM_DIAG, FASTGMM_SPHERICAL, FASTGMM_FAMILIES };
enum { FASTGMM_FLOAT32, FASTGMM_FLOAT64, FASTGMM_DTYPES };

/* Data of n_rows x n_features numbers. Strides count numbers, and may be negative. */
typedef struct {
    const void *values;
    int dtype;
    int64_t n_rows, n_features, row_stride, column_stride;
    const double *weights; /* NULL: every row weighs 1 */
    int64_t weight_stride;
    const double *origin; /* subtracted from every row, which is exact; NULL: nothing is */
    const int32_t *groups; /* NULL: there are none; see groups.h */
    const double *group_prior;
    int64_t n_groups;
    const int32_t *order; /* which rows are visited, as in bounds; NULL: all, as they lie */
    int64_t n_visited;
} fastgmm_rows;

/* parameters.py says what these hold; `dtype` is that of the arithmetic, which may be wider than that of the rows. */
typedef struct {
    int family, dtype;
    int64_t n_components;
    const void *log_constants;
    const double *means;
    const void *scales;                   /* inverse Cholesky factors, inverse deviations or precisions */
    const double *pivot, *whitened_means; /* of the tied family, else NULL */
    /* For rows with holes alone, where log_constants are log_weights and scales covariances. */
    const double *inverse_cholesky; /* of matrices, else NULL */
    double exponent;
} fastgmm_prepared;

/* The rows start ... stop of every chunk. */
typedef struct {
    int64_t n_chunks, chunk_rows, tile_rows, start, stop;
} fastgmm_section;

/* One slot of moments for each chunk. */
typedef struct {
    double *counts, *first, *second, *totals; /* no `second` where it is NULL */
    int64_t second_size; /* numbers in the second moments of all components */
    int64_t second_step; /* from those of a component to the next; 0 where all share them */
    double *observed; /* of rows with holes under variances alone, else NULL */
    double *extra; /* further sums of families that need some, else NULL */
    int64_t extra_step; /* from those of a component to the next */
} fastgmm_slots;

/* What a sweep over reordered rows knows from the one before, as contract.Bounds says. */
typedef struct {
    const int32_t *order;
    float *distances;   /* by tile and component */
    uint8_t *matters;   /* by tile and component */
    const double *shrink, *drift; /* by component */
    int64_t *evaluated; /* by chunk */
} fastgmm_bounds;

/* What is wanted of every row; NULL is not wanted. `dtype` is that of log_density and joint. */
typedef struct {
    void *log_density, *joint;
    int64_t *labels;
    int dtype, normalize;
} fastgmm_outputs;

/* What one worker has. All workers of a section take the next chunk from the same counter, so that one that starts late
 * takes fewer; which worker takes a chunk touches no result. */
typedef struct {
    int64_t *next; /* NULL: there is no other worker */
    void *scratch; /* fastgmm_scratch_bytes(...), aligned to FASTGMM_ALIGNMENT */
} fastgmm_share;

#define FASTGMM_ALIGNMENT 64

/* Bounds may be NULL. */
typedef void fastgmm_sweep(const fastgmm_rows *, const fastgmm_prepared *, const fastgmm_section *,
                           const fastgmm_slots *, const fastgmm_bounds *, const fastgmm_share *);
typedef void fastgmm_log_density(const fastgmm_rows *, const fastgmm_prepared *, const fastgmm_section *,
                                 const fastgmm_outputs *, const fastgmm_share *);

/* For rows with holes; their densities are asked for like others. There is none for the spherical family. */
typedef void fastgmm_incomplete_sweep(const fastgmm_rows *, const fastgmm_prepared *, const fastgmm_section *,
                                      const fastgmm_slots *, const fastgmm_share *);

/* Steps of chains, as chains.py says: `joint` holds log-densities, and afterwards the logarithms of posteriors. */
typedef struct {
    int64_t n_states, n_sequences, n_chunks, longest; /* steps of the longest sequence */
    const double *start, *transitions, *log_start, *log_transitions;
    const int64_t *offsets, *chunks; /* of sequences among the steps, of chunks among the sequences */
    double *joint;
    double *log_likelihoods; /* by sequence; of the best paths where these are asked for */
    double *pairs;           /* by chunk, states before and after; of posteriors alone */
    int64_t *states;         /* by step; of paths alone */
} fastgmm_chain;

typedef void fastgmm_of_chain(const fastgmm_chain *, const fastgmm_share *);

typedef struct {
    fastgmm_of_chain *posteriors, *decode;
} fastgmm_chain_kernels;

typedef struct {
    const char *name;
    int (*runs_here)(void);
    fastgmm_sweep *const *sweep[FASTGMM_DTYPES];             /* by family */
    fastgmm_log_density *const *log_density[FASTGMM_DTYPES]; /* by family */
    fastgmm_incomplete_sweep *const *incomplete_sweep;       /* by family */
    fastgmm_log_density *const *incomplete_log_density;      /* by family */
    const fastgmm_chain_kernels *of_chains;
} fastgmm_instruction_set;

/* The widest first; ends with a name of NULL. */
extern const fastgmm_instruction_set fastgmm_instruction_sets[];

/* The bytes of scratch for one worker, whatever the instruction set; -1 where that is no int64. */
int64_t fastgmm_scratch_bytes(int64_t tile_rows, int64_t n_features, int64_t n_components, int dtype);

/* The same for chains. */
int64_t fastgmm_chain_scratch_bytes(int64_t n_states, int64_t longest, int64_t n_sequences);

/* Of more features a tile has too few rows to repay what a run of one pattern takes to set up. */
#define FASTGMM_MOST_FEATURES_OF_A_RUN 64

/* The same for rows with holes. */
int64_t fastgmm_incomplete_scratch_bytes(int64_t tile_rows, int64_t n_features, int64_t n_components, int family);

#endif
