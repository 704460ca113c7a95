"""Everybody's parameters before one judge: a time counts only where they are worth as much as ours."""

import numpy as np

from fastgmm.families import FAMILIES
from fastgmm.kernels import get_backend
from fastgmm.parameters import Array, Parameters
from fastgmm.rows import Rows
from fastgmm.sweeps.in_memory import evaluate

# Enough for a mean that differs where parameters do; all rows would cost as much as an iteration.
JUDGED_ROWS = 20_000


def mean_log_likelihood(parameters: Parameters, data: Array, judged_rows: int = JUDGED_ROWS) -> float:
    """Of rows spread over the data, by fastgmm in double precision."""
    step = max(1, len(data) // judged_rows)
    values = np.ascontiguousarray(data[::step], np.float64)
    prepared = FAMILIES[parameters.covariance_type].prepare(parameters, np.dtype(np.float64))
    return float(evaluate(Rows(values), prepared, get_backend(), None, "log_density").mean())


def disagreement(parameters: Parameters, reference: Parameters, data: Array, tolerance: float) -> str | None:
    """What to say where the two likelihoods differ by more than the tolerance, relative; None where they agree."""
    found, expected = mean_log_likelihood(parameters, data), mean_log_likelihood(reference, data)
    if np.isclose(found, expected, rtol=tolerance, atol=0.0):
        return None
    return f"other parameters: mean log-likelihood {found:.9g} instead of {expected:.9g}"
