/* The functions of `_kernels` for rows of entries: as module.c, buffers are taken, checked, and handed to a kernel. */
#ifndef Py_LIMITED_API
#ifndef Py_GIL_DISABLED
#define Py_LIMITED_API 0x030B0000
#endif
#endif
#include <Python.h>
#include <stdint.h>
#include <string.h>

#include "kernels.h"
#include "linear_module.h"

#define MOST_VIEWS 16
/* As in module.c: below so many multiply-adds a kernel keeps the GIL. */
#define WORK_WORTH_THE_GIL 300000.0

typedef struct {
    Py_buffer views[MOST_VIEWS];
    int n_views;
    fastgmm_entries rows;
    fastgmm_linear prepared;
    fastgmm_section section;
    fastgmm_share share;
    void *memory;
} Call;

/* The view of a contiguous array of this format and these lengths, -1 where any will do; NULL with an exception. */
static Py_buffer *array_of(Call *call, PyObject *array, const char *kinds, int is_written, const char *name, int ndim,
                           int64_t first, int64_t second, int64_t third) {
    if (call->n_views == MOST_VIEWS) {
        PyErr_SetString(PyExc_SystemError, "too many arrays");
        return NULL;
    }
    Py_buffer *view = &call->views[call->n_views];
    if (PyObject_GetBuffer(array, view, PyBUF_C_CONTIGUOUS | PyBUF_FORMAT | (is_written ? PyBUF_WRITABLE : 0)) < 0)
        return NULL;
    call->n_views++;
    const char *format = view->format ? view->format : "B";
    const char kind = format[0] == 'l' && view->itemsize == 8 ? 'q' : format[0];
    if (format[0] == '\0' || format[1] != '\0' || !strchr(kinds, kind)) {
        PyErr_Format(PyExc_TypeError, "%s has the format %s", name, format);
        return NULL;
    }
    const int64_t lengths[] = {first, second, third};
    int fits = view->ndim == ndim && (uintptr_t)view->buf % (uintptr_t)view->itemsize == 0;
    for (int axis = 0; fits && axis < ndim; axis++) fits = lengths[axis] < 0 || view->shape[axis] == lengths[axis];
    if (!fits) {
        PyErr_Format(PyExc_ValueError, "%s has the wrong shape, or is not aligned", name);
        return NULL;
    }
    return view;
}

static int kind_of(const Py_buffer *view) {
    return view->itemsize == 8 ? FASTGMM_DOUBLES : view->itemsize == 4 ? FASTGMM_SINGLES : FASTGMM_BYTES;
}

static int is_tuple_of(PyObject *tuple, Py_ssize_t length, const char *what) {
    if (PyTuple_Check(tuple) && PyTuple_Size(tuple) == length) return 1;
    PyErr_Format(PyExc_TypeError, "%s are %zd things", what, length);
    return 0;
}

/* (n_rows, n_features, values, starts, lines, has_missing, weights, groups, group_prior) */
static int read_rows(Call *call, PyObject *tuple) {
    if (!is_tuple_of(tuple, 9, "rows of entries")) return -1;
    PyObject *item[9];
    for (int i = 0; i < 9; i++) item[i] = PyTuple_GetItem(tuple, i);
    fastgmm_entries *rows = &call->rows;
    rows->n_rows = PyLong_AsLongLong(item[0]), rows->n_features = PyLong_AsLongLong(item[1]);
    if (PyErr_Occurred()) return -1;
    if (rows->n_rows < 1 || rows->n_features < 1 || rows->n_features > INT32_MAX / 2) {
        PyErr_SetString(PyExc_ValueError, "these are no rows of entries");
        return -1;
    }
    Py_buffer *view;
    if (item[3] != Py_None) {
        if (!(view = array_of(call, item[3], "q", 0, "starts", 1, rows->n_rows + 1, 0, 0))) return -1;
        rows->starts = view->buf;
        if (!(view = array_of(call, item[4], "i", 0, "lines", 1, -1, 0, 0))) return -1;
        rows->lines = view->buf, rows->n_entries = view->shape[0];
        if (item[2] != Py_None && !(view = array_of(call, item[2], "dfB", 0, "values", 1, rows->n_entries, 0, 0)))
            return -1;
    } else if (!(view = array_of(call, item[2], "dfB", 0, "values", 2, rows->n_rows, rows->n_features, 0)))
        return -1;
    if (item[2] != Py_None) rows->values = view->buf, rows->kind = kind_of(view);
    rows->has_missing = PyObject_IsTrue(item[5]);
    if (rows->has_missing < 0) return -1;
    if (item[6] != Py_None) {
        if (!(view = array_of(call, item[6], "d", 0, "weights", 1, rows->n_rows, 0, 0))) return -1;
        rows->weights = view->buf;
    }
    if (item[7] == Py_None) return 0;
    if (!(view = array_of(call, item[7], "i", 0, "groups", 1, rows->n_rows, 0, 0))) return -1;
    rows->groups = view->buf;
    if (!(view = array_of(call, item[8], "d", 0, "group_prior", 2, -1, call->prepared.n_components, 0))) return -1;
    rows->group_prior = view->buf, rows->n_groups = view->shape[0];
    return 0;
}

