"""Parameters that a fit leaves as they are: which, where their values come from, and how many numbers they are."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias, cast

import numpy as np

from fastgmm.families.family import CovarianceFamily
from fastgmm.parameters import BoolArray, FloatArray, Parameters

Part: TypeAlias = Literal["weights", "means", "covariances"]
FixedOption: TypeAlias = Collection[Part] | Mapping[Part, Sequence[int]]

# The options that the values come from.
GIVEN_BY = {"weights": "weights_init", "means": "means_init", "covariances": "precisions_init"}


@dataclass(frozen=True, eq=False)
class Fixed:
    """Of which components weights, means and covariances are fixed, each (K,)."""

    weights: BoolArray
    means: BoolArray
    covariances: BoolArray

    @property
    def is_everything(self) -> bool:
        return bool(self.weights.all() and self.means.all() and self.covariances.all())

    def held(self, parameters: Parameters, values: Parameters) -> Parameters:
        """The parameters with what is fixed as it is in ``values``, to the bit; other weights share what is left."""
        means, covariances = parameters.means, parameters.covariances
        weights = self.held_weights(parameters.weights, values.weights)
        if self.means.any():
            means = np.where(self.means[:, np.newaxis], values.means, means)
        if self.covariances.all():
            covariances = values.covariances
        elif self.covariances.any():
            covariances = covariances.copy()
            covariances[self.covariances] = values.covariances[self.covariances]
        return replace(parameters, weights=weights, means=means, covariances=covariances)

    def held_weights(self, weights: FloatArray, values: FloatArray) -> FloatArray:
        """The weights with those that are fixed as they are in ``values``; the others share what is left."""
        if not self.weights.any():
            return weights
        free = np.where(self.weights, 0.0, weights)
        left = max(1.0 - float(values[self.weights].sum()), 0.0)
        return np.where(self.weights, values, free * (left / max(float(free.sum()), 1e-300)))

    def n_parameters(self, family: CovarianceFamily, n_features: int) -> int:
        """How many free numbers a mixture has less."""
        n_components = len(self.weights)
        n_weights = min(int(self.weights.sum()), n_components - 1)
        of_covariances = family.n_covariance_parameters(n_components, n_features)
        n_covariances = of_covariances * int(self.covariances.sum()) // n_components
        return n_weights + n_features * int(self.means.sum()) + n_covariances


def fixed_of(option: FixedOption, family: CovarianceFamily, n_components: int) -> Fixed:
    """What the option ``fixed`` says; ``ValueError`` where it makes no sense."""
    masks = {name: np.zeros(n_components, bool) for name in GIVEN_BY}
    for name in option:
        if not (isinstance(name, str) and name in masks):
            raise ValueError(f"'fixed' must be among {', '.join(map(repr, masks))}; got {name!r}.")
        masks[name][_numbers(name, option[name], n_components) if isinstance(option, Mapping) else slice(None)] = True
    covariances = masks["covariances"]
    if family.ties_components and covariances.any() and not covariances.all():
        raise ValueError(f"A {family.name} covariance is fixed for all components or for none.")
    return Fixed(**masks)


def _numbers(name: str, components: Sequence[int], n_components: int) -> list[int]:
    """Component numbers, checked."""
    listed = cast(list[object], list(components) if np.iterable(components) else [components])
    for each in listed:
        is_number = isinstance(each, int | np.integer) and not isinstance(each, bool | np.bool_)
        if not (is_number and 0 <= cast(int, each) < n_components):
            raise ValueError(
                f"fixed[{name!r}] names component {each!r}, but with n_components={n_components} they are numbered "
                f"from 0 to {n_components - 1}."
            )
    return cast(list[int], listed)


def require_values(option: FixedOption, fixed: Fixed, given: Sequence[FloatArray | None]) -> None:
    """Refuse to fix what has no value: of weights, means and covariances those that were given."""
    for (name, source), values in zip(GIVEN_BY.items(), given, strict=True):
        if getattr(fixed, name).any() and values is None:
            raise ValueError(f"fixed={option!r} needs {source}, or warm_start=True after a fit.")
