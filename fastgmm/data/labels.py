"""What users know of the components of rows, as the groups and the table of log-beliefs that kernels read."""

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastgmm.data.validation import is_masked, numbers_of_objects
from fastgmm.machine.pieces import pieces
from fastgmm.machine.waiting import attended
from fastgmm.parameters import Array, BoolArray, FloatArray
from fastgmm.rows import Rows

_NOT_NUMBERS = (
    "labels are component numbers; map class names to them first, e.g. with np.unique(names, return_inverse=True)."
)
_NOT_A_TABLE = (
    "labels are component numbers, or of dtype bool a table (n_samples, n_components) of what is allowed; got one bool "
    "a row, which may be meant as labels.astype(int)."
)
# To check a number, take its logarithm, and sort it takes as long as so many multiply-adds.
_WORK_OF_A_LABEL = 100
# So many rows of beliefs tell whether few are distinct; where more than half of them are, every row has its own.
_ROWS_LOOKED_AT = 1024
# For which a key counts at the least: of 32,768 of them those that are distinct are found in 10 ms.
_BYTES_OF_A_KEY = 32
# A longer list of numbers is told by its ends.
_MOST_NUMBERS_LISTED = 10


def with_labels(rows: Rows, labels: Any, n_components: int, are_all: bool = True) -> Rows:
    """The rows with what is known of their components; as they are where that is nothing.

    A component number that is missing (NaN, None, masked) is unknown. Beliefs of which few are distinct take 4
    bytes a row. Else their logarithms are kept of every row, in 8 bytes for each component, be they given in one.

    Parameters
    ----------
    labels : array-like of shape (n_rows,) or (n_rows, n_components)
        Component numbers, −1 where unknown; or for every component whether it is allowed, or how much it is believed
        in.
    are_all : bool
        Whether these are all rows of a fit, and not those of one site among others.

    Raises
    ------
    TypeError
        For labels that are no numbers.
    ValueError
        For wrong shapes, numbers of no component, beliefs that are negative or not finite, a row that may belong to no
        component, and a component to which no row of all may belong.
    """
    array = _as_labels(labels)
    if array.ndim not in (1, 2):
        raise ValueError(f"labels must have the shape (n_samples,) or (n_samples, n_components); got {array.shape}.")
    if len(array) != rows.shape[0]:
        raise ValueError(f"labels has {len(array)} rows, X has {rows.shape[0]}.")
    if array.ndim == 2 and array.shape[1] != n_components:
        raise ValueError(f"labels has {array.shape[1]} columns, n_components is {n_components}.")
    return attended(partial(_believing, rows, array, n_components, are_all), _WORK_OF_A_LABEL * array.size)


def _as_labels(labels: Any) -> Array:
    if is_masked(labels):
        labels = labels.filled(-1) if labels.mask.any() else labels.data
    array: Array = np.asarray(labels)
    if array.ndim == 2 and array.shape[1] == 1 and hasattr(labels, "columns"):
        array = array[:, 0]
    if array.dtype.kind == "O" and not any(isinstance(value, str | bytes) for value in array.flat):
        try:
            array = numbers_of_objects(array)
        except (TypeError, ValueError) as error:
            raise TypeError(f"{_NOT_NUMBERS} ({error})") from error
    if array.dtype.kind not in "biuf":
        raise TypeError(_NOT_NUMBERS)
    if array.dtype.kind == "b" and array.ndim == 1:
        raise TypeError(_NOT_A_TABLE)
    return array


def _believing(rows: Rows, labels: Array, n_components: int, are_all: bool) -> Rows:
    if labels.ndim == 1:
        groups, table = _numbers(labels, n_components)
    else:
        _check_beliefs(labels)
        groups, table = _distinct(labels)
    believing = replace(rows, groups=groups, group_prior=table)
    if are_all:
        _require_rows_for_all(believing, n_components)
    says_nothing = not table.any() or bool((groups < 0).all())
    return rows if says_nothing else believing


def _numbers(labels: Array, n_components: int) -> tuple[NDArray[np.int32], FloatArray]:
    """Component numbers are groups of a table that allows one component each; NaN is unknown."""
    row = first_of_no_component(labels, n_components)
    if row is not None:
        raise ValueError(f"labels[{row}] {of_no_component(labels[row].item(), n_components)}")
    groups = np.empty(len(labels), np.int32)
    for part in pieces(len(labels), 3 * labels.itemsize):
        groups[part] = groups_of(labels[part])
    return groups, allowed_alone(n_components)


def groups_of(labels: Array) -> NDArray[np.int32]:
    """Component numbers, some of which may be NaN, as groups: -1 where they are unknown."""
    return _with_unknown(labels).astype(np.int32)


