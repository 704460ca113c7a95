"""Panels of vectors in the Numba kernels."""

import numpy as np
import pytest

numba = pytest.importorskip("numba")

from fastgmm.kernels.numba_.lowering import VECTOR_BYTES  # noqa: E402
from fastgmm.kernels.numba_.panels import lines, load_transposed, store_panel  # noqa: E402
from fastgmm.kernels.numba_.vector import lanes, pointer  # noqa: E402


@numba.njit
def lanes_of(array):
    return lanes(array)


def transposing(columns):
    """Kernels that transpose ``columns`` neighboring numbers of as many rows as a vector has lanes."""

    @numba.njit
    def regular(values, start, step, result):
        panel = load_transposed(pointer(values, 0), (start, step), 0, result, lines(columns))
        store_panel(pointer(result, 0), 0, lanes(result), panel)

    @numba.njit
    def from_starts(values, starts, offset, result):
        panel = load_transposed(pointer(values, 0), pointer(starts, 0), offset, result, lines(columns))
        store_panel(pointer(result, 0), 0, lanes(result), panel)

    return regular, from_starts


@pytest.mark.parametrize("stored", ["float64", "float32"])
@pytest.mark.parametrize("columns", [size for size in (1, 2, 4, 8) if size <= VECTOR_BYTES // 8])
def test_rows_are_transposed_wherever_they_lie(columns, stored, dtype, rng):
    regular, from_starts = transposing(columns)
    values = rng.normal(size=1000).astype(stored)
    like = np.zeros(1, dtype)
    count = lanes_of(like)
    for step in (columns, 13, -11):
        result = np.full(columns * count, np.nan, dtype)
        regular(values, 500, step, result)
        at = 500 + step * np.arange(count) + np.arange(columns)[:, np.newaxis]
        np.testing.assert_array_equal(result.reshape(columns, count), values[at].astype(dtype))
    starts = rng.integers(0, 900, count)
    result = np.full(columns * count, np.nan, dtype)
    from_starts(values, starts, 7, result)
    at = starts + 7 + np.arange(columns)[:, np.newaxis]
    np.testing.assert_array_equal(result.reshape(columns, count), values[at].astype(dtype))
