"""The Numba backend: fused kernels, compiled for the machine when first used and then kept on disk.

``vector.py``, ``panels.py``, ``triangles.py`` and ``elementary.py`` are the vocabulary (``lowering.py`` says it to
LLVM, ``vector_numpy.py`` to NumPy), ``tile.py`` what all families share, ``full.py``, ``tied.py``, ``diag.py`` and
``spherical.py`` the arithmetic, ``drivers.py`` the loops over chunks, ``bounded.py`` those with bounds,
``incomplete….py`` all that rows with missing values need, ``uncertain….py`` those of known errors, ``chains.py`` and
``chain_launch.py`` what steps of chains do, ``jit.py`` compiling, ``cache.py`` what is kept on disk, ``launch.py`` the
threads. May be imported: ``BACKEND``. Only modules of this package import numba.
"""

from fastgmm.kernels.backend import Backend
from fastgmm.kernels.numba_ import chain_launch, incomplete, uncertain
from fastgmm.kernels.numba_.jit import describe
from fastgmm.kernels.numba_.launch import bounded_sweep, log_density, sweep

BACKEND = Backend(
    "numba",
    sweep,
    log_density,
    incomplete.KERNELS,
    uncertain.KERNELS,
    describe,
    bounded_sweep,
    chain_launch.KERNELS,
)
