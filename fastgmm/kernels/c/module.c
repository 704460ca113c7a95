/* The Python module `_kernels`: takes buffers, checks that they fit together, releases the GIL where it pays, and calls
 * a kernel. The only file here that knows of Python; the arithmetic knows only kernels.h.
 */
#ifndef Py_LIMITED_API
#ifndef Py_GIL_DISABLED
#define Py_LIMITED_API 0x030B0000 /* buffers are in the stable ABI from Python 3.11 on */
#endif
#endif
#include <Python.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "kernels.h"
#include "linear_module.h"

/* Below so many multiply-adds and their kin, some 50 microseconds, a kernel keeps the GIL: whoever gives it up may wait
 * for a whole switch interval of 5 ms until it is given back. */
#define WORK_WORTH_THE_GIL 300000.0
/* Multiply-adds that an exponential and what goes with it are worth, as in work_of of contract.py. */
#define WORK_OF_AN_EXPONENTIAL 20.0

#define MOST_VIEWS 24

/* The buffers of one call, released together. */
typedef struct {
    Py_buffer views[MOST_VIEWS];
    int n;
} Views;

static void release(Views *views) {
    while (views->n > 0) PyBuffer_Release(&views->views[--views->n]);
}

/* A buffer of numbers (`kinds` is some of "fdqiB", the letters of the struct module), or NULL with an exception. */
static Py_buffer *view_of(Views *views, PyObject *array, int flags, const char *kinds, const char *name) {
    Py_buffer *view = &views->views[views->n];
    if (PyObject_GetBuffer(array, view, flags | PyBUF_FORMAT) < 0) return NULL;
    views->n++;
    const char *format = view->format ? view->format : "B";
    char kind = format[0] == 'l' && view->itemsize == 8 ? 'q' : format[0];
    if (format[0] == '\0' || format[1] != '\0' || !strchr(kinds, kind)) {
        PyErr_Format(PyExc_TypeError, "%s has the format %s", name, format);
        return NULL;
    }
    if ((uintptr_t)view->buf % (uintptr_t)view->itemsize) {
        PyErr_Format(PyExc_ValueError, "%s is not aligned", name);
        return NULL;
    }
    return view;
}

static int dtype_of(const Py_buffer *view) { return view->itemsize == 4 ? FASTGMM_FLOAT32 : FASTGMM_FLOAT64; }

/* What every kernel is called with. */
typedef struct {
    Views views;
    fastgmm_rows rows;
    fastgmm_prepared prepared;
    fastgmm_section section;
    fastgmm_share share;
    void *memory; /* where `share.scratch` lies */
    PyObject *results, *bounds;
} Call;

/* Shapes are written as the letters of their axes, "kd" for one number for each component and feature. */
static int64_t length_of(const Call *call, char axis) {
    switch (axis) {
    case 'n': return call->rows.n_rows;
    case 'd': return call->rows.n_features;
    case 'g': return call->rows.n_groups;
    case 'k': return call->prepared.n_components;
    case 'c': return call->section.n_chunks;
    case 'q': return call->prepared.rank;
    case 't': return (call->rows.n_rows - 1) / call->section.tile_rows + 1;
    default: return axis - '0';
    }
}

/* The data of a contiguous array of exactly this shape; NULL with an exception. */
static void *array_of(Call *call, PyObject *array, int flags, char kind, const char *name, const char *axes) {
    const char kinds[2] = {kind, '\0'};
    Py_buffer *view = view_of(&call->views, array, flags | PyBUF_C_CONTIGUOUS, kinds, name);
    if (!view) return NULL;
    int fits = view->ndim == (int)strlen(axes);
    for (int axis = 0; fits && axis < view->ndim; axis++) fits = view->shape[axis] == length_of(call, axes[axis]);
    if (!fits) {
        PyErr_Format(PyExc_ValueError, "%s has the wrong shape", name);
        return NULL;
    }
    return view->buf;
}

/* What stands at a place of a tuple. */
typedef struct {
    const char *name, *axes;
    char kind;
    enum { READ = 0, WRITTEN = PyBUF_WRITABLE } flags;
} Field;

/* The data of the arrays at the places begin ... end of a tuple; one without axes is not wanted. */
static int read_arrays(Call *call, PyObject *tuple, int begin, int end, const Field *fields, void **data) {
    if (!PyTuple_Check(tuple) || PyTuple_Size(tuple) != end) {
        PyErr_Format(PyExc_TypeError, "this is no tuple of %d arrays, %s the first", end, fields[0].name);
        return -1;
    }
    for (int i = begin; i < end; i++) {
        const Field *field = &fields[i];
        if (!field->axes) continue;
        data[i] = array_of(call, PyTuple_GetItem(tuple, i), field->flags, field->kind, field->name, field->axes);
        if (!data[i]) return -1;
    }
    return 0;
}

static int read_rows(Call *call, PyObject *values, PyObject *weights, PyObject *origin) {
    fastgmm_rows *rows = &call->rows;
    Py_buffer *view = view_of(&call->views, values, PyBUF_STRIDES, "fd", "values");
    if (!view) return -1;
    if (view->ndim != 2 || view->shape[0] < 1 || view->shape[1] < 1 || view->strides[0] % view->itemsize ||
        view->strides[1] % view->itemsize) {
        PyErr_SetString(PyExc_ValueError, "values are no table of numbers");
        return -1;
    }
    *rows = (fastgmm_rows){
        .values = view->buf,
        .dtype = dtype_of(view),
        .n_rows = view->shape[0],
        .n_features = view->shape[1],
        .row_stride = view->strides[0] / view->itemsize,
        .column_stride = view->strides[1] / view->itemsize,
        .n_visited = view->shape[0],
    };
    if (origin != Py_None) {
        rows->origin = array_of(call, origin, 0, 'd', "origin", "d");
        if (!rows->origin) return -1;
    }
    if (weights == Py_None) return 0;
    view = view_of(&call->views, weights, PyBUF_STRIDES, "d", "weights");
    if (!view) return -1;
    if (view->ndim != 1 || view->shape[0] != rows->n_rows || view->strides[0] % view->itemsize) {
        PyErr_SetString(PyExc_ValueError, "weights are not one number for each row");
        return -1;
    }
    rows->weights = view->buf;
    rows->weight_stride = view->strides[0] / view->itemsize;
    return 0;
}

