"""Checkpoint files: a fit that may be killed, as far as it is saved.

The archive is that of ``members.py``, with these members:

============  =====================  =================================================================
member        type                   content
============  =====================  =================================================================
header        uint8 (bytes,)         JSON: format, version, and ``fit``, a tree of records
numbers       float64 (n,)           those of all arrays in the tree, one after the other
digest        uint8 (32,)            SHA-256 of the names and bytes of the members above
============  =====================  =================================================================

A record is an object that says what it ``is`` and has a value for each field; a float is its hexadecimal text, an array
its shape and where it begins among the numbers.
"""

import math
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
_RECORDS: dict[str, type[Any]] = {
    each.__name__: each for each in (SavedFit, SavedRun, Memory, Trail, Fit, Step, Parameters)
}


@dataclass(frozen=True)
class CheckpointFile:
    """A file, as a :class:`fastgmm.fit.checkpoint.CheckpointStore`."""

    path: AnyPath

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
        numbers: list[FloatArray] = []
        tree = _plain(fit, numbers)
        pieces = members.encode(FORMAT, {"fit": tree}, _Numbers(np.concatenate([np.empty(0), *numbers])))
        with whole_file(self.path) as file:
            file.writelines(pieces)


@dataclass(frozen=True, eq=False)
class _Numbers:
    numbers: FloatArray


def _plain(value: Any, numbers: list[FloatArray]) -> Any:
    """What JSON has for it; arrays go to the numbers."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return {"float": value.hex()}
    if isinstance(value, np.ndarray):
        begin = sum(map(len, numbers))
        numbers.append(np.asarray(value, np.float64).ravel())
        return {"shape": list(value.shape), "begin": begin}
    if isinstance(value, tuple):
        return [_plain(item, numbers) for item in value]
    if type(value).__name__ in _RECORDS:
        return {"is": type(value).__name__} | {
            each.name: _plain(getattr(value, each.name), numbers) for each in fields(value)
        }
    raise TypeError(f"a checkpoint has no {type(value).__name__}")


def _decode(content: bytes) -> SavedFit:
    header, arrays = members.decode(FORMAT, content)
    fit = _value(header["fit"], arrays["numbers"])
    if not isinstance(fit, SavedFit):
        raise ModelFormatError("no record of a fit", "unsound")
    return fit


def _value(plain: Any, numbers: FloatArray) -> Any:
    if isinstance(plain, list):
        return tuple(_value(item, numbers) for item in plain)
    if not isinstance(plain, dict):
        return plain
    if "float" in plain:
        return float.fromhex(plain["float"])
    if "shape" in plain:
        shape, begin = tuple(plain["shape"]), int(plain["begin"])
        array = np.array(numbers[begin : begin + math.prod(shape)].reshape(shape), np.float64)
        array.flags.writeable = False
        return array
    return _RECORDS[plain["is"]](**{name: _value(item, numbers) for name, item in plain.items() if name != "is"})
