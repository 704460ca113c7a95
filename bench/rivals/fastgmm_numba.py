"""fastgmm's Numba kernels."""

from functools import partial

from bench.rivals import Rival
from bench.rivals.estimators import run_estimator
from fastgmm import GaussianMixture, __version__
from fastgmm.kernels import get_backend
from fastgmm.parameters import Array, Parameters

get_backend("numba")  # an error that says what is missing, where it is


def run(data: Array, start: Parameters, iterations: int, n_threads: int) -> Parameters:
    make = partial(GaussianMixture, backend="numba", n_threads=n_threads)
    return run_estimator(make, data, start, iterations)


RIVAL = Rival("fastgmm Numba", __version__, supports=lambda problem: True, run=run)
