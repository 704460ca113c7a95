"""Which fit it is: a digest of its rows and options, by which a checkpoint is known."""

import hashlib
from dataclasses import fields
from numbers import Integral
from typing import Any

import numpy as np

from fastgmm.data.facts import Facts
from fastgmm.fit.options import Options

# Options that change nothing of what a fit finds, but when it ends, who watches, and how fast it is.
_OF_NO_EFFECT = ("verbose", "verbose_interval", "n_threads", "deadline", "callbacks", "random_state", "backend")


def identity_of(options: Options, facts: Facts, backend: str) -> str:
    """Of all that a fit's result depends on: of rows what was seen of all, and a sample."""
    sha = hashlib.sha256()
    seed = int(options.random_state) if isinstance(options.random_state, Integral) else None
    said = {each.name: getattr(options, each.name) for each in fields(options) if each.name not in _OF_NO_EFFECT}
    for name, value in (said | {"seed": seed, "backend": backend}).items():
        sha.update(f"{name}={_in_words(value)};".encode())
    sha.update(f"{facts.n_rows},{facts.n_counted},{facts.total_weight!r},{facts.n_missing}".encode())
    for array in (*facts.summary[2:], facts.sample.values):
        sha.update(np.ascontiguousarray(array).tobytes())
    return sha.hexdigest()


def _in_words(value: Any) -> str:
    if callable(value):
        return getattr(value, "__qualname__", type(value).__qualname__)
    if hasattr(value, "__dataclass_fields__"):
        return str({each.name: _in_words(getattr(value, each.name)) for each in fields(value)})
    if value is None or isinstance(value, str | bool | int | float | dict | tuple):
        return repr(value)
    return repr(np.asarray(value).tolist())