/* What the families of parameters.py and contract.py differ in. */
static const struct {
    int n_arrays;          /* of prepared parameters, those after the third below */
    const char *constants; /* which dtypes the arithmetic may have, as `kinds` */
    const char *scales;    /* the axes of the factors, deviations or precisions */
    const char *second;    /* the axes of the second moments of slots, chunks and components first */
    const char *extra;     /* the same of further sums; NULL where there are none */
} families[FASTGMM_FAMILIES] = {
    [FASTGMM_FULL] = {3, "fd", "kdd", "ckdd"},
    [FASTGMM_TIED] = {5, "d", "dd", "cdd"},
    [FASTGMM_DIAG] = {3, "fd", "kd", "ckd"},
    [FASTGMM_SPHERICAL] = {3, "fd", "k", "ck"},
    [FASTGMM_FACTOR] = {6, "fd", "kd", "ckd", "ckdq"},
};

/* The rank of factor analyzers, which the loadings say; there are no more factors than features, whose lines they have. */
static int read_rank(Call *call, PyObject *loadings, const char *kinds) {
    Py_buffer *view = view_of(&call->views, loadings, PyBUF_C_CONTIGUOUS, kinds, "loadings");
    if (!view) return -1;
    if (view->ndim != 3 || view->shape[2] < 1 || view->shape[2] > call->rows.n_features) {
        PyErr_SetString(PyExc_ValueError, "loadings have the wrong shape");
        return -1;
    }
    call->prepared.rank = view->shape[2];
    return 0;
}

/* A tuple of arrays, as in parameters.py. */
static int read_prepared(Call *call, int family, PyObject *tuple) {
    if (family < 0 || family >= FASTGMM_FAMILIES || !PyTuple_Check(tuple) ||
        PyTuple_Size(tuple) != families[family].n_arrays) {
        PyErr_SetString(PyExc_ValueError, "these are no prepared parameters of the family");
        return -1;
    }
    const char *kinds = families[family].constants;
    Py_buffer *constants = view_of(&call->views, PyTuple_GetItem(tuple, 0), PyBUF_C_CONTIGUOUS, kinds, "log_constants");
    if (!constants) return -1;
    if (constants->ndim != 1 || constants->shape[0] < 1) {
        PyErr_SetString(PyExc_ValueError, "log_constants are not one number for each component");
        return -1;
    }
    call->prepared.n_components = constants->shape[0];
    const char kind = constants->itemsize == 4 ? 'f' : 'd';
    const int is_factor = family == FASTGMM_FACTOR;
    const char of_kind[2] = {kind, '\0'};
    if (is_factor && read_rank(call, PyTuple_GetItem(tuple, 4), of_kind) < 0) return -1;
    const Field fields[] = {{"log_constants", "k", kind, READ},
                            {"means", "kd", 'd', READ}, {"scales", families[family].scales, kind, READ},
                            {is_factor ? "halves" : "pivot", is_factor ? "k" : "d", is_factor ? kind : 'd', READ},
                            {is_factor ? "loadings" : "whitened_means", is_factor ? "kdq" : "kd", is_factor ? kind : 'd', READ},
                            {"projections", "kdq", kind, READ}};
    void *data[6] = {constants->buf};
    if (read_arrays(call, tuple, 1, families[family].n_arrays, fields, data) < 0) return -1;
    const int64_t n_components = call->prepared.n_components, rank = call->prepared.rank;
    call->prepared = (fastgmm_prepared){.family = family, .dtype = dtype_of(constants), .n_components = n_components,
                                        .log_constants = data[0], .means = data[1], .scales = data[2], .exponent = 1.0};
    if (is_factor) {
        call->prepared.halves = data[3], call->prepared.loadings = data[4], call->prepared.projections = data[5];
        call->prepared.rank = rank;
    } else
        call->prepared.pivot = data[3], call->prepared.whitened_means = data[4];
    return 0;
}

/* Parameters for rows with holes: arrays of float64, where covariances are matrices also their factors, and last the
 * exponent. */
static int read_incomplete(Call *call, int family, PyObject *tuple) {
    static const char *const covariances[FASTGMM_FAMILIES] = {"kdd", "dd", "kd", NULL, NULL};
    const int last = family == FASTGMM_FULL || family == FASTGMM_TIED ? 4 : 3;
    if (family < 0 || !covariances[family] || !PyTuple_Check(tuple) || PyTuple_Size(tuple) != last + 1) {
        PyErr_SetString(PyExc_ValueError, "these are no parameters for rows with missing values");
        return -1;
    }
    Py_buffer *log_weights = view_of(&call->views, PyTuple_GetItem(tuple, 0), PyBUF_C_CONTIGUOUS, "d", "log_weights");
    if (!log_weights) return -1;
    if (log_weights->ndim != 1 || log_weights->shape[0] < 1) {
        PyErr_SetString(PyExc_ValueError, "log_weights are not one number for each component");
        return -1;
    }
    fastgmm_prepared *prepared = &call->prepared;
    *prepared = (fastgmm_prepared){.family = family, .dtype = FASTGMM_FLOAT64, .log_constants = log_weights->buf};
    prepared->n_components = log_weights->shape[0];
    prepared->means = array_of(call, PyTuple_GetItem(tuple, 1), READ, 'd', "means", "kd");
    if (!prepared->means) return -1;
    prepared->scales = array_of(call, PyTuple_GetItem(tuple, 2), READ, 'd', "covariances", covariances[family]);
    if (!prepared->scales) return -1;
    if (last == 4) {
        PyObject *factors = PyTuple_GetItem(tuple, 3);
        prepared->inverse_cholesky = array_of(call, factors, READ, 'd', "inverse_cholesky", covariances[family]);
        if (!prepared->inverse_cholesky) return -1;
    }
    prepared->exponent = PyFloat_AsDouble(PyTuple_GetItem(tuple, last));
    return prepared->exponent == -1.0 && PyErr_Occurred() ? -1 : 0;
}

