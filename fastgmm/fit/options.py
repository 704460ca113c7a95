"""Hyper-parameters of the estimator, each declared once.

A field of ``Options`` says its type and default, the rule of its values, whether scikit-learn and model files know it,
and how the command line takes it. Whatever checks, saves or reads options goes by these fields. The estimator repeats
names, types and defaults where people look for them, and a test holds the two together.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, fields
from numbers import Integral
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import ArrayLike

from fastgmm.errors import FastGMMError
from fastgmm.families import FAMILIES, name_of
from fastgmm.fit import rules
from fastgmm.fit.fixed import FixedOption
from fastgmm.fit.prior import Prior, PriorOption
from fastgmm.fit.rules import choice, integer_from, none_or, or_also, or_none
from fastgmm.fit.starts import StartFunction
from fastgmm.fit.steps import Observer
from fastgmm.kernels import BACKEND_NAMES, BackendName

RegCovar: TypeAlias = float | Literal["relative"]
StartMethod: TypeAlias = Literal["auto", "kmeans", "k-means++", "random", "random_from_data"]
Acceleration: TypeAlias = Literal["squarem"]
Assignment: TypeAlias = Literal["soft", "hard", "stochastic"]
NoiseOption: TypeAlias = float | Literal["box"]


class InvalidParameterError(FastGMMError, ValueError, TypeError):
    """A hyper-parameter is not what it may be."""


@dataclass(frozen=True, eq=False)
class Option:
    """What is declared of an option: its default, the rule of its values, and who takes it.

    The command line takes it by its ``flags``, such as ``"-k --components"``, if it has any; ``default_of_flags`` is
    where that is another than the estimator's. Model files keep plain values and priors, and none
    that belong to the process.
    """

    default: Any
    rule: rules.Rule
    flags: str = ""
    help: str | None = None
    metavar: str | None = None
    default_of_flags: Any = None
    in_sklearn: bool = True
    is_saved: bool = True


def option(*positional: Any, **named: Any) -> Any:
    """A field of ``Options``."""
    declared = Option(*positional, **named)
    return field(default=declared.default, metadata={"option": declared})


@dataclass(frozen=True, eq=False, kw_only=True)
class Options:
    """The hyper-parameters of a fit; ``GaussianMixture`` says in its docstring what they mean."""

    n_components: int = option(1, integer_from(1), "-k --components", "number of components", metavar="COMPONENTS")
    # Any name: families may be added.
    covariance_type: str = option("full", choice(FAMILIES), "--covariance-type")
    tol: float = option(1e-3, rules.SIZE, "--tol", "stop below this change")
    reg_covar: RegCovar = option(
        1e-6,
        rules.SIZE_OR_RELATIVE,
        "--reg-covar",
        "added to variances; relative: a millionth of each feature's own",
        metavar="NUMBER|relative",
    )
    max_iter: int = option(100, integer_from(0), "--max-iter", "most iterations of a start")
    n_init: int = option(1, integer_from(1), "--n-init", "starts to try")
    init_params: StartMethod | StartFunction = option(
        "auto", or_also(choice(get_args(StartMethod)), " or a callable", callable), "--init-params"
    )
    weights_init: ArrayLike | None = option(None, or_none(rules.ARRAY), is_saved=False)
    means_init: ArrayLike | None = option(None, or_none(rules.ARRAY), is_saved=False)
    precisions_init: ArrayLike | None = option(None, or_none(rules.ARRAY), is_saved=False)
    random_state: int | np.random.RandomState | None = option(
        None, rules.RANDOM_STATE, "--seed", "of the start", metavar="SEED", default_of_flags=0
    )
    warm_start: bool = option(False, rules.BOOLEAN)
    verbose: int = option(0, or_also(integer_from(0), f", {rules.BOOLEAN.must_be}", rules.BOOLEAN.allows))
    verbose_interval: int = option(10, integer_from(1))
    progress: bool = option(False, rules.BOOLEAN, in_sklearn=False, is_saved=False)
    n_threads: int | None = option(
        None,
        or_none(integer_from(1)),
        "--threads",
        "default: all CPUs this process may use",
        metavar="THREADS",
        in_sklearn=False,
        is_saved=False,
    )
    backend: BackendName = option("auto", choice(BACKEND_NAMES), "--backend", in_sklearn=False, is_saved=False)
    accelerate: Acceleration | None = option(
        None,
        none_or(choice(get_args(Acceleration))),
        "--accelerate",
        "fewer iterations where they converge slowly",
        in_sklearn=False,
    )
    deadline: float | None = option(
        None,
        none_or(rules.POSITIVE_SIZE),
        "--deadline",
        "end with the best so far (default: no deadline)",
        metavar="SECONDS",
        in_sklearn=False,
    )
    callbacks: Sequence[Observer] | None = option(None, none_or(rules.CALLABLES), in_sklearn=False, is_saved=False)
    prior: PriorOption | None = option(
        None,
        none_or(or_also(choice(("default",)), " or a fastgmm.Prior", lambda value: isinstance(value, Prior))),
        "--prior",
        "keep covariances from becoming singular",
        in_sklearn=False,
    )
    fixed: FixedOption = option((), rules.NAMES_OR_MAPPING, in_sklearn=False)
    assignment: Assignment = option(
        "soft",
        choice(get_args(Assignment)),
        "--assignment",
        "of rows to components in a fit: by all responsibilities, to the most probable, or to one drawn",
        in_sklearn=False,
    )
    annealing: float | None = option(
        None,
        none_or(rules.SHARE),
        "--annealing",
        "first exponent of the densities (default: no annealing)",
        metavar="EXPONENT",
        in_sklearn=False,
    )
    noise: NoiseOption | None = option(
        None,
        none_or(rules.BOX_OR_VOLUME),
        "--noise",
        "rows of no component, evenly spread over the box of the data, or over a volume",
        metavar="box|VOLUME",
        in_sklearn=False,
    )
    rank: int = option(
        1, integer_from(1), "--rank", "of factor and ppca: directions of a component", metavar="RANK", in_sklearn=False
    )
    # Of partial_fit, with the names and limits of scikit-learn's LatentDirichletAllocation.
    learning_decay: float = option(0.7, rules.SHARE_OR_0, in_sklearn=False)
    learning_offset: float = option(2.0, rules.SIZE_FROM_1, in_sklearn=False)

    @property
    def family(self) -> str:
        """The name of the covariance family, with the rank where it has one."""
        return name_of(self.covariance_type, self.rank)


def declared_in(table: type[Any]) -> Mapping[str, Option]:
    """What is declared of the options, by name and in order."""
    return {each.name: each.metadata["option"] for each in fields(table)}


OPTIONS = declared_in(Options)


def check_options(values: Mapping[str, Any], estimator: str, options: Mapping[str, Option] = OPTIONS) -> None:
    """Check hyper-parameters by name, except those whose shape depends on the data; other names are passed over.

    Raises
    ------
    InvalidParameterError
        A ``ValueError`` that names the parameter, what it must be and what it is.
    """
    for name, value in values.items():
        declared = options.get(name)
        if declared is not None and not declared.rule.allows(value):
            raise InvalidParameterError(
                f"The {name!r} parameter of {estimator} must be {declared.rule.must_be}. Got {value!r} instead."
            )


def options_of(attributes: Mapping[str, Any], estimator: str) -> Options:
    """The hyper-parameters among the attributes of an estimator, checked as ``check_options`` does."""
    # An estimator out of a pickle of an earlier version lacks options that are younger.
    values = {name: attributes.get(name, declared.default) for name, declared in OPTIONS.items()}
    check_options(values, estimator)
    options = Options(**values)
    _check_assignment(options, estimator)
    _check_noise(options, estimator)
    _check_family(options, estimator)
    return options


def _check_assignment(options: Options, estimator: str) -> None:
    """Refuse what is done to the path of soft assignments where assignments are others."""
    for name in ("accelerate", "annealing"):
        value = getattr(options, name)
        if options.assignment != "soft" and value is not None:
            raise InvalidParameterError(
                f"The {name!r} parameter of {estimator} must be None where assignment={options.assignment!r}: it is "
                f"for soft assignments. Got {value!r} instead."
            )


# What has no meaning beside noise, or none that was worked out.
_WITHOUT_NOISE = ("accelerate", "prior", "fixed", "assignment", "annealing")


def _check_noise(options: Options, estimator: str) -> None:
    """Refuse what does not go with noise."""
    if options.noise is None:
        return
    family = FAMILIES[options.family]
    others = [name for name in _WITHOUT_NOISE if getattr(options, name) != OPTIONS[name].default]
    others += ["covariance_type"] if family.is_shared or family.rank is not None else []
    for name in others:
        raise InvalidParameterError(
            f"The 'noise' parameter of {estimator} must be None where {name}={getattr(options, name)!r}: the two were "
            f"not worked out together. Got {options.noise!r} instead."
        )


def _check_family(options: Options, estimator: str) -> None:
    """Refuse what factor analyzers have no M-step for."""
    if FAMILIES[options.family].rank is not None and options.prior is not None:
        raise InvalidParameterError(
            f"The 'prior' parameter of {estimator} must be None where covariance_type={options.covariance_type!r}. "
            f"Got {options.prior!r} instead."
        )


def check_stepwise(options: Options, estimator: str) -> None:
    """Refuse what makes another estimate of all rows than soft assignments do, and is no matter of batches."""
    if FAMILIES[options.family].rank is not None:
        raise InvalidParameterError(
            f"The 'covariance_type' parameter of {estimator} must be a family without loadings for partial_fit, since "
            f"factors of earlier batches belong to other models. Got {options.covariance_type!r} instead."
        )
    for name in ("assignment", "annealing", "noise"):
        value, must_be = getattr(options, name), OPTIONS[name].default
        if value != must_be:
            raise InvalidParameterError(
                f"The {name!r} parameter of {estimator} must be {must_be!r} for partial_fit. Got {value!r} instead."
            )


def check_random_state(random_state: Any) -> np.random.RandomState:
    """A ``RandomState``: the one given, one seeded with the int given, or NumPy's global one."""
    if random_state is None:
        return np.random.mtrand._rand
    if isinstance(random_state, np.random.RandomState):
        return random_state
    return np.random.RandomState(int(random_state))


