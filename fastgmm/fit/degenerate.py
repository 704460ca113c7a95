"""Covariances that are not, or hardly, positive definite: recognized, and explained to the user."""

from typing import NamedTuple

import numpy as np

from fastgmm.data.facts import Facts
from fastgmm.errors import DegenerateComponentError
from fastgmm.families import CovarianceFamily
from fastgmm.families.component import component_variances
from fastgmm.families.low_rank import count_smaller
from fastgmm.fit.effective_points import effective_points, effective_values
from fastgmm.fit.regularization import added_variances, relative_regularization, rounding_of_variances
from fastgmm.fit.update import NoModelError
from fastgmm.parameters import Array, BoolArray, FloatArray, Model, Names, Parameters
from fastgmm.sweeps.sweep import Sweep

# A variance of at most twice the floor that was added to it is half floor or more, and says little of the data.
_FLAT = 2.0
# Effective points that a flat component needs for each parameter of what it is beside flat: `bench.lab.degenerate`.
_POINTS_OF_A_PARAMETER = 4
# A feature takes part in a direction of which it is a tenth or more.
_PART = 0.1
# Where values are missing: of a single value there is a mean and no variance.
_FEWEST_VALUES = 2.0

# scikit-learn's words, so that code which looks for them finds them.
_MESSAGE = (
    "Fitting the mixture model failed because some components have ill-defined empirical covariance (for instance "
    "caused by singleton or collapsed samples). Try to decrease the number of components, increase reg_covar, or "
    "scale the input data."
)
_TOO_LARGE = "values so large that their squares overflow"
_SINGLE_PRECISION = " The numerical accuracy can also be improved by passing float64 data instead of float32."


class Degenerate(NamedTuple):
    """Components whose likelihood is that of the regularization more than of the data.

    Attributes
    ----------
    components : tuple of int
        All of them.
    collapsed : tuple of int
        Those that too few points hold. The others are flat because all rows lie in a plane, and so are those of any
        fit: it is no reason to prefer one.
    unseeing : tuple of (int, int)
        Those that hold fewer than two values of some feature, and the first such feature. What they are like there
        follows from other features or from the start.
    """

    components: tuple[int, ...] = ()
    collapsed: tuple[int, ...] = ()
    unseeing: tuple[tuple[int, int], ...] = ()


def degenerate_components(sweep: Sweep, model: Model, regularization: FloatArray) -> Degenerate:
    """Components of which the data do not say what they are like: flat ones, and where values are missing others."""
    # A component that is flat has no likelihood without bound where rows are not: theirs is that of their errors.
    found = Degenerate() if sweep.facts.has_errors_all_over else _flat_ones(sweep, model, regularization)
    if not sweep.facts.rows.has_missing:
        return found
    unseeing = _unseeing(sweep, model)
    components = sorted({*found.components, *(component for component, _ in unseeing)})
    return Degenerate(tuple(components), found.collapsed, unseeing)


def _unseeing(sweep: Sweep, model: Model) -> tuple[tuple[int, int], ...]:
    sees = effective_values(sweep, model, _FEWEST_VALUES) >= _FEWEST_VALUES
    return tuple((int(k), int(np.argmin(sees[k]))) for k in np.flatnonzero(~sees.all(axis=1)))


def _flat_ones(sweep: Sweep, model: Model, regularization: FloatArray) -> Degenerate:
    """Components that are flat in some direction, and that too few points hold to say that the data are flat there.

    A component is flat in a direction where it is thinner than what regularization adds, or than what relative
    regularization would add: a thousandth of a feature's deviation. That alone is no fault, since a tight group of many
    points is flat, and so is a line of many. But a few points of any data lie in a plane, and more do where numbers are
    rounded. So we count points. Let r be the number of directions in which the component is not flat: we ask for four
    effective points for each parameter of a Gaussian in r directions, and four for its weight. Directions in which all
    rows are flat are left out, since every component of every fit is flat there. Where values are missing the points
    are those that have both of two features, the worst pair among those that take part in what is flat.
    """
    family, parameters = sweep.family, model.parameters
    everything = tuple(range(parameters.n_components))
    if family.has_matrices and sweep.facts.n_counted <= parameters.n_features:
        return Degenerate(everything)  # n rows lie in a plane of n − 1 directions
    if sweep.facts.rows.has_missing and family.kernel != "spherical" and _constant_columns(sweep.facts):
        return Degenerate(everything)  # EM takes many steps to find this out where values are averaged over
    added = added_variances(family, regularization)
    # Robust variances are no larger than variances, so a component that is not flat beside these is not flat beside
    # those. They take longer to find, so we look at them only if a component is.
    floor, flat = _flat_components(family, model, added, sweep.facts.variances)
    if len(flat):
        floor, flat = _flat_components(family, model, added, sweep.facts.robust_variances)
    if not len(flat):
        return Degenerate()
    if family.has_matrices:
        counted = _by_direction(family, parameters, flat, floor, added, not sweep.facts.rows.has_missing)
    else:
        counted = _by_feature(family, parameters, flat, floor, added)
    collapsed = _collapsed(sweep, model, flat, counted)
    if family.is_shared and collapsed:
        collapsed = everything
    return Degenerate(everything if counted.rows_are_flat else collapsed, collapsed)


