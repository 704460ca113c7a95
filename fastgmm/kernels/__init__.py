"""Kernels: the arithmetic that touches every row, and the only place where a backend is chosen.

One EM iteration is one *sweep*: each row is read once, its joint log-density with every component is computed, the
densities are turned into responsibilities, and the responsibilities into moments. Nothing of size n×K is stored::

    rows ──► tile of ≤ 256 points ──► joint log-densities ──► responsibilities ──► moments of the chunk's slot
             (feature by feature)      cₖ − ½‖L⁻¹(x − μₖ)‖²     exp, normalized       N, s, S about μₖ

Rows are cut into *chunks* by the shape of the problem alone, every chunk has a *slot* of moments, and slots are added
in order. A thread works through some of the chunks; which ones does not matter, so the result has the same
bits for any number of threads. One call of a kernel covers a *section*, the same range of rows in each chunk, short
enough that Ctrl-C is answered between calls. The words are defined in ``contract.py``.

A backend is two functions: ``sweep`` (rows into slots) and ``log_density`` (rows into densities, labels,
responsibilities). ``numpy_.py`` says what they mean, ``numba_`` is the fast one. The type of the prepared
parameters selects the family's arithmetic.

Kernels hold no policy, raise nothing and allocate nothing while they run.
May be imported: ``Backend``, ``get_backend``, ``available_backends`` and the names of ``contract.py``.
"""

import importlib
import importlib.util
import logging
import os

from fastgmm.errors import BackendUnavailableError
from fastgmm.kernels.contract import Backend

logger = logging.getLogger("fastgmm")

_MODULES = {"numba": "fastgmm.kernels.numba_", "numpy": "fastgmm.kernels.numpy_"}
BACKEND_NAMES = ("auto", *_MODULES)


def available_backends() -> dict[str, str]:
    """Every backend with ``"available"`` or the reason why it is not; loads none."""
    numba_found = importlib.util.find_spec("numba") is not None
    return {"numba": "available" if numba_found else "numba is not installed", "numpy": "available"}


def get_backend(name: str = "auto") -> Backend:
    """Load a backend by name; ``"auto"`` is ``FASTGMM_BACKEND`` where set, else Numba where it works, else NumPy.

    Raises
    ------
    ValueError
        For a name that is no backend.
    BackendUnavailableError
        Where a backend asked for by name cannot be loaded; the cause is chained.
    """
    wish = os.environ.get("FASTGMM_BACKEND") or "auto"
    if name == "auto" and wish != "auto":
        if wish not in _MODULES:
            raise ValueError(f"FASTGMM_BACKEND must be one of {', '.join(map(repr, BACKEND_NAMES))}; got {wish!r}")
        name = wish
    if name != "auto":
        return _load(name)
    if available_backends()["numba"] == "available":
        try:
            return _load("numba")
        except BackendUnavailableError as error:
            logger.warning("%s; NumPy does its work, more slowly", error)
    return _load("numpy")


def _load(name: str) -> Backend:
    if name not in _MODULES:
        raise ValueError(f"backend must be one of {', '.join(map(repr, BACKEND_NAMES))}; got {name!r}")
    try:
        module = importlib.import_module(_MODULES[name])
    except (ImportError, OSError) as error:  # OSError: a library that numba loads is missing
        raise BackendUnavailableError(f"the {name} backend cannot be used: {error}") from error
    backend: Backend = module.BACKEND
    return backend
