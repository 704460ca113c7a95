"""Model files of mixtures of counts and categories: the archive of ``members.py``, as that of Gaussian mixtures.

============  =====================  =================================================================
member        type                   content
============  =====================  =================================================================
header        uint8 (bytes,)         JSON: format, version, family, shape, names, options, results
weights       float64 (K,)           little-endian, as the others
means         float64 (K, D)         probabilities or rates
categories    float64 (d,)           how many each feature has; of length 0 but of categories
digest        uint8 (32,)            SHA-256 of the names and bytes of the members above
============  =====================  =================================================================
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any

import numpy as np

from fastgmm.errors import ModelFormatError
from fastgmm.families.discrete import family_of
from fastgmm.families.discrete_check import check_discrete
from fastgmm.files import members
from fastgmm.files.archive import Bytes
from fastgmm.fit.discrete_options import DISCRETE_OPTIONS
from fastgmm.fit.options import check_options
from fastgmm.machine.waiting import attended
from fastgmm.machine.whole_file import AnyPath, whole_file
from fastgmm.parameters import Array, IntArray, Parameters

FORMAT = members.Format("fastgmm.discrete", 1, "a fastgmm mixture of counts", ("weights", "means", "categories"))
FAMILIES = ("bernoulli", "poisson", "multinomial", "categorical")
_RESULTS = {"converged": bool, "stop_reason": str, "n_iter": int, "lower_bound": float}


@dataclass(frozen=True, eq=False)
class SavedDiscrete:
    """What such a file holds: parameters, the categories of features or None, options and results as JSON has them."""

    parameters: Parameters
    n_categories: IntArray | None = None
    options: dict[str, object] = field(default_factory=dict)
    fit: dict[str, object] = field(default_factory=dict)
    feature_names: tuple[str, ...] | None = None


def save_discrete(path: AnyPath, model: SavedDiscrete) -> None:
    """Write ``model`` to ``path``, whole or not at all.

    Raises
    ------
    ModelFormatError
        Where the model is unsound, so that it could not be loaded again.
    OSError
        Where the file cannot be written; what stood there before stays.
    """
    pieces = attended(lambda: list(_encode(_checked(model))))
    with whole_file(path) as file:
        file.writelines(pieces)


def load_discrete(path: AnyPath) -> SavedDiscrete:
    """Read a model that ``save_discrete`` wrote.

    Raises
    ------
    ModelFormatError
        Where the file is damaged, truncated, newer than this version, or none of these; it says which.
    OSError
        Where the file is missing or cannot be read.
    """
    return attended(lambda: members.read(path, FORMAT, _decode))


def _encode(model: SavedDiscrete) -> Iterable[Bytes]:
    parameters, categories = model.parameters, model.n_categories
    fields = {
        "family": parameters.covariance_type,
        "n_components": parameters.n_components,
        "n_means": parameters.n_features,
        "feature_names": model.feature_names,
        "options": model.options,
        "fit": model.fit,
    }
    of_features = np.empty(0) if categories is None else categories
    arrays = SimpleNamespace(weights=parameters.weights, means=parameters.means, categories=of_features)
    return members.encode(FORMAT, fields, arrays)


def _decode(content: bytes) -> SavedDiscrete:
    header, arrays = members.decode(FORMAT, content)
    if arrays["means"].shape != (header["n_components"], header["n_means"]):
        raise ModelFormatError("the means do not have the shape that the header says")
    names = header["feature_names"]
    if names is not None and not isinstance(names, list):
        raise ModelFormatError("feature_names is not a JSON array")
    family = header["family"]
    if family not in FAMILIES:
        raise ModelFormatError(f"unknown family {family!r}", "unsound")
    parameters = Parameters(family, arrays["weights"], arrays["means"], np.empty((len(arrays["weights"]), 0)))
    return _checked(
        SavedDiscrete(
            parameters,
            _categories(arrays["categories"], arrays["means"]) if family == "categorical" else None,
            members.require_dict(header["options"], "options"),
            members.require_dict(header["fit"], "fit"),
            None if names is None else tuple(names),
        )
    )


def _categories(numbers: Array, means: Array) -> IntArray:
    """Whole numbers from 1 that account for all columns of the means."""
    sound = numbers.ndim == 1 and len(numbers) > 0 and bool(((numbers >= 1) & (numbers <= means.shape[1])).all())
    if not sound or (numbers != np.floor(numbers)).any() or numbers.sum() != means.shape[1]:
        raise ModelFormatError("the categories of features are not as many as there are probabilities", "unsound")
    return numbers.astype(np.int64)


def _checked(model: SavedDiscrete) -> SavedDiscrete:
    """The model with arrays of its own, if they make a mixture, options are such, and the description fits them."""
    given, categories = model.parameters, model.n_categories
    try:
        family = family_of(given.covariance_type, categories)
        parameters = check_discrete(family, given.weights, given.means)
        check_options(model.options, "the mixture", DISCRETE_OPTIONS)
    except ValueError as error:
        raise ModelFormatError(str(error), "unsound") from error
    _require_results(model.fit)
    n_features = given.n_features if categories is None else len(categories)
    names = model.feature_names
    if names is not None and (len(names) != n_features or not all(isinstance(name, str) for name in names)):
        raise ModelFormatError(f"{len(names)} feature names for {n_features} features", "unsound")
    return replace(model, parameters=parameters)


def _require_results(fit: Mapping[str, Any]) -> None:
    """Results of the types they should have; what is not known is left alone."""
    wrong = [name for name, kind in _RESULTS.items() if name in fit and type(fit[name]) is not kind]
    bounds = fit.get("lower_bounds", [])
    if not isinstance(bounds, list | tuple) or any(type(value) is not float for value in bounds):
        wrong.append("lower_bounds")
    if wrong:
        raise ModelFormatError(f"results of a wrong type: {', '.join(wrong)}", "unsound")