/* Parameters for rows of known errors, of which the family says the shape of covariances and roots, and last the exponent. */
static int read_uncertain(Call *call, int family, PyObject *tuple) {
    static const char *const covariances[FASTGMM_FAMILIES] = {"kdd", "1dd", "kd", NULL};
    if (family < 0 || !covariances[family] || !PyTuple_Check(tuple) || PyTuple_Size(tuple) != 5) {
        PyErr_SetString(PyExc_ValueError, "these are no parameters for rows of known errors");
        return -1;
    }
    Py_buffer *log_weights = view_of(&call->views, PyTuple_GetItem(tuple, 0), PyBUF_C_CONTIGUOUS, "d", "log_weights");
    if (!log_weights) return -1;
    if (log_weights->ndim != 1 || log_weights->shape[0] < 1) {
        PyErr_SetString(PyExc_ValueError, "log_weights are not one number for each component");
        return -1;
    }
    fastgmm_prepared *prepared = &call->prepared;
    *prepared = (fastgmm_prepared){.family = family, .dtype = FASTGMM_FLOAT64, .log_constants = log_weights->buf};
    prepared->n_components = log_weights->shape[0];
    prepared->means = array_of(call, PyTuple_GetItem(tuple, 1), READ, 'd', "means", "kd");
    if (!prepared->means) return -1;
    prepared->scales = array_of(call, PyTuple_GetItem(tuple, 2), READ, 'd', "covariances", covariances[family]);
    if (!prepared->scales) return -1;
    prepared->inverse_cholesky = array_of(call, PyTuple_GetItem(tuple, 3), READ, 'd', "roots", covariances[family]);
    if (!prepared->inverse_cholesky) return -1;
    prepared->exponent = PyFloat_AsDouble(PyTuple_GetItem(tuple, 4));
    return prepared->exponent == -1.0 && PyErr_Occurred() ? -1 : 0;
}

/* Variances (n, d), or covariances (n, d, d) where the parameters are no variances alone. */
static int read_errors(Call *call, PyObject *errors) {
    fastgmm_rows *rows = &call->rows;
    Py_buffer *view = view_of(&call->views, errors, PyBUF_C_CONTIGUOUS, "fd", "errors");
    if (!view) return -1;
    const int are_matrices = view->ndim == 3 && call->prepared.family != FASTGMM_DIAG;
    int fits = view->ndim == 2 + are_matrices && view->shape[0] == rows->n_rows;
    for (int axis = 1; fits && axis < view->ndim; axis++) fits = view->shape[axis] == rows->n_features;
    if (!fits) {
        PyErr_SetString(PyExc_ValueError, "errors have the wrong shape");
        return -1;
    }
    rows->errors = view->buf, rows->errors_dtype = dtype_of(view), rows->errors_are_matrices = are_matrices;
    return 0;
}

/* Which rows are visited; what it names is checked where it is used. */
static int read_order(Call *call, PyObject *order) {
    Py_buffer *view = view_of(&call->views, order, PyBUF_C_CONTIGUOUS, "i", "order");
    if (!view) return -1;
    if (view->ndim != 1) {
        PyErr_SetString(PyExc_ValueError, "order has the wrong shape");
        return -1;
    }
    call->rows.order = view->buf;
    call->rows.n_visited = view->shape[0];
    return 0;
}

/* A group for every row and a table of priors, which a group may point beside, or None. */
static int read_groups(Call *call, PyObject *groups, PyObject *group_prior) {
    fastgmm_rows *rows = &call->rows;
    if (groups == Py_None) return 0;
    rows->groups = array_of(call, groups, READ, 'i', "groups", "n");
    if (!rows->groups) return -1;
    rows->n_groups = PyObject_Size(group_prior);
    if (rows->n_groups < 0) return -1;
    rows->group_prior = array_of(call, group_prior, READ, 'd', "group_prior", "gk");
    return rows->group_prior ? 0 : -1;
}

static int read_section(PyObject *tuple, fastgmm_section *section) {
    int64_t numbers[5];
    if (!PyTuple_Check(tuple) || PyTuple_Size(tuple) != 5) {
        PyErr_SetString(PyExc_TypeError, "a section is five numbers");
        return -1;
    }
    for (int i = 0; i < 5; i++) {
        numbers[i] = PyLong_AsLongLong(PyTuple_GetItem(tuple, i));
        if (numbers[i] == -1 && PyErr_Occurred()) return -1;
    }
    *section = (fastgmm_section){numbers[0], numbers[1], numbers[2], numbers[3], numbers[4]};
    int is_sound = section->n_chunks >= 1 && section->chunk_rows >= 1 && section->tile_rows >= 32 &&
                   section->tile_rows % 32 == 0 && section->start >= 0 && section->start <= section->stop &&
                   section->stop <= section->chunk_rows &&
                   section->n_chunks <= INT64_MAX / 2 / section->chunk_rows && section->tile_rows <= INT64_MAX / 4;
    if (is_sound) return 0;
    PyErr_SetString(PyExc_ValueError, "this is no section");
    return -1;
}

