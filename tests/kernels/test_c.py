"""The C module: every instruction set calculates alike, and arguments that do not fit are refused, never believed."""

import math
import os
import random
import shutil
import subprocess
import sys
import tracemalloc
from array import array
from itertools import product
from pathlib import Path

import numpy as np
import pytest

import fastgmm
from fastgmm.covariance import FAMILIES
from fastgmm.kernels import available_backends, get_backend
from fastgmm.kernels.contract import Rows
from fastgmm.parameters import PreparedSpherical
from fastgmm.sweep import evaluate, make_sweep
from tests.problems import (
    TOLERANCE,
    assert_close,
    assert_close_moments,
    draw_problem,
    largest_error,
    same_bits,
    with_both_triangles,
)

if available_backends()["c"] != "available":
    pytest.skip(f"the C backend: {available_backends()['c']}", allow_module_level=True)

from fastgmm.kernels.c import _kernels

# Whatever a caller did wrong; anything else, SystemError above all, is the module's own mistake.
REFUSALS = (TypeError, ValueError, BufferError, OverflowError, MemoryError)
EVERYTHING = ("log_density", "labels", "joint", "responsibilities")
HERE = [str(Path(fastgmm.__file__).parents[1]), str(Path(__file__).parents[2])]

every_instruction_set = pytest.mark.parametrize("instruction_set", _kernels.INSTRUCTION_SETS)