def _flat_components(
    family: CovarianceFamily, model: Model, added: FloatArray, variances: FloatArray
) -> tuple[FloatArray, Array]:
    """The variance of every feature (d,) below which a component is flat, and those that are; none where it is zero."""
    floor = np.maximum(added, added_variances(family, relative_regularization(variances)))
    if not (floor > 0).all():
        return floor, np.empty(0, np.intp)
    matrices = model.parameters.covariances, model.precisions_cholesky
    return floor, np.flatnonzero(family.have_smaller_variances(*matrices, np.sqrt(floor), _FLAT))


class _Directions(NamedTuple):
    """How many there are in which not all rows are flat, and in how many of them some components are wide, (m,).

    ``features`` (m, d) take part in those in which they are flat.
    """

    number: int
    wide: Array
    rows_are_flat: bool
    features: BoolArray


def _by_feature(
    family: CovarianceFamily, parameters: Parameters, components: Array, floor: FloatArray, added: FloatArray
) -> _Directions:
    """Without correlations directions are features."""
    weights = parameters.weights
    own = component_variances(parameters) / floor
    total = weights @ own - added / floor + weights @ np.square(parameters.means - weights @ parameters.means) / floor
    across = total <= _FLAT - 1.0
    are_wide = own[components] > _FLAT
    wide = np.count_nonzero(are_wide & ~across, axis=1)
    if family.rank is not None:  # but with loadings they are not
        own_covariances, limits = parameters.covariances[components], np.full(len(components), _FLAT)
        n_wide = len(floor) - count_smaller(own_covariances, np.sqrt(floor), limits)
        wide = np.minimum(n_wide, np.count_nonzero(~across))
    rounding = rounding_of_variances(len(floor), float(np.abs(total).max()))
    rows_are_flat = bool((total[across] <= rounding).any())
    return _Directions(int(np.count_nonzero(~across)), wide, rows_are_flat, ~are_wide & ~across)


def _by_direction(
    family: CovarianceFamily,
    parameters: Parameters,
    components: Array,
    floor: FloatArray,
    added: FloatArray,
    are_of_rows: bool,
) -> _Directions:
    """Unless covariances ``are_of_rows`` that have all values, a mixture may be flat where rows are not."""
    units = np.sqrt(floor)
    within, total = (
        matrix / np.outer(units, units) - np.diag(added / floor) for matrix in _covariances_of_rows(family, parameters)
    )
    # We look within components first, where distances between them do not drown what is small.
    thin = _flat_directions(within, np.eye(len(units)))
    across = _flat_directions(total, thin)
    of_rows = np.eye(len(units))
    if across.size and are_of_rows:
        of_rows = np.linalg.qr(across, mode="complete")[0][:, across.shape[1] :]
    directions = of_rows / units[:, np.newaxis]
    wide, features = np.zeros(len(components), np.intp), np.ones((len(components), len(units)), np.bool_)
    for position, k in enumerate(components):
        matrix = parameters.covariances if family.is_shared else parameters.covariances[k]
        inner = directions.T @ matrix @ directions
        wide[position] = np.count_nonzero(_eigenvalues(inner) > _FLAT)
        if not are_of_rows:
            variances, axes = np.linalg.eigh(inner)
            features[position] = np.abs(axes[:, variances <= _FLAT]).max(axis=1, initial=0.0) >= _PART
    smallest = _eigenvalues(across.T @ total @ across)
    rounding = rounding_of_variances(len(total), float(np.abs(total).max()))
    return _Directions(directions.shape[1], wide, bool((smallest <= rounding).any()), features)


def _flat_directions(matrix: FloatArray, directions: FloatArray) -> FloatArray:
    """Those among some directions (d, n) in which a matrix (d, d) is flat without what was added, (d, m)."""
    if not directions.size:
        return directions
    inner = directions.T @ matrix @ directions
    variances, axes = np.linalg.eigh(inner)
    result: FloatArray = directions @ axes[:, variances <= _FLAT - 1.0]
    return result


def _covariances_of_rows(family: CovarianceFamily, parameters: Parameters) -> tuple[FloatArray, FloatArray]:
    """The mean covariance (d, d) of the components, and that of the whole mixture, which has that between them, too."""
    weights, covariances = parameters.weights, parameters.covariances
    within = covariances if family.is_shared else np.tensordot(weights, covariances, 1)
    offsets = parameters.means - weights @ parameters.means
    between: FloatArray = (weights * offsets.T) @ offsets
    return within, within + between


