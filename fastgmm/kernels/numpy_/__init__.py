"""The meaning of the kernels in plain NumPy: what the other backends must reproduce, and the last fallback.

Tiles are computed in float64 whatever the dtype of the rows, on one thread besides BLAS's own. ``complete.py`` is for
rows that have all of their values, ``incomplete.py`` for those that lack some, ``uncertain.py`` for those whose errors
are known, ``chains.py`` for steps of chains. May be imported: ``BACKEND``.
"""

from fastgmm.kernels.backend import Backend
from fastgmm.kernels.numpy_ import chains, incomplete, uncertain
from fastgmm.kernels.numpy_.complete import log_density, sweep

BACKEND = Backend("numpy", sweep, log_density, incomplete.KERNELS, uncertain.KERNELS, chains=chains.KERNELS)
