"""Scoring: one fit made ready to evaluate rows, once, so that a row costs microseconds and many threads may ask.

A ``Scorer`` is made when a model is fitted or loaded and never changes. Whoever scores takes one scorer and stays
with it, so a refit in another thread, which puts a new one in its place, is seen wholly or not at all.
"""

import logging
from collections.abc import Mapping
from contextlib import suppress
from copy import deepcopy
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

import numpy as np

from fastgmm.data.single_precision import LOWEST_IN_SINGLE, are_ordinary, as_float64
from fastgmm.errors import BackendUnavailableError, ModelFormatError
from fastgmm.families import FAMILIES, FOUR, CovarianceFamily
from fastgmm.families.noise import Noise, with_noise
from fastgmm.families.uncertain import prepare_uncertain
from fastgmm.fit.options import OPTIONS
from fastgmm.kernels import get_backend
from fastgmm.kernels.backend import Backend
from fastgmm.machine.pieces import pieces
from fastgmm.machine.waiting import attended
from fastgmm.model.attributes import (
    ARRAYS,
    check_shapes,
    family_name,
    family_of,
    noise_of,
    sound_parameters_of,
    upper_root_of,
    weights_and_means_of,
    work_of_matrices,
    work_on,
)
from fastgmm.model.criteria import free_parameters
from fastgmm.parameters import Array, FloatArray, Parameters, Prepared, PreparedIncomplete, PreparedUncertain, scales_of
from fastgmm.rows import Rows
from fastgmm.sweeps.in_memory import Wanted, evaluate
from fastgmm.sweeps.incomplete import evaluate_incomplete
from fastgmm.sweeps.uncertain_scores import evaluate_uncertain

logger = logging.getLogger("fastgmm")

Estimator = TypeVar("Estimator")

# What some fits leave and others do not: names of features, and what ``partial_fit`` keeps of rows.
_OF_SOME_FITS = ("feature_names_in_", "_stream")


