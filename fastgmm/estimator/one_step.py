"""The two halves of an iteration of EM as methods of the estimator: moments of rows, and the model that follows."""

from contextlib import closing
from dataclasses import dataclass, replace
from functools import reduce
from operator import add
from typing import Any, TypeVar, cast

import numpy as np
from numpy.typing import ArrayLike

from fastgmm.data.blocks.block import Block, Blocks, Form, is_blocks
from fastgmm.data.facts import Facts
from fastgmm.data.labels import with_labels
from fastgmm.data.single_precision import as_float64, with_room_for_squares
from fastgmm.data.weights import InModerateUnit, check_sample_weight, moderate, require_some_weight
from fastgmm.estimator.calls import ready_for_blocks, ready_to_score, require_fitted
from fastgmm.estimator.of_blocks import checked_rows, require_nothing_beside
from fastgmm.families import FAMILIES, CovarianceFamily
from fastgmm.families.factors import symmetric_from_lower
from fastgmm.families.family import NotPositiveDefiniteError
from fastgmm.fit.degenerate import failure_of
from fastgmm.fit.fitting import sweep_over
from fastgmm.fit.fixed import fixed_of
from fastgmm.fit.labelled import require_possible
from fastgmm.fit.options import Options, options_of
from fastgmm.fit.posterior import Constraints, update_of
from fastgmm.fit.prior import Prior, checked_prior, log_prior_of
from fastgmm.fit.update import GaussianUpdate
from fastgmm.kernels.contract import work_of
from fastgmm.machine.waiting import attended
from fastgmm.model.attributes import has_noise, no_history, parameter_attributes, parameters_of, work_on
from fastgmm.model.scoring import Scorer, adopt, scorer_of
from fastgmm.moments import Moments, check_moments
from fastgmm.parameters import Model, Parameters
from fastgmm.rows import Rows
from fastgmm.sweeps.in_memory import InMemory
from fastgmm.sweeps.uncertain import UncertainSweep

Estimator = TypeVar("Estimator")


def moments(
    self: Any,
    X: "ArrayLike | Blocks",
    sample_weight: "ArrayLike | None" = None,
    *,
    labels: "ArrayLike | None" = None,
    errors: "ArrayLike | None" = None,
) -> Moments:
    """The moments of rows under the fitted model, about its means: what an iteration of EM needs of them.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features), or blocks
        NaN is missing; a row without any observed value is no row.
    sample_weight : array-like of shape (n_samples,), optional
        A weight of 0 is the row removed, an integer weight the row repeated.
    labels : array-like of shape (n_samples,) or (n_samples, n_components), optional
        What is known of the components of rows, as ``fit`` takes it. A component may be without rows here, since others
        may have some. Labels of rows without any observed value count for nothing here, and in ``fit`` for the weights.
    errors : array-like of shape (n_samples, n_features) or (n_samples, n_features, n_features), optional
        As for ``fit``: moments then are those of the true values, as the model expects them.

    Returns
    -------
    Moments
        Of a size that does not depend on the number of rows. Those of parts of the rows add up (``+``) to those of
        the whole, and :meth:`maximized` makes the next model of them.

    Raises
    ------
    NotFittedError
    ValueError
        For infinity, wrong shapes, attributes set by hand that make no mixture, sums beyond 1e308, or labels that
        leave a row without a component; ``TypeError`` for those that are names.

    Examples
    --------
    >>> from fastgmm import GaussianMixture
    >>> gm = GaussianMixture.from_parameters([1.0], [[0.0, 0.0]], [[1.0, 1.0]], "diag")
    >>> gm.moments([[1.0, 2.0], [3.0, 4.0]]).second
    array([[10., 20.]])
    >>> gm.moments([[1.0, 2.0], [3.0, float("nan")]]).second
    array([[10.,  4.]])

    A row whose component is known:

    >>> gm = GaussianMixture.from_parameters([0.5, 0.5], [[0.0], [9.0]], [1.0, 1.0], "spherical")
    >>> gm.moments([[0.0], [1.0]], labels=[-1, 1]).counts
    array([1., 1.])
    """
    _refuse_noise(self)
    if is_blocks(X):
        require_nothing_beside(sample_weight, labels, errors)
        return _moments_of_blocks(ready_for_blocks(self, X), X, self.n_threads)
    scorer, rows = ready_to_score(self, cast("ArrayLike", X), errors)
    weights = check_sample_weight(sample_weight, rows.shape[0])
    rows = replace(rows, weights=moderate(weights))
    if labels is not None:
        rows = with_labels(rows, labels, scorer.shape[0], are_all=False)
        require_possible(Facts(rows), np.asarray(scorer.weights, np.float64))
    how = scorer, rows, scorer.backend_name, self.n_threads
    found = attended(lambda: _moments_of_rows(*how), work_of(*rows.shape, scorer.shape[0]))
    if weights is not None:
        # So that moments of parts add up which have other weights.
        found = InModerateUnit(found, float(weights.max())).as_given()
    check_moments(found)
    return found


