"""What all our files have in common: a header and arrays in an ``.npz`` without pickle, under one digest.

A file is an uncompressed zip archive of ``.npy`` members, in this order:

============  =====================  =================================================================
member        type                   content
============  =====================  =================================================================
header        uint8 (bytes,)         JSON: format, version, and what the kind of file asks for
...           float64                little-endian arrays in C order, those of the kind of file
digest        uint8 (32,)            SHA-256 of the names and bytes of the members above
============  =====================  =================================================================

``numpy.load(path, allow_pickle=False)`` reads it too. The same content always gives the same bytes, and ``archive.py``
reads no others. The digest is no signature: whoever can write a file can write a digest that fits.

Reading trusts nothing: sizes are checked against the file's own before anything is allocated, the digest before
anything is interpreted. A later version of a format keeps the archive, the rule of the digest and the name of the
header, so that this one can say that the file is newer than itself.
"""

import hashlib
import io
import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from fastgmm.errors import ModelFormatError
from fastgmm.files.archive import ENTRY_SIGNATURE, NAME_OFFSET, Bytes, pack, unpack
from fastgmm.files.strict_json import from_json, to_json
from fastgmm.machine.whole_file import AnyPath
from fastgmm.version import __version__

Content = TypeVar("Content")

_FIRST_MEMBER = b"header.npy"
_SIGNATURE_SIZE = NAME_OFFSET + len(_FIRST_MEMBER)
# The header's objects may take so much memory: for every byte of the file, and besides.
_MEMORY_OF_A_BYTE, _MEMORY_ALLOWANCE = 8, 2**20
_LONGEST_REASON = 500

# What json and NumPy raise on a header and arrays that are not ours, and what asking a decoded header for its fields
# raises. OSError is not here: the bytes are in memory by then, and a disk that fails is no damaged file.
_DAMAGE = (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError)


@dataclass(frozen=True)
class Format:
    """A kind of file: its name and version in the header, what one holds in words, and its arrays in order."""

    name: str
    version: int
    holds: str
    arrays: tuple[str, ...]

    @property
    def foreign(self) -> ModelFormatError:
        return ModelFormatError(f"not {self.holds}", "foreign")


def read(path: AnyPath, form: Format, decode: Callable[[bytes], Content]) -> Content:
    """What ``decode`` makes of the bytes of a file.

    Raises
    ------
    ModelFormatError
        Where the file is not ours, or ``decode`` raises what damage makes it raise; it names the path.
    OSError
        Where the file is missing or cannot be read.
    """
    # A buffer for no more than the beginning, or the rest would be joined to what else is in the buffer.
    with open(path, "rb", buffering=_SIGNATURE_SIZE) as file:
        beginning = file.read(_SIGNATURE_SIZE)
        # Before the rest is read, since a foreign file can have any size.
        if not _is_beginning(beginning):
            raise ModelFormatError(form.foreign.reason, "foreign", str(path))
        content = beginning + file.read()
    try:
        return decode(content)
    except ModelFormatError as error:
        raise ModelFormatError(_brief(error), error.problem, str(path)) from None
    except _DAMAGE as error:
        raise ModelFormatError(f"damaged or truncated ({_brief(error)})", "damaged", str(path)) from error


def _is_beginning(beginning: bytes) -> bool:
    return beginning.startswith(ENTRY_SIGNATURE) and beginning[NAME_OFFSET:] == _FIRST_MEMBER


def _brief(error: Exception) -> str:
    """What an exception says, which may quote what the file holds, at no more than some length."""
    return str(error)[:_LONGEST_REASON]


# --- writing ---------------------------------------------------------------------------------------------------------


def encode(form: Format, fields: Mapping[str, object], source: object) -> Iterable[Bytes]:
    """The pieces of a file: a header with some fields, and the arrays that are attributes of ``source``."""
    header = {"format": form.name, "version": form.version, "fastgmm": __version__, **fields}
    members = {"header": npy(np.frombuffer(to_json(header), np.uint8))}
    for name in form.arrays:
        members[name] = npy(np.asarray(getattr(source, name), dtype="<f8", order="C"))
    _header(form, members["header"], sum(map(len, members.values())))  # what would be refused is not written
    members["digest"] = npy(np.frombuffer(digest(members), np.uint8))
    return pack({f"{name}.npy": content for name, content in members.items()})