def _collapsed(sweep: Sweep, model: Model, components: Array, directions: _Directions) -> tuple[int, ...]:
    """Those among some components that are flat in some directions, on too few points.

    A covariance that all components share is held by the points of all, and they have other means as parameters.
    """
    are_flat = directions.wide < directions.number
    suspects, wide = [int(k) for k in components[are_flat]], directions.wide[are_flat]
    if not suspects:
        return ()
    if sweep.family.rank is not None:  # fewer points are enough to stretch along fewer directions
        wide = np.minimum(wide, sweep.family.rank)
    n_parameters = 1 + wide * (wide + 3) / 2 + (model.parameters.n_components - 1) * sweep.family.is_shared
    needed = _POINTS_OF_A_PARAMETER * n_parameters
    points = effective_points(sweep, model, suspects, needed, directions.features[are_flat])
    return tuple(k for k, number, enough in zip(suspects, points, needed, strict=True) if number < enough)


def _eigenvalues(matrix: FloatArray) -> FloatArray:
    return np.linalg.eigvalsh(matrix).astype(np.float64, copy=False)


def explanation_of(sweep: Sweep, error: NoModelError, advice: str = "") -> DegenerateComponentError:
    """Which covariance is not positive definite, probably why, and some advice that is not for all fits."""
    rows, counts = sweep.facts.rows, error.counts
    if counts is None:  # a start: its weights are its counts
        counts = error.parameters.weights * sweep.facts.total_weight
    cause = _probable_cause(sweep, _points_of(counts, error.component))
    accuracy = _SINGLE_PRECISION if rows.values.dtype == np.float32 else ""
    how = counts, cause, accuracy, advice, int(sweep.facts.observed_together[sweep.facts.seldom_together])
    return failure_of(sweep.family, error.parameters, error.component, *how)


def failure_of(
    family: CovarianceFamily,
    parameters: Parameters,
    component: int,
    counts: FloatArray,
    cause: str,
    accuracy: str = "",
    advice: str = "",
    n_observed_pairs: int | None = None,
) -> DegenerateComponentError:
    """What to tell users of a covariance that is not positive definite."""
    points, smallest = _points_of(counts, component), _smallest_eigenvalue(family, parameters, component)
    who = "The covariance shared by all components" if component < 0 else f"Component {component}"
    message = (
        f"{_MESSAGE}{accuracy} {who} has {points:.4g} effective points and a smallest eigenvalue of {smallest:.3g}; "
        f"probable cause: {cause}.{advice}"
    )
    return DegenerateComponentError(message, component, points, smallest, cause, n_observed_pairs)


def _points_of(counts: FloatArray, component: int) -> float:
    return float(counts.sum() if component < 0 else counts[component])


def _smallest_eigenvalue(family: CovarianceFamily, parameters: Parameters, component: int) -> float:
    own = parameters.covariances if component < 0 else parameters.covariances[component : component + 1]
    if not np.isfinite(own).all():
        return float("nan")
    return float(family.smallest_variances(own, np.ones(parameters.n_features))[0])


def why_rows_are_flat(facts: Facts, of_features: Names | None = None) -> str:
    """Rows that all lie in a plane."""
    rows = facts.rows
    if facts.n_counted <= rows.shape[1]:
        return f"{facts.n_counted} rows of {rows.shape[1]} features"
    constant = _constant_columns(facts, of_features)
    if constant:
        return constant
    return _TOO_LARGE if _squares_overflow(facts) else "columns that are linearly dependent"


def _squares_overflow(facts: Facts) -> bool:
    """Whether there are values of which the square is no number."""
    of_sample = np.nansum(np.square(facts.sample.values.astype(np.float64)))
    return not (np.isfinite(of_sample) and np.isfinite(facts.variances).all())


def _probable_cause(sweep: Sweep, effective_points: float) -> str:
    """The first of the usual causes that fits the data."""
    facts, rows, n_features = sweep.facts, sweep.facts.rows, sweep.facts.rows.shape[1]
    constant = _constant_columns(facts)
    if constant:
        return constant
    # Weights may be in any unit; those that are counts say more points than their number.
    unit = 1.0 if rows.weights is None else min(1.0, facts.total_weight / facts.n_counted)
    if effective_points / unit <= n_features:
        return f"fewer points than dimensions ({effective_points:.4g} points in {n_features})"
    together = int(facts.observed_together[facts.seldom_together])
    if rows.has_missing and sweep.family.has_matrices and together <= n_features:
        return f"features {' and '.join(map(str, facts.seldom_together))} are observed together in {together} rows only"
    some = facts.sample.values
    if 2 * len(np.unique(some, axis=0)) <= len(some):
        return "duplicated points"
    if _squares_overflow(facts):
        return _TOO_LARGE
    if (facts.variances < np.finfo(np.float64).tiny).any():
        return "values so close to each other that their squared distances underflow"
    return "columns that are linearly dependent, within the component or in all data"


def _constant_columns(facts: Facts, of_features: Names | None = None) -> str:
    """In words; empty where there are none."""
    constant = facts.constant_features
    noun = "column" if len(constant) == 1 else "columns"
    return f"constant {noun} {', '.join(feature_in_words(j, of_features) for j in constant)}" if constant else ""


def feature_in_words(feature: int, of_features: Names | None) -> str:
    return str(feature) if of_features is None else f"{feature} ({of_features[feature]!r})"
