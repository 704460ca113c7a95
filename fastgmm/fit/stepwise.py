"""Stepwise EM: a step for every batch of rows, of which nothing is kept but moments.

With s the moments of a batch under the model so far, and S those of the batches before, both per unit of weight [1]_:

    S ← (1 − g)S + gs,    g = (t + offset)^−decay,    t = 0, 1, ...

and the M-step makes the next model of S, which is then taken about its means. The batch that a start was made of is all
of S at first. A batch that weighs less than those before it on average moves S by so much less, since otherwise a few
rows at the end of a file would count for as much as thousands.

References
----------
.. [1] O. Cappé and E. Moulines, "On-line expectation-maximization algorithm for latent data models", JRSS B 71 (2009).
"""

from dataclasses import dataclass, replace

import numpy as np

from fastgmm.data.facts import Facts
from fastgmm.data.origin import less_origin, origin_of
from fastgmm.data.single_precision import as_float64, with_room_for_squares
from fastgmm.data.validation import NO_VALUES, NO_VALUES_OF_WEIGHT
from fastgmm.data.weights import in_moderate_unit
from fastgmm.families import FAMILIES
from fastgmm.fit.degenerate import explanation_of
from fastgmm.fit.em import Iterate, iterate_after
from fastgmm.fit.fitting import EarlierFit, Held, among_the_values, fit_rows, held_of, suited_sweep
from fastgmm.fit.options import Options
from fastgmm.fit.posterior import update_of
from fastgmm.fit.prior import Prior, resolved_prior
from fastgmm.fit.regularization import added_variances, regularization_of
from fastgmm.fit.steps import Fit
from fastgmm.fit.update import GaussianUpdate, NoModelError
from fastgmm.moments import Moments
from fastgmm.parameters import FloatArray, Names, Parameters
from fastgmm.rows import Rows
from fastgmm.sweeps.in_memory import InMemory
from fastgmm.sweeps.incomplete import IncompleteSweep
from fastgmm.sweeps.sweep import Sweep

# A prior weighs no more than so many times itself where rows weigh next to nothing: float64 has room for that.
_MOST_OF_A_PRIOR = 2.0**900


@dataclass(frozen=True, eq=False)
class Stream:
    """What is kept of the rows of all batches, whatever their number.

    Attributes
    ----------
    moments : Moments
        Per unit of weight, about the means of the model that they have led to, less the origin.
    weights, means, covariances : ndarray
        All of that model among the values of the data, so that others, set by hand, are told from them.
    origin : ndarray of shape (d,) or None
        From which all batches count: that of the first (``data/origin.py``).
    regularization : ndarray of shape (d,)
        That of the first batch, which a share of the variances is taken of.
    total_weight : float
        Σw of all rows.
    n_batches : int
    """

    moments: Moments
    weights: FloatArray
    means: FloatArray
    covariances: FloatArray
    origin: FloatArray | None
    regularization: FloatArray
    total_weight: float
    n_batches: int

    def is_of(self, parameters: Parameters) -> bool:
        """Whether it has led to these parameters: they may have been set by hand since, and it be out of a pickle."""
        vectors = [self.regularization, *([] if self.origin is None else [self.origin])]
        return (
            self.moments.covariance_type == FAMILIES[parameters.covariance_type].kernel
            and self.moments.about.shape == parameters.means.shape
            and all(vector.shape == parameters.means.shape[1:] for vector in vectors)
            and np.array_equal(self.means, parameters.means)
            and np.array_equal(self.weights, parameters.weights)
            and np.array_equal(self.covariances, parameters.covariances)
        )


@dataclass(frozen=True, eq=False)
class Earlier:
    """The model that a batch is to move: ``parameters``, among the values of the data.

    ``stream`` is what is kept of earlier batches, None of a model that was made otherwise. ``n_steps`` is how many have
    led to it, or iterations of a fit; None of a start, of which the rows that it was made of are all that is known.
    ``prior`` is the one that these have resolved the default prior to.
    """

    parameters: Parameters
    stream: Stream | None = None
    n_steps: int | None = None
    prior: Prior | None = None

    def share(self, options: Options, weight: float) -> float:
        """g of a batch of that weight."""
        if self.n_steps is None:
            return 1.0
        t = max(self.n_steps, 1) - 1
        share: float = float(t + options.learning_offset) ** -float(options.learning_decay)
        if self.stream is None or not self.stream.total_weight < np.inf:
            return share
        return share * min(1.0, weight * self.stream.n_batches / self.stream.total_weight)


def start_of(options: Options, rows: Rows, of_features: Names | None) -> tuple[Earlier, Warning | None]:
    """The start of a fit of the first batch, and what is to be said about it."""
    without_steps = replace(options, max_iter=0, n_init=1, accelerate=None, deadline=None)
    start, _, warning = fit_rows(without_steps, rows, None, of_features=of_features)
    return Earlier(start.parameters, prior=start.prior), warning


