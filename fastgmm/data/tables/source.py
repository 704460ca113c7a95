"""Where points come from: a file, or standard input, which is kept so that it can be read twice."""

import io
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from fastgmm.machine.whole_file import AnyPath

STANDARD_INPUT = "-"


@dataclass(frozen=True)
class Source:
    """Bytes that can be read from the beginning as often as needed.

    Attributes
    ----------
    name : str
        What messages call it.
    open : callable
        Returns a new binary file.
    path : path-like, or None
        Of a file, which can be memory-mapped.
    """

    name: str
    open: Callable[[], BinaryIO]
    path: AnyPath | None = None

    def beginning(self) -> bytes:
        """As many bytes as tell kinds of files apart."""
        with self.open() as file:
            return file.read(8)


def source_of(path: AnyPath) -> Source:
    """A file; standard input for ``-``, which is read to its end."""
    if is_standard_input(path):
        if sys.stdin is None:
            raise ValueError("standard input is closed")
        content = sys.stdin.buffer.read()
        return Source("standard input", lambda: io.BytesIO(content))
    return Source(str(path), lambda: open(path, "rb"), path)


def is_standard_input(path: AnyPath) -> bool:
    return str(path) == STANDARD_INPUT


def suffix_of(path: AnyPath) -> str:
    """What the name of a file ends in, in small letters; with that before it where that is ``.gz``."""
    suffixes = [suffix.lower() for suffix in Path(path).suffixes]
    return "".join(suffixes[-2:] if suffixes[-1:] == [".gz"] else suffixes[-1:])
