"""Calls of ``GaussianHMM``: arguments checked, and handed to what computes."""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from fastgmm.data.validation import check_feature_names, check_n_features, check_rows, feature_names
from fastgmm.errors import not_fitted
from fastgmm.estimator.calls import SWEEPS_OF_A_FIT, rows_of_a_start
from fastgmm.estimator.of_blocks import refuse_blocks
from fastgmm.families import FAMILIES
from fastgmm.families.check import check_covariances, require_features
from fastgmm.files.chain_file import SavedChain
from fastgmm.files.plain import plain
from fastgmm.fit import rules
from fastgmm.fit.chain_fitting import GivenChain, Learning, fit_sequences
from fastgmm.fit.chains import ChainPrior
from fastgmm.fit.options import OPTIONS, InvalidParameterError, Option, Options, check_options, options_of
from fastgmm.fit.steps import Fit, Step
from fastgmm.kernels.chains import parts_of
from fastgmm.kernels.contract import work_of
from fastgmm.machine.waiting import attended, in_caller
from fastgmm.model.chains import (
    ChainScorer,
    chain_scorer,
    checked_chain,
    checked_means,
    checked_probabilities,
    free_numbers,
    scorer_of_emissions,
)
from fastgmm.parameters import FloatArray, IntArray
from fastgmm.rows import Rows
from fastgmm.show.verbose import print_progress

Algorithm: TypeAlias = Literal["viterbi", "map"]
ALGORITHMS = ("viterbi", "map")
# hmmlearn's letters, and the attributes they stand for.
LETTERS = {"s": "startprob_", "t": "transmat_", "m": "means_", "c": "covariances_"}
ARRAYS = tuple(LETTERS.values())
_CONCENTRATION = "a number or an array of numbers from 1"
_SHARED = (
    *("n_components", "covariance_type", "tol", "reg_covar", "max_iter", "n_init", "random_state"),
    *("n_threads", "backend", "verbose", "verbose_interval", "deadline", "callbacks"),
)


def _are_letters(value: Any) -> bool:
    return isinstance(value, str) and set(value) <= set(LETTERS)


_SOME_LETTERS = rules.Rule("a str of the letters 's', 't', 'm' and 'c'", _are_letters)
_OWN = {
    "params": Option("stmc", _SOME_LETTERS),
    "init_params": Option("stmc", _SOME_LETTERS),
    "algorithm": Option("viterbi", rules.choice(ALGORITHMS)),
}
CHAIN_OPTIONS = {name: OPTIONS[name] for name in _SHARED} | _OWN
_SAVED = ("converged_", "stop_reason_", "n_iter_", "lower_bound_", "lower_bounds_", "degenerate_components_")
_SAVED_OPTIONS = (
    *("covariance_type", "startprob_prior", "transmat_prior", "tol", "reg_covar", "max_iter", "n_init"),
    *("params", "init_params", "algorithm", "random_state", "verbose", "verbose_interval", "deadline"),
)


@dataclass(frozen=True, eq=False)
class Monitor:
    """What hmmlearn's ``monitor_`` says of a fit.

    Attributes
    ----------
    history : list of float
        What each iteration of the best start found: the log-likelihood of all sequences, with the logarithms of priors.
    iter : int
        How many iterations there were.
    converged : bool
    """

    history: list[float]
    iter: int
    converged: bool


def checked_lengths(lengths: Any, n_rows: int) -> IntArray:
    """Lengths of the sequences (S,), all rows one where nothing is given; ``ValueError`` where they are none."""
    if lengths is None:
        return np.array([n_rows], np.int64)
    array = np.asarray(lengths)
    if array.ndim != 1 or array.dtype.kind not in "iu" or not len(array) or not (array > 0).all():
        raise ValueError(f"lengths must be positive whole numbers, one for each sequence; got {lengths!r}")
    if int(array.sum()) != n_rows:
        raise ValueError(f"lengths array {lengths} doesn't sum to {n_rows} samples")
    return array.astype(np.int64)


def checked_fit(estimator: Any, X: ArrayLike, lengths: ArrayLike | None) -> dict[str, Any]:
    """The attributes of a fit, which the estimator does not have yet."""
    attributes, name = vars(estimator), type(estimator).__name__
    check_options(attributes, name, CHAIN_OPTIONS)
    options = options_of({each: attributes[each] for each in _SHARED}, name)
    refuse_blocks(X, name, "call it with an array of all sequences")
    names = feature_names(X)
    rows = rows_of_a_start(X, None, options.n_components, name, names)
    own_lengths = checked_lengths(lengths, rows.shape[0])
    learning = _learning(attributes, name, options.n_components, rows.shape[1])
    observers = [partial(in_caller, each) for each in _observers(options)]
    fit = partial(fit_sequences, options, learning, rows, own_lengths, observers, names)
    operations = SWEEPS_OF_A_FIT * work_of(rows.shape[0], rows.shape[1] + options.n_components, options.n_components)
    best, steps, warning = attended(fit, operations)
    if warning is not None:
        warnings.warn(warning, stacklevel=3)
    return _fitted(options, rows, best, steps) | ({} if names is None else {"feature_names_in_": names})


