"""The instruction sets of the C module: each calculates as NumPy does, wherever in memory the numbers lie."""

import math
import os
from itertools import product

import numpy as np
import pytest

import fastgmm
from fastgmm.data.facts import Facts
from fastgmm.families import FAMILIES, FOUR
from fastgmm.kernels import available_backends, get_backend
from fastgmm.parameters import PreparedSpherical
from fastgmm.rows import Rows
from fastgmm.sweeps.in_memory import evaluate, make_sweep
from tests.kernels.c_arguments import run, run_here, start
from tests.problems import (
    TOLERANCE,
    assert_close,
    assert_close_moments,
    draw_problem,
    largest_error,
    same_bits,
    with_both_triangles,
)
from tests.promises.test_backends_agree import ARRAYS, SHAPES, from_a_random_state

if available_backends()["c"] != "available":
    pytest.skip(f"the C backend: {available_backends()['c']}", allow_module_level=True)

from fastgmm.kernels.c import _kernels

EVERYTHING = ("log_density", "labels", "joint", "responsibilities")

every_instruction_set = pytest.mark.parametrize("instruction_set", _kernels.INSTRUCTION_SETS)


def check_agreement(instruction_set):
    assert instruction_set == _kernels.INSTRUCTION_SET
    for family, d, k in product(map(FAMILIES.get, FOUR), (1, 2, 3, 4, 5, 7, 8, 13), (1, 3, 6)):
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
        sweep = make_sweep(Facts(rows), problem.family, backend, 1)
        moments.append(with_both_triangles(sweep.moments(prepared), problem.family))
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


FIT_BARS = {"float64": 1e-10, "float32": 1e-5}


def fifty_iterations():
    """Of every family: a few rows, and as many components apart as it takes for bounds."""
    for family, dtype, shape in product(FOUR, FIT_BARS, [*SHAPES, (2560, 2, 8)]):
        model = from_a_random_state("c", family, dtype, shape)
        for name in (*ARRAYS, "lower_bounds_"):
            yield f"{dtype} {family} {shape} {name}", np.array(getattr(model, name))


def check_fits(instruction_set):
    assert instruction_set == _kernels.INSTRUCTION_SET
    with np.load(os.environ["FITS"]) as expected:
        for name, found in fifty_iterations():
            dtype, family, *_ = name.split()
            try:
                # The tied family computes in float64 throughout.
                assert_close(found, expected[name], FIT_BARS["float64" if family == "tied" else dtype])
            except AssertionError as error:
                raise AssertionError(f"{name}: {error}") from error


@pytest.fixture(scope="module")
def fits_of_the_widest(tmp_path_factory):
    path = tmp_path_factory.mktemp("fits") / "fits.npz"
    np.savez(path, **dict(fifty_iterations()))
    return path


@pytest.mark.parametrize("instruction_set", _kernels.INSTRUCTION_SETS[1:])
def test_fifty_iterations_with_any_instruction_set_lead_to_the_same_model(
    instruction_set, fits_of_the_widest, monkeypatch
):
    monkeypatch.setenv("FITS", str(fits_of_the_widest))
    run_here(check_fits, instruction_set)


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
    assert same_bits(*(make_sweep(Facts(each), family, backend, 2).moments(prepared) for each in (rows, copies)))
    for wanted in EVERYTHING:
        assert same_bits(*(evaluate(each, prepared, backend, 2, wanted) for each in (rows, copies)))
