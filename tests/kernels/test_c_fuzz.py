"""Arguments of the C module drawn at random: a call returns or refuses, and writes only where it may."""

import os
import random
import sys

import numpy as np
import pytest

from fastgmm.families import FOUR
from fastgmm.kernels import available_backends
from tests.kernels import test_c_uncertain
from tests.kernels.c_arguments import (
    BOUNDS,
    INCOMPLETE_LOG_DENSITY,
    N_ROWS,
    OUTPUTS,
    REFUSALS,
    SLOTS,
    Troublesome,
    as_type,
    bounded_sweep_arguments,
    guards_are_whole,
    incomplete_log_density_arguments,
    incomplete_sweep_arguments,
    item_at,
    log_density_arguments,
    misaligned,
    odd_memoryview,
    read_only,
    replaced,
    run,
    swapped,
    sweep_arguments,
    with_another_axis,
    with_gaps,
    without_last,
)

if available_backends()["c"] != "available":
    pytest.skip(f"the C backend: {available_backends()['c']}", allow_module_level=True)

from fastgmm.kernels.c import _kernels

JUNK = [
    *(lambda rng, item=item: item for item in (None, True, 1.5, "x", "", b"", (), [], {}, [1.0], float("nan"))),
    lambda rng: rng.choice([-(2**63), -1, 0, 1, 2, 3, 31, 32, 33, 64, 96, 200, 2**31, 2**32 + 1]),
    lambda rng: rng.choice([2**57, 2**62, 2**63 - 33, 2**63 - 1, 2**63, 10**30, -(10**30)]),
    lambda rng: Troublesome(),
    lambda rng: odd_memoryview(rng.choice([(N_ROWS, 3), (N_ROWS,), (2, 3), (2,)])),
    lambda rng: memoryview(bytes(8 * N_ROWS)).cast("d"),
    lambda rng: np.broadcast_to(np.zeros(1, rng.choice(["f4", "f8", "i8"])), rng.choice([(10**6, 3), (N_ROWS, 3), 3])),
    lambda rng: np.zeros(
        rng.choice([(), 0, 1, 2, 3, N_ROWS, (0, 3), (N_ROWS, 0), (N_ROWS, 3), (N_ROWS, 2), (2, 3), (3, 2), (2, 3, 3)]),
        rng.choice(["f4", "f8", "i8", "i4", "f2", "g", "c16", "O", "S3", ">f8", "f8,f8", "M8[s]", "?"]),
    ),
]
SHAKES = [
    *(with_gaps, without_last, read_only, misaligned, swapped, with_another_axis, as_type("f4"), as_type("f8")),
    *(memoryview, np.asfortranarray, lambda array: array[::-1], lambda array: array.T, lambda array: array[:0]),
    lambda array: np.full_like(array, np.nan if array.dtype.kind == "f" else -1),
    lambda array: np.full_like(array, -1),
    lambda array: np.full_like(array, 2**31 - 1 if array.dtype.kind == "i" else -np.inf),
]


def paths_of(arguments):
    for at, item in enumerate(arguments):
        yield (at,)
        if isinstance(item, tuple):
            yield from ((at, inner) for inner in range(len(item)))


def shaken(rng, arguments):
    """Arguments of which one to three are another's, junk, or no longer what they were."""
    for _ in range(rng.choice([1, 1, 2, 3])):
        path = rng.choice(list(paths_of(arguments)))
        item = item_at(arguments, path)
        kind = rng.random()
        if isinstance(item, np.ndarray) and kind < 0.5 and item.dtype.kind in "fi" and item.ndim and item.size:
            item = rng.choice(SHAKES)(item)
        elif kind < 0.85:
            item = rng.choice(JUNK)(rng)
        else:
            item = item_at(arguments, rng.choice(list(paths_of(arguments))))
        arguments = replaced(arguments, path, item)
    return arguments


def described(item):
    if isinstance(item, list | tuple):
        return [described(each) for each in item]
    return f"{item.dtype.str}{item.shape}" if isinstance(item, np.ndarray) else repr(item)[:40]


def with_kind(make):
    """Errors that are variances, or matrices, in place of a dtype."""
    return lambda family, dtype, d, k: make(family, "variances" if dtype == "float32" else "matrices", d, k)


def shake(seed, n_calls):
    """Whatever the arguments, a call returns or refuses, and touches nothing but what it was given."""
    rng = random.Random(seed)
    returned = 0
    kernels = (
        (_kernels.sweep, sweep_arguments, SLOTS),
        (_kernels.sweep, bounded_sweep_arguments, BOUNDS),
        (_kernels.log_density, log_density_arguments, OUTPUTS),
        (_kernels.incomplete_sweep, incomplete_sweep_arguments, SLOTS),
        (_kernels.incomplete_log_density, incomplete_log_density_arguments, INCOMPLETE_LOG_DENSITY["outputs"]),
        (_kernels.uncertain_sweep, with_kind(test_c_uncertain.sweep_arguments), test_c_uncertain.SLOTS),
        (_kernels.uncertain_log_density, with_kind(test_c_uncertain.log_density_arguments), test_c_uncertain.OUTPUTS),
    )
    for call in range(n_calls):
        kernel, make, results = rng.choice(kernels)
        d, k = rng.choice([(3, 2), (1, 1), (5, 3)])
        original = make(rng.choice(list(FOUR)), rng.choice(["float32", "float64"]), d, k)
        arguments = shaken(rng, original) if call % 10 else original
        sys.stderr.write(f"{call} {kernel.__name__} {described(arguments)}\n")
        try:
            kernel(*arguments)
            returned += 1
        except (*REFUSALS, ZeroDivisionError):
            assert call % 10
        written = [array for array in original[results] if isinstance(array, np.ndarray) and array.base is not None]
        assert all(guards_are_whole(array) for array in written)
    assert n_calls / 10 < returned < n_calls / 2


@pytest.mark.parametrize("seed", range(3))
def test_no_arguments_crash_the_process_or_touch_what_is_not_theirs(seed):
    """Python's debugging allocator looks at the edges of the scratch memory, and too much memory is an error.

    AddressSanitizer does both by itself, and needs all addresses there are.
    """
    pytest.importorskip("resource")
    limit = "import resource; resource.setrlimit(resource.RLIMIT_AS, (4 * 2**30, resource.RLIM_INFINITY))\n"
    script = f"from tests.kernels import test_c_fuzz; test_c_fuzz.shake({seed}, 4000)"
    if "ASAN_OPTIONS" in os.environ:
        run(script)
    else:
        run(limit + script, PYTHONMALLOC="debug", PYTHONFAULTHANDLER="1", OPENBLAS_NUM_THREADS="1")
