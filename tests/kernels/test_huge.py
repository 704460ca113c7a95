"""More numbers than 32 bits count, without their memory.

Pages of a private map that nobody wrote to are all one page of zeros, so an array may be larger than any machine, and
a section of the last rows of its chunks needs no look at the others. All of what kernels compute positions from goes
beyond 2³² here: the position of a row, of a number in the rows and of one in the outputs.
"""

import mmap
import os
import sys

import numpy as np
import pytest

from fastgmm import GaussianMixture
from fastgmm.kernels.contract import Bounds, Outputs, Section, Slots
from fastgmm.rows import Rows
from tests.conftest import BACKENDS
from tests.problems import draw_problem, same_bits, slot_shapes

pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux") or sys.maxsize < 2**32, reason="needs maps larger than the memory"
)
_MAP_NORESERVE = getattr(mmap, "MAP_NORESERVE", 0x4000)  # in Python from 3.13 on

N_FEATURES, N_COMPONENTS, N_CHUNKS, TILE = 3, 2, 4, 32
LAST = 80  # rows of a chunk that are looked at: two tiles and a half
CHUNK_ROWS = 2**30 + 2**10
N_ROWS = N_CHUNKS * CHUNK_ROWS - 8  # the last chunk ends amid a tile
SECTION = Section(N_CHUNKS, CHUNK_ROWS, TILE, CHUNK_ROWS - LAST // TILE * TILE - TILE, CHUNK_ROWS)


def mapped(shape, dtype):
    size = int(np.prod(shape, dtype=np.int64)) * np.dtype(dtype).itemsize
    flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | _MAP_NORESERVE
    try:
        memory = mmap.mmap(-1, size, flags=flags)
    except OSError as error:
        pytest.skip(f"no map of {size >> 30} GB: {error}")
    return np.frombuffer(memory, dtype).reshape(shape)


def visited():
    """The rows of the section, chunk by chunk."""
    starts = np.arange(N_CHUNKS)[:, np.newaxis] * CHUNK_ROWS + np.arange(SECTION.start, SECTION.stop)
    return starts[starts < N_ROWS]


@pytest.fixture
def problem(family, dtype):
    small = draw_problem(family.name, len(visited()), N_FEATURES, N_COMPONENTS)
    return small.rows(dtype).values, small.prepared(dtype)


def outputs_for(n_rows, dtype, make):
    return Outputs(make((n_rows,), dtype), make((n_rows,), np.int64), make((n_rows, N_COMPONENTS), dtype), True)


def slots_for(family, n_chunks):
    shapes = slot_shapes(family.kernel, N_COMPONENTS, N_FEATURES)
    return Slots(*(np.zeros((n_chunks, *shape)) for shape in shapes))


def small_section(n_rows):
    return Section(1, n_rows, TILE, 0, n_rows)


@pytest.mark.parametrize("n_threads", [1, 2])
def test_rows_beyond_32_bits_are_scored_like_any(backend, dtype, problem, n_threads):
    few, prepared = problem
    values = mapped((N_ROWS, N_FEATURES), dtype)
    values[visited()] = few
    outputs, expected = outputs_for(N_ROWS, dtype, mapped), outputs_for(len(few), dtype, np.zeros)
    backend.log_density(Rows(values), prepared, SECTION, outputs, n_threads)
    backend.log_density(Rows(few), prepared, small_section(len(few)), expected, 1)
    for found, wanted in zip(outputs[:3], expected[:3], strict=True):
        assert np.array_equal(found[visited()], wanted)
        assert not found[: 2 * TILE].any()


@pytest.mark.parametrize("weighted", [False, True])
def test_rows_beyond_32_bits_are_swept_like_any(backend, family, dtype, problem, rng, weighted):
    few, prepared = problem
    values, weights = mapped((N_ROWS, N_FEATURES), dtype), None
    values[visited()] = few
    if weighted:
        weights = mapped((N_ROWS,), np.float64)
        weights[visited()] = rng.uniform(size=len(few))
    slots = slots_for(family, N_CHUNKS)
    backend.sweep(Rows(values, weights), prepared, SECTION, slots, 1)
    for chunk in range(N_CHUNKS):
        own = visited() // CHUNK_ROWS == chunk
        part, expected = few[own], slots_for(family, 1)
        some = Rows(part, None if weights is None else weights[visited()][own])
        backend.sweep(some, prepared, small_section(len(part)), expected, 1)
        assert all(np.array_equal(one[chunk], other[0]) for one, other in zip(slots[:4], expected[:4], strict=True))


@pytest.mark.parametrize("strides", [(2**31 + 5, 1), (1, 2**32 + 7), (2**31, 2**32 + 3)], ids=str)
def test_strides_beyond_32_bits_are_followed(backend, family, dtype, problem, strides):
    """Of numbers, from row to row and from feature to feature."""
    few, prepared = problem[0][:5], problem[1]
    steps = np.arange(5)[:, np.newaxis] * strides[0] + np.arange(N_FEATURES) * strides[1]
    numbers = mapped((int(steps.max()) + 1,), dtype)
    numbers[steps] = few
    spread = np.lib.stride_tricks.as_strided(
        numbers, few.shape, [stride * numbers.itemsize for stride in strides], writeable=False
    )
    results = []
    for values in (spread, few):
        outputs, slots = outputs_for(5, dtype, np.zeros), slots_for(family, 1)
        backend.log_density(Rows(values), prepared, small_section(TILE), outputs, 1)
        backend.sweep(Rows(values), prepared, small_section(TILE), slots, 1)
        results.append((outputs, slots))
    assert all(same_bits(one, other) for one, other in zip(*results, strict=True))


def test_a_bounded_sweep_follows_its_order_beyond_32_bits(backend, family, dtype, problem):
    """Whose positions of rows have 32 bits, and those of numbers have not."""
    if backend.bounded_sweep is None or os.environ.get("NUMBA_DISABLE_JIT") == "1":
        pytest.skip("has no bounds, or multiplies positions as NumPy's scalars")
    few, prepared = problem[0][:TILE], problem[1]
    n_rows = 2**31 - 1 - 2**10
    chunk_rows = -(-n_rows // TILE) * TILE
    section = Section(1, chunk_rows, TILE, chunk_rows - TILE, chunk_rows)
    values, order = mapped((n_rows, N_FEATURES), dtype), mapped((n_rows,), np.int32)
    last = np.arange(section.start, n_rows)
    values[last[::-1]], order[last] = few[: len(last)], last[::-1]
    tiles = chunk_rows // TILE, N_COMPONENTS
    matters, evaluated = mapped(tiles, np.uint8), np.zeros(1, np.int64)
    matters[-1] = 1
    bounds = Bounds(order, mapped(tiles, np.float32), matters, np.ones(N_COMPONENTS), np.zeros(N_COMPONENTS), evaluated)
    slots, expected = slots_for(family, 1), slots_for(family, 1)
    backend.bounded_sweep(Rows(values), prepared, section, slots, bounds, 1)
    backend.sweep(Rows(few[: len(last)]), prepared, small_section(TILE), expected, 1)
    assert evaluated[0] == N_COMPONENTS
    assert same_bits(slots, expected)


@pytest.mark.slow
@pytest.mark.skipif(BACKENDS == ["numpy"], reason="takes minutes")
def test_a_fit_of_more_numbers_than_32_bits_count():
    """All of them are read: X[i, j] = base[i + 64·j] makes 2³¹ of 33 million, and more."""
    n_rows, n_features = 2**25 + 1000, 64
    base = np.sin(np.arange(n_rows + 64 * n_features, dtype=np.float32))
    values = np.lib.stride_tricks.as_strided(base, (n_rows, n_features), (4, 256), writeable=False)
    assert values.size > 2**31
    options = {"covariance_type": "diag", "tol": 1e9, "reg_covar": 1e-9, "random_state": 0, "backend": BACKENDS[0]}
    estimator = GaussianMixture(**options).fit(values)
    sums = np.concatenate([[0.0], np.cumsum(base, dtype=np.float64)])
    starts = 64 * np.arange(n_features)
    np.testing.assert_allclose(estimator.means_[0], (sums[starts + n_rows] - sums[starts]) / n_rows, atol=1e-6)
    np.testing.assert_allclose(estimator.covariances_[0], 0.5, rtol=1e-4)