/* Scratch for one worker, of so many bytes. */
static int allocate(Call *call, int64_t bytes) {
    if (bytes >= 0 && bytes <= PY_SSIZE_T_MAX - FASTGMM_ALIGNMENT)
        call->memory = PyMem_Malloc((size_t)bytes + FASTGMM_ALIGNMENT);
    if (!call->memory) {
        PyErr_NoMemory();
        return -1;
    }
    uintptr_t first = (uintptr_t)call->memory + FASTGMM_ALIGNMENT - 1;
    call->share.scratch = (void *)(first & ~(uintptr_t)(FASTGMM_ALIGNMENT - 1));
    return 0;
}

static int64_t scratch_bytes(const Call *call) {
    return fastgmm_scratch_bytes(call->section.tile_rows, call->rows.n_features, call->prepared.n_components,
                                 call->prepared.dtype);
}

static int64_t incomplete_scratch_bytes(const Call *call) {
    return fastgmm_incomplete_scratch_bytes(call->section.tile_rows, call->rows.n_features,
                                            call->prepared.n_components, call->prepared.family);
}

static int64_t uncertain_scratch_bytes(const Call *call) {
    return fastgmm_uncertain_scratch_bytes(call->section.tile_rows, call->rows.n_features, call->prepared.n_components,
                                           call->rows.errors_are_matrices);
}

static int kind_of_errors(const Call *call) {
    return call->prepared.family == FASTGMM_DIAG ? FASTGMM_VARIANCES : FASTGMM_MATRICES;
}

/* How a kernel is called: (family, values[, weights], origin, groups, group_prior, prepared[, order], section, results
 * [, bounds], next). */
typedef struct {
    const char *refusal; /* of another number of arguments */
    Py_ssize_t n_arguments;
    int has_weights, has_order, has_bounds;
    int (*read_parameters)(Call *, int, PyObject *);
} Signature;

/* Read the arguments that kernels have in common; the others are kept in the call. */
static int begin(Call *call, const Signature *signature, PyObject *const *arguments, Py_ssize_t n_arguments) {
    if (n_arguments != signature->n_arguments) {
        PyErr_SetString(PyExc_TypeError, signature->refusal);
        return -1;
    }
    const long number = PyLong_AsLong(*arguments++);
    if (number == -1 && PyErr_Occurred()) return -1;
    const int family = number >= 0 && number < FASTGMM_FAMILIES ? (int)number : -1;
    PyObject *values = *arguments++, *weights = signature->has_weights ? *arguments++ : Py_None;
    PyObject *origin = *arguments++, *groups = *arguments++, *group_prior = *arguments++, *prepared = *arguments++;
    PyObject *order = signature->has_order ? *arguments++ : Py_None, *section = *arguments++;
    call->results = *arguments++;
    call->bounds = signature->has_bounds ? *arguments++ : Py_None;
    PyObject *next = *arguments;
    if (read_rows(call, values, weights, origin) < 0) return -1;
    if (signature->read_parameters(call, family, prepared) < 0) return -1;
    if (read_groups(call, groups, group_prior) < 0) return -1;
    if (read_section(section, &call->section) < 0) return -1;
    const int is_ordered = order != Py_None || signature->read_parameters == read_incomplete;
    if (is_ordered && read_order(call, order) < 0) return -1;
    if (next == Py_None) return 0;
    call->share.next = array_of(call, next, PyBUF_WRITABLE, 'q', "next", "1");
    return call->share.next ? 0 : -1;
}

/* Free everything; the kernel's result where it was `done`, else NULL with the exception that is set. */
static PyObject *end(Call *call, int done) {
    PyMem_Free(call->memory);
    release(&call->views);
    if (!done) return NULL;
    Py_INCREF(Py_None);
    return Py_None;
}

/* Give the GIL up where the work is worth it; NULL where it is not. */
static PyThreadState *release_the_gil(const Call *call) {
    double d = (double)call->rows.n_features, n_components = (double)call->prepared.n_components;
    double n = (double)(call->section.stop - call->section.start) * (double)call->section.n_chunks;
    if (n > (double)call->rows.n_visited) n = (double)call->rows.n_visited;
    double work = n * n_components * (d * (d + 1) + WORK_OF_AN_EXPONENTIAL);
    return work > WORK_WORTH_THE_GIL ? PyEval_SaveThread() : NULL;
}

static void take_the_gil(PyThreadState *released) {
    if (released) PyEval_RestoreThread(released);
}

static const fastgmm_instruction_set *chosen(PyObject *module) {
    return *(const fastgmm_instruction_set **)PyModule_GetState(module);
}

/* Five arrays for the moments of every chunk; the last is of length 0 where a family has no further sums. */
static int read_slots(Call *call, PyObject *tuple, fastgmm_slots *slots) {
    const char *second = families[call->prepared.family].second, *extra = families[call->prepared.family].extra;
    const int is_shared = second[1] != 'k';
    const int is_tuple = PyTuple_Check(tuple) && PyTuple_Size(tuple) == 5;
    /* A shared one of length 0 is not wanted. */
    const Py_ssize_t length = is_shared && is_tuple ? PyObject_Size(PyTuple_GetItem(tuple, 2)) : 1;
    if (length < 0) return -1;
    const Field fields[] = {{"counts", "ck", 'd', WRITTEN}, {"first", "ckd", 'd', WRITTEN},
                            {"second", length ? second : "0dd", 'd', WRITTEN}, {"totals", "c2", 'd', WRITTEN},
                            {"extra", extra ? extra : "0", 'd', WRITTEN}};
    void *data[5];
    if (read_arrays(call, tuple, 0, 5, fields, data) < 0) return -1;
    *slots = (fastgmm_slots){data[0], data[1], length ? data[2] : NULL, data[3], .second_size = 1};
    if (extra) {
        slots->extra = data[4], slots->extra_step = 1;
        for (const char *axis = extra + 2; *axis; axis++) slots->extra_step *= length_of(call, *axis);
    }
    for (const char *axis = second + 1; *axis; axis++) slots->second_size *= length_of(call, *axis);
    slots->second_step = is_shared ? 0 : slots->second_size / call->prepared.n_components;
    return 0;
}