def start(script, timeout=300, **environment):
    """Run a script in a process that imports the same fastgmm and these tests, and warns of nothing."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(HERE)} | environment
    command = [sys.executable, "-P", "-W", "error", "-c", script]
    return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=timeout, check=False)


def run(script, timeout=300, **environment):
    done = start(script, timeout, **environment)
    assert done.returncode == 0, f"exit code {done.returncode}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"


def run_here(function, instruction_set):
    """Call a function of this file in a process that is forced to an instruction set."""
    script = f"from tests.kernels import test_c; test_c.{function.__name__}({instruction_set!r})"
    run(script, FASTGMM_INSTRUCTION_SET=instruction_set)


# Instruction sets


def check_agreement(instruction_set):
    assert instruction_set == _kernels.INSTRUCTION_SET
    for family, d, k in product(FAMILIES.values(), (1, 2, 3, 4, 5, 7, 8, 13), (1, 3, 6)):
        for dtype, weighted in product(TOLERANCE, (False, True)):
            try:
                compare_with_numpy(draw_problem(family.name, 293, d, k, weighted), dtype)
            except AssertionError as error:
                raise AssertionError(f"{family.name} {dtype} d={d} k={k} weighted={weighted}: {error}") from error


def compare_with_numpy(problem, dtype):
    rows, prepared, tolerance = problem.rows(dtype), problem.prepared(dtype), TOLERANCE[dtype]
    if rows.weights is not None:
        weights = rows.weights.copy()
        weights[::7] = 0.0
        rows = Rows(rows.values, weights)
    moments, outputs = [], []
    for backend in (get_backend("c"), get_backend("numpy")):
        sweep = make_sweep(rows, problem.family, backend, 1)
        moments.append(with_both_triangles(sweep(prepared), problem.family))
        outputs.append({wanted: evaluate(rows, prepared, backend, 1, wanted) for wanted in EVERYTHING})
    assert_close_moments(*moments, tolerance)
    actual, expected = outputs
    assert_close(actual["log_density"], expected["log_density"], tolerance)
    assert_close(actual["joint"], expected["joint"], tolerance)
    assert largest_error(actual["responsibilities"], expected["responsibilities"]) <= tolerance
    # The component of the label is NumPy's, or one that rounding cannot tell from it.
    best = np.take_along_axis(expected["joint"], actual["labels"][:, np.newaxis], 1)[:, 0]
    assert_close(best, expected["joint"].max(axis=1), tolerance)


@every_instruction_set
def test_every_instruction_set_agrees_with_numpy(instruction_set):
    run_here(check_agreement, instruction_set)


def score_constants(constants, dtype):
    """log p(x) and the responsibilities of a row whose joint log-densities are these numbers."""
    constants = np.asarray(constants, dtype)
    k = len(constants)
    prepared = PreparedSpherical(constants, np.zeros((k, 1)), np.zeros(k, dtype))
    rows = Rows(np.zeros((1, 1), dtype))
    return [evaluate(rows, prepared, get_backend("c"), 1, wanted)[0] for wanted in ("log_density", "responsibilities")]


def units(actual, expected):
    """Errors in units in the last place."""
    expected = np.asarray(expected)
    return np.abs(actual - expected) / np.spacing(np.abs(expected).astype(actual.dtype)).astype(np.float64)


def check_exponentials(instruction_set):
    """The largest joint density is 0, so r_k / r_0 = exp(joint_k) but for two roundings."""
    assert instruction_set == _kernels.INSTRUCTION_SET
    for dtype, smallest in (("float64", -708.0), ("float32", -87.0)):
        for numbers in (np.linspace(-1.0, -1e-6, 4000), np.linspace(smallest, -1.0, 4000) * 0.9):
            x = numbers.astype(dtype)
            shares = score_constants([0.0, *x], dtype)[1]
            normal = shares[1:] > 4 * np.finfo(dtype).tiny
            true = np.array([math.exp(float(each)) for each in x])
            assert normal.sum() > 3000
            assert units(shares[1:][normal] / shares[0], true[normal]).max() <= 4.0
        assert not score_constants([0.0, smallest - 1, 10 * smallest], dtype)[1][1:].any()


def check_logarithms(instruction_set):
    """log p(x) = log(1 + exp(x)) where the largest joint density is 0."""
    assert instruction_set == _kernels.INSTRUCTION_SET
    for dtype in ("float64", "float32"):
        x = np.linspace(-2.0, 0.0, 500).astype(dtype)
        found = np.array([score_constants([0.0, each], dtype)[0] for each in x])
        # The sum that the logarithm is of is itself rounded, which near 1 costs more units than the logarithm.
        true = [math.log1p(math.exp(each)) for each in x.tolist()]
        assert largest_error(found, np.array(true)) <= 2.0 * np.finfo(dtype).eps
        for k in (1, 2, 3, 5, 8, 100, 1000):
            found = score_constants(np.zeros(k), dtype)[0]
            assert found == 0.0 if k == 1 else units(found, math.log(k)) <= 2.0


@every_instruction_set
@pytest.mark.parametrize("check", [check_exponentials, check_logarithms])
def test_exp_and_log_of_every_instruction_set_are_right_to_a_few_units(instruction_set, check):
    run_here(check, instruction_set)


def test_the_widest_instruction_set_is_taken_where_none_is_asked_for():
    run(
        "from fastgmm.kernels.c import _kernels\n"
        "assert _kernels.INSTRUCTION_SET == _kernels.INSTRUCTION_SETS[0]\n"
        "assert _kernels.INSTRUCTION_SETS[-1] == 'baseline'",
        FASTGMM_INSTRUCTION_SET="",
    )


def test_an_unknown_instruction_set_is_an_import_error_that_names_it():
    done = start("import fastgmm.kernels.c", FASTGMM_INSTRUCTION_SET="mmx9")
    assert done.returncode == 1
    assert "ImportError: FASTGMM_INSTRUCTION_SET=mmx9 is none of those that run here" in done.stderr


def test_the_c_backend_with_an_unknown_instruction_set_cannot_be_used_and_says_why():
    run(
        """
from fastgmm.errors import BackendUnavailableError
from fastgmm.kernels import get_backend
try:
    get_backend("c")
except BackendUnavailableError as error:
    assert "mmx9" in str(error), error
else:
    raise AssertionError("it was used")