def seed_of(random_state: int | np.random.RandomState | None) -> int:
    """A seed for all that a fit draws: the int given, or one that is drawn from the generator."""
    if isinstance(random_state, Integral):
        return int(random_state)
    return int(check_random_state(random_state).randint(2**32, dtype=np.uint64))


def check_n_samples(n_samples: Any) -> int:
    """How many points to draw: a whole number from 1, be it a float such as 1e3.

    Raises
    ------
    ValueError
        For fewer than one.
    InvalidParameterError
        For a fraction, a truth value, and what no array could hold.
    TypeError
        For what is no number.
    """
    if n_samples < 1:
        raise ValueError(f"Invalid value for 'n_samples': {n_samples} . The sampling requires at least one sample.")
    with suppress(OverflowError, ValueError):  # infinity and NaN are no integers
        whole = int(n_samples)
        if whole == n_samples and whole < 2**63 and not isinstance(n_samples, bool | np.bool_):
            return whole
    must_be = "a whole number in the range [1, 2**63)"
    raise InvalidParameterError(f"The 'n_samples' parameter of sample must be {must_be}. Got {n_samples!r} instead.")


def check_n_draws(n_draws: Any) -> int:
    """How many draws of what is missing: a whole number from 1; raises ``InvalidParameterError``."""
    if not isinstance(n_draws, Integral) or isinstance(n_draws, bool) or n_draws < 1:
        raise InvalidParameterError(
            f"The 'n_draws' parameter of impute must be a whole number from 1. Got {n_draws!r}."
        )
    return int(n_draws)
