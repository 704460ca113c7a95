"""Everyone who fits Gaussian mixtures on the CPU, one file each, behind one signature.

A rival runs a number of EM iterations from given parameters, with as many threads as everyone else, without
regularization and without a test of convergence, and returns the parameters it arrived at. What these are worth is
judged elsewhere, by one scorer for all. fastgmm's own backends are entrants like the others.
"""

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from bench.problems import Problem
from fastgmm.errors import BackendUnavailableError
from fastgmm.parameters import Array, Parameters

MODULES = ("fastgmm_c", "fastgmm_numba", "scikit_learn", "daal4py_", "pomegranate_", "gmmx_")


class StoppedEarly(RuntimeError):  # noqa: N818 - it is an outcome, not a mistake
    """A rival ended before the iterations it was asked for."""


@dataclass(frozen=True)
class Rival:
    """An implementation of EM.

    Attributes
    ----------
    supports : callable
        Whether it has the problem's family and dtype.
    run : callable
        ``run(data, start, iterations, n_threads)`` gives the parameters after exactly so many iterations.
    tolerance : mapping
        How far its mean log-likelihood may be from ours, relative, by dtype.
    compiles : bool
        Whether the first run with each number of iterations compiles, and so must not count.
    """

    name: str
    version: str
    supports: Callable[[Problem], bool]
    run: Callable[[Array, Parameters, int, int], Parameters]
    tolerance: Mapping[str, float] = field(default_factory=lambda: {"float64": 1e-9, "float32": 1e-5})
    compiles: bool = False


@dataclass(frozen=True)
class Missing:
    """A rival that is not here, and why."""

    name: str
    reason: str


def load(module: str) -> Rival | Missing:
    """The rival of one file of this folder, or what would have to be installed."""
    try:
        loaded: Any = importlib.import_module(f"bench.rivals.{module}")
        rival: Rival = loaded.RIVAL
        return rival
    except ImportError as error:
        ours = isinstance(error, BackendUnavailableError)
        remedy = "" if ours else "; python -m pip install -e '.[bench]' brings it"
        return Missing(module.strip("_").replace("_", " "), f"{error}{remedy}")