/* Six arrays; the contents of `order` are checked where they are used. */
static int read_bounds(Call *call, PyObject *tuple, fastgmm_bounds *bounds) {
    static const Field fields[] = {{"order", "n", 'i', READ},
                                   {"distances", "tk", 'f', WRITTEN}, {"matters", "tk", 'B', WRITTEN},
                                   {"shrink", "k", 'd', READ}, {"drift", "k", 'd', READ},
                                   {"evaluated", "c", 'q', WRITTEN}};
    if (call->rows.groups) {
        PyErr_SetString(PyExc_ValueError, "bounds say nothing of rows with groups");
        return -1;
    }
    if (call->rows.order) {
        PyErr_SetString(PyExc_ValueError, "bounds have an order of their own");
        return -1;
    }
    const fastgmm_section *section = &call->section;
    if (section->chunk_rows % section->tile_rows || section->start % section->tile_rows) {
        PyErr_SetString(PyExc_ValueError, "bounds belong to whole tiles");
        return -1;
    }
    void *data[6];
    if (read_arrays(call, tuple, 0, 6, fields, data) < 0) return -1;
    *bounds = (fastgmm_bounds){data[0], data[1], data[2], data[3], data[4], data[5]};
    return 0;
}

PyDoc_STRVAR(sweep_doc,
             "sweep(family, values, weights, origin, groups, group_prior, prepared, order, section, slots, bounds, next)\n--\n\n"
             "Add the moments of the chunks that this worker takes to their slots. None: no weights, origin, groups, "
             "order or bounds; bounds do not go with groups, nor with an order beside their own.");

static PyObject *py_sweep(PyObject *module, PyObject *const *arguments, Py_ssize_t n_arguments) {
    static const Signature signature = {"sweep takes twelve arguments", 12, 1, 1, 1, read_prepared};
    Call call = {.memory = NULL};
    fastgmm_slots slots;
    fastgmm_bounds bounds;
    if (begin(&call, &signature, arguments, n_arguments) < 0 || read_slots(&call, call.results, &slots) < 0 ||
        (call.bounds != Py_None && read_bounds(&call, call.bounds, &bounds) < 0) ||
        allocate(&call, scratch_bytes(&call)) < 0)
        return end(&call, 0);
    PyThreadState *released = release_the_gil(&call);
    chosen(module)->sweep[call.prepared.dtype][call.prepared.family](&call.rows, &call.prepared, &call.section, &slots,
                                                                     call.bounds != Py_None ? &bounds : NULL,
                                                                     &call.share);
    take_the_gil(released);
    return end(&call, 1);
}

/* The data of an output array of one number for each row, or with n_columns > 0 of as many; NULL where its length is 0
 * since it is not wanted. */
static int read_output(Call *call, PyObject *array, const char *kinds, const char *name, int64_t n_columns, void **to) {
    *to = NULL;
    Py_ssize_t length = PyObject_Size(array);
    if (length <= 0) return (int)length;
    Py_buffer *view = view_of(&call->views, array, PyBUF_C_CONTIGUOUS | PyBUF_WRITABLE, kinds, name);
    if (!view) return -1;
    /* The length said only that it is wanted: what an object says of itself need not be true of its buffer. */
    if (view->ndim != (n_columns ? 2 : 1) || view->shape[0] != call->rows.n_rows ||
        (n_columns && view->shape[1] != n_columns)) {
        PyErr_Format(PyExc_ValueError, "%s has the wrong shape", name);
        return -1;
    }
    *to = view->buf;
    return 0;
}

static int read_outputs(Call *call, PyObject *tuple, fastgmm_outputs *outputs) {
    void *labels;
    const char *kinds = call->rows.dtype == FASTGMM_FLOAT32 ? "f" : "d";
    if (!PyTuple_Check(tuple) || PyTuple_Size(tuple) != 4) {
        PyErr_SetString(PyExc_TypeError, "outputs are three arrays and a flag");
        return -1;
    }
    *outputs = (fastgmm_outputs){.dtype = call->rows.dtype, .normalize = PyObject_IsTrue(PyTuple_GetItem(tuple, 3))};
    if (outputs->normalize < 0) return -1;
    if (read_output(call, PyTuple_GetItem(tuple, 0), kinds, "log_density", 0, &outputs->log_density) < 0 ||
        read_output(call, PyTuple_GetItem(tuple, 1), "q", "labels", 0, &labels) < 0 ||
        read_output(call, PyTuple_GetItem(tuple, 2), kinds, "joint", call->prepared.n_components, &outputs->joint) < 0)
        return -1;
    outputs->labels = labels;
    return 0;
}

PyDoc_STRVAR(log_density_doc,
             "log_density(family, values, origin, groups, group_prior, prepared, section, outputs, next)\n--\n\n"
             "Fill the outputs of the chunks that this worker takes; an output of length 0 is not wanted.");

