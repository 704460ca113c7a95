"""gmmx: JAX on the CPU, in single precision only."""

import os
from importlib.metadata import version

import numpy as np

from bench.problems import Problem
from bench.rivals import Rival, StoppedEarly
from fastgmm.machine.threads import resolve_n_threads
from fastgmm.parameters import Array, Parameters

# XLA reads this when it starts, and has no other way to be told.
os.environ.setdefault("NPROC", str(resolve_n_threads(None)))

import jax
from gmmx import EMFitter, GaussianMixtureModelJax


def supports(problem: Problem) -> bool:
    return problem.dtype == "float32" and problem.covariance_type in ("full", "diag")


def run(data: Array, start: Parameters, iterations: int, n_threads: int) -> Parameters:
    if n_threads != int(os.environ["NPROC"]):
        raise ValueError(f"XLA started with {os.environ['NPROC']} threads and cannot go on with {n_threads}")
    model = GaussianMixtureModelJax.from_squeezed(
        means=start.means.astype(np.float32),
        covariances=start.covariances.astype(np.float32),
        weights=start.weights.astype(np.float32),
        covariance_type=start.covariance_type,
    )
    result = EMFitter(max_iter=iterations, tol=0.0, reg_covar=0.0).fit(jax.numpy.asarray(data), model)
    if (done := int(result.n_iter)) != iterations:
        raise StoppedEarly(f"stopped after {done} of {iterations} iterations")
    fitted = result.gmm
    weights = np.asarray(fitted.weights_numpy, np.float64)
    means = np.asarray(fitted.means_numpy, np.float64)
    covariances = np.asarray(fitted.covariances.values_numpy, np.float64)
    return Parameters(start.covariance_type, weights / weights.sum(), means, covariances)


# The number of iterations is a constant of the code that XLA compiles.
RIVAL = Rival("gmmx", version("gmmx"), supports, run, compiles=True)
