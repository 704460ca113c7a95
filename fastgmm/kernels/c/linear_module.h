/* What module.c has of linear_module.c. */
#ifndef FASTGMM_LINEAR_MODULE_H
#define FASTGMM_LINEAR_MODULE_H

extern const char fastgmm_linear_sweep_doc[], fastgmm_linear_log_density_doc[];
PyObject *fastgmm_py_linear_sweep(PyObject *module, PyObject *const *arguments, Py_ssize_t n_arguments);
PyObject *fastgmm_py_linear_log_density(PyObject *module, PyObject *const *arguments, Py_ssize_t n_arguments);

#endif
