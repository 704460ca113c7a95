"""Which features are meant, by numbers or by names."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastgmm.parameters import Names


def indices_of(features: Any, n_features: int, names: Names | None, what: str = "features") -> NDArray[np.intp]:
    """Which features are meant by numbers, counted from 0, or by names; one alone or several, each once.

    Raises
    ------
    ValueError
        Where one is not among the features of the fit, is there twice, or where there is none.
    TypeError
        Where one is neither a number nor a name.
    """
    several = [features] if isinstance(features, str) or np.ndim(features) == 0 else list(features)
    found = [_index_of(each, n_features, names, what) for each in several]
    if not found:
        raise ValueError(f"{what} is empty: name one feature at least.")
    if len(set(found)) < len(found):
        twice = next(each for place, each in enumerate(found) if each in found[:place])
        raise ValueError(f"{what} names feature {twice} twice.")
    return np.array(found, np.intp)


def _index_of(feature: Any, n_features: int, names: Names | None, what: str) -> int:
    if isinstance(feature, str):
        if names is None:
            raise ValueError(f"{what} names {feature!r}, but the mixture was fitted without feature names.")
        places = np.flatnonzero(names == feature)
        if not len(places):
            raise ValueError(f"{what} names {feature!r}, which is none of the features: {', '.join(map(repr, names))}.")
        return int(places[0])
    if isinstance(feature, bool | np.bool_) or not isinstance(feature, int | np.integer):
        raise TypeError(f"{what} should hold numbers of features, counted from 0, or their names; got {feature!r}.")
    if not -n_features <= feature < n_features:
        raise ValueError(f"{what} names feature {feature}, but there are {n_features}, counted from 0.")
    return int(feature) % n_features
