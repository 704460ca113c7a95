"""Model files: parameters, options and results in an ``.npz`` without pickle, under one digest.

A model file is an uncompressed zip archive of ``.npy`` members, in this order:

============  =====================  =================================================================
member        type                   content
============  =====================  =================================================================
header        uint8 (bytes,)         JSON: format, version, family, shape, dtype, names, options, fit
weights       float64 (K,)           little-endian, as the others
means         float64 (K, d)
covariances   float64                in the family's own shape
digest        uint8 (32,)            SHA-256 of the names and bytes of the members above
============  =====================  =================================================================

``numpy.load(path, allow_pickle=False)`` reads it too. The same model always gives the same bytes, and ``archive.py``
reads no others. The digest is no signature: whoever can write a file can write a digest that fits.

Reading trusts nothing: sizes are checked against the file's own before anything is allocated, the digest before
anything is interpreted, and the parameters must make sense. A later version of the format keeps the archive, the rule
of the digest and the name of the header, so that this one can say that the file is newer than itself.
"""

import hashlib
import io
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from fastgmm.errors import ModelFormatError
from fastgmm.files.archive import ENTRY_SIGNATURE, NAME_OFFSET, Bytes, pack, unpack
from fastgmm.files.strict_json import from_json, to_json
from fastgmm.fit.options import check_options, check_parameters
from fastgmm.machine.whole_file import AnyPath, whole_file
from fastgmm.parameters import Parameters
from fastgmm.version import __version__

FORMAT_NAME = "fastgmm.model"
FORMAT_VERSION = 1

_ARRAYS = ("weights", "means", "covariances")
_FIRST_MEMBER = b"header.npy"
_SIGNATURE_SIZE = NAME_OFFSET + len(_FIRST_MEMBER)
# The header's objects may take so much memory: for every byte of the file, and besides.
_MEMORY_OF_A_BYTE, _MEMORY_ALLOWANCE = 8, 2**20
_LONGEST_REASON = 500

# What json and NumPy raise on a header and arrays that are not ours, and what asking a decoded header for its fields
# raises. OSError is not here: the bytes are in memory by then, and a disk that fails is no damaged file.
_DAMAGE = (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError)


@dataclass(frozen=True, eq=False)
class SavedModel:
    """What a model file holds.

    Attributes
    ----------
    parameters : Parameters
    options : dict
        The estimator's constructor options, as JSON has them (a tuple comes back as a list).
    fit : dict
        Results of the fit, as JSON has them, for example ``converged``, ``n_iter``, ``lower_bound``.
    feature_names : tuple of str, or None
        One for each feature, where the data had names.
    dtype : {"float64", "float32"}
        Of the estimator's fitted arrays; the file holds float64 in any case.
    """

    parameters: Parameters
    options: dict[str, object] = field(default_factory=dict)
    fit: dict[str, object] = field(default_factory=dict)
    feature_names: tuple[str, ...] | None = None
    dtype: str = "float64"


def save_model(path: AnyPath, model: SavedModel) -> None:
    """Write ``model`` to ``path``, whole or not at all.

    Raises
    ------
    ModelFormatError
        Where the model is unsound, so that it could not be loaded again.
    TypeError
        Where options or results hold what JSON cannot.
    OSError
        Where the file cannot be written; what stood there before stays.
    """
    pieces = _encode(_checked(model))
    with whole_file(path) as file:
        file.writelines(pieces)


def load_model(path: AnyPath) -> SavedModel:
    """Read a model that ``save_model`` wrote.

    Raises
    ------
    ModelFormatError
        Where the file is damaged, truncated, newer than this version, or no fastgmm model; it says which.
    OSError
        Where the file is missing or cannot be read.
    """
    # A buffer for no more than the beginning, or the rest would be joined to what else is in the buffer.
    with open(path, "rb", buffering=_SIGNATURE_SIZE) as file:
        beginning = file.read(_SIGNATURE_SIZE)
        # Before the rest is read, since a foreign file can have any size.
        if not _is_beginning(beginning):
            raise ModelFormatError("not a fastgmm model", "foreign", str(path))
        content = beginning + file.read()
    try:
        return _decode(content)
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


def _encode(model: SavedModel) -> Iterable[Bytes]:
    parameters = model.parameters
    header = {
        "format": FORMAT_NAME,
        "version": FORMAT_VERSION,
        "fastgmm": __version__,
        "covariance_type": parameters.covariance_type,
        "n_components": parameters.n_components,
        "n_features": parameters.n_features,
        "dtype": model.dtype,
        "feature_names": model.feature_names,
        "options": model.options,
        "fit": model.fit,
    }
    members = {"header": _npy(np.frombuffer(to_json(header), np.uint8))}
    for name in _ARRAYS:
        members[name] = _npy(np.asarray(getattr(parameters, name), dtype="<f8", order="C"))
    _header(members["header"], sum(map(len, members.values())))  # what would be refused is not written
    members["digest"] = _npy(np.frombuffer(_digest(members), np.uint8))
    return pack({f"{name}.npy": content for name, content in members.items()})


