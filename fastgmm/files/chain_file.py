"""Files of hidden Markov models: parameters, options and results in an ``.npz`` without pickle, under one digest.

The archive is that of ``members.py``, with these members:

============  =====================  =================================================================
member        type                   content
============  =====================  =================================================================
header        uint8 (bytes,)         JSON: format, version, family, names, options, fit
start         float64 (K,)           probabilities of first states
transitions   float64 (K, K)         rows sum to 1
means         float64 (K, d)
covariances   float64                in the family's own shape
digest        uint8 (32,)            SHA-256 of the names and bytes of the members above
============  =====================  =================================================================

Reading trusts nothing; whether numbers make a model is for who reads them to say.
"""

from dataclasses import dataclass, field

from fastgmm.errors import ModelFormatError
from fastgmm.files import members
from fastgmm.machine.waiting import attended
from fastgmm.machine.whole_file import AnyPath, whole_file
from fastgmm.parameters import FloatArray

FORMAT = members.Format("fastgmm.chain", 1, "a fastgmm chain", ("start", "transitions", "means", "covariances"))


@dataclass(frozen=True, eq=False)
class SavedChain:
    """What a file holds: the arrays, the estimator's options and the results of its fit as JSON has them."""

    covariance_type: str
    start: FloatArray
    transitions: FloatArray
    means: FloatArray
    covariances: FloatArray
    options: dict[str, object] = field(default_factory=dict)
    fit: dict[str, object] = field(default_factory=dict)
    feature_names: tuple[str, ...] | None = None


def save_chain(path: AnyPath, chain: SavedChain) -> None:
    """Write a chain, whole or not at all."""
    fields = {
        "covariance_type": chain.covariance_type,
        "feature_names": chain.feature_names,
        "options": chain.options,
        "fit": chain.fit,
    }
    pieces = attended(lambda: list(members.encode(FORMAT, fields, chain)))
    with whole_file(path) as file:
        file.writelines(pieces)


def load_chain(path: AnyPath) -> SavedChain:
    """Read what ``save_chain`` wrote; raises ``ModelFormatError`` and ``OSError``."""
    return attended(lambda: members.read(path, FORMAT, _decode))


def _decode(content: bytes) -> SavedChain:
    header, arrays = members.decode(FORMAT, content)
    names, family = header["feature_names"], header["covariance_type"]
    if names is not None and not (isinstance(names, list) and all(isinstance(name, str) for name in names)):
        raise ModelFormatError("feature_names is not a JSON array of texts")
    if not isinstance(family, str):
        raise ModelFormatError("covariance_type is no text")
    options, fit = (members.require_dict(header[name], name) for name in ("options", "fit"))
    return SavedChain(family, **arrays, options=options, fit=fit, feature_names=None if names is None else tuple(names))