static PyObject *py_log_density(PyObject *module, PyObject *const *arguments, Py_ssize_t n_arguments) {
    static const Signature signature = {"log_density takes nine arguments", 9, 0, 0, 0, read_prepared};
    Call call = {.memory = NULL};
    fastgmm_outputs outputs;
    if (begin(&call, &signature, arguments, n_arguments) < 0 || read_outputs(&call, call.results, &outputs) < 0 ||
        allocate(&call, scratch_bytes(&call)) < 0)
        return end(&call, 0);
    PyThreadState *released = release_the_gil(&call);
    chosen(module)->log_density[call.prepared.dtype][call.prepared.family](&call.rows, &call.prepared, &call.section,
                                                                           &outputs, &call.share);
    take_the_gil(released);
    return end(&call, 1);
}

/* Slots of rows with holes: four arrays as others have, and a fifth that variances alone fill. */
static int read_incomplete_slots(Call *call, PyObject *tuple, fastgmm_slots *slots) {
    const int family = call->prepared.family, is_diag = family == FASTGMM_DIAG;
    const Field fields[] = {{"counts", "ck", 'd', WRITTEN}, {"first", "ckd", 'd', WRITTEN},
                            {"second", families[family].second, 'd', WRITTEN}, {"totals", "c2", 'd', WRITTEN},
                            {"observed", is_diag ? "ckd" : NULL, 'd', WRITTEN}};
    void *data[5] = {NULL};
    if (read_arrays(call, tuple, 0, 5, fields, data) < 0) return -1;
    const int64_t d = call->rows.n_features, n_components = call->prepared.n_components;
    const int64_t step = family == FASTGMM_FULL ? d * d : is_diag ? d : 0;
    *slots = (fastgmm_slots){.counts = data[0], .first = data[1], .second = data[2], .totals = data[3],
                             .second_size = step ? n_components * step : d * d, .second_step = step,
                             .observed = data[4]};
    return 0;
}

PyDoc_STRVAR(incomplete_sweep_doc,
             "incomplete_sweep(family, values, weights, origin, groups, group_prior, prepared, order, section, slots, "
             "next)\n--\n\n"
             "The same as sweep for rows with missing values, which are NaN; the spherical family has no such kernel.");

static PyObject *py_incomplete_sweep(PyObject *module, PyObject *const *arguments, Py_ssize_t n_arguments) {
    static const Signature signature = {"incomplete_sweep takes eleven arguments", 11, 1, 1, 0, read_incomplete};
    Call call = {.memory = NULL};
    fastgmm_slots slots;
    if (begin(&call, &signature, arguments, n_arguments) < 0 ||
        read_incomplete_slots(&call, call.results, &slots) < 0 || allocate(&call, incomplete_scratch_bytes(&call)) < 0)
        return end(&call, 0);
    PyThreadState *released = release_the_gil(&call);
    chosen(module)->incomplete_sweep[call.prepared.family](&call.rows, &call.prepared, &call.section, &slots,
                                                           &call.share);
    take_the_gil(released);
    return end(&call, 1);
}

PyDoc_STRVAR(incomplete_log_density_doc,
             "incomplete_log_density(family, values, origin, groups, group_prior, prepared, order, section, outputs, "
             "next)\n--\n\n"
             "Fill the outputs of the rows that the order names, each in its place.");

static PyObject *py_incomplete_log_density(PyObject *module, PyObject *const *arguments, Py_ssize_t n_arguments) {
    static const Signature signature = {"incomplete_log_density takes ten arguments", 10, 0, 1, 0, read_incomplete};
    Call call = {.memory = NULL};
    fastgmm_outputs outputs;
    if (begin(&call, &signature, arguments, n_arguments) < 0 || read_outputs(&call, call.results, &outputs) < 0 ||
        allocate(&call, incomplete_scratch_bytes(&call)) < 0)
        return end(&call, 0);
    PyThreadState *released = release_the_gil(&call);
    chosen(module)->incomplete_log_density[call.prepared.family](&call.rows, &call.prepared, &call.section, &outputs,
                                                                 &call.share);
    take_the_gil(released);
    return end(&call, 1);
}

/* Slots of rows of known errors: four arrays, of which the second moments have the shape of the covariances. */
static int read_uncertain_slots(Call *call, PyObject *tuple, fastgmm_slots *slots) {
    static const char *const second[FASTGMM_FAMILIES] = {"ckdd", "c1dd", "ckd"};
    const int family = call->prepared.family;
    const Field fields[] = {{"counts", "ck", 'd', WRITTEN}, {"first", "ckd", 'd', WRITTEN},
                            {"second", second[family], 'd', WRITTEN}, {"totals", "c2", 'd', WRITTEN}};
    void *data[4] = {NULL};
    if (read_arrays(call, tuple, 0, 4, fields, data) < 0) return -1;
    const int64_t d = call->rows.n_features, step = family == FASTGMM_DIAG ? d : d * d;
    *slots = (fastgmm_slots){data[0], data[1], data[2], data[3], .second_size = step};
    if (family != FASTGMM_TIED) slots->second_size *= call->prepared.n_components, slots->second_step = step;
    return 0;
}

PyDoc_STRVAR(uncertain_sweep_doc,
             "uncertain_sweep(errors, family, values, weights, origin, groups, group_prior, prepared, order, section, "
             "slots, next)\n--\n\n"
             "The same as sweep for rows of known errors; the order may be None.");

static PyObject *py_uncertain_sweep(PyObject *module, PyObject *const *arguments, Py_ssize_t n_arguments) {
    static const Signature signature = {"uncertain_sweep takes twelve arguments", 11, 1, 1, 0, read_uncertain};
    Call call = {.memory = NULL};
    fastgmm_slots slots;
    if (begin(&call, &signature, arguments + 1, n_arguments - 1) < 0 || read_errors(&call, arguments[0]) < 0 ||
        read_uncertain_slots(&call, call.results, &slots) < 0 || allocate(&call, uncertain_scratch_bytes(&call)) < 0)
        return end(&call, 0);
    PyThreadState *released = release_the_gil(&call);
    chosen(module)->uncertain_sweep[kind_of_errors(&call)](&call.rows, &call.prepared, &call.section, &slots,
                                                           &call.share);
    take_the_gil(released);
    return end(&call, 1);
}

