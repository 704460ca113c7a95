"""Covariances that are not, or hardly, positive definite: recognized, and explained to the user."""

import numpy as np

from fastgmm.bounds import AnySweep
from fastgmm.covariance import CovarianceFamily
from fastgmm.covariance.family import NotPositiveDefiniteError
from fastgmm.errors import DegenerateComponentError
from fastgmm.kernels.contract import Rows
from fastgmm.parameters import Array, FloatArray, Parameters, Prepared
from fastgmm.validation import feature_ranges, feature_variances, rough_variances

# Smallest eigenvalues up to this many times the regularization are the regularization, and nothing of the data.
_ON_THE_FLOOR = 1.01
# `reg_covar="relative"` adds this share of each feature's variance to the diagonal.
_RELATIVE_REGULARIZATION = 1e-6

# scikit-learn's words, so that code which looks for them finds them.
_MESSAGE = (
    "Fitting the mixture model failed because some components have ill-defined empirical covariance (for instance "
    "caused by singleton or collapsed samples). Try to decrease the number of components, increase reg_covar, or "
    "scale the input data."
)
_SINGLE_PRECISION = " The numerical accuracy can also be improved by passing float64 data instead of float32."


def relative_regularization(variances: FloatArray) -> FloatArray:
    """What ``reg_covar="relative"`` adds to the diagonal of covariances where features have these, (n_features,)."""
    return _RELATIVE_REGULARIZATION * variances


def degenerate_components(sweep: AnySweep, parameters: Parameters, regularization: FloatArray) -> tuple[int, ...]:
    """Components whose smallest eigenvalue sits on the regularization: without it they would be singular.

    Without regularization those that relative regularization would hold up: their likelihood, too, has no meaning.
    """
    floor = regularization
    if not floor.any():
        floor = relative_regularization(rough_variances(sweep.rows))
    if not (floor > 0).all():
        return ()
    small = sweep.family.have_smaller_variances(parameters.covariances, np.sqrt(floor), _ON_THE_FLOOR)
    on_the_floor = np.broadcast_to(small, parameters.n_components)
    return tuple(int(k) for k in np.flatnonzero(on_the_floor))


def prepare_or_explain(sweep: AnySweep, parameters: Parameters, counts: FloatArray | None = None) -> Prepared:
    """Prepare for scoring; where a covariance is not positive definite, say which and probably why."""
    try:
        prepared = sweep.family.prepare(parameters, sweep.rows.values.dtype)
        overflowed = np.argwhere(~np.isfinite(prepared[2]))
        if len(overflowed):  # too small a variance for single precision
            raise NotPositiveDefiniteError(int(overflowed[0, 0]))
        return prepared
    except NotPositiveDefiniteError as error:
        if counts is None:  # a start: its weights are its counts
            total = sweep.rows.shape[0] if sweep.rows.weights is None else float(sweep.rows.weights.sum())
            counts = parameters.weights * total
        raise _explain(sweep, parameters, error.component, counts) from error


def _explain(sweep: AnySweep, parameters: Parameters, component: int, counts: FloatArray) -> DegenerateComponentError:
    smallest = _smallest_eigenvalue(sweep.family, parameters, component)
    effective_points = float(counts.sum() if component < 0 else counts[component])
    cause = _probable_cause(sweep.rows, effective_points)
    who = "The covariance shared by all components" if component < 0 else f"Component {component}"
    message = _MESSAGE + (_SINGLE_PRECISION if sweep.rows.values.dtype == np.float32 else "")
    message += (
        f" {who} has {effective_points:.4g} effective points and a smallest eigenvalue of {smallest:.3g}; "
        f"probable cause: {cause}."
    )
    return DegenerateComponentError(message, component, effective_points, smallest, cause)


def _smallest_eigenvalue(family: CovarianceFamily, parameters: Parameters, component: int) -> float:
    own = parameters.covariances if component < 0 else parameters.covariances[component : component + 1]
    if not np.isfinite(own).all():
        return float("nan")
    return float(family.smallest_variances(own, np.ones(parameters.n_features))[0])


def _probable_cause(rows: Rows, effective_points: float) -> str:
    """The first of the usual causes that fits the data."""
    n_features = rows.shape[1]
    constant = _constant_features(rows)
    if constant:
        noun = "column" if len(constant) == 1 else "columns"
        return f"constant {noun} {', '.join(map(str, constant))}"
    # Weights may be in any unit; those that are counts say more points than their number.
    unit = 1.0 if rows.weights is None else min(1.0, float(rows.weights[rows.weights > 0].mean()))
    if effective_points / unit <= n_features:
        return f"fewer points than dimensions ({effective_points:.4g} points in {n_features})"
    some = _first_counted(rows, 10_000)
    if 2 * len(np.unique(some, axis=0)) <= len(some):
        return "duplicated points"
    if not np.isfinite(np.square(some.astype(np.float64)).sum()):
        return "values so large that their squares overflow"
    if (feature_variances(Rows(some)) < np.finfo(np.float64).tiny).any():
        return "values so close to each other that their squared distances underflow"
    return "columns that are linearly dependent, within the component or in all data"


def _first_counted(rows: Rows, n_rows: int) -> Array:
    """The first rows of positive weight."""
    if rows.weights is None:
        return rows.values[:n_rows]
    first: Array = rows.values[np.flatnonzero(rows.weights)[:n_rows]]
    return first


def _constant_features(rows: Rows) -> list[int]:
    """Features with the same number in every row of positive weight."""
    lowest, highest = feature_ranges(rows)
    return [int(j) for j in np.flatnonzero(lowest == highest)]
