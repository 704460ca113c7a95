"""Arguments of the C kernels of rows with holes that do not fit: each is refused, never believed."""

import numpy as np
import pytest

from fastgmm.kernels import available_backends
from tests.kernels.c_arguments import (
    INCOMPLETE_LOG_DENSITY,
    REFUSALS,
    SLOTS,
    SWEEP,
    guards_are_whole,
    incomplete_log_density_arguments,
    incomplete_sweep_arguments,
    item_at,
    replaced,
    sweep_arguments,
)
from tests.kernels.test_c_refusals import WRONG_PARAMETERS, WRONG_RESULTS, WRONG_TUPLES

if available_backends()["c"] != "available":
    pytest.skip(f"the C backend: {available_backends()['c']}", allow_module_level=True)

from fastgmm.kernels.c import _kernels

WRONG = [
    *(((SWEEP["prepared"], at), wrong) for at in range(3) for wrong in WRONG_PARAMETERS),
    *(((SLOTS, at), wrong) for at in range(4) for wrong in WRONG_RESULTS),
    *(((SWEEP["order"],), wrong) for wrong in WRONG_PARAMETERS if wrong not in ("int32", "too short", "too narrow")),
]


@pytest.mark.parametrize(("path", "wrong"), WRONG, ids=str)
def test_a_sweep_refuses_an_array_that_does_not_fit(family, path, wrong):
    arguments = incomplete_sweep_arguments(family.name)
    with pytest.raises(REFUSALS):
        _kernels.incomplete_sweep(*replaced(arguments, path, WRONG_RESULTS[wrong](item_at(arguments, path))))
    assert not any(slot.any() for slot in arguments[SLOTS])


@pytest.mark.parametrize("wrong", WRONG_RESULTS)
@pytest.mark.parametrize("family_of_variances", ["diag", "spherical"])
def test_counts_of_features_must_fit(family_of_variances, wrong):
    arguments = incomplete_sweep_arguments(family_of_variances)
    path = (SLOTS, 4)
    with pytest.raises(REFUSALS):
        _kernels.incomplete_sweep(*replaced(arguments, path, WRONG_RESULTS[wrong](item_at(arguments, path))))


@pytest.mark.parametrize("what", ["prepared", "slots"])
@pytest.mark.parametrize("change", WRONG_TUPLES)
def test_a_tuple_with_another_number_of_items_is_refused(family, what, change):
    arguments, at = incomplete_sweep_arguments(family.name), SWEEP[what]
    with pytest.raises(REFUSALS):
        _kernels.incomplete_sweep(*replaced(arguments, (at,), change(arguments[at])))


@pytest.mark.parametrize("number", [-1, 3, 4, 2**31, None])
def test_a_family_without_a_kernel_is_refused(number):
    with pytest.raises(REFUSALS):
        _kernels.incomplete_sweep(*replaced(incomplete_sweep_arguments(), (0,), number))
    with pytest.raises(REFUSALS):
        _kernels.incomplete_log_density(*replaced(incomplete_log_density_arguments(), (0,), number))


@pytest.mark.parametrize("wrong", WRONG_PARAMETERS)
@pytest.mark.parametrize("family_of_matrices", ["full", "tied"])
def test_factors_must_fit(family_of_matrices, wrong):
    arguments, path = incomplete_sweep_arguments(family_of_matrices), (SWEEP["prepared"], 3)
    with pytest.raises(REFUSALS):
        _kernels.incomplete_sweep(*replaced(arguments, path, WRONG_PARAMETERS[wrong](item_at(arguments, path))))
    assert not any(slot.any() for slot in arguments[SLOTS])


def test_an_exponent_that_is_no_number_is_refused(family):
    with pytest.raises(TypeError):
        _kernels.incomplete_sweep(*replaced(incomplete_sweep_arguments(family.name), (SWEEP["prepared"], -1), "1"))


@pytest.mark.parametrize("position", [-1, -(2**31), 200, 2**31 - 1])
def test_an_order_that_points_elsewhere_is_not_followed(family, position):
    """The first row is visited instead."""
    for kernel, make, at, results in (
        (_kernels.incomplete_sweep, incomplete_sweep_arguments, SWEEP["order"], SLOTS),
        (
            _kernels.incomplete_log_density,
            incomplete_log_density_arguments,
            INCOMPLETE_LOG_DENSITY["order"],
            INCOMPLETE_LOG_DENSITY["outputs"],
        ),
        (_kernels.sweep, sweep_arguments, SWEEP["order"], SLOTS),
    ):
        found, expected = (replaced(make(family.name), (at,), np.full(50, row, np.int32)) for row in (position, 0))
        kernel(*found)
        kernel(*expected)
        for one, other in zip(found[results], expected[results], strict=True):
            assert np.array_equal(one, other)
            assert not isinstance(one, np.ndarray) or guards_are_whole(one)


@pytest.mark.parametrize("constant", [np.inf, -np.inf, np.nan, 0.0, -1.0, 1e-320, 1e300])
@pytest.mark.parametrize("at", [0, 1, 2, -2])
def test_parameters_that_make_no_sense_are_no_crash(family, at, constant):
    arguments = incomplete_sweep_arguments(family.name)
    arguments[SWEEP["prepared"]][at][:] = constant
    _kernels.incomplete_sweep(*arguments)
    assert all(guards_are_whole(slot) for slot in arguments[SLOTS])


def test_calls_with_another_number_of_arguments_are_refused():
    with pytest.raises(TypeError, match="eleven arguments"):
        _kernels.incomplete_sweep(*incomplete_sweep_arguments()[:-1])
    with pytest.raises(TypeError, match="ten arguments"):
        _kernels.incomplete_log_density(*incomplete_log_density_arguments()[:-1])
