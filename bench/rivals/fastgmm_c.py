"""fastgmm's C kernels."""

from functools import partial

from bench.rivals import Rival
from bench.rivals.estimators import run_estimator
from fastgmm import GaussianMixture, __version__
from fastgmm.kernels import get_backend
from fastgmm.parameters import Array, Parameters

get_backend("c")  # an error that says what is missing, where it is


def run(data: Array, start: Parameters, iterations: int, n_threads: int) -> Parameters:
    make = partial(GaussianMixture, backend="c", n_threads=n_threads)
    return run_estimator(make, data, start, iterations)


RIVAL = Rival("fastgmm C", __version__, supports=lambda problem: True, run=run)
