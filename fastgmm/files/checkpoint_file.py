"""Checkpoint files: a fit that may be killed, as far as it is saved.

The archive is that of ``members.py``, with these members:

============  =====================  =================================================================
member        type                   content
============  =====================  =================================================================
header        uint8 (bytes,)         JSON: format, version, and ``fit``, a tree of lists
numbers       float64 (n,)           those in the tree, one after the other
digest        uint8 (32,)            SHA-256 of the names and bytes of the members above
============  =====================  =================================================================

A list says first what it is: ``["float"]`` and ``["array", *shape]`` take their numbers, ``["steps", n]`` a table of n
steps, column by column, each those after the last; ``["tuple", *items]`` holds items, and a record the values of its
fields, in order. So a header grows with the runs of a fit, and not with their iterations, and no number is taken twice.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from fastgmm.errors import ModelFormatError
from fastgmm.files import members
from fastgmm.fit.acceleration import Memory, Trail
from fastgmm.fit.checkpoint import SavedFit, SavedRun
from fastgmm.fit.steps import Fit, Step
from fastgmm.machine.whole_file import AnyPath, require_writable, whole_file
from fastgmm.parameters import FloatArray, Parameters

FORMAT = members.Format("fastgmm.checkpoint", 1, "a fastgmm checkpoint", ("numbers",))
_RECORDS: dict[str, type[Any]] = {each.__name__: each for each in (SavedFit, SavedRun, Memory, Trail, Fit, Parameters)}
# The columns of a table of steps, whose parameters no history holds.
_COLUMNS: dict[str, type[Any]] = {
    "restart": int,
    "iteration": int,
    "lower_bound": float,
    "change": float,
    "converged": bool,
    "seconds": float,
    "accepted": bool,
    "fell": bool,
}


@dataclass(frozen=True)
class CheckpointFile:
    """A file, as a :class:`fastgmm.fit.checkpoint.CheckpointStore`."""

    path: AnyPath
    # A file of 5,000 steps took 4 ms, and a slow disk may take 20: no more than a few percent of a fit go there.
    seconds_between: float = 0.5

    def load(self) -> SavedFit | None:
        """None where there is no file; ``ModelFormatError`` where it is damaged or something else.

        ``OSError`` where it cannot be written later on.
        """
        require_writable(self.path)
        try:
            return members.read(self.path, FORMAT, _decode)
        except FileNotFoundError:
            return None

    def save(self, fit: SavedFit) -> None:
        arrays: list[FloatArray] = []
        tree = _plain(fit, arrays)
        pieces = members.encode(FORMAT, {"fit": tree}, _Written(arrays))
        with whole_file(self.path) as file:
            file.writelines(pieces)


@dataclass(frozen=True, eq=False)
class _Written:
    """Arrays whose numbers stand one after the other."""

    arrays: list[FloatArray]

    @property
    def numbers(self) -> FloatArray:
        return np.concatenate([np.empty(0), *map(np.ravel, self.arrays)])


@dataclass(eq=False)
class _Reader:
    """Takes numbers one after the other."""

    numbers: FloatArray
    _begin: int = 0

    def take(self, *shape: int) -> FloatArray:
        """The next ones, as an array of that shape; ``ValueError`` where there are not so many."""
        if min(shape, default=0) < 0:
            raise ValueError(f"an array of shape {shape}")
        begin, self._begin = self._begin, self._begin + math.prod(shape)
        return self.numbers[begin : self._begin].reshape(shape)


def _plain(value: Any, arrays: list[FloatArray]) -> Any:
    """What JSON has for it; floats go to the arrays."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        arrays.append(np.array([value]))
        return ["float"]
    if isinstance(value, np.ndarray):
        arrays.append(np.asarray(value, np.float64))
        return ["array", *value.shape]
    if isinstance(value, tuple) and value and isinstance(value[0], Step):
        arrays.append(_table(value))
        return ["steps", len(value)]
    if isinstance(value, tuple):
        return ["tuple", *(_plain(item, arrays) for item in value)]
    name = type(value).__name__
    if name in _RECORDS:
        return [name, *(_plain(getattr(value, each.name), arrays) for each in fields(value))]
    raise TypeError(f"a checkpoint has no {name}")


def _table(steps: Sequence[Step]) -> FloatArray:
    """A row for each of the columns."""
    return np.array([[getattr(step, name) for step in steps] for name in _COLUMNS], np.float64)


def _decode(content: bytes) -> SavedFit:
    header, arrays = members.decode(FORMAT, content)
    fit = _value(header["fit"], _Reader(arrays["numbers"]))
    if not isinstance(fit, SavedFit):
        raise ModelFormatError("no record of a fit", "unsound")
    return fit


def _value(plain: Any, reader: _Reader) -> Any:
    if not isinstance(plain, list):
        return plain
    kind, *items = plain
    if kind == "float":
        return float(reader.take())
    if kind == "array":
        array = reader.take(*items).copy()
        array.flags.writeable = False
        return array
    if kind == "steps":
        return _steps(reader.take(len(_COLUMNS), *items))
    values = tuple(_value(item, reader) for item in items)
    return values if kind == "tuple" else _RECORDS[kind](*values)


def _steps(table: FloatArray) -> tuple[Step, ...]:
    columns = {name: map(kind, row.tolist()) for (name, kind), row in zip(_COLUMNS.items(), table, strict=True)}
    rows = zip(*columns.values(), strict=True)
    return tuple(Step(parameters=None, **dict(zip(columns, row, strict=True))) for row in rows)