/* (log_constants, loadings) */
static int read_prepared(Call *call, PyObject *tuple) {
    if (!is_tuple_of(tuple, 2, "linear parameters")) return -1;
    Py_buffer *view = array_of(call, PyTuple_GetItem(tuple, 0), "d", 0, "log_constants", 1, -1, 0, 0);
    if (!view) return -1;
    call->prepared.n_components = view->shape[0], call->prepared.log_constants = view->buf;
    if (!(view = array_of(call, PyTuple_GetItem(tuple, 1), "d", 0, "loadings", 2, -1, -1, 0))) return -1;
    call->prepared.n_lines = view->shape[0], call->prepared.step = view->shape[1];
    call->prepared.loadings = view->buf;
    if (call->prepared.n_components >= 1 && call->prepared.step >= call->prepared.n_components &&
        call->prepared.step % 8 == 0)
        return 0;
    PyErr_SetString(PyExc_ValueError, "lines of loadings are not whole vectors of the components");
    return -1;
}

static int read_section(Call *call, PyObject *tuple) {
    if (!is_tuple_of(tuple, 5, "the numbers of a section")) return -1;
    int64_t numbers[5];
    for (int i = 0; i < 5; i++) numbers[i] = PyLong_AsLongLong(PyTuple_GetItem(tuple, i));
    if (PyErr_Occurred()) return -1;
    call->section = (fastgmm_section){numbers[0], numbers[1], numbers[2], numbers[3], numbers[4]};
    const fastgmm_section *section = &call->section;
    if (section->n_chunks >= 1 && section->chunk_rows >= 1 && section->start >= 0 &&
        section->start <= section->stop && section->stop <= section->chunk_rows &&
        section->n_chunks <= INT64_MAX / 2 / section->chunk_rows)
        return 0;
    PyErr_SetString(PyExc_ValueError, "this is no section");
    return -1;
}

/* (rows, prepared, section, results, next), but for the results; and scratch for one worker. */
static int begin(Call *call, PyObject *const *arguments, Py_ssize_t n_arguments) {
    if (n_arguments != 5) {
        PyErr_SetString(PyExc_TypeError, "kernels of entries take five arguments");
        return -1;
    }
    if (read_prepared(call, arguments[1]) < 0 || read_rows(call, arguments[0]) < 0 ||
        read_section(call, arguments[2]) < 0)
        return -1;
    const int64_t d = call->rows.n_features, step = call->prepared.step;
    if (call->prepared.n_lines != (call->rows.has_missing ? 2 * d : d)) {
        PyErr_SetString(PyExc_ValueError, "there is not a line of loadings for every feature");
        return -1;
    }
    if (arguments[4] != Py_None) {
        Py_buffer *view = array_of(call, arguments[4], "q", 1, "next", 1, 1, 0, 0);
        if (!view) return -1;
        call->share.next = view->buf;
    }
    /* As desks_in of linear.h cuts it: constants, a table, and of four rows joint densities, a vector, entries. */
    if (step > PY_SSIZE_T_MAX / 256) return PyErr_NoMemory(), -1;
    const int64_t numbers = step + 4 * call->prepared.n_lines + 4 * (step + 8 + d + (d + step + 1) / 2);
    call->memory = PyMem_Malloc((size_t)(8 * numbers) + FASTGMM_ALIGNMENT);
    if (!call->memory) return PyErr_NoMemory(), -1;
    const uintptr_t first = (uintptr_t)call->memory + FASTGMM_ALIGNMENT - 1;
    call->share.scratch = (void *)(first & ~(uintptr_t)(FASTGMM_ALIGNMENT - 1));
    return 0;
}

