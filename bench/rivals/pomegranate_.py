"""pomegranate's mixture of normal distributions: PyTorch on the CPU."""

from importlib.metadata import version

import numpy as np
import torch
from pomegranate.distributions import Normal
from pomegranate.gmm import GeneralMixtureModel

from bench.problems import Problem
from bench.rivals import Rival
from fastgmm.parameters import Array, Parameters


def supports(problem: Problem) -> bool:
    return problem.covariance_type in ("full", "diag")


def run(data: Array, start: Parameters, iterations: int, n_threads: int) -> Parameters:
    torch.set_num_threads(n_threads)

    def tensor(values: Array) -> torch.Tensor:
        return torch.tensor(values.astype(data.dtype))

    # Without its checks of every argument, which read the data again.
    normals = [
        Normal(tensor(mean), tensor(covariance), covariance_type=start.covariance_type, check_data=False)
        for mean, covariance in zip(start.means, start.covariances, strict=True)
    ]
    model = GeneralMixtureModel(
        normals, priors=tensor(start.weights), max_iter=iterations, tol=-np.inf, check_data=False
    )
    model.fit(torch.from_numpy(data))
    weights = model.priors.numpy().astype(np.float64)
    means = np.array([normal.means.numpy() for normal in normals], np.float64)
    covariances = np.array([normal.covs.numpy() for normal in normals], np.float64)
    return Parameters(start.covariance_type, weights / weights.sum(), means, covariances)


# It takes second moments about zero, and mixes constants and weights of single precision into double.
RIVAL = Rival("pomegranate", version("pomegranate"), supports, run, tolerance={"float64": 1e-6, "float32": 1e-4})
