"""Arguments of the C kernels of rows of known errors that do not fit: each is refused, never believed."""

import numpy as np
import pytest

from fastgmm.families.uncertain import prepare_uncertain
from fastgmm.kernels import available_backends
from tests.kernels.c_arguments import (
    N_CHUNKS,
    N_ROWS,
    REFUSALS,
    SECTION,
    guarded,
    guards_are_whole,
    item_at,
    replaced,
    run_here,
)
from tests.kernels.test_c_refusals import WRONG_PARAMETERS, WRONG_RESULTS, WRONG_TUPLES
from tests.kernels.test_uncertain import KINDS, drawn_errors
from tests.problems import draw_problem

if available_backends()["c"] != "available":
    pytest.skip(f"the C backend: {available_backends()['c']}", allow_module_level=True)

from fastgmm.kernels.c import _kernels

ERRORS, FAMILY, PREPARED, ORDER, SLOTS, OUTPUTS = 0, 1, 7, 8, 10, 8


def sweep_arguments(family="full", kind="matrices", d=3, n_components=2):
    problem = draw_problem(family, N_ROWS, d, n_components, weighted=True)
    *arrays, exponent = prepare_uncertain(problem.family, problem.parameters, kind == "matrices", 0.75)
    number = 2 if arrays[2].ndim == 2 else int(len(arrays[2]) < n_components)
    shapes = (n_components,), (n_components, d), arrays[2].shape, (2,)
    slots = tuple(guarded((N_CHUNKS, *shape), "float64") for shape in shapes)
    groups = [(np.arange(N_ROWS) % 5 - 1).astype(np.int32), np.zeros((3, n_components))]
    order = np.arange(N_ROWS, dtype=np.int32)[::-1].copy()
    rows = [problem.values.copy(), problem.weights, np.linspace(-1.0, 1.0, d)]
    prepared = (*map(np.array, arrays), exponent)
    return [drawn_errors(kind, N_ROWS, d), number, *rows, *groups, prepared, order, SECTION, slots, None]


def log_density_arguments(family="full", kind="matrices", d=3, n_components=2):
    errors, number, values, _, *rest, _, section, _, _ = sweep_arguments(family, kind, d, n_components)
    outputs = guarded((N_ROWS,), "float64"), guarded((N_ROWS,), "int64"), guarded((N_ROWS, n_components), "float64")
    return [errors, number, values, *rest, section, (*outputs, True), None]


WRONG = [
    *(((PREPARED, at), wrong) for at in range(4) for wrong in WRONG_PARAMETERS),
    *(((SLOTS, at), wrong) for at in range(4) for wrong in WRONG_RESULTS),
    *(((ERRORS,), wrong) for wrong in WRONG_PARAMETERS if wrong not in ("the other float", "too narrow")),
]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("path", "wrong"), WRONG, ids=str)
def test_a_sweep_refuses_an_array_that_does_not_fit(family, kind, path, wrong):
    arguments = sweep_arguments(family.name, kind)
    with pytest.raises(REFUSALS):
        _kernels.uncertain_sweep(*replaced(arguments, path, WRONG_RESULTS[wrong](item_at(arguments, path))))
    assert not any(slot.any() for slot in arguments[SLOTS])


def test_matrices_do_not_go_with_variances():
    arguments = sweep_arguments("diag", "variances")
    with pytest.raises(ValueError, match="errors have the wrong shape"):
        _kernels.uncertain_sweep(drawn_errors("matrices", N_ROWS, 3), *arguments[1:])


@pytest.mark.parametrize("what", [PREPARED, SLOTS])
@pytest.mark.parametrize("change", WRONG_TUPLES)
def test_a_tuple_with_another_number_of_items_is_refused(family, what, change):
    arguments = sweep_arguments(family.name)
    with pytest.raises(REFUSALS):
        _kernels.uncertain_sweep(*replaced(arguments, (what,), change(arguments[what])))


@pytest.mark.parametrize("number", [-1, 3, 4, 2**31, None])
def test_a_family_without_a_kernel_is_refused(number):
    with pytest.raises(REFUSALS):
        _kernels.uncertain_sweep(*replaced(sweep_arguments(), (FAMILY,), number))
    with pytest.raises(REFUSALS):
        _kernels.uncertain_log_density(*replaced(log_density_arguments(), (FAMILY,), number))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("position", [-1, -(2**31), 200, 2**31 - 1])
def test_an_order_that_points_elsewhere_is_not_followed(family, kind, position):
    """The first row is visited instead."""
    found, expected = (
        replaced(sweep_arguments(family.name, kind), (ORDER,), np.full(50, row, np.int32)) for row in (position, 0)
    )
    _kernels.uncertain_sweep(*found)
    _kernels.uncertain_sweep(*expected)
    assert all(np.array_equal(one, other) for one, other in zip(found[SLOTS], expected[SLOTS], strict=True))
    assert all(map(guards_are_whole, found[SLOTS]))


@pytest.mark.parametrize("constant", [np.inf, -np.inf, np.nan, 0.0, -1.0, 1e-320, 1e300])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("at", [ERRORS, 0, 1, 2, 3])
def test_numbers_that_make_no_sense_are_no_crash(family, kind, at, constant):
    for make, kernel, results in (
        (sweep_arguments, _kernels.uncertain_sweep, SLOTS),
        (log_density_arguments, _kernels.uncertain_log_density, OUTPUTS),
    ):
        arguments = make(family.name, kind)
        prepared = arguments[PREPARED if make is sweep_arguments else PREPARED - 1]
        with np.errstate(over="ignore"):
            if at is ERRORS:
                arguments[ERRORS] = np.full(arguments[ERRORS].shape, constant)
            prepared[at][:] = constant
        kernel(*arguments)
        assert all(guards_are_whole(array) for array in arguments[results] if isinstance(array, np.ndarray))


def test_calls_with_another_number_of_arguments_are_refused():
    with pytest.raises(TypeError, match="twelve arguments"):
        _kernels.uncertain_sweep(*sweep_arguments()[:-1])
    with pytest.raises(TypeError, match="ten arguments"):
        _kernels.uncertain_log_density(*log_density_arguments()[:-1])
    for kernel in (_kernels.uncertain_sweep, _kernels.uncertain_log_density):
        with pytest.raises(TypeError, match="arguments"):
            kernel()


def check_instruction_set(instruction_set):
    from fastgmm.kernels import get_backend
    from tests.kernels import test_uncertain as tests

    assert instruction_set == _kernels.INSTRUCTION_SET
    for family in ("full", "tied", "diag", "spherical"):
        for d in (1, 2, 3, 4, 9):
            for kind in KINDS:
                for share in (0.0, 0.3):
                    problem = draw_problem(family, 45, d, 2, weighted=True)
                    tests.assert_are_of_the_oracle(get_backend("c"), problem, tests.rows_of(problem, kind, share=share))


@pytest.mark.parametrize("instruction_set", _kernels.INSTRUCTION_SETS)
def test_every_instruction_set_finds_the_moments_of_the_oracle(instruction_set):
    run_here(check_instruction_set, instruction_set)
