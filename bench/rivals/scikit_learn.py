"""scikit-learn's GaussianMixture: NumPy, SciPy and BLAS."""

import sklearn
from sklearn.mixture import GaussianMixture

from bench.rivals import Rival
from bench.rivals.estimators import run_estimator
from fastgmm.parameters import Array, Parameters


def run(data: Array, start: Parameters, iterations: int, n_threads: int) -> Parameters:
    return run_estimator(GaussianMixture, data, start, iterations)


RIVAL = Rival("scikit-learn", sklearn.__version__, supports=lambda problem: True, run=run)
