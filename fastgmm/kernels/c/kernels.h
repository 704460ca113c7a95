/* What module.c hands to the kernels, and the table it finds them in. No Python here.
 *
 * One kernel exists for each operation, covariance family, dtype of the arithmetic and instruction set:
 * fastgmm_{operation}_{family}_{dtype}_{instruction set}. All of them are the same source text (body.h).
 */
#ifndef FASTGMM_KERNELS_H
#define FASTGMM_KERNELS_H

#include <stdint.h>

enum { FASTGMM_FULL, FASTGMM_TIED, FASTGMM_DIAG, FASTGMM_SPHERICAL, FASTGMM_FACTOR, FASTGMM_FAMILIES };
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
    const void *errors; /* of known errors: variances or covariances, one row's after the other; NULL: there are none */
    int errors_dtype, errors_are_matrices;
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
    const double *inverse_cholesky; /* of matrices, else NULL; for rows of known errors the roots of covariances */
    double exponent;
    /* Of factor analyzers alone, by component and feature `rank` loadings and projections. */
    const void *halves, *loadings, *projections;
    int64_t rank;
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

/* For rows with holes; their densities are asked for like others. There is none for the spherical and factor families. */
typedef void fastgmm_incomplete_sweep(const fastgmm_rows *, const fastgmm_prepared *, const fastgmm_section *,
                                      const fastgmm_slots *, const fastgmm_share *);

/* Rows of entries (linear.h): dense, each row n_features numbers, where `starts` is NULL; else row i has those at
 * starts[i] ... starts[i + 1] - 1, on `lines` of their own, each at most once. */
typedef struct {
    const void *values; /* of rows with starts NULL: all are 1 */
    int kind;           /* of the values */
    const int64_t *starts;
    const int32_t *lines;
    int64_t n_rows, n_features, n_entries;
    int has_missing; /* NaN among the values: loadings have a second n_features lines, which say what that is worth */
    const double *weights;
    const int32_t *groups;
    const double *group_prior;
    int64_t n_groups;
} fastgmm_entries;

enum { FASTGMM_DOUBLES, FASTGMM_SINGLES, FASTGMM_BYTES, FASTGMM_ONES };

/* Log-densities that are linear in the entries; a line of loadings is `step` numbers, 0 behind those of components. */
typedef struct {
    int64_t n_components, n_lines, step;
    const double *log_constants, *loadings;
} fastgmm_linear;

/* By chunk: (step), (n_lines, step) and 2 numbers. */
typedef struct {
    double *counts, *first, *totals;
} fastgmm_linear_slots;

typedef void fastgmm_linear_sweep(const fastgmm_entries *, const fastgmm_linear *, const fastgmm_section *,
                                  const fastgmm_linear_slots *, const fastgmm_share *);
typedef void fastgmm_linear_log_density(const fastgmm_entries *, const fastgmm_linear *, const fastgmm_section *,
                                        const fastgmm_outputs *, const fastgmm_share *);
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
/* Of rows of known errors, by whether all that is added up are variances. */
enum { FASTGMM_MATRICES, FASTGMM_VARIANCES, FASTGMM_KINDS_OF_ERRORS };

typedef struct {
    const char *name;
    int (*runs_here)(void);
    fastgmm_sweep *const *sweep[FASTGMM_DTYPES];             /* by family */
    fastgmm_log_density *const *log_density[FASTGMM_DTYPES]; /* by family */
    fastgmm_incomplete_sweep *const *incomplete_sweep;       /* by family */
    fastgmm_log_density *const *incomplete_log_density;      /* by family */
    fastgmm_linear_sweep *const *linear_sweep;
    fastgmm_linear_log_density *const *linear_log_density;
    const fastgmm_chain_kernels *of_chains;
    fastgmm_incomplete_sweep *const *uncertain_sweep;        /* by kind */
    fastgmm_log_density *const *uncertain_log_density;       /* by kind */
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

/* The same for rows of known errors. */
int64_t fastgmm_uncertain_scratch_bytes(int64_t tile_rows, int64_t n_features, int64_t n_components, int are_matrices);

#endif
