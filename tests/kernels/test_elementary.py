"""exp and log of the Numba kernels against ``math``, in units in the last place."""

import math

import numpy as np
import pytest

numba = pytest.importorskip("numba")

from fastgmm.kernels.numba_.elementary import SMALLEST_EXPONENT, SMALLEST_EXPONENT_SINGLE, exponential, logarithm  # noqa: E402
from fastgmm.kernels.numba_.vector import constant, lanes, load, store  # noqa: E402

# Below these exp(x) would be close to subnormal, and is 0.
SMALLEST = {"float64": SMALLEST_EXPONENT, "float32": SMALLEST_EXPONENT_SINGLE}


@numba.njit
def exponentials(x, y):
    smallest = constant(x, SMALLEST_EXPONENT if x.itemsize == 8 else SMALLEST_EXPONENT_SINGLE)
    for t in range(0, x.size, lanes(x)):
        store(y, t, exponential(load(x, t), smallest))


@numba.njit
def logarithms(x, y):
    for t in range(0, x.size, lanes(x)):
        store(y, t, logarithm(load(x, t)))


def apply(kernel, numbers, dtype):
    """The kernel of every number; vectors are filled up with the last one."""
    numbers = np.asarray(numbers, dtype)
    x = np.concatenate([numbers, np.full(-len(numbers) % 64, numbers[-1], dtype)])
    y = np.full_like(x, np.nan)
    kernel(x, y)
    return y[: len(numbers)]


def exp(numbers, dtype):
    return apply(exponentials, numbers, dtype)


def log(numbers, dtype):
    return apply(logarithms, numbers, dtype)


def ulps(function, numbers, results):
    """Errors in the spacing of floats at the true value, which is taken in float64."""
    true = np.array([function(float(x)) for x in numbers])
    return np.abs(results - true) / np.spacing(np.abs(true).astype(results.dtype)).astype(np.float64)


@pytest.mark.parametrize("smallest", [-1.0, -30.0, None], ids=["near 0", "middling", "all"])
def test_exp_is_right_to_two_units(dtype, rng, smallest):
    x = rng.uniform(SMALLEST[dtype] if smallest is None else smallest, 0.0, 4000).astype(dtype)
    assert ulps(math.exp, x, exp(x, dtype)).max() <= 2.0


def test_exp_is_right_where_the_reduced_argument_is_largest(dtype):
    """Halfway between two multiples of ln 2, and the floats next to it."""
    halves = np.array([-(n + 0.5) * math.log(2) for n in range(int(-SMALLEST[dtype] / math.log(2)))], dtype)
    x = np.concatenate([halves, np.nextafter(halves, 0, dtype=dtype), np.nextafter(halves, -np.inf, dtype=dtype)])
    assert ulps(math.exp, x, exp(x, dtype)).max() <= 2.0


def test_exp_of_zero_is_exactly_one(dtype):
    assert exp([0.0, -0.0], dtype).tolist() == [1.0, 1.0]


def test_exp_of_the_tiniest_negative_numbers_is_one(dtype):
    tiny = np.finfo(dtype).tiny
    assert exp([-tiny, -tiny / 2, -np.finfo(dtype).eps / 8], dtype).tolist() == [1.0, 1.0, 1.0]


def test_exp_of_very_negative_numbers_is_zero(dtype):
    x = [np.nextafter(SMALLEST[dtype], -np.inf, dtype=dtype), -1e4, -1e30, -np.finfo(dtype).max, -np.inf]
    assert not exp(x, dtype).any()


def test_exp_of_the_smallest_argument_is_still_a_normal_number(dtype):
    x = np.array([SMALLEST[dtype]], dtype)
    assert exp(x, dtype)[0] >= np.finfo(dtype).tiny
    assert ulps(math.exp, x, exp(x, dtype))[0] <= 2.0


def test_exp_never_falls(dtype):
    x = np.linspace(SMALLEST[dtype], 0.0, 5000).astype(dtype)
    assert (np.diff(exp(x, dtype)) >= 0).all()


def test_log_of_one_is_exactly_zero(dtype):
    assert log([1.0], dtype)[0] == 0.0


@pytest.mark.parametrize("largest", [2.0, 1e3, 1e30], ids=str)
def test_log_is_right_to_two_units_above_one(dtype, rng, largest):
    """The sums of exponentials that kernels take the logarithm of lie between 1 and the number of components."""
    x = np.exp(rng.uniform(0.0, math.log(largest), 4000)).astype(dtype)
    x = x[x > 1.0]
    assert ulps(math.log, x, log(x, dtype)).max() <= 2.0


def test_log_is_right_below_one(dtype, rng):
    x = np.exp(rng.uniform(-80.0, 0.0, 4000)).astype(dtype)
    x = x[x < 1.0]
    assert ulps(math.log, x, log(x, dtype)).max() <= 2.0


def test_log_is_right_next_to_one_and_to_the_cuts_of_its_mantissa(dtype):
    """m runs from √½ to √2; next to 1 the logarithm itself is as small as the step."""
    centers = np.array([1.0, math.sqrt(0.5), math.sqrt(2.0), 2.0, 4.0, np.finfo(dtype).tiny, np.finfo(dtype).max / 2])
    centers = centers.astype(dtype)
    above, below = (np.nextafter(centers, end, dtype=dtype) for end in (np.inf, 0.0))
    x = np.concatenate([centers, above, below])
    x = x[(x != 1.0) & (x >= np.finfo(dtype).tiny)]
    assert ulps(math.log, x, log(x, dtype)).max() <= 2.0


def test_log_undoes_exp(dtype, rng):
    x = rng.uniform(-80.0, 0.0, 1000).astype(dtype)
    assert np.abs(log(exp(x, dtype), dtype) - x).max() <= 4 * np.finfo(dtype).eps * 80