""",
        FASTGMM_INSTRUCTION_SET="mmx9",
    )


def test_show_backend_names_the_instruction_set(capsys):
    fastgmm.show_backend()
    assert f"C kernels: {_kernels.INSTRUCTION_SET} " in capsys.readouterr().out


# Layouts

LAYOUTS = {
    "rows backward": lambda values: values[::-1],
    "columns backward": lambda values: values[:, ::-1],
    "both backward": lambda values: values[::-1, ::-1],
    "every other row backward": lambda values: np.repeat(values, 2, axis=0)[::-2],
    "Fortran, columns backward": lambda values: np.asfortranarray(values)[:, ::-1],
    "one row for all": lambda values: np.broadcast_to(values[0], values.shape),
    "one column for all": lambda values: np.broadcast_to(values[:, :1], values.shape),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_strides_of_any_sign_are_read_to_the_bits_of_a_copy(family, dtype, layout):
    problem = draw_problem(family.name, 257, 5, 3, weighted=True)
    view, prepared = LAYOUTS[layout](problem.rows(dtype).values), problem.prepared(dtype)
    weights = problem.weights[::-1]
    rows, copies = Rows(view, weights), Rows(view.copy(order="C"), weights.copy())
    backend = get_backend("c")
    assert same_bits(*(make_sweep(each, family, backend, 2)(prepared) for each in (rows, copies)))
    for wanted in EVERYTHING:
        assert same_bits(*(evaluate(each, prepared, backend, 2, wanted) for each in (rows, copies)))


# Arguments that do not fit

N_ROWS, N_CHUNKS = 200, 3
SECTION = (N_CHUNKS, 96, 32, 0, 96)
# Where the arguments of a call are.
FAMILY, VALUES = 0, 1
SWEEP = {"weights": 2, "prepared": 3, "section": 4, "slots": 5, "next": 6}
LOG_DENSITY = {"prepared": 2, "section": 3, "outputs": 4, "next": 5}
OUTPUTS = LOG_DENSITY["outputs"]
GUARD = 64


def guarded(shape, dtype, filling=0):
    """An array amid numbers that nobody may touch, see ``guards_of``."""
    size = math.prod(shape)
    whole = np.full(size + 2 * GUARD, 77, dtype)
    array = whole[GUARD : GUARD + size].reshape(shape)
    array[...] = filling
    return array


def guards_are_whole(array):
    return array.base is None or ((array.base[:GUARD] == 77).all() and (array.base[-GUARD:] == 77).all())


def sweep_arguments(family="full", dtype="float64", n_features=3, n_components=2):
    problem = draw_problem(family, N_ROWS, n_features, n_components, weighted=True)
    second = FAMILIES[family].second_moment_shape(n_components, n_features)
    second = second if second[0] else (n_components, 0)
    shapes = [(n_components,), (n_components, n_features), second, (2,)]
    slots = tuple(guarded((N_CHUNKS, *shape), "float64") for shape in shapes)
    prepared = tuple(problem.prepared(dtype))
    number = list(FAMILIES).index(family)
    return [number, problem.rows(dtype).values, problem.weights, prepared, SECTION, slots, None]


def log_density_arguments(family="full", dtype="float64", n_features=3, n_components=2):
    number, values, _, prepared, section, *_ = sweep_arguments(family, dtype, n_features, n_components)
    outputs = (guarded((N_ROWS,), dtype), guarded((N_ROWS,), "int64"), guarded((N_ROWS, n_components), dtype), True)
    return [number, values, prepared, section, outputs, None]


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


def with_another_axis(array):
    return array[np.newaxis].copy()


def constant(item):
    return lambda _: item


WRONG_ARRAYS = {
    "None": constant(None),
    "a list": lambda array: array.tolist(),
    "a number": constant(1.0),
    "int32": as_type("int32"),
    "complex": as_type("complex128"),
    "objects": as_type(object),
    "half precision": as_type("float16"),
    "bytes": lambda array: array.tobytes(),
    "another byte order": swapped,
    "too short": without_last,
    "too narrow": lambda array: array[..., :-1].copy(),
    "an axis too many": with_another_axis,
    "flat": lambda array: array.ravel()[:1].reshape(()),
}
NOT_CONTIGUOUS = {"not contiguous": with_gaps, "at an odd address": misaligned}
# The paths of arrays, and what must not stand there.
WRONG_INPUTS = [((VALUES,), name) for name in WRONG_ARRAYS if name != "too short"]
WRONG_INPUTS += [((SWEEP["weights"],), name) for name in WRONG_ARRAYS if name != "None"]
WRONG_INPUTS += [((SWEEP["weights"],), "the other float"), ((VALUES,), "at an odd address")]
WRONG_INPUTS += [((SWEEP["prepared"], at), name) for at in range(3) for name in [*WRONG_ARRAYS, *NOT_CONTIGUOUS]]
WRONG_INPUTS += [((SWEEP["prepared"], at), "the other float") for at in range(3)]
WRONG_INPUTS += [
    ((SWEEP["slots"], at), name)
    for at in range(4)
    for name in [*WRONG_ARRAYS, *NOT_CONTIGUOUS, "read-only", "the other float"]
]
MAKERS = {
    **WRONG_ARRAYS,
    **NOT_CONTIGUOUS,
    "read-only": read_only,
    "the other float": as_type("float32"),
}


@pytest.mark.parametrize(("path", "wrong"), WRONG_INPUTS, ids=str)
def test_a_sweep_refuses_an_array_that_does_not_fit(family, path, wrong):
    arguments = sweep_arguments(family.name)
    array = item_at(arguments, path)
    if family.name == "tied" and path == (SWEEP["slots"], 2):
        pytest.skip("an array without numbers")
    with pytest.raises(REFUSALS):
        _kernels.sweep(*replaced(arguments, path, MAKERS[wrong](array)))
    assert not any(slot.any() for slot in arguments[SWEEP["slots"]])


@pytest.mark.parametrize("at", [3, 4])
@pytest.mark.parametrize("wrong", [*WRONG_ARRAYS, *NOT_CONTIGUOUS, "the other float"])
def test_the_tied_family_refuses_a_pivot_and_whitened_means_that_do_not_fit(at, wrong):
    arguments = sweep_arguments("tied")
    path = (SWEEP["prepared"], at)
    with pytest.raises(REFUSALS):
        _kernels.sweep(*replaced(arguments, path, MAKERS[wrong](item_at(arguments, path))))


@pytest.mark.parametrize("path", [(VALUES,), (OUTPUTS, 0), (LOG_DENSITY["prepared"], 1)], ids=str)
def test_a_memoryview_at_an_odd_address_is_refused(path):
    """An array says so in its format, a memoryview does not; C may not read numbers there."""
    arguments = log_density_arguments()
    shape = item_at(arguments, path).shape
    odd = memoryview(bytearray(8 * math.prod(shape) + 1))[1:].cast("d", shape)
    with pytest.raises(REFUSALS):
        _kernels.log_density(*replaced(arguments, path, odd))


def test_tables_without_rows_or_columns_are_refused():
    number, values, _, prepared, section, slots, *rest = sweep_arguments("diag")
    with pytest.raises(ValueError, match="values are no table"):
        _kernels.sweep(number, values[:0], None, prepared, section, slots, *rest)
    constants, *tables = prepared
    prepared = (constants, *(table[:, :0].copy() for table in tables))
    counts, first, second, totals = slots
    slots = (counts, first[:, :, :0].copy(), second[:, :, :0].copy(), totals)
    with pytest.raises(ValueError, match="values are no table"):
        _kernels.sweep(number, values[:, :0], None, prepared, section, slots, *rest)


WRONG_OUTPUTS = ["None", "a number", "int32", "complex", "objects", "bytes", "another byte order"]
WRONG_OUTPUTS += [
    "too short",
    "too narrow",
    "an axis too many",
    "flat",
    "not contiguous",
    "at an odd address",
    "read-only",
]


@pytest.mark.parametrize("at", [0, 1, 2])
@pytest.mark.parametrize("wrong", [*WRONG_OUTPUTS, "the other float"])
def test_log_density_refuses_an_output_that_does_not_fit(family, at, wrong):
    arguments = log_density_arguments(family.name)
    path = (OUTPUTS, at)
    with pytest.raises(REFUSALS):
        _kernels.log_density(*replaced(arguments, path, MAKERS[wrong](item_at(arguments, path))))
    assert not any(output.any() for output in arguments[OUTPUTS][:3])


def test_parameters_of_float32_with_factors_of_float64_are_refused(family):
    if family.name == "tied":
        pytest.skip("calculates in float64")
    single, double = (sweep_arguments(family.name, dtype) for dtype in ("float32", "float64"))
    path = (SWEEP["prepared"], 2)
    with pytest.raises(TypeError, match="scales has the format"):
        _kernels.sweep(*replaced(single, path, item_at(double, path)))


NOT_WHOLE = ["1", None, 1.0, (1,), 2**63, -(2**63) - 1]


@pytest.mark.parametrize("number", [-1, 4, 100, 2**31, 2**32, 2**32 + 1, *NOT_WHOLE], ids=str)
def test_an_unknown_family_is_refused(number):
    with pytest.raises(REFUSALS):
        _kernels.sweep(*replaced(sweep_arguments(), (FAMILY,), number))
    with pytest.raises(REFUSALS):
        _kernels.log_density(*replaced(log_density_arguments(), (FAMILY,), number))


def test_the_parameters_of_another_family_are_refused():
    for one, other in product(FAMILIES, FAMILIES):
        arguments = sweep_arguments(one)
        prepared = sweep_arguments(other)[SWEEP["prepared"]]
        if one != other:
            with pytest.raises(ValueError, match=r"prepared parameters of the family|wrong shape"):
                _kernels.sweep(*replaced(arguments, (SWEEP["prepared"],), prepared))


WRONG_SECTIONS = {
    "no chunks": (0, 96, 32, 0, 96),
    "fewer than no chunks": (-3, 96, 32, 0, 96),
    "empty chunks": (3, 0, 32, 0, 0),
    "chunks of fewer than no rows": (3, -96, 32, -96, -96),
    "no tile": (3, 96, 0, 0, 96),
    "less than no tile": (3, 96, -32, 0, 96),
    "half a tile": (3, 96, 16, 0, 96),
    "a crooked tile": (3, 96, 33, 0, 96),
    "a start before the chunk": (3, 96, 32, -32, 96),
    "a stop before the start": (3, 96, 32, 64, 32),
    "a stop beyond the chunk": (3, 96, 32, 0, 97),
    "more rows than there are numbers": (3, 2**62, 32, 0, 96),
    "more rows than there are numbers but for a tile": (1, 2**63 - 1, 32, 0, 2**63 - 1),
    "tiles that no memory holds": (3, 96, 2**50, 0, 96),
    "tiles whose bytes are no number": (3, 96, 2**62, 0, 96),
    "a number too few": (3, 96, 32, 0),
    "a number too many": (3, 96, 32, 0, 96, 0),
    "a fraction": (3, 96, 32, 0, 96.0),
    "a word": (3, 96, 32, "0", 96),
    "a number beyond int64": (3, 2**64, 32, 0, 96),
    "a list": [3, 96, 32, 0, 96],
    "None": None,
}


@pytest.mark.parametrize("section", WRONG_SECTIONS)
def test_a_section_that_is_none_is_refused(section):
    section = WRONG_SECTIONS[section]
    with pytest.raises(REFUSALS):
        _kernels.sweep(*replaced(sweep_arguments(), (SWEEP["section"],), section))
    with pytest.raises(REFUSALS):
        _kernels.log_density(*replaced(log_density_arguments(), (LOG_DENSITY["section"],), section))


@pytest.mark.parametrize("n_chunks", [1, 2, 4, 1000])
def test_slots_of_another_number_of_chunks_are_refused(family, n_chunks):
    with pytest.raises(ValueError, match="counts has the wrong shape"):
        _kernels.sweep(*replaced(sweep_arguments(family.name), (SWEEP["section"], 0), n_chunks))


@pytest.mark.parametrize(
    "counter",
    [0, [0], "0", np.zeros(2, np.int64), np.zeros((1, 1), np.int64), np.zeros(1), np.zeros(1, np.int32)],
    ids=repr,
)
def test_a_counter_that_is_none_is_refused(counter):
    for kernel, arguments in ((_kernels.sweep, sweep_arguments()), (_kernels.log_density, log_density_arguments())):
        with pytest.raises(REFUSALS):
            kernel(*arguments[:-1], counter)


@pytest.mark.parametrize("start", [-(2**63), -1, 0, 1, N_CHUNKS - 1, N_CHUNKS, 2**62, 2**63 - 1])
def test_a_worker_takes_the_chunks_from_the_counter_on(start):
    counter, arguments = np.array([start]), sweep_arguments()
    _kernels.sweep(*arguments[:-1], counter)
    slots = arguments[SWEEP["slots"]]
    assert all(guards_are_whole(slot) for slot in slots)
    assert np.flatnonzero(slots[0].any(axis=1)).tolist() == [chunk for chunk in range(N_CHUNKS) if 0 <= start <= chunk]


def test_workers_that_share_a_counter_take_every_chunk_once():
    together, alone = sweep_arguments(), sweep_arguments()
    _kernels.sweep(*alone)
    counter = np.zeros(1, np.int64)
    for _ in range(4):
        _kernels.sweep(*together[:-1], counter)
    at = SWEEP["slots"]
    assert all(np.array_equal(one, other) for one, other in zip(alone[at], together[at], strict=True))


def test_chunks_beyond_the_last_row_take_no_time():
    """Without slots any number of chunks is a section."""
    run(
        """
