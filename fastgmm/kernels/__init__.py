"""Kernels: the arithmetic that touches every row, and the only place where a backend is chosen.

One EM iteration is one *sweep*: each row is read once, its joint log-density with every component is computed, the
densities are turned into responsibilities, and the responsibilities into moments. Nothing of size n×K is stored::

    rows ──► tile of ≤ 512 points ──► joint log-densities ──► responsibilities ──► moments of the chunk's slot
             (feature by feature)      cₖ − ½‖L⁻¹(x − μₖ)‖²     exp, normalized       N, s, S about μₖ
                                       + prior of its group

Rows are cut into chunks by the shape of the problem alone, and slots are added in the order of the chunks. A thread
works through some of the chunks; which ones does not matter, so the result has the same bits for any number of
threads. A section is short enough that a call which nobody waits for any more ends soon. Every word has one meaning::

    row      one data point; in a tile we call it a point
    block    rows that Python holds or hands on together: what ``Rows`` is
    chunk    the rows that share a slot
    slot     the moments of one chunk
    section  what one call of a kernel visits: the same range of rows in every chunk
    tile     rows that a worker copies, feature by feature, into a cache, and computes together
    line     the numbers of one feature, or of one component, of all points in a tile
    panel    the few vectors of sums that a kernel holds in registers
    pattern  which features a row lacks
    run      rows of one pattern that stand next to each other in a tile

A backend (``backend.py``) is six functions: ``sweep`` (rows into slots) and ``log_density`` (rows into densities,
labels, responsibilities), and the same two for rows with holes, and for rows of known errors; one that skips what
bounds exclude may come with them. ``contract.py`` says what passes between them and the library, ``incomplete.py`` and
``uncertain.py`` what besides where rows have holes, or known errors.
``numpy_`` says what the functions mean; ``numba_`` and ``c`` do the same arithmetic on vectors, the one compiled when
it is first used, the other when fastgmm is installed. The type of the prepared parameters selects the family's
arithmetic.

Kernels hold no policy, raise nothing and allocate nothing while they run; scratch memory is there before they start.
May be imported: ``get_backend``, ``available_backends``, ``BackendName``, ``BACKEND_NAMES``, ``HEAVY_SWEEP`` and the
names of ``contract.py``, ``backend.py``, ``incomplete.py`` and ``uncertain.py``.
"""

import importlib.util
import logging
import os
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Literal, TypeAlias, get_args

from fastgmm.errors import BackendUnavailableError
from fastgmm.kernels.backend import Backend
from fastgmm.machine.waiting import import_whole

logger = logging.getLogger("fastgmm")

BackendName: TypeAlias = Literal["auto", "c", "numba", "numpy"]
BACKEND_NAMES: tuple[str, ...] = get_args(BackendName)
_MODULES = {"c": "fastgmm.kernels.c", "numba": "fastgmm.kernels.numba_", "numpy": "fastgmm.kernels.numpy_"}
# From so many multiply-adds (``contract.work_of``) a sweep is heavy: a second or more on two cores, so that a fit of
# the usual tens of iterations takes longer than Numba's compiler.
HEAVY_SWEEP = 2e10


def available_backends() -> dict[str, str]:
    """Every backend with ``"available"`` or the reason why it is not; loads none."""
    return {name: _state_of(name) for name in _MODULES}


def _state_of(name: str) -> str:
    """Whether a backend is available: we ask anew for every fit, since what was loaded may have been removed."""
    if name == "numba":
        return "available" if importlib.util.find_spec("numba") is not None else "numba is not installed"
    return _state_of_the_extension() if name == "c" else "available"


def _state_of_the_extension() -> str:
    folder = os.path.join(os.path.dirname(__file__), "c")
    if PathFinder.find_spec("fastgmm.kernels.c._kernels", [folder]) is not None:
        return "available"
    try:
        reason = Path(folder, "not_built.txt").read_text(encoding="utf-8").strip()
    except OSError:
        reason = "no build was tried"
    return f"its extension was not built: {reason}"


def get_backend(name: str = "auto", sweep_work: float = 0.0) -> Backend:
    """Load a backend by name; ``"auto"`` is ``FASTGMM_BACKEND`` where set, else a rule from shapes alone.

    C for scoring and for all fits whose sweep is not heavy, since it never compiles; Numba for heavy ones. Where one of
    the two is missing the other does its work, and NumPy where both are.

    Parameters
    ----------
    sweep_work : float
        ``contract.work_of`` one sweep of a fit; 0 for scoring.

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
    for candidate in ("numba", "c") if sweep_work >= HEAVY_SWEEP else ("c", "numba"):
        if _state_of(candidate) == "available":
            try:
                return _load(candidate)
            except BackendUnavailableError as error:
                logger.warning("%s; another one does its work", error)
    return _load("numpy")


def _load(name: str) -> Backend:
    if name not in _MODULES:
        raise ValueError(f"backend must be one of {', '.join(map(repr, BACKEND_NAMES))}; got {name!r}")
    try:
        module = import_whole(_MODULES[name])
    except (ImportError, OSError) as error:  # OSError: a library that numba loads is missing
        state = _state_of(name)
        reason = error if state == "available" else state
        raise BackendUnavailableError(name, str(reason)) from error
    backend: Backend = module.BACKEND
    return backend
