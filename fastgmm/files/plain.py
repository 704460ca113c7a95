"""Options and results as JSON has them, and a prior out of what JSON has."""

from collections.abc import Mapping, Set
from dataclasses import fields
from typing import Any

import numpy as np

from fastgmm.fit.prior import Prior
from fastgmm.parameters import FloatArray

_NUMBERS = ("mean_precision", "degrees_of_freedom")


def plain(value: Any) -> Any:
    """A JSON value, or None for what has none; what has no order is sorted, so that files have the same bytes."""
    if isinstance(value, Prior):
        held = {each.name: getattr(value, each.name) for each in fields(value)}
        return {name: np.asarray(item, np.float64).tolist() for name, item in held.items() if item is not None}
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, Set):
        return sorted(map(plain, value))
    if isinstance(value, list | tuple | range):
        return [plain(item) for item in value]
    return value if isinstance(value, bool | int | float | str) else None


def with_prior(values: Mapping[str, Any]) -> dict[str, Any]:
    """Options or results with a prior in the place of the object that ``plain`` made of one.

    Raises ``ValueError`` where that holds other fields, or no numbers; whether it suits a mixture is left to fits.
    """
    prior = values.get("prior")
    if not isinstance(prior, Mapping):
        return dict(values)
    try:
        held: dict[str, Any] = {name: _numbers(name, item) for name, item in prior.items()}
        return {**values, "prior": Prior(**held)}
    except (TypeError, ValueError) as error:
        raise ValueError(f"no prior: {error}") from error


def _numbers(name: str, value: Any) -> FloatArray | float:
    array = np.array(value, np.float64)
    array.flags.writeable = False
    if name in _NUMBERS and array.ndim > 0:
        raise ValueError(f"{name} is no number")
    return float(array) if name in _NUMBERS or (name == "weight_concentration" and array.ndim == 0) else array
