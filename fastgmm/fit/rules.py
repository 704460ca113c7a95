"""Rules of hyper-parameters: what a value may be, said in scikit-learn's words, and what a text is read as."""

from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from numbers import Integral, Real
from typing import Any

import numpy as np


@dataclass(frozen=True, eq=False)
class Rule:
    """What values an option may have, and how a text is read as one: ``choices`` are all texts, where they are few.

    They are read when they are asked for, since families may have been added; ``words`` name them "CHOICES".
    """

    words: str
    allows: Callable[[Any], bool]
    read: Callable[[str], Any] = str
    choices: Collection[str] | None = None

    @property
    def must_be(self) -> str:
        return self.words.replace("CHOICES", ", ".join(map(repr, self.choices or ())))


def _readable(must_be: str, allows: Callable[[Any], bool], *kinds: Callable[[str], Any]) -> Rule:
    """A rule of values that a text may stand for, as the first of the kinds which makes an allowed one of it."""

    def read(text: str) -> Any:
        for kind in kinds:
            with suppress(ValueError):
                if allows(value := kind(text)):
                    return value
        raise ValueError(f"must be {must_be}; got {text!r}")

    return Rule(must_be, allows, read)


def integer_from(smallest: int, largest: float = np.inf) -> Rule:
    """Whole numbers in a range."""
    range_ = f"[{smallest}, {largest}{')' if largest == np.inf else ']'}"
    return _readable(
        f"an int in the range {range_}", lambda each: _is_integer(each) and smallest <= each <= largest, int
    )


def choice(names: Collection[str]) -> Rule:
    """One of some names."""
    return Rule("a str among {CHOICES}", lambda value: isinstance(value, str) and value in names, choices=names)


def or_also(rule: Rule, words: str, allows: Callable[[Any], bool]) -> Rule:
    """What a rule allows, and something else, which no text stands for."""
    return replace(rule, words=rule.words + words, allows=lambda value: rule.allows(value) or allows(value))


def none_or(rule: Rule) -> Rule:
    """What a rule allows, and None."""
    return replace(rule, words=f"None or {rule.words}", allows=lambda value: value is None or rule.allows(value))


def or_none(rule: Rule) -> Rule:
    """The same in the other order of words."""
    return or_also(rule, " or None", lambda value: value is None)


def _is_integer(value: Any) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool | np.bool_)


def _is_size(value: Any) -> bool:
    """Whether it is a number in [0, inf)."""
    if not isinstance(value, Real) or isinstance(value, bool | np.bool_):
        return False
    try:
        return 0.0 <= float(value) < np.inf
    except OverflowError:  # an integer beyond the range of floats
        return False


SIZE = _readable("a float in the range [0.0, inf)", _is_size, float)
POSITIVE_SIZE = _readable("a float in the range (0.0, inf)", lambda value: _is_size(value) and value > 0, float)
SHARE = _readable("a float in the range (0.0, 1.0]", lambda value: _is_size(value) and 0.0 < float(value) <= 1.0, float)
SHARE_OR_0 = _readable("a float in the range [0.0, 1.0]", lambda value: _is_size(value) and float(value) <= 1.0, float)
SIZE_FROM_1 = _readable("a float in the range [1.0, inf)", lambda value: _is_size(value) and float(value) >= 1.0, float)
SIZE_OR_RELATIVE = _readable(
    "a float in the range [0.0, inf) or the str 'relative'",
    lambda value: value == "relative" if isinstance(value, str) else _is_size(value),
    float,
    str,
)
BOX_OR_VOLUME = _readable(
    "a float in the range (0.0, inf) or the str 'box'",
    lambda value: value == "box" if isinstance(value, str) else _is_size(value) and value > 0,
    float,
    str,
)
BOOLEAN = Rule("an instance of 'bool' or an instance of 'numpy.bool'", lambda value: isinstance(value, bool | np.bool_))
ARRAY = Rule(
    "an array-like",
    lambda value: any(hasattr(value, each) for each in ("__len__", "shape", "__array__")) and not np.isscalar(value),
)
RANDOM_STATE = or_also(
    integer_from(0, 2**32 - 1),
    ", an instance of 'numpy.random.mtrand.RandomState' or None",
    lambda value: value is None or isinstance(value, np.random.RandomState),
)
CALLABLES = Rule("a list of callables", lambda value: isinstance(value, list | tuple) and all(map(callable, value)))
NAMES_OR_MAPPING = Rule(
    "a tuple of names, or a dict by name", lambda value: isinstance(value, tuple | list | set | frozenset | Mapping)
)
