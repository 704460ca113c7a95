"""oneDAL's EM through daal4py, which the package scikit-learn-intelex brings."""

from importlib.metadata import version

import daal4py
import numpy as np

from bench.problems import Problem
from bench.rivals import Rival, StoppedEarly
from fastgmm.parameters import Array, Parameters

STORAGE = {"full": "full", "diag": "diagonal"}
PRECISION = {"float64": "double", "float32": "float"}


def supports(problem: Problem) -> bool:
    return problem.covariance_type in STORAGE


def run(data: Array, start: Parameters, iterations: int, n_threads: int) -> Parameters:
    daal4py.daalinit(n_threads)
    d = start.n_features
    # A diagonal covariance is a table with one row.
    shape = (d, d) if start.covariance_type == "full" else (1, d)
    algorithm = daal4py.em_gmm(
        nComponents=start.n_components,
        fptype=PRECISION[data.dtype.name],
        maxIterations=iterations,
        accuracyThreshold=0.0,
        regularizationFactor=0.0,
        covarianceStorage=STORAGE[start.covariance_type],
    )
    result = algorithm.compute(
        data,
        start.weights[np.newaxis].astype(data.dtype),
        start.means.astype(data.dtype),
        [covariance.reshape(shape).astype(data.dtype) for covariance in start.covariances],
    )
    # It compares the change of the likelihood with 0 by ≤, which holds where nothing changes any more.
    if (done := int(result.nIterations[0, 0])) != iterations:
        raise StoppedEarly(f"stopped after {done} of {iterations} iterations, at a likelihood that did not change")
    covariances = np.array(result.covariances, np.float64).reshape(start.covariances.shape)
    weights = np.asarray(result.weights[0], np.float64)
    return Parameters(start.covariance_type, weights, np.asarray(result.means, np.float64), covariances)


RIVAL = Rival("daal4py", version("scikit-learn-intelex"), supports, run)
