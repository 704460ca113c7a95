"""Tempered models: joint densities raised to a power."""

import numpy as np
import pytest

from fastgmm.families.tempering import tempered
from fastgmm.sweeps.in_memory import evaluate
from tests.problems import TOLERANCE, assert_close, draw_problem, oracle_joint


@pytest.mark.parametrize("exponent", [0.1, 0.7, 1.0])
def test_joint_log_densities_are_multiplied_by_the_exponent(backend, family, dtype, exponent):
    problem = draw_problem(family.name, 60, 5, 3)
    prepared = tempered(problem.prepared(dtype), exponent)
    joint = evaluate(problem.rows(dtype), prepared, backend, 1, "joint")
    assert_close(joint, exponent * oracle_joint(problem), 10 * TOLERANCE[dtype])
    assert prepared.means.dtype == np.float64
    assert {array.dtype for array in prepared} == {array.dtype for array in problem.prepared(dtype)}
