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

``numpy.load(path, allow_pickle=False)`` reads it too. JSON has no infinities: a float that is not finite is stored
as ``{"$float": "inf"}``, ``"-inf"`` or ``"nan"``. The same model always gives the same bytes.

Reading trusts nothing: sizes are checked against the file's own before anything is allocated, the digest before
anything is interpreted, and the parameters must make sense. A later version of the format keeps the rule of the
digest and the name of the header, so that this one can say that the file is newer than itself.
"""

import hashlib
import io
import json
import math
import re
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from fastgmm.errors import ModelFormatError
from fastgmm.options import check_options, check_parameters
from fastgmm.parameters import Parameters
from fastgmm.version import __version__
from fastgmm.whole_file import AnyPath, whole_file

FORMAT_NAME = "fastgmm.model"
FORMAT_VERSION = 1

_ARRAYS = ("weights", "means", "covariances")
_FIRST_MEMBER = b"header.npy"
_ZIP_ENTRY = b"PK\x03\x04"
_NAME_OFFSET = 30
_SIGNATURE_SIZE = _NAME_OFFSET + len(_FIRST_MEMBER)
_EARLIEST_ZIP_DATE = (1980, 1, 1, 0, 0, 0)
_UNIX = 3

# What zipfile, numpy's header parser and json raise on bytes that are not theirs, and what asking a decoded header
# for its fields raises. OSError is not here: the bytes are in memory by then, and a disk that fails is no damaged file.
_DAMAGE = (
    zipfile.BadZipFile,
    ArithmeticError,
    AttributeError,
    EOFError,
    LookupError,
    RuntimeError,
    TypeError,
    ValueError,
)


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
    _require_sound(model)
    content = _encode(model)
    with whole_file(path) as file:
        file.write(content)


def load_model(path: AnyPath) -> SavedModel:
    """Read a model that ``save_model`` wrote.

    Raises
    ------
    ModelFormatError
        Where the file is damaged, truncated, newer than this version, or no fastgmm model; it says which.
    OSError
        Where the file is missing or cannot be read.
    """
    with open(path, "rb") as file:
        beginning = file.read(_SIGNATURE_SIZE)
        # Before the rest is read, since a foreign file can have any size.
        if not _is_beginning(beginning):
            raise ModelFormatError(f"{path}: not a fastgmm model")
        content = beginning + file.read()
    try:
        return _decode(content)
    except ModelFormatError as error:
        raise ModelFormatError(f"{path}: {error}") from None
    except _DAMAGE as error:
        raise ModelFormatError(f"{path}: damaged or truncated ({error})") from error


def _is_beginning(beginning: bytes) -> bool:
    is_first_member = beginning[_NAME_OFFSET:] == _FIRST_MEMBER
    return beginning.startswith(_ZIP_ENTRY) and is_first_member


# --- writing ---------------------------------------------------------------------------------------------------------


def _encode(model: SavedModel) -> bytes:
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
        "options": _finite_json(model.options),
        "fit": _finite_json(model.fit),
    }
    text = json.dumps(header, allow_nan=False, ensure_ascii=False)
    members = {"header": _npy(np.frombuffer(text.encode(), np.uint8))}
    for name in _ARRAYS:
        members[name] = _npy(np.asarray(getattr(parameters, name), dtype="<f8", order="C"))
    members["digest"] = _npy(np.frombuffer(_digest(members), np.uint8))
    return _zip(members)


def _npy(array: np.ndarray[Any, Any]) -> bytes:
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, array, version=(1, 0), allow_pickle=False)
    return buffer.getvalue()


def _zip(members: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, content in members.items():
            # The date, and the system that made it, are the same everywhere and always, and so are the bytes.
            info = zipfile.ZipInfo(f"{name}.npy", _EARLIEST_ZIP_DATE)
            info.create_system = _UNIX
            archive.writestr(info, content)
    return buffer.getvalue()


def _digest(members: Mapping[str, bytes]) -> bytes:
    """SHA-256 over name, length and bytes of every member but the digest; a ``.npy`` begins with dtype and shape."""
    sha = hashlib.sha256()
    for name, content in members.items():
        if name != "digest":
            sha.update(f"{name} {len(content)}\n".encode())
            sha.update(content)
    return sha.digest()


def _finite_json(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return {"$float": str(float(value))}
    if isinstance(value, dict):
        return {key: _finite_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite_json(item) for item in value]
    return value


# --- reading ---------------------------------------------------------------------------------------------------------


def _decode(content: bytes) -> SavedModel:
    members = _unzip(content)
    if "digest" not in members or "header" not in members:
        raise ModelFormatError("not a fastgmm model")
    if _array(members["digest"], "|u1").tobytes() != _digest(members):
        raise ModelFormatError("damaged: the digest does not match the content")
    header = _header(members)
    if set(members) != {"header", *_ARRAYS, "digest"}:
        raise ModelFormatError(f"unexpected members: {', '.join(sorted(members))}")
    weights, means, covariances = (_array(members[name], "<f8").astype(np.float64) for name in _ARRAYS)
    names = header["feature_names"]
    if names is not None and not isinstance(names, list):
        raise ModelFormatError("feature_names is not a JSON array")
    model = SavedModel(
        Parameters(header["covariance_type"], weights, means, covariances),
        options=_require_dict(header["options"], "options"),
        fit=_require_dict(header["fit"], "fit"),
        feature_names=None if names is None else tuple(names),
        dtype=header["dtype"],
    )
    _require_sound(model)
    if means.shape != (header["n_components"], header["n_features"]):
        raise ModelFormatError("the means do not have the shape that the header says")
    return model


def _unzip(content: bytes) -> dict[str, bytes]:
    """The members of an archive by name without ``.npy``; no more bytes than the archive itself has."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        entries = archive.infolist()
        if any(
            entry.compress_type != zipfile.ZIP_STORED or entry.file_size != entry.compress_size for entry in entries
        ):
            raise ModelFormatError("damaged: a compressed member, where all are stored as they are")
        if sum(entry.file_size for entry in entries) > len(content):
            raise ModelFormatError("damaged: the members claim to be larger than the file")
        if len({entry.filename for entry in entries}) != len(entries):
            raise ModelFormatError("damaged: two members have the same name")
        return {entry.filename.removesuffix(".npy"): archive.read(entry) for entry in entries}