@dataclass(frozen=True, eq=False)
class Scorer:
    """Fitted attributes, and what kernels need of them for rows of either dtype."""

    weights: Array
    means: Array
    precisions_cholesky: Array | None  # None where covariances were set by hand instead
    covariance_type: str
    backend_name: str
    backend: Backend
    in_double: Prepared
    in_single: Prepared | None  # None where squares would leave its range
    root: FloatArray  # of the precisions, upper triangular, or 1/σ
    n_fixed_parameters: int = 0
    noise: tuple[Noise, float] | None = None  # and its weight
    _known: dict[str, PreparedIncomplete] = field(default_factory=dict, init=False)
    _beside_noise: dict[int, Prepared] = field(default_factory=dict, init=False)
    _known_for_errors: dict[str, PreparedUncertain] = field(default_factory=dict, init=False)

    def __reduce__(self) -> tuple[Any, ...]:
        """For work in another process, which loads the backend there."""
        attributes = {"weights_": self.weights, "means_": self.means, "precisions_cholesky_": self.root}
        options = {"covariance_type": self.covariance_type, "backend": self.backend_name}
        noise = {}
        if self.noise is not None:
            (uniform, weight) = self.noise
            noise = {"noise_log_volume_": uniform.log_volume, "noise_box_": uniform.box, "noise_weight_": weight}
        return _make_scorer, (attributes | options | noise | {"n_fixed_parameters_": self.n_fixed_parameters},)

    @property
    def n_parameters(self) -> int:
        """How many numbers were free."""
        of_components = free_parameters(self.covariance_type, *self.shape) - self.n_fixed_parameters
        return of_components if self.noise is None else of_components + self.noise[0].n_parameters

    @property
    def shape(self) -> tuple[int, int]:
        """Numbers of components and of features."""
        n_components, n_features = self.in_double.means.shape
        return n_components, n_features

    def is_of(self, attributes: Mapping[str, Any]) -> bool:
        """Whether these are the attributes it was made from: any of them may have been set by hand since."""
        look_up = attributes.get
        return (
            look_up("means_") is self.means
            and look_up("weights_") is self.weights
            and look_up("precisions_cholesky_") is self.precisions_cholesky
            and family_name(attributes) == self.covariance_type
            and look_up("backend") == self.backend_name
            and (self.noise is None or look_up("noise_weight_") == self.noise[1])
            and look_up("noise_log_volume_") == (None if self.noise is None else self.noise[0].log_volume)
        )

    def evaluate(self, rows: Rows, n_threads: int | None, wanted: Wanted) -> Array:
        """Log-densities, labels or responsibilities: see :func:`fastgmm.sweeps.in_memory.evaluate`."""
        if rows.errors is not None:
            return evaluate_uncertain(rows, self.form_for(rows), self.backend, n_threads, wanted)
        if self.noise is not None:
            return self._evaluate_beside_noise(rows, n_threads, wanted)
        prepared = self.in_double if rows.values.itemsize == 8 else self.in_single
        if prepared is not None and rows.has_missing:
            return evaluate_incomplete(rows, prepared, self.incomplete, self.backend, n_threads, wanted)
        if prepared is not None:
            return evaluate(rows, prepared, self.backend, n_threads, wanted)
        shape = self.shape[:1] if wanted in ("joint", "responsibilities") else ()
        result = np.empty((rows.shape[0], *shape), np.int64 if wanted == "labels" else rows.values.dtype)
        for part in pieces(rows.shape[0], 8 * rows.shape[1]):
            with np.errstate(over="ignore"):  # beyond float32's range lies −inf
                result[part] = self.evaluate(as_float64(rows.take(part)), n_threads, wanted)
        return result

    def _evaluate_beside_noise(self, rows: Rows, n_threads: int | None, wanted: Wanted) -> Array:
        """The same of a mixture whose last component is noise, the label of which is -1."""
        assert self.noise is not None
        if rows.has_missing:
            raise ValueError("Noise is a density of all features: a mixture with noise takes no missing values.")
        if self.in_single is None:
            rows = as_float64(rows)
        size = rows.values.itemsize
        prepared = self.in_double if size == 8 else self.in_single
        assert prepared is not None
        if size not in self._beside_noise:  # made when the first row comes, without a lock
            noise, weight = self.noise
            log_constants = prepared.log_constants + np.log1p(-weight).astype(prepared.log_constants.dtype)
            self._beside_noise[size] = with_noise(prepared._replace(log_constants=log_constants), weight, noise)
        result = evaluate(rows, self._beside_noise[size], self.backend, n_threads, wanted)
        if wanted == "labels":
            result[result == self.shape[0]] = -1
        return result

    @property
    def family(self) -> CovarianceFamily:
        return FAMILIES[self.covariance_type]

    def in_matrices(self) -> "Scorer":
        """The same mixture of the full family where this one has loadings: for whoever has arithmetic of his own."""
        if self.family.rank is None:
            return self
        matrices = self.family.matrices(self.family.covariances_of_root(self.root), *self.shape)
        attributes = {"weights_": self.weights, "means_": self.means, "covariances_": matrices}
        return make_scorer(attributes | {"covariance_type": "full", "backend": self.backend_name})

    @property
    def incomplete(self) -> PreparedIncomplete:
        """What kernels need of rows that lack values; made when the first comes, without a lock."""
        if "incomplete" not in self._known:
            self._known["incomplete"] = attended(self._prepare_incomplete, work_on(self.root))
        return self._known["incomplete"]

    def _prepare_incomplete(self) -> PreparedIncomplete:
        return self.family.prepare_incomplete(self.parameters, self.root)

    @property
    def parameters(self) -> Parameters:
        """With covariances from their roots."""
        with np.errstate(all="ignore"):  # absurd parameters make densities of −inf
            covariances = self.family.covariances_of_root(self.root)
        return Parameters(self.family.name, np.asarray(self.weights, np.float64), self.in_double.means, covariances)

    def form_for(self, rows: Rows) -> PreparedUncertain:
        """What kernels need of such rows of known errors; made when the first come, without a lock."""
        assert rows.errors is not None
        if self.noise is not None:
            raise ValueError("Noise is a density of values as they are: a mixture with noise takes no errors.")
        are_matrices = rows.errors.ndim == 3
        name = "uncertain" if are_matrices or self.family.has_matrices else "uncertain variances"
        if name not in self._known_for_errors:
            prepare = partial(prepare_uncertain, self.family, self.parameters, are_matrices)
            self._known_for_errors[name] = attended(prepare, work_on(self.root))
        return self._known_for_errors[name]

    def joint(self, rows: Rows, n_threads: int | None) -> Array:
        """Joint log-densities (n, K), all of them finite: what is computed in float64 may be −inf in float32."""
        result = self.evaluate(rows, n_threads, "joint")
        if result.itemsize == 4:
            for part in pieces(len(result), result[:1].nbytes):
                np.maximum(result[part], LOWEST_IN_SINGLE, out=result[part])
        return result


def require_no_noise(scorer: Scorer, name: str) -> None:
    """Refuse what would draw rows from the components alone, and compare them with densities of noise as well."""
    if scorer.noise is not None:
        raise ValueError(f"{name} of a mixture with noise is not offered.")


def scorer_of(attributes: Mapping[str, Any]) -> Scorer:
    """The scorer among the attributes of a fitted estimator, or a new one where some were set by hand.

    Without a lock, and nothing is written: a new scorer serves one call.
    """
    scorer: Scorer | None = attributes.get("_scorer")
    return scorer if scorer is not None and scorer.is_of(attributes) else make_scorer(attributes)


def make_scorer(attributes: Mapping[str, Any]) -> Scorer:
    """A scorer of attributes that a fit or someone by hand has set; the backend is chosen here, once.

    Raises
    ------
    NotFittedError
    ValueError
        Where the attributes make no mixture.
    BackendUnavailableError
    """
    return attended(partial(_make_scorer, attributes), work_of_matrices(attributes))