def _refuse_noise(estimator: object) -> None:
    """Noise has moments that say nothing but how many rows it has, and those of components alone make no step."""
    if has_noise(vars(estimator)):
        raise ValueError("A single iteration of a mixture with noise is not offered: fit it.")


def _moments_of_blocks(scorer: Scorer, blocks: Blocks, n_threads: int | None) -> Moments:
    def work() -> InModerateUnit[Moments]:
        with closing(blocks.map(_OfBlock(scorer, blocks.form, scorer.backend.name), n_threads)) as parts:
            first = next(parts, None)
            if first is None:
                raise ValueError(f"{blocks.form.name}: no rows")
            return reduce(add, parts, first)

    summed = attended(work)
    if blocks.form.has_weights:
        require_some_weight(summed.largest > 0, blocks.form.name)
    found = summed.as_given()
    check_moments(found)
    return found


@dataclass(frozen=True, eq=False)
class _OfBlock:
    """All blocks have one backend, whatever their shapes and wherever they lie: that of scores."""

    scorer: Scorer
    form: Form
    backend: str

    def __call__(self, block: Block, n_threads: int) -> InModerateUnit[Moments]:
        rows, largest = checked_rows(block, self.form, self.scorer.shape[0] if self.form.has_labels else None)
        require_possible(Facts(rows), np.asarray(self.scorer.weights, np.float64))
        return InModerateUnit(_moments_of_rows(self.scorer, rows, self.backend, n_threads), largest)


def _moments_of_rows(scorer: Scorer, rows: Rows, backend: str, n_threads: int | None) -> Moments:
    """One sweep, with the threads that a fit of these rows would have, and its backend where that is "auto".

    The rows need no origin, as a fit has: that keeps digits of means which move, and these stand still.
    """
    facts = with_room_for_squares(Facts(rows))
    if facts.rows.values.dtype == np.float32 and scorer.in_single is None:
        facts = Facts(as_float64(rows))
    prepared = scorer.in_single if facts.rows.values.dtype == np.float32 else scorer.in_double
    assert prepared is not None
    family = FAMILIES[scorer.covariance_type]
    with np.errstate(over="ignore", invalid="ignore"):
        sweep = sweep_over(facts, family.name, scorer.shape[0], backend, n_threads)
        if isinstance(sweep, UncertainSweep):
            found = sweep.moments(scorer.form_for(facts.rows))
        elif isinstance(sweep, InMemory):
            found = sweep.moments(prepared)
        else:
            found = sweep.moments(prepared, scorer.incomplete)
    second = symmetric_from_lower(found.second) if family.has_matrices else found.second
    return replace(found, second=second, about=scorer.in_double.means.copy())