from tests.kernels import test_c
arguments = test_c.log_density_arguments()
try:
    test_c._kernels.log_density(*test_c.replaced(arguments, (3,), (2**57, 32, 32, 0, 32)))
except test_c.REFUSALS:
    pass
""",
        timeout=30,
    )


@pytest.mark.parametrize("what", ["prepared", "slots"])
@pytest.mark.parametrize("change", [lambda t: t[:-1], lambda t: (*t, t[0]), list, constant(()), constant(None)])
def test_a_sweep_refuses_a_tuple_with_another_number_of_items(family, what, change):
    arguments = sweep_arguments(family.name)
    at = SWEEP[what]
    with pytest.raises(REFUSALS):
        _kernels.sweep(*replaced(arguments, (at,), change(arguments[at])))


@pytest.mark.parametrize("change", [lambda t: t[:-1], lambda t: (*t, t[0]), list, constant(()), constant(None)])
def test_log_density_refuses_outputs_with_another_number_of_items(change):
    arguments = log_density_arguments()
    with pytest.raises(REFUSALS):
        _kernels.log_density(*replaced(arguments, (OUTPUTS,), change(arguments[OUTPUTS])))


def test_a_call_with_another_number_of_arguments_is_refused():
    sweep, log_density = sweep_arguments(), log_density_arguments()
    for n in range(12):
        if n != len(sweep):
            with pytest.raises(TypeError, match="seven arguments"):
                _kernels.sweep(*(sweep * 2)[:n])
        if n != len(log_density):
            with pytest.raises(TypeError, match="six arguments"):
                _kernels.log_density(*(log_density * 2)[:n])
    with pytest.raises(TypeError):
        _kernels.sweep(*sweep, next=None)


class Troublesome:
    """Raises an error of its own whatever it is asked for."""

    def _raise(self):
        raise ZeroDivisionError("troublesome")

    __index__ = __bool__ = __len__ = _raise


@pytest.mark.parametrize("path", [(OUTPUTS, 0), (OUTPUTS, 3), (LOG_DENSITY["section"], 1)])
def test_an_error_of_an_argument_comes_through(path):
    with pytest.raises(ZeroDivisionError, match="troublesome"):
        _kernels.log_density(*replaced(log_density_arguments(), path, Troublesome()))


def test_an_array_of_flags_is_no_flag():
    with pytest.raises(ValueError, match="ambiguous"):
        _kernels.log_density(*replaced(log_density_arguments(), (OUTPUTS, 3), np.ones(2)))


# Arguments drawn at random


def odd_memory(rng):
    """A buffer of floats at an odd address, which only a memoryview can be without saying so."""
    shape = rng.choice([(N_ROWS, 3), (N_ROWS,), (2, 3), (2,)])
    return memoryview(bytearray(8 * math.prod(shape) + 1))[1:].cast("d", shape)


JUNK = [
    *(lambda rng, item=item: item for item in (None, True, 1.5, "x", "", b"", (), [], {}, [1.0], float("nan"))),
    lambda rng: rng.choice([-(2**63), -1, 0, 1, 2, 3, 31, 32, 33, 64, 96, 200, 2**31, 2**32 + 1]),
    lambda rng: rng.choice([2**57, 2**62, 2**63 - 33, 2**63 - 1, 2**63, 10**30, -(10**30)]),
    lambda rng: Troublesome(),
    odd_memory,
    lambda rng: memoryview(bytes(8 * N_ROWS)).cast("d"),
    lambda rng: np.broadcast_to(np.zeros(1, rng.choice(["f4", "f8", "i8"])), rng.choice([(10**6, 3), (N_ROWS, 3), 3])),
    lambda rng: np.zeros(
        rng.choice([(), 0, 1, 2, 3, N_ROWS, (0, 3), (N_ROWS, 0), (N_ROWS, 3), (N_ROWS, 2), (2, 3), (3, 2), (2, 3, 3)]),
        rng.choice(["f4", "f8", "i8", "i4", "f2", "g", "c16", "O", "S3", ">f8", "f8,f8", "M8[s]", "?"]),
    ),
]
SHAKES = [with_gaps, without_last, read_only, misaligned, swapped, with_another_axis, as_type("f4"), as_type("f8")]
SHAKES += [lambda array: array[::-1], lambda array: array.T, lambda array: array[:0], lambda array: memoryview(array)]
SHAKES += [
    lambda array: np.full_like(array, np.nan if array.dtype.kind == "f" else -1),
    lambda array: np.full_like(array, 1) * -1,
    np.asfortranarray,
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
        if len(arguments) < 6:
            break
    return arguments


def described(item):
    if isinstance(item, list | tuple):
        return [described(each) for each in item]
    return f"{item.dtype.str}{item.shape}" if isinstance(item, np.ndarray) else repr(item)[:40]


def shake(seed, n_calls):
    """Whatever the arguments, a call returns or refuses, and touches nothing but what it was given."""
    rng = random.Random(seed)
    returned = 0
    makers = ((_kernels.sweep, sweep_arguments), (_kernels.log_density, log_density_arguments))
    for call in range(n_calls):
        kernel, make = rng.choice(makers)
        d, k = rng.choice([(3, 2), (1, 1), (5, 3)])
        original = make(rng.choice(list(FAMILIES)), rng.choice(["float32", "float64"]), d, k)
        arguments = shaken(rng, original) if call % 10 else original
        sys.stderr.write(f"{call} {kernel.__name__} {described(arguments)}\n")
        try:
            kernel(*arguments)
            returned += 1
        except (*REFUSALS, ZeroDivisionError):
            assert call % 10
        results = original[SWEEP["slots"] if kernel is _kernels.sweep else OUTPUTS]
        assert all(guards_are_whole(array) for array in results if isinstance(array, np.ndarray))
    assert n_calls / 10 < returned < n_calls / 2


@pytest.mark.parametrize("seed", range(3))
def test_no_arguments_crash_the_process_or_touch_what_is_not_theirs(seed):
    """Python's debugging allocator looks at the edges of the scratch memory, and too much memory is an error."""
    pytest.importorskip("resource")
    run(
        "import resource; resource.setrlimit(resource.RLIMIT_AS, (4 * 2**30, resource.RLIM_INFINITY))\n"
        f"from tests.kernels import test_c; test_c.shake({seed}, 4000)",
        PYTHONMALLOC="debug",
        PYTHONFAULTHANDLER="1",
        OPENBLAS_NUM_THREADS="1",
    )


