"""The kernels in C: compiled when fastgmm is installed, so that nothing is when they run.

``module.c`` is the Python module ``_kernels``, which takes buffers; the arithmetic lives in files that know nothing
of Python. ``body.h`` gathers a sweep from ``vector.h`` (a register), ``elementary.h`` (exp, log), ``tile.h`` and one
file for each family; it is compiled for two dtypes and up to three instruction sets, of which ``dispatch.c`` finds
those that run on this CPU. ``launch.py`` brings the threads. May be imported: ``BACKEND``.
"""

from fastgmm.kernels.backend import Backend
from fastgmm.kernels.c.launch import (
    bounded_sweep,
    chain_decode,
    chain_posteriors,
    describe,
    incomplete_log_density,
    incomplete_sweep,
    log_density,
    sweep,
    uncertain_log_density,
    uncertain_sweep,
)
from fastgmm.kernels.chains import ChainKernels
from fastgmm.kernels.incomplete import IncompleteKernels
from fastgmm.kernels.uncertain import UncertainKernels

BACKEND = Backend(
    "c",
    sweep,
    log_density,
    IncompleteKernels(incomplete_sweep, incomplete_log_density),
    UncertainKernels(uncertain_sweep, uncertain_log_density),
    describe,
    bounded_sweep,
    ChainKernels(chain_posteriors, chain_decode),
)
