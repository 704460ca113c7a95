"""``Moments``: sums over rows, which may be taken in parts."""

import functools

import numpy as np
import pytest

from fastgmm.moments import Moments
from fastgmm.rows import Rows
from fastgmm.sweeps.in_memory import make_sweep
from tests.problems import assert_close_moments, draw_problem, oracle_moments, with_both_triangles


def moments_of(backend, problem, rows) -> Moments:
    return with_both_triangles(make_sweep(rows, problem.family, backend, 1)(problem.prepared()), problem.family)


def test_of_all_rows_they_are_those_of_the_oracle(backend, family):
    problem = draw_problem(family.name, 257, 5, 3, weighted=True)
    assert_close_moments(moments_of(backend, problem, problem.rows()), oracle_moments(problem), 1e-12)


@pytest.mark.parametrize("cuts", [[1], [100], [256], [7, 8], [50, 100, 200]], ids=str)
def test_those_of_parts_add_up_to_those_of_the_whole(backend, family, cuts):
    problem = draw_problem(family.name, 257, 5, 3, weighted=True)
    parts = [
        moments_of(backend, problem, Rows(values, weights))
        for values, weights in zip(np.split(problem.values, cuts), np.split(problem.weights, cuts), strict=True)
    ]
    assert_close_moments(functools.reduce(Moments.__add__, parts), oracle_moments(problem), 1e-12)


def test_the_order_of_two_parts_does_not_matter(backend, family):
    problem = draw_problem(family.name, 257, 5, 3)
    one, other = (moments_of(backend, problem, Rows(part)) for part in np.split(problem.values, [100]))
    assert_close_moments(one + other, other + one, 0.0)


def test_adding_leaves_both_parts_as_they_were(backend, family):
    problem = draw_problem(family.name, 7, 2, 3)
    part = moments_of(backend, problem, problem.rows())
    counts = part.counts.copy()
    total = part + part
    assert np.array_equal(part.counts, counts)
    assert np.array_equal(total.counts, 2 * counts)


def test_their_size_does_not_depend_on_the_rows(backend, family):
    few, many = (
        moments_of(backend, problem, problem.rows())
        for problem in (draw_problem(family.name, n_rows, 2, 3) for n_rows in (7, 600))
    )
    assert few.first.shape == many.first.shape == (3, 2)
    assert few.second.shape == many.second.shape


def test_they_are_float64_whatever_comes_in(backend, family, dtype):
    problem = draw_problem(family.name, 7, 2, 3)
    moments = make_sweep(problem.rows(dtype), family, backend, 1)(problem.prepared(dtype))
    assert {moments.counts.dtype, moments.first.dtype, moments.second.dtype} == {np.dtype(np.float64)}