# What a call leaves behind


def successes_and_failures():
    for kernel, arguments, n in (
        (_kernels.sweep, sweep_arguments(), 5),
        (_kernels.log_density, log_density_arguments(), 4),
    ):
        yield kernel, arguments
        yield kernel, replaced(arguments, (n - 1,), (3, 96, 33, 0, 96))
        yield kernel, replaced(arguments, (n - 2, 2), arguments[1])
        yield kernel, replaced(arguments, (n, 1), arguments[1])
        yield kernel, replaced(arguments, (n, 2), arguments[1])
        yield kernel, replaced(arguments, (n,), None)
        yield kernel, [*arguments[:-1], -1]
        yield kernel, arguments[:-1]


def objects_in(arguments):
    for item in arguments:
        yield item
        if isinstance(item, tuple):
            yield from item


def call_quietly(kernel, arguments):
    try:
        kernel(*arguments)
    except REFUSALS:
        return False
    return True


def test_twenty_thousand_calls_leave_reference_counts_as_they_were():
    calls = list(successes_and_failures())
    arrays = [each for _, arguments in calls for each in objects_in(arguments) if isinstance(each, np.ndarray | tuple)]
    before, nones = [sys.getrefcount(array) for array in arrays], sys.getrefcount(None)
    succeeded = sum(call_quietly(*calls[i % len(calls)]) for i in range(20_000))
    assert [sys.getrefcount(array) for array in arrays] == before
    assert abs(sys.getrefcount(None) - nones) < 100
    assert succeeded == 20_000 * 2 // len(calls)