def _npy(array: np.ndarray[Any, Any]) -> bytes:
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, array, version=(1, 0), allow_pickle=False)
    return buffer.getvalue()


def _digest(members: Mapping[str, Bytes]) -> bytes:
    """SHA-256 over name, length and bytes of every member but the digest; a ``.npy`` begins with dtype and shape."""
    sha = hashlib.sha256()
    for name, content in members.items():
        if name != "digest":
            sha.update(f"{name} {len(content)}\n".encode())
            sha.update(content)
    return sha.digest()


# --- reading ---------------------------------------------------------------------------------------------------------


def _decode(content: bytes) -> SavedModel:
    members = {name.removesuffix(".npy"): member for name, member in unpack(content).items()}
    if "digest" not in members or "header" not in members:
        raise ModelFormatError("not a fastgmm model", "foreign")
    if _array(members["digest"], "|u1").tobytes() != _digest(members):
        raise ModelFormatError("damaged: the digest does not match the content")
    header = _header(members["header"], len(content))
    if list(members) != ["header", *_ARRAYS, "digest"]:
        raise ModelFormatError(f"unexpected members: {', '.join(members)}")
    weights, means, covariances = (_array(members[name], "<f8") for name in _ARRAYS)
    if means.shape != (header["n_components"], header["n_features"]):
        raise ModelFormatError("the means do not have the shape that the header says")
    names = header["feature_names"]
    if names is not None and not isinstance(names, list):
        raise ModelFormatError("feature_names is not a JSON array")
    return _checked(
        SavedModel(
            Parameters(header["covariance_type"], weights, means, covariances),
            options=_require_dict(header["options"], "options"),
            fit=_require_dict(header["fit"], "fit"),
            feature_names=None if names is None else tuple(names),
            dtype=header["dtype"],
        )
    )


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


def _header(member: Bytes, size: int) -> dict[str, Any]:
    """The header in a file of that size."""
    most_memory = _MEMORY_OF_A_BYTE * size + _MEMORY_ALLOWANCE
    text = _array(member, "|u1")
    if text.ndim != 1:
        raise ModelFormatError("the header is not one row of bytes")
    header = _require_dict(from_json(text.data, most_memory), "header")
    if header.get("format") != FORMAT_NAME:
        raise ModelFormatError("not a fastgmm model", "foreign")
    version = header.get("version")
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise ModelFormatError(f"an unknown version of the format: {version!r}")
    if version > FORMAT_VERSION:
        written_by = header.get("fastgmm", "unknown")
        raise ModelFormatError(
            f"written by a newer fastgmm ({written_by}) in version {version} of the format; "
            f"this one ({__version__}) reads up to version {FORMAT_VERSION}",
            "newer",
        )
    return header


def _require_dict(value: Any, name: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ModelFormatError(f"{name} is not a JSON object")
    return value


# --- soundness -------------------------------------------------------------------------------------------------------


def _checked(model: SavedModel) -> SavedModel:
    """The model with arrays of its own, if they make a mixture, options are such, and the description fits them."""
    given = model.parameters
    try:
        parameters = check_parameters(given.weights, given.means, given.covariances, given.covariance_type)
        check_options(model.options, "GaussianMixture")
    except ValueError as error:
        raise ModelFormatError(str(error), "unsound") from error
    _require_results(model.fit)
    _require_description(model)
    return replace(model, parameters=parameters)


def _require_results(fit: Mapping[str, Any]) -> None:
    """Results of the types they should have; what is not known is left alone."""
    kinds = {"converged": bool, "stop_reason": str, "n_iter": int, "lower_bound": float}
    wrong = [name for name, kind in kinds.items() if name in fit and type(fit[name]) is not kind]
    lists = {"lower_bounds": float, "degenerate_components": int}
    for name, kind in lists.items():
        values = fit.get(name, [])
        if not isinstance(values, list | tuple) or any(type(value) is not kind for value in values):
            wrong.append(name)
    if wrong:
        raise ModelFormatError(f"results of a wrong type: {', '.join(wrong)}", "unsound")


def _require_description(model: SavedModel) -> None:
    names = model.feature_names
    if model.dtype not in ("float64", "float32"):
        raise ModelFormatError(f"unknown dtype {model.dtype!r}", "unsound")
    if names is not None and (len(names) != model.parameters.n_features or not all(isinstance(n, str) for n in names)):
        raise ModelFormatError(f"{len(names)} feature names for {model.parameters.n_features} features", "unsound")