def _observers(options: Options) -> list[Any]:
    observers = list(options.callbacks or ())
    if options.verbose:
        observers.append(print_progress(options.verbose, options.verbose_interval, options.max_iter))
    return observers


def _learning(attributes: Mapping[str, Any], name: str, n_states: int, n_features: int) -> Learning:
    """What is estimated, and what the user has set of the start."""
    excess = {
        option: _excess(attributes[option], shape, option, name)
        for option, shape in (("startprob_prior", (n_states,)), ("transmat_prior", (n_states, n_states)))
    }
    params, left = attributes["params"], [each for each in LETTERS if each not in attributes["init_params"]]
    for letter in left:
        if LETTERS[letter] not in attributes:
            raise ValueError(
                f"init_params={attributes['init_params']!r} leaves {LETTERS[letter]} to you: set it before the fit."
            )
    given = {letter: attributes[LETTERS[letter]] for letter in left}
    start, transitions, means, covariances = (given.get(letter) for letter in LETTERS)
    family = FAMILIES[attributes["covariance_type"]]
    require_features(family, n_features)
    if family.rank is not None:
        raise ValueError(f"{name} takes no factor analyzers; got covariance_type={family.name!r}.")
    if means is not None and checked_means(means).shape != (n_states, n_features):
        raise ValueError(f"means_ must have the shape {(n_states, n_features)}; got {np.shape(means)}")
    if covariances is not None:
        sound = check_covariances(family, covariances, n_states, n_features)
        covariances = family.constrained(sound, np.ones(n_states))
    return Learning(
        ChainPrior(excess["startprob_prior"], excess["transmat_prior"], "s" in params, "t" in params),
        GivenChain(
            None if start is None else checked_probabilities(start, (n_states,), "startprob_"),
            None if transitions is None else checked_probabilities(transitions, (n_states, n_states), "transmat_"),
            None if means is None else checked_means(means),
            covariances,
        ),
        "m" in params,
        "c" in params,
    )


def _excess(value: Any, shape: tuple[int, ...], option: str, name: str) -> FloatArray:
    """The concentrations of a Dirichlet prior less 1."""
    try:
        array = np.broadcast_to(np.asarray(value, np.float64), shape)
    except (TypeError, ValueError) as error:
        must_be = f"{_CONCENTRATION}, of shape {shape}"
        raise InvalidParameterError(f"The {option!r} parameter of {name} must be {must_be}. Got {value!r}.") from error
    if not ((array >= 1.0) & (array < np.inf)).all():
        raise InvalidParameterError(f"The {option!r} parameter of {name} must be {_CONCENTRATION}. Got {value!r}.")
    return array - 1.0


def _fitted(options: Options, rows: Rows, best: Fit, steps: tuple[Step, ...]) -> dict[str, Any]:
    """What a fit sets, in arrays that are read-only."""
    parameters = best.parameters
    start, transitions = parts_of(parameters.extra)
    bounds = [step.lower_bound for step in best.steps]
    found = chain_attributes(
        start.copy(), transitions.copy(), parameters.means, parameters.covariances, options.covariance_type,
        options.backend,
    )  # fmt: skip
    return found | {
        "converged_": best.converged,
        "stop_reason_": best.stop_reason,
        "n_iter_": len(best.steps),
        "lower_bound_": best.lower_bound,
        "lower_bounds_": bounds,
        "history_": steps,
        "degenerate_components_": best.degenerate,
        "n_missing_": best.n_missing,
        "monitor_": Monitor([bound * rows.n_counted for bound in bounds], len(bounds), best.converged),
    }


def chain_attributes(
    start: FloatArray,
    transitions: FloatArray,
    means: FloatArray,
    covariances: FloatArray,
    covariance_type: str,
    backend: str,
) -> dict[str, Any]:
    """The arrays, read-only, and what scores by them."""
    arrays = dict(zip(ARRAYS, (start, transitions, means, covariances), strict=True))
    for array in arrays.values():
        array.flags.writeable = False
    scorer = scorer_of_emissions(means, covariances, covariance_type, backend)
    return arrays | {"n_features_in_": means.shape[1], "_scorer": scorer, "_scored": (means, covariances)}


def adopt(estimator: Any, fitted: Mapping[str, Any]) -> None:
    """Give an estimator the attributes of a fit, in place of those of an earlier one, all in one step."""
    kept = {name: value for name, value in vars(estimator).items() if name != "feature_names_in_"}
    estimator.__dict__ = kept | dict(fitted)


def ready(estimator: Any) -> ChainScorer:
    """What scores by the fitted attributes, or those that were set by hand."""
    attributes = vars(estimator)
    missing = [name for name in ARRAYS if name not in attributes]
    if missing:
        raise not_fitted(type(estimator).__name__, missing if len(missing) < len(ARRAYS) else ())
    return chain_scorer(attributes)


