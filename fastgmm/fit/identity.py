"""Which fit it is: a digest of its rows, options and start, by which a checkpoint is known."""

import hashlib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import fields
from functools import partial
from numbers import Integral, Real
from types import CodeType
from typing import Any

import numpy as np

from fastgmm.data.digest import digest_of
from fastgmm.fit.options import Options

# Options that change nothing of what a fit finds, but when it ends, who watches, and how fast it is; those of
# partial_fit; and those that are told in other words: the seed, the backend that was chosen, and the earlier fit.
OF_NO_EFFECT = (
    "verbose",
    "verbose_interval",
    "n_threads",
    "deadline",
    "callbacks",
    "progress",
    "learning_decay",
    "learning_offset",
)
_IN_OTHER_WORDS = ("random_state", "backend", "warm_start")


def identity_of(options: Options, digest_of_rows: bytes, **other: object) -> str:
    """Of all that a fit's result depends on: rows, options, and whatever else it is said to depend on.

    Where random numbers come from a generator its state is no part of it, since nobody knows it in another process.
    """
    passed_over = (*OF_NO_EFFECT, *_IN_OTHER_WORDS)
    said = {each.name: getattr(options, each.name) for each in fields(options) if each.name not in passed_over}
    seed = options.random_state if isinstance(options.random_state, Integral) else None
    words = _in_words(said | other | {"seed": seed, "rows": digest_of_rows})
    return hashlib.sha256(words.encode()).hexdigest()


def _in_words(value: Any) -> str:
    """The same in every process, and for the same numbers, however they are stored."""
    if value is None or isinstance(value, str | bytes):
        return repr(value)
    if isinstance(value, bool | np.bool_):
        return repr(bool(value))
    if isinstance(value, Integral):
        return repr(int(value))
    if isinstance(value, Real):
        number = float(value)
        return repr(int(number)) if number.is_integer() else number.hex()
    if isinstance(value, Mapping):
        return _joined(sorted(f"{_in_words(key)}: {_in_words(item)}" for key, item in value.items()))
    if isinstance(value, set | frozenset):
        return _joined(sorted(map(_in_words, value)))
    if callable(value):
        return _of_callable(value)
    if hasattr(value, "__dataclass_fields__"):
        return _name(type(value)) + _in_words({each.name: getattr(value, each.name) for each in fields(value)})
    with suppress(TypeError, ValueError):  # what is no array of numbers
        return digest_of(np.asarray(value, np.float64)).hex()
    return _joined(map(_in_words, value)) if isinstance(value, tuple | list) else _name(type(value))


def _joined(words: Any) -> str:
    return f"[{', '.join(words)}]"


def _name(value: Any) -> str:
    return f"{getattr(value, '__module__', '')}.{value.__qualname__}"


def _of_callable(value: Any) -> str:
    """Of a function its name, code and defaults, and what it closes over, but of functions among these the name."""
    if isinstance(value, partial):
        return _joined(map(_in_words, (value.func, value.args, value.keywords)))
    code = getattr(value, "__code__", None)
    if code is None:
        return _name(value if hasattr(value, "__qualname__") else type(value))
    known = [*(value.__defaults__ or ()), *(value.__kwdefaults__ or {}).values(), *_closed_over(value)]
    return _joined([_name(value), _of_code(code), *(_name_or_words(item) for item in known)])


def _closed_over(function: Any) -> list[Any]:
    contents = []
    for cell in function.__closure__ or ():
        with suppress(ValueError):  # what is not assigned yet
            contents.append(cell.cell_contents)
    return contents


def _name_or_words(value: Any) -> str:
    """A function may close over itself."""
    return getattr(value, "__qualname__", _name(type(value))) if callable(value) else _in_words(value)


def _of_code(code: CodeType) -> str:
    constants = (_of_code(each) if isinstance(each, CodeType) else _in_words(each) for each in code.co_consts)
    return _joined([code.co_code.hex(), *code.co_names, *constants])