def test_calls_that_succeed_and_fail_leave_no_memory_behind():
    calls = list(successes_and_failures())
    tracemalloc.start()
    try:
        for _ in range(2):  # the first time Python keeps memory of its own
            before, _ = tracemalloc.get_traced_memory()
            for i in range(2000):
                call_quietly(*calls[i % len(calls)])
            after, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak - before > 2000, "the scratch of a call is not seen"
    assert after - before < 2000


def test_no_buffer_stays_locked():
    """An array whose buffer is in use cannot grow."""
    values, labels = array("d", [0.5] * 32), array("q", [-1] * 32)
    arguments = log_density_arguments("spherical", n_features=1)
    unwanted = np.empty(0)
    for joint in (unwanted, np.empty(32)):
        with memoryview(values) as flat, flat.cast("B") as raw, raw.cast("d", (32, 1)) as table:
            arguments[VALUES] = table
            arguments[OUTPUTS] = (unwanted, labels, joint, False)
            assert call_quietly(_kernels.log_density, arguments) == (joint is unwanted)
        values.append(0.5)
        labels.append(-1)
        values.pop()
        labels.pop()
    assert -1 not in labels


# The process around it


def test_subnormal_numbers_live_on_after_a_fit():
    """Compiled with -ffast-math, the library would switch the process to flush-to-zero when loaded."""
    run(
        """
import threading
import numpy as np
import fastgmm

def check():
    smallest = np.float64(5e-324)
    assert smallest * np.float64(1.0) != 0.0
    assert np.float64(1e-310) / np.float64(10.0) != 0.0
    assert float("1e-310") / 10.0 != 0.0
    assert (np.full(100, 1e-310) / 10.0 > 0.0).all()
    assert (np.full(100, 1e-40, np.float32) * np.float32(0.5) > 0.0).all()

X = np.random.RandomState(0).normal(size=(5000, 2))
for dtype in ("float64", "float32"):
    gm = fastgmm.GaussianMixture(2, tol=0.1, random_state=0, n_threads=2, backend="c").fit(X.astype(dtype))
    gm.score(X.astype(dtype))
check()
errors = []
def check_in_thread():
    try:
        check()
    except AssertionError as error:
        errors.append(error)
thread = threading.Thread(target=check_in_thread)
thread.start()
thread.join()
assert not errors
"""
    )


