"""Random numbers of rows, by their numbers alone: the same ones whoever looks at a row, and in whatever order."""

import numpy as np
from numpy.typing import NDArray

from fastgmm.parameters import FloatArray


def uniform_numbers(seed: int, n_pass: int, rows: NDArray[np.uint64]) -> FloatArray:
    """A number in [0, 1 − 2⁻⁵²] for each of some rows, by the generator SplitMix64 [1]_ counted by row.

    It depends on the seed, the number of the pass and that of the row alone, and so on no thread.

    References
    ----------
    .. [1] G. L. Steele, D. Lea and C. H. Flood, "Fast splittable pseudorandom number generators", OOPSLA (2014).
    """
    stream = _mixed(_mixed(np.full(1, seed, np.uint64)) + np.uint64(n_pass))
    bits = _mixed(stream + (rows + np.uint64(1)) * _GAMMA) >> np.uint64(12)
    return bits.astype(np.float64) * 2.0**-52


_GAMMA = np.uint64(0x9E3779B97F4A7C15)


def _mixed(numbers: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The finalizer of SplitMix64, modulo 2⁶⁴."""
    numbers = (numbers ^ (numbers >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    numbers = (numbers ^ (numbers >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return numbers ^ (numbers >> np.uint64(31))
