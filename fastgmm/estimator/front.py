"""The functions of the front door: ``load``, ``warmup`` and ``show_backend``."""

import platform
import sys
from collections.abc import Iterable

import numpy as np
from numpy.typing import DTypeLike

from fastgmm.data.facts import Facts
from fastgmm.errors import BackendUnavailableError
from fastgmm.estimator import interchange
from fastgmm.estimator.mixture import GaussianMixture
from fastgmm.families import FAMILIES, FOUR
from fastgmm.files import model_file
from fastgmm.kernels import HEAVY_SWEEP, BackendName, available_backends, get_backend
from fastgmm.machine.threads import resolve_n_threads
from fastgmm.machine.whole_file import AnyPath
from fastgmm.parameters import Parameters
from fastgmm.rows import Rows
from fastgmm.sweeps.bounded import first_bounds
from fastgmm.sweeps.in_memory import evaluate, make_sweep
from fastgmm.version import __version__


def load(path: AnyPath) -> GaussianMixture:
    """Read a model that ``GaussianMixture.save`` wrote.

    Parameters, results and options are in the file, ``prior`` and ``fixed`` among them. A start given as arrays or a
    callable, random states, callbacks, ``backend`` and ``n_threads`` belong to the process and are not; nor are the
    moments that ``partial_fit`` keeps, for which those of the model stand then.

    Parameters
    ----------
    path : str or path-like

    Returns
    -------
    GaussianMixture
        Fitted; it predicts to the bit what the saved one did on the same backend.

    Raises
    ------
    FileNotFoundError
    ModelFormatError
        Where the file is damaged, truncated, newer than this version, or no fastgmm model. Nothing is unpickled.

    Examples
    --------
    >>> import tempfile, fastgmm
    >>> gm = fastgmm.GaussianMixture.from_parameters([1.0], [[0.0]], [[[4.0]]])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     gm.save(f"{folder}/model.npz")
    ...     fastgmm.load(f"{folder}/model.npz").means_
    array([[0.]])
    """
    return interchange.from_saved_model(GaussianMixture, model_file.load_model(path))


def warmup(
    covariance_types: str | Iterable[str] = FOUR,
    dtypes: "str | Iterable[DTypeLike]" = ("float64",),
    backend: BackendName = "auto",
    n_threads: int | None = None,
) -> None:
    """Compile Numba's kernels ahead of their first use; with a warm cache this takes a fraction of a second.

    Only fits need it whose sweep is heavy (:func:`fastgmm.kernels.get_backend`), or that ask for Numba. Kernels of rows
    with missing values are compiled when such a row first comes.

    Parameters
    ----------
    covariance_types : str or iterable of str, default=all families
    dtypes : {'float64', 'float32'} or iterable of them, default=('float64',)
        Of the data that will come.
    backend : str, default='auto'
        ``'auto'`` prepares what heavy fits use. C and NumPy have nothing to compile.
    n_threads : int, optional
        Kernels for one thread and for many are compiled separately; the default compiles what ``fit`` would use,
        and the single-threaded ones, which small data use in any case.

    Raises
    ------
    ValueError
        For a family, dtype or backend that there is not.

    Examples
    --------
    >>> import fastgmm
    >>> fastgmm.warmup("diag", backend="numpy")
    """
    names = [covariance_types] if isinstance(covariance_types, str) else list(covariance_types)
    kernels, threads = get_backend(backend, sweep_work=HEAVY_SWEEP), resolve_n_threads(n_threads)
    for name in names:
        if name not in FAMILIES:
            raise ValueError(f"covariance_types must be among {', '.join(map(repr, FAMILIES))}; got {name!r}")
    for dtype in [dtypes] if isinstance(dtypes, str) else list(dtypes):
        if np.dtype(dtype) not in (np.float64, np.float32):
            raise ValueError(f"dtypes must be among 'float64' and 'float32'; got {dtype!r}")
        # So many rows are work that repays two threads, also with one component.
        rows = Rows(np.random.RandomState(0).standard_normal((2**17, 2)).astype(dtype))
        # Starts use the spherical kernels.
        for name in dict.fromkeys([*names, "spherical"]):
            family = FAMILIES[name]
            covariances = np.ones(family.covariance_shape(1, 2))
            covariances = family.regularize(0.0 * covariances, np.ones(2))
            prepared = family.prepare(Parameters(name, np.ones(1), np.zeros((1, 2)), covariances), rows.values.dtype)
            for count in sorted({1, threads}):
                sweep = make_sweep(Facts(rows), family, kernels, count)
                sweep.moments(prepared)
                if kernels.bounded_sweep is not None:
                    sweep.moments(prepared, first_bounds(sweep, prepared))
                evaluate(rows, prepared, kernels, count, "labels")


def show_backend() -> None:
    """Print the versions, the backends and why one is missing, the threads, and where compiled kernels are kept.

    Examples
    --------
    >>> import fastgmm
    >>> fastgmm.show_backend()  # doctest: +ELLIPSIS
    fastgmm ...
    backend c: ...
    """
    lines = [f"fastgmm {__version__}, Python {platform.python_version()}, numpy {np.__version__}"]
    for name, state in available_backends().items():
        lines.append(f"backend {name}: {state}")
    try:
        light, heavy = get_backend("auto"), get_backend("auto", HEAVY_SWEEP)
    except (BackendUnavailableError, ValueError) as error:  # FASTGMM_BACKEND names one that cannot be used
        lines.append(f"chosen by 'auto': none, {error}")
    else:
        choice = light.name if light is heavy else f"{light.name}, for heavy fits {heavy.name}"
        lines.append(f"chosen by 'auto': {choice}; {resolve_n_threads(None)} threads")
        for chosen in dict.fromkeys([light, heavy]):
            lines.extend(chosen.describe())
    sys.stdout.write("\n".join(lines) + "\n")