PyDoc_STRVAR(uncertain_log_density_doc,
             "uncertain_log_density(errors, family, values, origin, groups, group_prior, prepared, section, outputs, "
             "next)\n--\n\n"
             "The same as log_density for rows of known errors.");

static PyObject *py_uncertain_log_density(PyObject *module, PyObject *const *arguments, Py_ssize_t n_arguments) {
    static const Signature signature = {"uncertain_log_density takes ten arguments", 9, 0, 0, 0, read_uncertain};
    Call call = {.memory = NULL};
    fastgmm_outputs outputs;
    if (begin(&call, &signature, arguments + 1, n_arguments - 1) < 0 || read_errors(&call, arguments[0]) < 0 ||
        read_outputs(&call, call.results, &outputs) < 0 || allocate(&call, uncertain_scratch_bytes(&call)) < 0)
        return end(&call, 0);
    PyThreadState *released = release_the_gil(&call);
    chosen(module)->uncertain_log_density[kind_of_errors(&call)](&call.rows, &call.prepared, &call.section, &outputs,
                                                                 &call.share);
    take_the_gil(released);
    return end(&call, 1);
}

/* A vector of as many numbers, or of any number where `length` is 0; how many there are, or -1. */
static Py_ssize_t vector_of(Call *call, PyObject *array, int flags, char kind, const char *name, Py_ssize_t length,
                            void **to) {
    const char kinds[2] = {kind, '\0'};
    Py_buffer *view = view_of(&call->views, array, flags | PyBUF_C_CONTIGUOUS, kinds, name);
    if (!view) return -1;
    if (view->ndim != 1 || (length && view->shape[0] != length)) {
        PyErr_Format(PyExc_ValueError, "%s has the wrong shape", name);
        return -1;
    }
    *to = view->buf;
    return view->shape[0];
}

/* Where things begin: from 0 on to `end`, and each after the one before, or not before it. */
static int are_offsets(const int64_t *offsets, Py_ssize_t n, int64_t end, int64_t step) {
    int fits = n >= 2 && offsets[0] == 0 && offsets[n - 1] == end;
    for (Py_ssize_t i = 1; fits && i < n; i++) fits = offsets[i] <= end && offsets[i] - offsets[i - 1] >= step;
    return fits;
}

/* What both kernels of chains read: tuples of probabilities and of sequences, and a table of joint log-densities. */
static int read_chain(Call *call, fastgmm_chain *chain, PyObject *const *arguments) {
    static const Field fields[] = {{"start", "k", 'd', READ}, {"transitions", "kk", 'd', READ},
                                   {"log_start", "k", 'd', READ}, {"log_transitions", "kk", 'd', READ}};
    Py_buffer *joint = view_of(&call->views, arguments[2], PyBUF_C_CONTIGUOUS | PyBUF_WRITABLE, "d", "joint");
    if (!joint) return -1;
    if (joint->ndim != 2 || joint->shape[0] < 1 || joint->shape[1] < 1) {
        PyErr_SetString(PyExc_ValueError, "joint has the wrong shape");
        return -1;
    }
    call->rows.n_rows = joint->shape[0], call->prepared.n_components = joint->shape[1];
    void *data[4], *offsets, *chunks;
    if (read_arrays(call, arguments[0], 0, 4, fields, data) < 0) return -1;
    if (!PyTuple_Check(arguments[1]) || PyTuple_Size(arguments[1]) != 2) {
        PyErr_SetString(PyExc_TypeError, "sequences are two arrays");
        return -1;
    }
    const Py_ssize_t n = vector_of(call, PyTuple_GetItem(arguments[1], 0), READ, 'q', "offsets", 0, &offsets);
    const Py_ssize_t m = n < 0 ? -1 : vector_of(call, PyTuple_GetItem(arguments[1], 1), READ, 'q', "chunks", 0, &chunks);
    if (m < 0) return -1;
    if (!are_offsets(offsets, n, joint->shape[0], 1) || !are_offsets(chunks, m, n - 1, 0)) {
        PyErr_SetString(PyExc_ValueError, "sequences do not fit the rows, or chunks do not fit the sequences");
        return -1;
    }
    *chain = (fastgmm_chain){.n_states = joint->shape[1], .n_sequences = n - 1, .n_chunks = m - 1, .start = data[0],
                             .transitions = data[1], .log_start = data[2], .log_transitions = data[3],
                             .offsets = offsets, .chunks = chunks, .joint = joint->buf};
    for (Py_ssize_t s = 0; s + 1 < n; s++) {
        const int64_t length = chain->offsets[s + 1] - chain->offsets[s];
        if (length > chain->longest) chain->longest = length;
    }
    call->section.n_chunks = chain->n_chunks;
    void *likelihoods;
    if (vector_of(call, arguments[3], WRITTEN, 'd', "log_likelihoods", n - 1, &likelihoods) < 0) return -1;
    chain->log_likelihoods = likelihoods;
    return 0;
}