@every_instruction_set
def test_a_small_stack_is_enough(instruction_set):
    """128 KiB, as in threads of some servers and of musl."""
    run(
        """
import threading, warnings
import numpy as np
import fastgmm
from fastgmm.covariance import FAMILIES
warnings.simplefilter("ignore")
X = np.random.RandomState(0).normal(size=(3000, 64))
done = []

def work():
    for family in FAMILIES:
        for dtype in ("float64", "float32"):
            for d in (2, 64):
                data = X[:, :d].astype(dtype)
                gm = fastgmm.GaussianMixture(
                    3, covariance_type=family, max_iter=2, random_state=0, n_threads=2, backend="c"
                )
                gm.fit(data), gm.predict(data), gm.predict_proba(data), gm.score_samples(data[:1])
                done.append(family)

threading.stack_size(131072)
thread = threading.Thread(target=work)
thread.start()
thread.join()
assert len(done) == 16
""",
        FASTGMM_INSTRUCTION_SET=instruction_set,
    )


@pytest.mark.skipif(sys.platform != "linux" or shutil.which("nm") is None, reason="needs nm")
def test_the_library_exports_nothing_but_its_start():
    command = ["nm", "--dynamic", "--defined-only", "--extern-only", "--format=posix", _kernels.__file__]
    listing = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert [line.split()[0] for line in listing.splitlines()] == ["PyInit__kernels"]
