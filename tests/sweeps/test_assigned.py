"""Sweeps that assign rows to a single component: the moments are those of the labels, and so is the criterion."""

import math

import numpy as np
import pytest

from fastgmm.data.facts import Facts
from fastgmm.kernels import get_backend
from fastgmm.rows import Rows
from fastgmm.sweeps.assigned import AssignedSweep, Drawn, most_probable, uniform_numbers
from fastgmm.sweeps.in_memory import evaluate, make_sweep
from tests import naive
from tests.problems import TOLERANCE, assert_close, draw_problem, same_bits, with_both_triangles

SHAPE = (400, 3, 4)


def sweep_of(problem, backend, assign, rows=None, n_threads=1):
    facts = Facts(problem.rows() if rows is None else rows)
    return AssignedSweep(make_sweep(facts, problem.family, backend, n_threads), assign)


def believing(problem, rng, dtype="float64"):
    """The rows of a problem: of some one component is excluded, some prefer one, of some nothing is believed."""
    table = np.array([[-np.inf, 0.0, 0.0, 0.0], [0.0, 1.5, 0.0, -0.5]])
    groups = rng.integers(-1, 2, len(problem.values)).astype(np.int32)
    rows = problem.rows(dtype)
    priors = [table[group].tolist() if group >= 0 else [0.0] * 4 for group in groups]
    return Rows(rows.values, rows.weights, groups=groups, group_prior=table), priors


@pytest.mark.parametrize("weighted", [False, True], ids=["rows", "weighted rows"])
def test_hard_moments_and_criterion_are_those_of_the_most_probable_labels(backend, family, dtype, weighted, rng):
    problem = draw_problem(family.name, *SHAPE, weighted)
    rows, priors = believing(problem, rng, dtype)
    weights = np.ones(SHAPE[0]) if problem.weights is None else problem.weights
    moments = sweep_of(problem, backend, most_probable, rows).moments(problem.prepared(dtype))
    points, mixture = problem.values.tolist(), problem.mixture
    shares = naive.hard_shares(mixture, points, weights.tolist(), priors)
    counts, first, second = naive.sums_of_shares(family.name, mixture.means, points, shares)
    tolerance = 10 * TOLERANCE[dtype]
    assert_close(moments.counts, np.array(counts), tolerance)
    assert_close(moments.first, np.array(first), tolerance, float(weights.sum()))
    assert_close(with_both_triangles(moments, family).second, np.array(second), tolerance)
    criterion = naive.classification_likelihood(mixture, points, weights.tolist(), priors)
    assert abs(moments.log_likelihood - criterion) <= tolerance * (weights.sum() + abs(criterion))
    assert abs(moments.total_weight - weights.sum()) <= tolerance * weights.sum()


def test_it_has_settled_once_no_label_of_a_row_that_counts_changes(backend):
    problem = draw_problem("diag", *SHAPE)
    weights = np.ones(SHAPE[0])
    weights[::3] = 0.0
    sweep = sweep_of(problem, backend, most_probable, Rows(problem.values, weights))
    assert not sweep.has_settled
    settled = []
    for means in (problem.parameters.means, problem.parameters.means, problem.parameters.means[::-1].copy()):
        sweep.moments(problem.prepared()._replace(means=means))
        settled.append(sweep.has_settled)
    assert settled == [False, True, False]


def test_the_criterion_of_drawn_labels_is_the_likelihood(backend, family, dtype, rng):
    problem = draw_problem(family.name, *SHAPE, True)
    rows, priors = believing(problem, rng, dtype)
    moments = sweep_of(problem, backend, Drawn(3), rows).moments(problem.prepared(dtype))
    densities = naive.log_density(problem.mixture, problem.values.tolist(), priors)
    expected = float(problem.weights @ np.array(densities))
    assert abs(moments.log_likelihood - expected) <= 10 * TOLERANCE[dtype] * abs(expected)


def test_labels_are_drawn_by_the_responsibilities_and_anew_in_every_sweep(backend):
    problem = draw_problem("full", 1, 3, 4)
    rows = Rows(np.repeat(problem.values, 20_000, axis=0), None, None, np.zeros(20_000, np.int32), None)
    table = np.array([[0.0, 0.0, -np.inf, 0.0]])
    rows = Rows(rows.values, None, None, rows.groups, table)
    sweep = sweep_of(problem, backend, Drawn(0), rows)
    counts = [sweep.moments(problem.prepared()).counts for _ in range(2)]
    shares = evaluate(rows.take(slice(1)), problem.prepared(), backend, 1, "responsibilities")[0]
    assert np.abs(counts[0] / 20_000 - shares).max() < 0.02
    assert counts[0][2] == 0.0
    assert not np.array_equal(*counts)


@pytest.mark.parametrize("assign", [most_probable, Drawn(5)], ids=["hard", "drawn"])
def test_threads_change_no_bit(backend, family, assign):
    problem = draw_problem(family.name, 9000, 3, 4)
    one, three = (sweep_of(problem, backend, assign, n_threads=n).moments(problem.prepared()) for n in (1, 3))
    assert same_bits(one, three)


def test_draws_are_those_of_splitmix64():
    def mixed(number):
        number = (number ^ number >> 30) * 0xBF58476D1CE4E5B9 % 2**64
        number = (number ^ number >> 27) * 0x94D049BB133111EB % 2**64
        return number ^ number >> 31

    rows = np.array([0, 1, 12_345_678_901], np.uint64)
    for seed, number in [(0, 0), (7, 0), (7, 3), (2**32 - 1, 99)]:
        stream = mixed((mixed(seed) + number) % 2**64)
        expected = [(mixed((stream + (row + 1) * 0x9E3779B97F4A7C15) % 2**64) >> 12) / 2**52 for row in rows.tolist()]
        assert uniform_numbers(seed, number, rows).tolist() == expected


def test_draws_are_uniform_and_unlike_those_of_the_next_sweep():
    rows = np.arange(100_000, dtype=np.uint64)
    one, other = uniform_numbers(1, 0, rows), uniform_numbers(1, 1, rows)
    counts = np.histogram(one, 20, (0.0, 1.0))[0]
    assert (np.square(counts - 5000) / 5000).sum() < 50  # chi-square with 19 degrees of freedom, one in 10,000
    assert abs(np.corrcoef(one, other)[0, 1]) < 4 / math.sqrt(len(rows))


def test_a_row_whose_component_is_certain_is_never_given_to_another():
    """The largest number drawn lies below the sum of all responsibilities, whatever rounding made of it."""
    problem = draw_problem("spherical", 5000, 3, 4)
    table = np.where(np.eye(4, dtype=bool), 0.0, -np.inf)
    labels = np.arange(5000, dtype=np.int32) % 4
    rows = Rows(problem.values, None, None, labels, table)
    moments = sweep_of(problem, get_backend("numpy"), Drawn(1), rows).moments(problem.prepared())
    assert moments.counts.tolist() == [1250.0] * 4
