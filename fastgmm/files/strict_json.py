"""JSON as model files hold it: no NaN and no Infinity, and no more objects than its size and an allowance pay for.

A float that is not finite is written as ``{"$float": "inf"}``, ``"-inf"`` or ``"nan"``.
"""

import json
import math
import re
from typing import Any

from fastgmm.errors import ModelFormatError

# What makes objects: a float of ours, which is one number in the end; a string; a bracket, or what separates values.
# A string without an end goes to the end of the text. The possessive forms (*+, ++) never go back.
_TOKEN = re.compile(rb'(\{"\$float": "(?:-?inf|nan)"\})|"(?:[^"\\]++|\\.)*+"?|[\[\]{},:]', re.DOTALL)
# Bytes of memory for one of each, in CPython; a list grows by an eighth more than it needs, a dictionary's table to six
# times, and is one piece of memory, hence dearer.
_COST = {ord('"'): 64, ord("["): 64, ord("{"): 64, ord(","): 40, ord(":"): 480, ord("]"): 0, ord("}"): 0}
_COST_OF_A_FLOAT = 32
_DEEPEST = 32
_LONGEST_STRING = 2**16
_LONGEST_NUMBER = 1000
# From this byte on UTF-8 has characters for which a string takes four bytes for every character in it.
_FOUR_BYTES = re.compile(rb"[\xf0-\xff]")


def to_json(value: Any) -> bytes:
    """JSON in ASCII. ``TypeError`` for what JSON cannot hold."""
    return json.dumps(_written(value), allow_nan=False).encode()


def _written(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return {"$float": str(float(value))}
    if isinstance(value, dict):
        return {key: _written(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_written(item) for item in value]
    return value


def from_json(text: memoryview, most_memory: int) -> Any:
    """The value, whose objects take no more than ``most_memory`` bytes.

    Raises
    ------
    ValueError
        Where the text is not JSON in UTF-8; ``ModelFormatError`` where it is too large or deep, or holds NaN.
    """
    _refuse_bombs(text, most_memory)
    return json.loads(str(text, "utf-8"), object_hook=_read, parse_constant=_refuse_constant)


def _refuse_bombs(text: memoryview, most_memory: int) -> None:
    """Refuse a text whose objects would take more, counted from above before any is made, or one nested deeply."""
    memory = 16 * len(text) if _FOUR_BYTES.search(text) else len(text)
    depth = end = 0
    for token in _TOKEN.finditer(text):
        first, gap = text[token.start()], token.start() - end
        end = token.end()
        memory += _COST_OF_A_FLOAT if token.lastindex else _COST[first]
        depth += (first in b"[{") - (first in b"]}") - bool(token.lastindex)
        if memory > most_memory:
            raise ModelFormatError(f"the header would take more than {most_memory} bytes of memory")
        if depth > _DEEPEST:
            raise ModelFormatError(f"the header is nested more than {_DEEPEST} deep")
        if gap > _LONGEST_NUMBER or end - token.start() > _LONGEST_STRING:
            raise ModelFormatError("the header holds a string or a number that is too long")


def _read(pairs: dict[str, Any]) -> Any:
    return float(pairs["$float"]) if pairs.keys() == {"$float"} else pairs


def _refuse_constant(name: str) -> Any:
    raise ModelFormatError(f"the header holds {name}, which JSON does not have")
