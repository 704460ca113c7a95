"""Large arrays lie in pages of their own."""

import os

import numpy as np
import pytest

from fastgmm.machine.memory import large_array


@pytest.mark.parametrize("shape", [(3, 70_000), (2, 1), (0, 5), (5, 0)])
@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_they_are_zeros_that_can_be_written(shape, dtype):
    array = large_array(shape, np.dtype(dtype))
    assert array.dtype == dtype
    np.testing.assert_array_equal(array, np.zeros(shape))
    array += 1
    np.testing.assert_array_equal(array, np.ones(shape))
    assert array.flags.c_contiguous


def test_they_are_no_other_arrays():
    one, other = (large_array((1_000,), np.dtype("f8")) for _ in range(2))
    one += 1
    assert not other.any()


def test_memory_that_is_not_there_is_a_memory_error():
    with pytest.raises(MemoryError, match="no memory for"):
        large_array((2**59,), np.dtype("f8"))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_what_a_child_writes_is_its_own():
    array = large_array((1_000,), np.dtype("f8"))
    child = os.fork()
    if child == 0:
        array += 1
        os._exit(0)
    os.waitpid(child, 0)
    assert not array.any()