static PyObject *end(Call *call, int done) {
    PyMem_Free(call->memory);
    while (call->n_views > 0) PyBuffer_Release(&call->views[--call->n_views]);
    if (!done) return NULL;
    Py_INCREF(Py_None);
    return Py_None;
}

static PyThreadState *release_the_gil(const Call *call) {
    const double rows = (double)(call->section.stop - call->section.start) * (double)call->section.n_chunks;
    const double n = rows < (double)call->rows.n_rows ? rows : (double)call->rows.n_rows;
    const double work = n * (double)call->prepared.n_components * (double)(call->rows.n_features + 20);
    return work > WORK_WORTH_THE_GIL ? PyEval_SaveThread() : NULL;
}

static const fastgmm_instruction_set *chosen(PyObject *module) {
    return *(const fastgmm_instruction_set **)PyModule_GetState(module);
}

const char fastgmm_linear_sweep_doc[] = "linear_sweep(rows, prepared, section, slots, next)\n--\n\n"
                                        "Add the sums of the chunks that this worker takes to their slots.";

PyObject *fastgmm_py_linear_sweep(PyObject *module, PyObject *const *arguments, Py_ssize_t n_arguments) {
    Call call = {.memory = NULL};
    if (begin(&call, arguments, n_arguments) < 0 || !is_tuple_of(arguments[3], 3, "linear slots")) return end(&call, 0);
    const int64_t n_chunks = call.section.n_chunks, step = call.prepared.step, n_lines = call.prepared.n_lines;
    const Py_buffer *counts = array_of(&call, PyTuple_GetItem(arguments[3], 0), "d", 1, "counts", 2, n_chunks, step, 0);
    if (!counts) return end(&call, 0);
    const Py_buffer *first =
        array_of(&call, PyTuple_GetItem(arguments[3], 1), "d", 1, "first", 3, n_chunks, n_lines, step);
    if (!first) return end(&call, 0);
    const Py_buffer *totals = array_of(&call, PyTuple_GetItem(arguments[3], 2), "d", 1, "totals", 2, n_chunks, 2, 0);
    if (!totals) return end(&call, 0);
    const fastgmm_linear_slots slots = {counts->buf, first->buf, totals->buf};
    PyThreadState *released = release_the_gil(&call);
    (*chosen(module)->linear_sweep)(&call.rows, &call.prepared, &call.section, &slots, &call.share);
    if (released) PyEval_RestoreThread(released);
    return end(&call, 1);
}

/* An array that is wanted where it has any rows: -1 with an exception. */
static int read_output(Call *call, PyObject *array, const char *kind, const char *name, int64_t n_columns, void **to) {
    const Py_ssize_t length = PyObject_Size(array);
    if (length <= 0) return (int)length;
    const int ndim = n_columns ? 2 : 1;
    const Py_buffer *view = array_of(call, array, kind, 1, name, ndim, call->rows.n_rows, n_columns, 0);
    if (!view) return -1;
    *to = view->buf;
    return 0;
}

const char fastgmm_linear_log_density_doc[] =
    "linear_log_density(rows, prepared, section, outputs, next)\n--\n\n"
    "Fill the outputs of the chunks that this worker takes; an output of length 0 is not wanted.";

PyObject *fastgmm_py_linear_log_density(PyObject *module, PyObject *const *arguments, Py_ssize_t n_arguments) {
    Call call = {.memory = NULL};
    if (begin(&call, arguments, n_arguments) < 0 || !is_tuple_of(arguments[3], 4, "outputs")) return end(&call, 0);
    fastgmm_outputs outputs = {.dtype = FASTGMM_FLOAT64};
    void *labels = NULL;
    outputs.normalize = PyObject_IsTrue(PyTuple_GetItem(arguments[3], 3));
    if (outputs.normalize < 0 ||
        read_output(&call, PyTuple_GetItem(arguments[3], 0), "d", "log_density", 0, &outputs.log_density) < 0 ||
        read_output(&call, PyTuple_GetItem(arguments[3], 1), "q", "labels", 0, &labels) < 0 ||
        read_output(&call, PyTuple_GetItem(arguments[3], 2), "d", "joint", call.prepared.n_components,
                    &outputs.joint) < 0)
        return end(&call, 0);
    outputs.labels = labels;
    PyThreadState *released = release_the_gil(&call);
    (*chosen(module)->linear_log_density)(&call.rows, &call.prepared, &call.section, &outputs, &call.share);
    if (released) PyEval_RestoreThread(released);
    return end(&call, 1);
}