def _make_scorer(attributes: Mapping[str, Any]) -> Scorer:
    factors = upper_root_of(attributes)
    weights, means = weights_and_means_of(attributes)
    given = attributes["weights_"], attributes["means_"], attributes.get("precisions_cholesky_")
    family = family_of(attributes)
    with np.errstate(all="ignore"):  # absurd parameters make densities of −inf
        in_double = family.assemble(weights, means, factors, np.float64)
        if np.may_share_memory(scales_of(in_double), factors):  # someone's array, which may change
            in_double = family.assemble(weights, means, factors.copy(), np.float64)
        root = factors.copy() if factors.flags.writeable else factors
        is_ordinary = are_ordinary(_deviations(family, factors))
        in_single = family.assemble(weights, means, factors, np.float32) if is_ordinary else None
    backend, n_fixed = get_backend(attributes["backend"]), attributes.get("n_fixed_parameters_", 0)
    given_and_name, noise = (*given, family.name, attributes["backend"]), noise_of(attributes)
    return Scorer(*given_and_name, backend, in_double, in_single, root, n_fixed, noise)


def _deviations(family: CovarianceFamily, factors: FloatArray) -> FloatArray:
    """Standard deviations: of matrices those of a feature where the ones before it are known."""
    if family.rank is not None:
        factors = factors[..., -1]
    deviations: FloatArray = 1.0 / (np.diagonal(factors, axis1=-2, axis2=-1) if family.has_matrices else factors)
    return deviations


def adopt(estimator: Any, fitted: Mapping[str, Any]) -> Scorer:
    """Give an estimator the attributes of a fit, in place of those of an earlier one, all in one step.

    Whoever holds the old ``__dict__`` goes on with the old fit. Arrays become read-only: changed in place, they would
    no longer be what the scorer was made from.
    """
    attributes = {name: value for name, value in vars(estimator).items() if name not in _OF_SOME_FITS}
    attributes.update(fitted)
    for name in ARRAYS:
        if name in fitted:
            fitted[name].flags.writeable = False
    scorer = make_scorer(attributes)
    estimator.__dict__ = attributes | {"_scorer": scorer}
    return scorer


def get_state(estimator: object) -> dict[str, Any]:
    """What of an estimator can be pickled or deeply copied: all but the scorer."""
    return {name: value for name, value in vars(estimator).items() if name != "_scorer"}


def set_state(estimator: object, state: dict[str, Any]) -> None:
    """Attributes out of a pickle; ``ModelFormatError`` where they make no mixture.

    One of an earlier version lacks options that are younger.
    """
    state = {name: declared.default for name, declared in OPTIONS.items()} | state
    restore(estimator, attended(partial(checked_state, state), work_of_matrices(state)))


def shallow_copy(estimator: Estimator) -> Estimator:
    """A copy that shares the arrays, and the scorer, which never changes."""
    copied = type(estimator).__new__(type(estimator))
    copied.__dict__ = dict(vars(estimator))
    return copied


def deep_copy(estimator: Estimator, memo: dict[int, Any]) -> Estimator:
    """A copy that shares no array; also of an estimator that cannot score, since some of it was set by hand."""
    state: dict[str, Any] = estimator.__getstate__()  # type: ignore[assignment]  # a subclass may have its own
    copied = type(estimator).__new__(type(estimator))
    restore(copied, attended(partial(deepcopy, state, memo), work_of_matrices(state)))
    return copied


def checked_state(attributes: dict[str, Any]) -> dict[str, Any]:
    """Attributes out of a pickle, if they are as sound as those of a model file.

    Some may be missing, as where only what scoring needs was set by hand, and ``covariance_type`` may have been changed
    since the fit: then scoring says what it needs.

    Raises
    ------
    ModelFormatError
        Where the parameters make no mixture.
    """
    try:
        if {"weights_", "means_", "covariances_"} <= attributes.keys():
            sound_parameters_of(_as_fitted(attributes, "covariances_"))
        if {"weights_", "means_", "precisions_cholesky_"} <= attributes.keys():
            candidate = _as_fitted(attributes, "precisions_cholesky_")
            upper_root_of(candidate), weights_and_means_of(candidate)
    except (ArithmeticError, LookupError, TypeError, ValueError) as error:
        raise ModelFormatError(f"the pickle holds no sound model: {error}", "unsound") from error
    return attributes


def _as_fitted(attributes: Mapping[str, Any], matrices: str) -> Mapping[str, Any]:
    """The attributes with the family that fits the shapes of the matrices, if the one they name does not."""
    if attributes["covariance_type"] in FAMILIES:
        for name in (attributes["covariance_type"], *FOUR):
            candidate = {**attributes, "covariance_type": name}
            with suppress(ValueError):
                check_shapes(candidate, matrices)
                return candidate
    return attributes


def restore(estimator: Any, attributes: dict[str, Any]) -> None:
    """The counterpart of ``get_state``: attributes read back, with a new scorer where they are a fit's."""
    estimator.__dict__.update(attributes)
    if "precisions_cholesky_" not in attributes:  # by which a scorer knows what it is of
        return
    try:
        fitted = {name: value for name, value in attributes.items() if name.endswith("_") or name in _OF_SOME_FITS}
        adopt(estimator, fitted)
    except (AttributeError, ValueError, BackendUnavailableError) as error:
        logger.debug("a model was read back that cannot score: %s", error)  # scoring will say so
