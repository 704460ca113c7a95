"""Hyper-parameters of mixtures of counts and categories, each declared once, as ``options.py`` does."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import ArrayLike

from fastgmm.fit import rules
from fastgmm.fit.options import OPTIONS, Option, check_options, declared_in, option
from fastgmm.fit.rules import choice, integer_from, none_or, or_also, or_none
from fastgmm.fit.steps import Observer
from fastgmm.kernels import BACKEND_NAMES, BackendName

_NUMBER = rules.Rule("a finite number", lambda value: isinstance(value, Real) and bool(np.isfinite(float(value))))
DiscreteStart: TypeAlias = Literal["auto", "k-means++", "random", "random_from_data"]


def _as_of_gaussians(name: str) -> Any:
    declared = OPTIONS[name]
    return option(declared.default, declared.rule, is_saved=declared.is_saved, in_sklearn=declared.in_sklearn)


@dataclass(frozen=True, eq=False, kw_only=True)
class DiscreteOptions:
    """Those of a fit; ``means_init`` are the probabilities or rates, which have another name in each estimator."""

    n_components: int = _as_of_gaussians("n_components")
    alpha: float = option(1.0, rules.SIZE)
    tol: float = _as_of_gaussians("tol")
    max_iter: int = _as_of_gaussians("max_iter")
    n_init: int = _as_of_gaussians("n_init")
    init_params: DiscreteStart = option("auto", choice(get_args(DiscreteStart)))
    weights_init: ArrayLike | None = option(None, or_none(rules.ARRAY), is_saved=False)
    means_init: ArrayLike | None = option(None, or_none(rules.ARRAY), is_saved=False)
    random_state: int | np.random.RandomState | None = option(None, rules.RANDOM_STATE)
    warm_start: bool = _as_of_gaussians("warm_start")
    verbose: int = _as_of_gaussians("verbose")
    verbose_interval: int = _as_of_gaussians("verbose_interval")
    n_threads: int | None = _as_of_gaussians("n_threads")
    backend: BackendName = option("auto", choice(BACKEND_NAMES), is_saved=False)
    deadline: float | None = _as_of_gaussians("deadline")
    callbacks: Sequence[Observer] | None = _as_of_gaussians("callbacks")


DISCRETE_OPTIONS: Mapping[str, Option] = {
    **declared_in(DiscreteOptions),
    "probabilities_init": option(None, or_none(rules.ARRAY), is_saved=False).metadata["option"],
    "rates_init": option(None, or_none(rules.ARRAY), is_saved=False).metadata["option"],
    "binarize": option(0.0, none_or(_NUMBER)).metadata["option"],
    "n_categories": option(None, none_or(or_also(integer_from(1), " or an array-like", rules.ARRAY.allows))).metadata[
        "option"
    ],
}


def discrete_options_of(attributes: Mapping[str, Any], estimator: str, means: str) -> DiscreteOptions:
    """The hyper-parameters among the attributes of an estimator, checked; ``means`` is the name of its start."""
    check_options(attributes, estimator, DISCRETE_OPTIONS)
    values = {name: attributes[name] for name in declared_in(DiscreteOptions) if name in attributes}
    return DiscreteOptions(**values, means_init=attributes[means])
