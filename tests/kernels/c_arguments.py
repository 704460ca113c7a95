"""Not a test: the arguments that tests of the C module call it with, and the processes that they call it in."""

import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np

import fastgmm
from fastgmm.families import FAMILIES, FOUR
from tests.problems import draw_problem, slot_shapes

# Whatever a caller did wrong; anything else, SystemError above all, is the module's own mistake.
REFUSALS = (TypeError, ValueError, BufferError, OverflowError, MemoryError)
HERE = [str(Path(fastgmm.__file__).parents[1]), str(Path(__file__).parents[2])]


def start(script, timeout=300, **environment):
    """Run a script in a process that imports the same fastgmm and these tests, and warns of nothing."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(HERE)} | environment
    command = [sys.executable, "-P", "-W", "error", "-c", script]
    return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=timeout, check=False)


def run(script, timeout=300, **environment):
    done = start(script, timeout, **environment)
    assert done.returncode == 0, f"exit code {done.returncode}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"


def run_here(function, instruction_set):
    """Call a function of a test file in a process that is forced to an instruction set."""
    script = f"from {function.__module__} import {function.__name__} as check; check({instruction_set!r})"
    run(script, FASTGMM_INSTRUCTION_SET=instruction_set)


N_ROWS, N_CHUNKS = 200, 3
SECTION = (N_CHUNKS, 96, 32, 0, 96)
# Where the arguments of a call are.
FAMILY, VALUES = 0, 1
SWEEP = {"weights": 2, "origin": 3, "groups": 4, "group_prior": 5, "prepared": 6}
SWEEP |= {"order": 7, "section": 8, "slots": 9, "bounds": 10}
INCOMPLETE_LOG_DENSITY = {"prepared": 5, "order": 6, "section": 7, "outputs": 8}
LOG_DENSITY = {"origin": 2, "groups": 3, "group_prior": 4, "prepared": 5, "section": 6, "outputs": 7}
SLOTS, BOUNDS, OUTPUTS = SWEEP["slots"], SWEEP["bounds"], LOG_DENSITY["outputs"]
GUARD = 64


def guarded(shape, dtype):
    """Zeros amid numbers that nobody may touch, see ``guards_are_whole``."""
    size = math.prod(shape)
    whole = np.full(size + 2 * GUARD, 77, dtype)
    array = whole[GUARD : GUARD + size].reshape(shape)
    array[...] = 0
    return array


def guards_are_whole(array):
    return (array.base[:GUARD] == 77).all() and (array.base[-GUARD:] == 77).all()


def sweep_arguments(family="full", dtype="float64", n_features=3, n_components=2):
    problem = draw_problem(family, N_ROWS, n_features, n_components, weighted=True)
    shapes = slot_shapes(family, n_components, n_features)
    slots = (*(guarded((N_CHUNKS, *shape), "float64") for shape in shapes), guarded((0,), "float64"))
    prepared = tuple(problem.prepared(dtype))
    number = list(FOUR).index(family)
    rows = [problem.rows(dtype).values, problem.weights, np.linspace(-1.0, 1.0, n_features)]
    # Some of the groups are none of the table.
    groups = [(np.arange(N_ROWS) % 5 - 1).astype(np.int32), np.zeros((3, n_components))]
    groups[1][1, 1:] = -3.0
    return [number, *rows, *groups, prepared, None, SECTION, slots, None, None]


def without_groups(arguments):
    return replaced(arguments, (SWEEP["groups"],), None)


def bounded_sweep_arguments(family="full", dtype="float64", n_features=3, n_components=2):
    """With bounds: rows in reversed order, and the first component known to be near every tile."""
    tiles = (-(-N_ROWS // SECTION[2]), n_components)
    bounds = (
        np.arange(N_ROWS, dtype=np.int32)[::-1].copy(),
        guarded(tiles, "float32"),
        guarded(tiles, "uint8"),
        np.ones(n_components),
        np.zeros(n_components),
        guarded((N_CHUNKS,), "int64"),
    )
    bounds[2][:, 0] = 1
    return replaced(without_groups(sweep_arguments(family, dtype, n_features, n_components)), (BOUNDS,), bounds)


def log_density_arguments(family="full", dtype="float64", n_features=3, n_components=2):
    arguments = sweep_arguments(family, dtype, n_features, n_components)
    number, values, _, origin, groups, group_prior, prepared, _, section, *_ = arguments
    outputs = (guarded((N_ROWS,), dtype), guarded((N_ROWS,), "int64"), guarded((N_ROWS, n_components), dtype), True)
    return [number, values, origin, groups, group_prior, prepared, section, outputs, None]


def incomplete_sweep_arguments(family="full", dtype="float64", n_features=3, n_components=2):
    """Every other row lacks a value; rows come in reversed order. Spherical components take the diagonal kernel."""
    arguments = sweep_arguments(family, dtype, n_features, n_components)
    problem = draw_problem(family, N_ROWS, n_features, n_components, weighted=True)
    number, values, weights, origin, groups, group_prior, _, _, section, slots, *_ = arguments
    values[np.arange(0, N_ROWS, 2), np.arange(0, N_ROWS, 2) % n_features] = np.nan
    has_matrices = FAMILIES[family].has_matrices
    second = slots[2] if has_matrices else guarded(slots[1].shape, "float64")
    observed = guarded((0,) if has_matrices else slots[1].shape, "float64")
    slots = (slots[0], slots[1], second, slots[3], observed)
    order = np.arange(N_ROWS, dtype=np.int32)[::-1].copy()
    *parameters, exponent = problem.prepared_incomplete(0.75)
    prepared = (*map(np.array, parameters), exponent)
    number = min(number, 2)
    return [number, values, weights, origin, groups, group_prior, prepared, order, section, slots, None]


def incomplete_log_density_arguments(family="full", dtype="float64", n_features=3, n_components=2):
    arguments = incomplete_sweep_arguments(family, dtype, n_features, n_components)
    number, values, _, origin, groups, group_prior, prepared, order, section, *_ = arguments
    outputs = log_density_arguments(family, dtype, n_features, n_components)[OUTPUTS]
    return [number, values, origin, groups, group_prior, prepared, order, section, outputs, None]


def replaced(arguments, path, item):
    """Arguments with another item at a path, as in (5, 0) for the first slot."""
    first, *rest = path
    new = list(arguments)
    new[first] = replaced(arguments[first], rest, item) if rest else item
    return new if isinstance(arguments, list) else tuple(new)


def item_at(arguments, path):
    for index in path:
        arguments = arguments[index]
    return arguments


def without_last(array):
    return array[:-1].copy()


def read_only(array):
    array = array.copy()
    array.flags.writeable = False
    return array


def with_gaps(array):
    """The same numbers, not contiguous."""
    return np.repeat(array, 2, axis=-1)[..., ::2]


def swapped(array):
    """The same numbers with their bytes in the other order."""
    return array.astype(array.dtype.newbyteorder("S"))


def misaligned(array):
    """The same numbers at an odd address."""
    memory = np.empty(array.nbytes + 1, np.uint8)[1:]
    result = memory.view(array.dtype).reshape(array.shape)
    result[...] = array
    return result


def as_type(dtype):
    return lambda array: array.astype(dtype)


def odd_memoryview(shape):
    """Floats at an odd address: an array says so in its format, a memoryview does not."""
    return memoryview(bytearray(8 * math.prod(shape) + 1))[1:].cast("d", shape)


def with_another_axis(array):
    return array[np.newaxis].copy()


class Troublesome:
    """Raises an error of its own whatever it is asked for."""

    def _raise(self):
        raise ZeroDivisionError("troublesome")

    __index__ = __bool__ = __len__ = _raise
