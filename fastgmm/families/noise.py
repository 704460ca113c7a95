"""Noise: rows that belong to no component, spread evenly over a volume V.

p(x) = π₀/V + Σₖ πₖ N(x; μₖ, Σₖ),  with π₀ + Σₖ πₖ = 1 [1]_. To a kernel noise is one more component, whose distances
are 0 wherever a row lies: its factor is 0, and its log-constant log π₀ − log V.

References
----------
.. [1] J. D. Banfield and A. E. Raftery, "Model-based Gaussian and non-Gaussian clustering", Biometrics 49 (1993).
"""

from dataclasses import dataclass

import numpy as np

from fastgmm.parameters import Array, FloatArray, Prepared, PreparedTied


@dataclass(frozen=True, eq=False)
class Noise:
    """Evenly spread over ``box`` (2, d), the smallest and the largest value of each feature, or somewhere.

    ``log_volume`` is log V, in the units of the data.
    """

    log_volume: float
    box: FloatArray | None = None

    @property
    def n_parameters(self) -> int:
        """The weight; and the volume, where the data have said it, which counts as one as R's mclust counts."""
        return 1 if self.box is None else 2


def noise_in(box: FloatArray) -> Noise:
    """V = Πⱼ(bⱼ − aⱼ) of the box from a to b."""
    return Noise(float(np.log(box[1] - box[0]).sum()), box)


def with_noise(prepared: Prepared, weight: float, noise: Noise) -> Prepared:
    """With noise of that weight π₀ as the last component."""
    assert not isinstance(prepared, PreparedTied), "whose factor is that of all components"
    with np.errstate(divide="ignore"):  # a weight of 0
        constant = np.log(weight) - noise.log_volume
    last = (constant, prepared.means.mean(axis=0), 0.0)
    extended = (_extended(array, value) for array, value in zip(prepared, last, strict=True))
    return type(prepared)(*extended)


def _extended(array: Array, value: FloatArray | float) -> Array:
    """With one more line."""
    result = np.empty((len(array) + 1, *array.shape[1:]), array.dtype)
    result[:-1], result[-1] = array, value
    return result