def maximized(self: Estimator, moments: Moments) -> Estimator:
    """The estimator one M-step later: an iteration of EM, of which :meth:`moments` is the first half.

    Parameters
    ----------
    moments : Moments
        About the means of this model, in its family; of all rows, wherever they were read.

    Returns
    -------
    GaussianMixture
        A new one with the same hyper-parameters, of which ``reg_covar`` has been added to the covariances, ``prior`` is
        believed, and what is ``fixed`` is that of this model. Its ``lower_bound_`` is that of the model before.

    Raises
    ------
    ValueError
        Where the moments are about other means, of another family or of no weight; or where ``reg_covar`` is
        'relative', or ``prior`` 'default' without a ``prior_``: moments do not know the variances of the features.
    DegenerateComponentError
        A ``ValueError``: a covariance is not positive definite.

    Examples
    --------
    >>> from fastgmm import GaussianMixture
    >>> gm = GaussianMixture.from_parameters([1.0], [[0.0]], [[1.0]], "diag", reg_covar=0.0)
    >>> after = gm.maximized(gm.moments([[1.0], [3.0]]))
    >>> after.means_, after.covariances_
    (array([[2.]]), array([[1.]]))
    """
    estimator: Any = self
    _refuse_noise(self)
    attributes = require_fitted(self)
    options = options_of(attributes, type(self).__name__)
    before = parameters_of(attributes)
    if isinstance(options.reg_covar, str):
        raise ValueError(
            "reg_covar='relative' is a share of the variances of the data, which moments do not know: give a number, "
            "for example set_params(reg_covar=1e-6)"
        )
    family = FAMILIES[before.covariance_type]
    _require_moments_of(before, family, moments)
    scorer, regularization = scorer_of(attributes), np.full(before.n_features, float(options.reg_covar))
    constraints, held = _constraints(options, before, attributes.get("prior_"))
    update = update_of(family, regularization, np.dtype(np.float64), constraints, before)
    model = Model(before, scorer.root, scorer.in_double)
    fitted = attended(lambda: _maximized(update, moments, model), work_on(moments.second)) | held
    if "feature_names_in_" in attributes:
        fitted["feature_names_in_"] = attributes["feature_names_in_"]
    build: Any = type(self)
    result: Estimator = build(**estimator.get_params(deep=False))
    adopt(result, no_history() | fitted)
    return result


def _constraints(
    options: Options, before: Parameters, known: Prior | None
) -> tuple[Constraints | None, dict[str, Any]]:
    """What the options say of a prior and of what is fixed, and the attributes that show it.

    The default prior, which moments do not know, is the one ``known`` from an earlier fit.
    """
    if options.prior is None and not options.fixed:
        return None, {}
    family, shape = FAMILIES[before.covariance_type], (before.n_components, before.n_features)
    prior, fixed = options.prior, fixed_of(options.fixed, family, before.n_components)
    if isinstance(prior, str):
        if known is None:
            raise ValueError(
                "prior='default' depends on the data, which moments do not know: give a fastgmm.Prior, such as the "
                "prior_ of an earlier fit"
            )
        prior = known
    prior = None if prior is None else checked_prior(prior, family, *shape)
    shown = {"prior_": prior, "n_fixed_parameters_": fixed.n_parameters(family, before.n_features)}
    return Constraints(log_prior_of(prior, family, *shape, None), fixed), shown


def _require_moments_of(model: Parameters, family: CovarianceFamily, moments: Moments) -> None:
    """Refuse what is no moments about the means of the model, in its family."""
    if not isinstance(moments, Moments):
        raise TypeError(f"maximized takes fastgmm.Moments; got {type(moments).__name__}")
    check_moments(moments)
    if moments.covariance_type != family.kernel:
        raise ValueError(
            f"These are moments of covariance_type={moments.covariance_type!r}, the model is {model.covariance_type!r}"
        )
    if moments.about.shape != model.means.shape:
        raise ValueError(f"These are moments of means of shape {moments.about.shape}, not {model.means.shape}")
    if not np.array_equal(moments.about, model.means):
        raise ValueError(
            "These moments are about other means than those of the model: take them from this one, or bring them there "
            "by moments.recentred(gm.means_)"
        )
    if not moments.total_weight > 0:
        raise ValueError("These are moments of no weight: there is nothing to fit.")


def _maximized(update: GaussianUpdate, moments: Moments, model: Model) -> dict[str, Any]:
    """The fitted attributes that follow from moments under a model."""
    try:
        with np.errstate(over="ignore", invalid="ignore"):
            after = update.maximize(moments, model)
            roots = update.family.precisions_cholesky(after.covariances)
    except NotPositiveDefiniteError as error:
        cause = "the rows that it holds are too few, or lie in a plane"
        raise failure_of(update.family, after, error.component, moments.counts, cause) from error
    bound = update.objective(moments, model)
    return parameter_attributes(after, roots) | {"n_iter_": 1, "lower_bound_": bound, "lower_bounds_": [bound]}