def npy(array: np.ndarray[Any, Any]) -> bytes:
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, array, version=(1, 0), allow_pickle=False)
    return buffer.getvalue()


def digest(members: Mapping[str, Bytes]) -> bytes:
    """SHA-256 over name, length and bytes of every member but the digest; a ``.npy`` begins with dtype and shape."""
    sha = hashlib.sha256()
    for name, content in members.items():
        if name != "digest":
            sha.update(f"{name} {len(content)}\n".encode())
            sha.update(content)
    return sha.digest()


# --- reading ---------------------------------------------------------------------------------------------------------


def decode(form: Format, content: bytes) -> tuple[dict[str, Any], dict[str, np.ndarray[Any, Any]]]:
    """The header, and the arrays by name, which are views of the content."""
    members = {name.removesuffix(".npy"): member for name, member in unpack(content).items()}
    if "digest" not in members or "header" not in members:
        raise form.foreign
    if _array(members["digest"], "|u1").tobytes() != digest(members):
        raise ModelFormatError("damaged: the digest does not match the content")
    header = _header(form, members["header"], len(content))
    if list(members) != ["header", *form.arrays, "digest"]:
        raise ModelFormatError(f"unexpected members: {', '.join(members)}")
    return header, {name: _array(members[name], "<f8") for name in form.arrays}


# What NumPy writes before the numbers of an array in version 1.0 of .npy. NumPy's own reader is not used, since it runs
# Python's parser on the text, which some versions of Python cannot do in several threads at once.
_NPY_START = re.compile(
    rb"\x93NUMPY\x01\x00(?P<length>..)"
    rb"\{'descr': '(?P<dtype>[^']*)', 'fortran_order': (?P<fortran>True|False), "
    rb"'shape': \((?P<shape>[\d, ]*)\), \} *\n",
    re.DOTALL,
)


def _array(member: Bytes, dtype: str) -> np.ndarray[Any, Any]:
    """A view of the array in a ``.npy`` member: of that dtype, in C order, and as long as its shape says."""
    start = _NPY_START.match(member)
    if start is None or start.end() != 10 + int.from_bytes(start["length"], "little"):
        raise ModelFormatError("an array that is not in version 1.0 of .npy")
    found = start["dtype"].decode(errors="replace")
    if found != dtype or start["fortran"] == b"True":
        raise ModelFormatError(f"an array of dtype {found}, where {dtype} in C order is expected")
    shape = tuple(int(number) for number in re.findall(rb"\d+", start["shape"]))
    numbers = memoryview(member)[start.end() :]
    if math.prod(shape) * np.dtype(dtype).itemsize != len(numbers):
        raise ModelFormatError("an array whose length does not fit its shape")
    return np.frombuffer(numbers, dtype).reshape(shape)


def _header(form: Format, member: Bytes, size: int) -> dict[str, Any]:
    """The header in a file of that size."""
    most_memory = _MEMORY_OF_A_BYTE * size + _MEMORY_ALLOWANCE
    text = _array(member, "|u1")
    if text.ndim != 1:
        raise ModelFormatError("the header is not one row of bytes")
    header = require_dict(from_json(text.data, most_memory), "header")
    if header.get("format") != form.name:
        raise form.foreign
    version = header.get("version")
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise ModelFormatError(f"an unknown version of the format: {version!r}")
    if version > form.version:
        written_by = header.get("fastgmm", "unknown")
        raise ModelFormatError(
            f"written by a newer fastgmm ({written_by}) in version {version} of the format; "
            f"this one ({__version__}) reads up to version {form.version}",
            "newer",
        )
    return header


def require_dict(value: Any, name: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ModelFormatError(f"{name} is not a JSON object")
    return value
