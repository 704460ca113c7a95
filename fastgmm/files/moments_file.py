"""Moments files: the sums of one pass over some rows, to be added up elsewhere.

The archive is that of ``members.py``, with these members:

============  =====================  =================================================================
member        type                   content
============  =====================  =================================================================
header        uint8 (bytes,)         JSON: format, version, family, n_rows, total_weight, log_likelihood
counts        float64 (K,)           little-endian, as the others
first         float64 (K, d)
second        float64                in the family's own shape
about         float64 (K, d)
extra         float64 (K, e)
digest        uint8 (32,)            SHA-256 of the names and bytes of the members above
============  =====================  =================================================================
"""

from typing import Any

import numpy as np

from fastgmm.errors import ModelFormatError
from fastgmm.files import members
from fastgmm.machine.whole_file import AnyPath, whole_file
from fastgmm.moments import Moments, check_moments

FORMAT = members.Format("fastgmm.moments", 1, "fastgmm moments", ("counts", "first", "second", "about", "extra"))

_NUMBERS = {"n_rows": int, "total_weight": float, "log_likelihood": float}


def save_moments(path: AnyPath, moments: Moments) -> None:
    """Write moments to a file that :func:`fastgmm.load_moments` reads; the file appears whole or not at all.

    Parameters
    ----------
    path : str or path-like
    moments : Moments

    Raises
    ------
    ModelFormatError
        Where the moments are unsound, so that they could not be loaded again.
    OSError
        Where the file cannot be written; what stood there before stays.

    Examples
    --------
    >>> import tempfile, fastgmm
    >>> gm = fastgmm.GaussianMixture.from_parameters([1.0], [[0.0]], [[[4.0]]])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     fastgmm.save_moments(f"{folder}/moments.npz", gm.moments([[1.0], [2.0]]))
    ...     fastgmm.load_moments(f"{folder}/moments.npz").first
    array([[3.]])
    """
    if not isinstance(moments, Moments):
        raise TypeError(f"save_moments writes fastgmm.Moments; got {type(moments).__name__}")
    _require_sound(moments)
    fields = {
        "covariance_type": moments.covariance_type,
        **{name: kind(getattr(moments, name)) for name, kind in _NUMBERS.items()},
    }
    pieces = members.encode(FORMAT, fields, moments)
    with whole_file(path) as file:
        file.writelines(pieces)


def load_moments(path: AnyPath) -> Moments:
    """Read moments that :func:`fastgmm.save_moments` wrote.

    Parameters
    ----------
    path : str or path-like

    Returns
    -------
    Moments
        To the bit what was saved.

    Raises
    ------
    FileNotFoundError
    ModelFormatError
        Where the file is damaged, truncated, newer than this version, or holds no moments, as that of a model does not.
        Nothing is unpickled.

    Examples
    --------
    Two sites send the moments of their rows:

    >>> import tempfile, fastgmm
    >>> gm = fastgmm.GaussianMixture.from_parameters([1.0], [[0.0]], [[[4.0]]])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for site, rows in {"here": [[1.0], [2.0]], "there": [[3.0]]}.items():
    ...         fastgmm.save_moments(f"{folder}/{site}.npz", gm.moments(rows))
    ...     total = fastgmm.load_moments(f"{folder}/here.npz") + fastgmm.load_moments(f"{folder}/there.npz")
    >>> gm.maximized(total).means_
    array([[2.]])
    """
    return members.read(path, FORMAT, _decode)


def _decode(content: bytes) -> Moments:
    header, arrays = members.decode(FORMAT, content)
    wrong = [name for name, kind in _NUMBERS.items() if type(header[name]) is not kind]
    if wrong:
        raise ModelFormatError(f"numbers of a wrong type: {', '.join(wrong)}", "unsound")
    # Copies: the arrays are views of the whole file.
    own: dict[str, Any] = {name: np.array(array, np.float64) for name, array in arrays.items()}
    moments = Moments(
        **own, **{name: header[name] for name in _NUMBERS}, covariance_type=str(header["covariance_type"])
    )
    _require_sound(moments)
    return moments


def _require_sound(moments: Moments) -> None:
    try:
        check_moments(moments)
    except ValueError as error:
        raise ModelFormatError(str(error), "unsound") from error