# What NumPy writes before the numbers of an array in version 1.0 of .npy. NumPy's own reader is not used, since it runs
# Python's parser on the text, which some versions of Python cannot do in several threads at once.
_NPY_START = re.compile(
    rb"\x93NUMPY\x01\x00(?P<length>..)"
    rb"\{'descr': '(?P<dtype>[^']*)', 'fortran_order': (?P<fortran>True|False), "
    rb"'shape': \((?P<shape>[\d, ]*)\), \} *\n",
    re.DOTALL,
)


def _array(member: bytes, dtype: str) -> np.ndarray[Any, Any]:
    """The array in a ``.npy`` member, which must be of that dtype, in C order, and as long as its shape says."""
    start = _NPY_START.match(member)
    if start is None or start.end() != 10 + int.from_bytes(start["length"], "little"):
        raise ModelFormatError("an array that is not in version 1.0 of .npy")
    found = start["dtype"].decode(errors="replace")
    if found != dtype or start["fortran"] == b"True":
        raise ModelFormatError(f"an array of dtype {found}, where {dtype} in C order is expected")
    shape = tuple(int(number) for number in re.findall(rb"\d+", start["shape"]))
    numbers = memoryview(member)[start.end() :]
    if math.prod(shape) * np.dtype(dtype).itemsize != len(numbers):
        raise ModelFormatError(f"an array whose length does not fit its shape {shape}")
    return np.frombuffer(numbers, dtype).reshape(shape)


def _header(members: Mapping[str, bytes]) -> dict[str, Any]:
    text = _array(members["header"], "|u1").tobytes().decode()
    header = _require_dict(json.loads(text, object_hook=_float_of, parse_constant=_refuse_constant), "header")
    if header.get("format") != FORMAT_NAME:
        raise ModelFormatError("not a fastgmm model")
    version = header.get("version")
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise ModelFormatError(f"an unknown version of the format: {version!r}")
    if version > FORMAT_VERSION:
        written_by = header.get("fastgmm", "unknown")
        raise ModelFormatError(
            f"written by a newer fastgmm ({written_by}) in version {version} of the format; "
            f"this one ({__version__}) reads up to version {FORMAT_VERSION}"
        )
    return header


def _float_of(pairs: dict[str, Any]) -> Any:
    return float(pairs["$float"]) if pairs.keys() == {"$float"} else pairs


def _refuse_constant(name: str) -> Any:
    raise ModelFormatError(f"the header holds {name}, which JSON does not have")


def _require_dict(value: Any, name: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ModelFormatError(f"{name} is not a JSON object")
    return value


# --- soundness -------------------------------------------------------------------------------------------------------


def _require_sound(model: SavedModel) -> None:
    """Parameters that make a mixture, options that an estimator may have, and a description that fits them."""
    parameters = model.parameters
    try:
        check_parameters(parameters.weights, parameters.means, parameters.covariances, parameters.covariance_type)
        check_options(model.options, "GaussianMixture")
    except ValueError as error:
        raise ModelFormatError(str(error)) from error
    _require_results(model.fit)
    _require_description(model)


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
        raise ModelFormatError(f"results of a wrong type: {', '.join(wrong)}")


def _require_description(model: SavedModel) -> None:
    names = model.feature_names
    if model.dtype not in ("float64", "float32"):
        raise ModelFormatError(f"unknown dtype {model.dtype!r}")
    if names is not None and (len(names) != model.parameters.n_features or not all(isinstance(n, str) for n in names)):
        raise ModelFormatError(f"{len(names)} feature names for {model.parameters.n_features} features")
