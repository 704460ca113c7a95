"""Model files: parameters, options and results in an ``.npz`` without pickle, under one digest.

The archive is that of ``members.py``, with these members:

============  =====================  =================================================================
member        type                   content
============  =====================  =================================================================
header        uint8 (bytes,)         JSON: format, version, family, shape, dtype, names, options, fit
weights       float64 (K,)           little-endian, as the others
means         float64 (K, d)
covariances   float64                in the family's own shape
digest        uint8 (32,)            SHA-256 of the names and bytes of the members above
============  =====================  =================================================================

What is read is checked as ``members.py`` says, and the parameters must make sense.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from fastgmm.errors import ModelFormatError
from fastgmm.families.check import check_parameters
from fastgmm.files import members
from fastgmm.files.archive import Bytes
from fastgmm.files.plain import with_prior
from fastgmm.fit.options import check_options
from fastgmm.machine.waiting import attended
from fastgmm.machine.whole_file import AnyPath, whole_file
from fastgmm.parameters import Parameters

FORMAT = members.Format("fastgmm.model", 1, "a fastgmm model", ("weights", "means", "covariances"))


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
    pieces = attended(lambda: list(_encode(_checked(model))))
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
    return attended(lambda: members.read(path, FORMAT, _decode))


def _encode(model: SavedModel) -> Iterable[Bytes]:
    parameters = model.parameters
    fields = {
        "covariance_type": parameters.covariance_type,
        "n_components": parameters.n_components,
        "n_features": parameters.n_features,
        "dtype": model.dtype,
        "feature_names": model.feature_names,
        "options": model.options,
        "fit": model.fit,
    }
    return members.encode(FORMAT, fields, parameters)


def _decode(content: bytes) -> SavedModel:
    header, arrays = members.decode(FORMAT, content)
    if arrays["means"].shape != (header["n_components"], header["n_features"]):
        raise ModelFormatError("the means do not have the shape that the header says")
    names = header["feature_names"]
    if names is not None and not isinstance(names, list):
        raise ModelFormatError("feature_names is not a JSON array")
    return _checked(
        SavedModel(
            Parameters(header["covariance_type"], **arrays),
            options=members.require_dict(header["options"], "options"),
            fit=members.require_dict(header["fit"], "fit"),
            feature_names=None if names is None else tuple(names),
            dtype=header["dtype"],
        )
    )


# --- soundness -------------------------------------------------------------------------------------------------------


def _checked(model: SavedModel) -> SavedModel:
    """The model with arrays of its own, if they make a mixture, options are such, and the description fits them."""
    given = model.parameters
    try:
        parameters = check_parameters(given.weights, given.means, given.covariances, given.covariance_type)
        check_options(with_prior(model.options), "GaussianMixture")
        with_prior(model.fit)
    except ValueError as error:
        raise ModelFormatError(str(error), "unsound") from error
    _require_results(model.fit)
    _require_noise(model.fit, parameters.n_features)
    _require_description(model)
    return replace(model, parameters=parameters)


def _require_results(fit: Mapping[str, Any]) -> None:
    """Results of the types they should have; what is not known is left alone."""
    kinds = {"converged": bool, "stop_reason": str, "n_iter": int, "lower_bound": float, "prior": dict}
    kinds |= dict.fromkeys(("n_fixed_parameters", "n_missing"), int)
    wrong = [name for name, kind in kinds.items() if name in fit and type(fit[name]) is not kind]
    lists = {"lower_bounds": float, "degenerate_components": int}
    for name, kind in lists.items():
        values = fit.get(name, [])
        if not isinstance(values, list | tuple) or any(type(value) is not kind for value in values):
            wrong.append(name)
    if wrong:
        raise ModelFormatError(f"results of a wrong type: {', '.join(wrong)}", "unsound")


def _require_noise(fit: Mapping[str, Any], n_features: int) -> None:
    """A share of the rows, over a volume or a box of sides that have a length."""
    weight, log_volume, box = (fit.get(name) for name in ("noise_weight", "noise_log_volume", "noise_box"))
    is_share = weight is None or (type(weight) is float and 0.0 <= weight < 1.0)
    is_volume = log_volume is None or (type(log_volume) is float and math.isfinite(log_volume))
    if not (is_share and is_volume and (box is None or _is_box(box, n_features))):
        raise ModelFormatError("noise that is a share of no volume", "unsound")


def _is_box(box: Any, n_features: int) -> bool:
    sides = [side for side in box if isinstance(side, list)] if isinstance(box, list) else []
    if len(sides) != 2 or any(len(side) != n_features or any(type(x) is not float for x in side) for side in sides):
        return False
    return all(math.isfinite(a) and math.isfinite(b) and a < b for a, b in zip(*sides, strict=True))


def _require_description(model: SavedModel) -> None:
    names = model.feature_names
    if model.dtype not in ("float64", "float32"):
        raise ModelFormatError(f"unknown dtype {model.dtype!r}", "unsound")
    if names is not None and (len(names) != model.parameters.n_features or not all(isinstance(n, str) for n in names)):
        raise ModelFormatError(f"{len(names)} feature names for {model.parameters.n_features} features", "unsound")