def step_of_batch(options: Options, rows: Rows, earlier: Earlier) -> tuple[Fit, Stream]:
    """The model after a batch of validated rows, and what is kept.

    Raises
    ------
    ValueError
        Where no row that weighs something has any value.
    DegenerateComponentError
        When a covariance stops being positive definite.
    """
    (rows, unit), given = in_moderate_unit(rows), rows
    stream, weight = earlier.stream, _weight_of(given, rows)
    total, n_batches = (weight, 1) if stream is None else (stream.total_weight + weight, stream.n_batches + 1)
    with np.errstate(over="ignore", invalid="ignore"):
        facts = with_room_for_squares(Facts(rows))
        origin = origin_of(facts) if stream is None else stream.origin
        facts = _counted_from(facts, origin)
        sweep = suited_sweep(facts, options.family, options.n_components, options.backend, options.n_threads)
        means = less_origin(earlier.parameters.means, origin) if stream is None else stream.moments.about
        before = replace(earlier.parameters, means=means)
        regularization = regularization_of(options.reg_covar, facts)
        if stream is not None and isinstance(options.reg_covar, str):
            regularization = stream.regularization
        held = _held(options, sweep, earlier, (unit, min(1.0 / total, _MOST_OF_A_PRIOR)))
        constraints = None if held is None else held.constraints
        update = update_of(sweep.family, regularization, facts.rows.values.dtype, constraints, before)
        iterate, moments = _step(sweep, update, before, stream, earlier.share(options, weight))
        shown = among_the_values(held, origin, iterate.model.parameters)
    fit = _fit_of(iterate, shown, held, facts)
    led_to = shown.weights, shown.means, shown.covariances
    return fit, Stream(moments, *led_to, origin, regularization, total, n_batches)


def _weight_of(given: Rows, moderate: Rows) -> float:
    """Σw of the rows that count, in the unit that weights were given in; it may be infinite."""
    weight = float(moderate.total_weight)
    if weight == 0:
        raise ValueError(NO_VALUES if given.weights is None else NO_VALUES_OF_WEIGHT)
    if given.weights is None or moderate.weights is None or given.weights is moderate.weights:
        return weight
    return weight * float(given.weights.max() / moderate.weights.max())  # by a power of two


def _fit_of(iterate: Iterate, shown: Parameters, held: Held | None, facts: Facts) -> Fit:
    """A fit of which no end is known."""
    fit = Fit(shown, iterate.model.precisions_cholesky, iterate.lower_bound, False, None, (), ())
    if held is not None:
        n_fixed = held.constraints.fixed.n_parameters(FAMILIES[shown.covariance_type], shown.n_features)
        fit = replace(fit, prior=held.prior, n_fixed_parameters=n_fixed)
    return replace(fit, n_missing=facts.patterns.n_missing) if facts.rows.has_missing else fit


def _step(
    sweep: Sweep, update: GaussianUpdate, before: Parameters, stream: Stream | None, share: float
) -> tuple[Iterate, Moments]:
    """An iteration of EM from the moments of a sweep and what is known; and all that is known then."""
    try:
        model = update.prepare(before)
        (batch,) = sweep([model])
        moments = batch.scaled(1.0 / batch.total_weight)
        if share < 1.0:
            known = moments_of_model(update, before, moments.log_likelihood) if stream is None else stream.moments
            moments = blended(known, moments, share)
        iterate = iterate_after(update, Iterate(model, -np.inf, model), moments)
    except NoModelError as error:
        # Counts are told as though all that is known were rows of this batch.
        points = None if error.counts is None else error.counts * sweep.facts.rows.total_weight
        raise explanation_of(sweep, NoModelError(error.component, error.parameters, points)) from error
    return iterate, moments.recentred(iterate.model.parameters.means)


def blended(known: Moments, batch: Moments, share: float) -> Moments:
    """(1 − g)S + gs."""
    return known.scaled(1.0 - share) + batch.scaled(share)


def moments_of_model(update: GaussianUpdate, parameters: Parameters, log_likelihood: float) -> Moments:
    """Moments per unit of weight that the M-step makes these parameters of: N = π, s = 0, S = NΣ.

    They stand for the rows of a fit, of which nothing else is known. What regularization adds is no part of them, but
    where a covariance is smaller than that.
    """
    family, regularization, weights = update.family, update.regularization, parameters.weights
    covariances, n_components = parameters.covariances, parameters.n_components
    if (regularization > 0).all():
        units = np.sqrt(added_variances(family, regularization))
        are_small = family.have_smaller_variances(covariances, None, units, 1.0)
        are_small = are_small.reshape(are_small.shape + (1,) * (covariances.ndim - are_small.ndim))
        covariances = np.where(are_small, covariances, family.regularize(covariances.copy(), -regularization))
    if family.kernel == "spherical":
        covariances = covariances * parameters.n_features
    counts = weights.reshape(-1, *(1,) * (covariances.ndim - 1))
    second = covariances if family.is_shared else counts * covariances
    first = np.zeros((n_components, parameters.n_features))
    return Moments(weights, first, second, 1.0, log_likelihood, 0, parameters.means, family.kernel)


def _counted_from(facts: Facts, origin: FloatArray | None) -> Facts:
    """Those of rows less an origin, which is exact in their dtype."""
    if origin is None:
        return facts
    values = facts.rows.values
    if not np.array_equal(origin.astype(values.dtype), origin):
        facts = Facts(as_float64(facts.rows))
    return facts.counted_from(origin)


def _held(
    options: Options, sweep: InMemory | IncompleteSweep, earlier: Earlier, units: tuple[float, float]
) -> Held | None:
    """What a step is held by, where a row of weight 1 weighs so much in the batch, and so much among the moments."""
    is_known = isinstance(options.prior, str) and earlier.prior is not None
    wanted = earlier.prior if is_known else options.prior
    prior = resolved_prior(wanted, sweep.family, options.n_components, sweep.facts, sweep, units[0])
    values = EarlierFit(earlier.parameters, -np.inf)
    return held_of(replace(options, prior=prior), sweep.facts, sweep, values, units[1])