def _with_unknown(labels: Array) -> Array:
    return np.where(np.isnan(labels), -1.0, labels) if labels.dtype.kind == "f" else labels


def allowed_alone(n_components: int) -> FloatArray:
    """The table of what is believed where one component each is known."""
    return np.where(np.eye(n_components, dtype=bool), 0.0, -np.inf)


def first_of_no_component(labels: Array, n_components: int) -> int | None:
    """The first row whose label is neither a component number nor -1 nor NaN."""
    for part in pieces(len(labels), 3 * labels.itemsize):
        some = _with_unknown(labels[part])
        wrong = ~((some >= -1) & (some < n_components) & (some == np.floor(some)))
        if wrong.any():
            return int(part.start + np.argmax(wrong))
    return None


def of_no_component(label: float, n_components: int) -> str:
    """What is wrong with such a label."""
    listed = ", ".join(map(str, range(n_components)))
    known = listed if n_components <= _MOST_NUMBERS_LISTED else f"0 to {n_components - 1}"
    return f"is {label}, but with n_components={n_components} a label is {known}, or -1 for unknown."


def _check_beliefs(labels: Array) -> None:
    for part in pieces(len(labels), 3 * labels[:1].nbytes):
        some = labels[part]
        wrong = ~(np.isfinite(some) & (some >= 0))
        if wrong.any():
            row, component = (int(position) for position in np.argwhere(wrong)[0])
            raise ValueError(f"labels[{part.start + row}, {component}] is negative or not finite.")
        is_empty = ~some.any(axis=1)
        if is_empty.any():
            raise ValueError(f"labels[{part.start + int(np.argmax(is_empty))}] allows no component.")


def _distinct(labels: Array) -> tuple[NDArray[np.int32], FloatArray]:
    """A table of the distinct rows where these are few, else of all rows."""
    some = _keys(labels[:: max(1, len(labels) // _ROWS_LOOKED_AT)])
    if 2 * len(np.unique(some)) > len(some):
        return np.arange(len(labels), dtype=np.int32), _logarithms(labels)
    groups, numbers, firsts = np.empty(len(labels), np.int32), dict[bytes, int](), list[int]()
    for part in pieces(len(labels), max(labels[:1].nbytes, _BYTES_OF_A_KEY)):
        keys, places, which = np.unique(_keys(labels[part]), return_index=True, return_inverse=True)
        for key, place in zip(keys.tolist(), places.tolist(), strict=True):
            if key not in numbers:
                numbers[key] = len(numbers)
                firsts.append(part.start + place)
        groups[part] = np.array([numbers[key] for key in keys.tolist()], np.int32)[which]
    return groups, _logarithms(labels[firsts])


def _keys(labels: Array) -> Array:
    """The bytes of each row, by which NumPy sorts rows as it does numbers, but holding Python's lock meanwhile."""
    packed = np.packbits(labels, axis=1) if labels.dtype == bool else np.ascontiguousarray(labels)
    return packed.view(np.dtype((np.void, packed[:1].nbytes)))[:, 0]


def _logarithms(beliefs: Array) -> FloatArray:
    """log b less that of the largest of the row, since ratios within a row are all that is believed.

    So 0 is what is believed in most, and a row that is the same everywhere says nothing, to the bit. The logarithms are
    subtracted, lest a ratio underflow.
    """
    table = np.empty(beliefs.shape)
    with np.errstate(divide="ignore"):
        for part in pieces(len(table), 2 * table[:1].nbytes):
            np.log(beliefs[part], out=table[part], dtype=np.float64)
            table[part] -= table[part].max(axis=1, keepdims=True)
    return table


def _require_rows_for_all(rows: Rows, n_components: int) -> None:
    """Of rows that weigh something and have a value, one at least may belong to each component."""
    assert rows.groups is not None
    assert rows.group_prior is not None
    groups = rows.groups if rows.counted is None else rows.groups[rows.counted]
    if (groups < 0).any():
        return
    table, allowed = rows.group_prior, np.zeros(n_components, np.bool_)
    is_used = np.zeros(len(table), np.bool_)
    is_used[groups] = True
    for part in pieces(len(table), 2 * table[:1].nbytes):
        allowed |= (table[part][is_used[part]] > -np.inf).any(axis=0)
    require_allowed(allowed)


def require_allowed(allowed: BoolArray) -> None:
    """Every component (K,) is allowed somewhere."""
    if not allowed.all():
        raise ValueError(f"No row may belong to component {int(np.argmin(allowed))}: labels allow it nowhere.")