def ready_to_score(estimator: Any, X: ArrayLike, lengths: ArrayLike | None) -> tuple[ChainScorer, Rows, IntArray]:
    """A scorer, and validated sequences for it."""
    scorer, name = ready(estimator), type(estimator).__name__
    refuse_blocks(X, name, "call it with an array of all sequences")
    check_feature_names(X, vars(estimator).get("feature_names_in_"), name)
    rows = check_rows(X, name)
    check_n_features(rows.shape[1], scorer.emissions.shape[1], name)
    return scorer, rows, checked_lengths(lengths, rows.shape[0])


def _work_of_chains(rows: Rows, n_states: int) -> float:
    """Multiply-adds of densities, and of three products with the transitions."""
    return work_of(*rows.shape, n_states) + 3.0 * rows.shape[0] * n_states**2


def likelihood(estimator: Any, X: ArrayLike, lengths: ArrayLike | None) -> tuple[float, int]:
    """The log-likelihood of all sequences together, and how many steps they have."""
    scorer, rows, own_lengths = ready_to_score(estimator, X, lengths)
    work = partial(scorer.log_likelihoods, rows, own_lengths)
    return float(attended(work, _work_of_chains(rows, scorer.n_states)).sum()), rows.shape[0]


def likelihood_and_posteriors(estimator: Any, X: ArrayLike, lengths: ArrayLike | None) -> tuple[float, FloatArray]:
    """The log-likelihood of all sequences together, and p(state | sequence) of every step."""
    scorer, rows, own_lengths = ready_to_score(estimator, X, lengths)
    posteriors = np.empty((rows.shape[0], scorer.n_states))
    work = partial(scorer.log_likelihoods, rows, own_lengths, posteriors)
    return float(attended(work, _work_of_chains(rows, scorer.n_states)).sum()), posteriors


def decoded(estimator: Any, X: ArrayLike, lengths: ArrayLike | None, algorithm: str | None) -> tuple[float, IntArray]:
    """The states of all steps by an algorithm, and how good they are."""
    chosen = vars(estimator)["algorithm"] if algorithm is None else algorithm
    if chosen not in ALGORITHMS:
        raise ValueError(f"algorithm must be among {', '.join(map(repr, ALGORITHMS))}; got {chosen!r}")
    if chosen == "map":
        _, posteriors = likelihood_and_posteriors(estimator, X, lengths)
        return float(posteriors.max(axis=1).sum()), posteriors.argmax(axis=1)
    scorer, rows, own_lengths = ready_to_score(estimator, X, lengths)
    work = partial(scorer.paths, rows, own_lengths)
    log_probabilities, states = attended(work, _work_of_chains(rows, scorer.n_states))
    return float(log_probabilities.sum()), states


def n_parameters(estimator: Any) -> int:
    """How many numbers a fit is free to choose."""
    scorer = ready(estimator)
    return free_numbers(scorer.emissions.covariance_type, *scorer.emissions.shape)


def to_saved(estimator: Any) -> SavedChain:
    """What a file holds of a fitted estimator; ``ValueError`` where attributes set by hand make no chain."""
    scorer, attributes = ready(estimator), vars(estimator)
    options = {name: plain(attributes[name]) for name in _SAVED_OPTIONS}
    results = {name.rstrip("_"): plain(attributes[name]) for name in _SAVED if name in attributes}
    names = attributes.get("feature_names_in_")
    return SavedChain(
        scorer.emissions.covariance_type,
        scorer.chain.start,
        scorer.chain.transitions,
        np.asarray(attributes["means_"], np.float64),
        np.asarray(attributes["covariances_"], np.float64),
        options={name: value for name, value in options.items() if value is not None},
        fit={name: value for name, value in results.items() if value is not None},
        feature_names=None if names is None else tuple(names),
    )


def options_and_attributes(saved: SavedChain) -> tuple[dict[str, Any], dict[str, Any]]:
    """What an estimator is made of again; ``ValueError`` where that makes no chain."""
    if saved.covariance_type not in FAMILIES:
        raise ValueError(f"covariance_type must be among {', '.join(map(repr, FAMILIES))}")
    means = checked_means(saved.means)
    start, transitions = checked_chain(saved.start, saved.transitions, len(means))
    options = {name: value for name, value in saved.options.items() if name in _SAVED_OPTIONS}
    check_options(options, "GaussianHMM", CHAIN_OPTIONS)
    options |= {"covariance_type": saved.covariance_type, "n_components": len(means)}
    covariances = check_covariances(FAMILIES[saved.covariance_type], saved.covariances, *means.shape)
    attributes = chain_attributes(start, transitions, means, covariances, saved.covariance_type, "auto")
    attributes |= {f"{name}_": value for name, value in saved.fit.items() if f"{name}_" in _SAVED}
    if saved.feature_names is not None:
        attributes["feature_names_in_"] = np.array(saved.feature_names, dtype=object)
    return options, attributes