/* Reads arguments, then calls one of the two kernels, for posteriors or for paths. */
static PyObject *call_chain(PyObject *module, PyObject *const *arguments, Py_ssize_t n_arguments, int is_path) {
    Call call = {.memory = NULL};
    fastgmm_chain chain;
    void *result, *next = NULL;
    if (n_arguments != 6) {
        PyErr_SetString(PyExc_TypeError, "kernels of chains take six arguments");
        return NULL;
    }
    if (read_chain(&call, &chain, arguments) < 0) return end(&call, 0);
    if (is_path) {
        if (vector_of(&call, arguments[4], WRITTEN, 'q', "states", call.rows.n_rows, &result) < 0) return end(&call, 0);
        chain.states = result;
    } else {
        chain.pairs = array_of(&call, arguments[4], WRITTEN, 'd', "transitions", "ckk");
        if (!chain.pairs) return end(&call, 0);
    }
    if (arguments[5] != Py_None && vector_of(&call, arguments[5], WRITTEN, 'q', "next", 1, &next) < 0)
        return end(&call, 0);
    call.share.next = next;
    const int64_t n_bytes = fastgmm_chain_scratch_bytes(chain.n_states, chain.longest, chain.n_sequences);
    if (allocate(&call, n_bytes) < 0) return end(&call, 0);
    const double work = (double)call.rows.n_rows * (double)chain.n_states * (double)(3 * chain.n_states + 20);
    PyThreadState *released = work > WORK_WORTH_THE_GIL ? PyEval_SaveThread() : NULL;
    const fastgmm_chain_kernels *kernels = chosen(module)->of_chains;
    (is_path ? kernels->decode : kernels->posteriors)(&chain, &call.share);
    take_the_gil(released);
    return end(&call, 1);
}

PyDoc_STRVAR(chain_posteriors_doc,
             "chain_posteriors(chain, sequences, joint, log_likelihoods, transitions, next)\n--\n\n"
             "Turn joint log-densities into the logarithms of posteriors; the log-likelihood of every sequence, and "
             "the expected transitions of every chunk, which are added.");

static PyObject *py_chain_posteriors(PyObject *module, PyObject *const *arguments, Py_ssize_t n_arguments) {
    return call_chain(module, arguments, n_arguments, 0);
}

PyDoc_STRVAR(chain_decode_doc, "chain_decode(chain, sequences, joint, log_probabilities, states, next)\n--\n\n"
                               "The most probable path of every sequence, and its joint log-density.");

static PyObject *py_chain_decode(PyObject *module, PyObject *const *arguments, Py_ssize_t n_arguments) {
    return call_chain(module, arguments, n_arguments, 1);
}

/* The widest instruction set that runs here, or the one that FASTGMM_INSTRUCTION_SET names. */
static const fastgmm_instruction_set *choose(void) {
    const char *wish = getenv("FASTGMM_INSTRUCTION_SET");
    int is_any = !wish || !*wish;
    for (const fastgmm_instruction_set *set = fastgmm_instruction_sets; set->name; set++)
        if (set->runs_here() && (is_any || !strcmp(set->name, wish))) return set;
    PyErr_Format(PyExc_ImportError, "FASTGMM_INSTRUCTION_SET=%s is none of those that run here", wish);
    return NULL;
}

static int execute(PyObject *module) {
    const fastgmm_instruction_set *set = choose();
    if (!set) return -1;
    *(const fastgmm_instruction_set **)PyModule_GetState(module) = set;
    PyObject *available = PyList_New(0);
    if (!available) return -1;
    for (const fastgmm_instruction_set *each = fastgmm_instruction_sets; each->name; each++) {
        PyObject *name = each->runs_here() ? PyUnicode_FromString(each->name) : NULL;
        int failed = name ? PyList_Append(available, name) < 0 : PyErr_Occurred() != NULL;
        Py_XDECREF(name);
        if (failed) {
            Py_DECREF(available);
            return -1;
        }
    }
    int failed = PyModule_AddObjectRef(module, "INSTRUCTION_SETS", available);
    Py_DECREF(available);
    return failed < 0 ? -1 : PyModule_AddStringConstant(module, "INSTRUCTION_SET", set->name);
}

static PyMethodDef methods[] = {
    {"sweep", (PyCFunction)(void (*)(void))py_sweep, METH_FASTCALL, sweep_doc},
    {"log_density", (PyCFunction)(void (*)(void))py_log_density, METH_FASTCALL, log_density_doc},
    {"incomplete_sweep", (PyCFunction)(void (*)(void))py_incomplete_sweep, METH_FASTCALL, incomplete_sweep_doc},
    {"incomplete_log_density", (PyCFunction)(void (*)(void))py_incomplete_log_density, METH_FASTCALL,
     incomplete_log_density_doc},
    {"linear_sweep", (PyCFunction)(void (*)(void))fastgmm_py_linear_sweep, METH_FASTCALL, fastgmm_linear_sweep_doc},
    {"linear_log_density", (PyCFunction)(void (*)(void))fastgmm_py_linear_log_density, METH_FASTCALL,
     fastgmm_linear_log_density_doc},
    {"chain_posteriors", (PyCFunction)(void (*)(void))py_chain_posteriors, METH_FASTCALL, chain_posteriors_doc},
    {"chain_decode", (PyCFunction)(void (*)(void))py_chain_decode, METH_FASTCALL, chain_decode_doc},
    {"uncertain_sweep", (PyCFunction)(void (*)(void))py_uncertain_sweep, METH_FASTCALL, uncertain_sweep_doc},
    {"uncertain_log_density", (PyCFunction)(void (*)(void))py_uncertain_log_density, METH_FASTCALL,
     uncertain_log_density_doc},
    {NULL, NULL, 0, NULL},
};

static PyModuleDef_Slot slots[] = {
    {Py_mod_exec, (void *)execute},
#ifdef Py_GIL_DISABLED
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
#endif
    {0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "_kernels",
    .m_doc = "Sweep and log-density kernels in C, on buffers.",
    .m_size = sizeof(const fastgmm_instruction_set *),
    .m_methods = methods,
    .m_slots = slots,
};

PyMODINIT_FUNC PyInit__kernels(void);

PyMODINIT_FUNC PyInit__kernels(void) { return PyModuleDef_Init(&definition); }
