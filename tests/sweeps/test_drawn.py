"""Sweeps that draw a component for each row: by the responsibilities, and by nothing else than seed, pass and row."""

import math

import numpy as np
import pytest

from fastgmm.data.facts import Facts
from fastgmm.data.random_numbers import uniform_numbers
from fastgmm.kernels import get_backend
from fastgmm.rows import Rows
from fastgmm.sweeps.drawn import DrawnSweep, drawn
from fastgmm.sweeps.in_memory import evaluate
from fastgmm.sweeps.incomplete import suited_to_missing
from tests import naive
from tests.problems import TOLERANCE, draw_problem, same_bits

SHAPE = (400, 3, 4)


def sweep_of(problem, backend, seed, rows=None, n_threads=1):
    facts = Facts(problem.rows() if rows is None else rows)
    return DrawnSweep(suited_to_missing(facts, problem.family, backend, n_threads), seed)


def model_of(problem, dtype="float64"):
    return problem.family.model_of(problem.parameters, np.dtype(dtype))


def believing(problem, rng, dtype="float64", share=0.0):
    """Rows, with holes or without: of some one component is excluded, of some preferred, of some nothing is believed.

    One has no value at all, and one weighs nothing.
    """
    table = np.array([[-np.inf, 0.0, 0.0, 0.0], [0.0, 1.5, 0.0, -0.5]])
    groups = rng.integers(-1, 2, len(problem.values)).astype(np.int32)
    values, weights = problem.values.copy(), problem.weights.copy()
    weights[5] = 0.0
    values[rng.random(values.shape) < share] = np.nan
    values[7] = np.nan if share else values[7]
    priors = [table[group].tolist() if group >= 0 else [0.0] * 4 for group in groups]
    return Rows(values.astype(dtype), weights, None, groups, table, share > 0), priors


@pytest.mark.parametrize("share", [0.0, 0.3], ids=["complete", "holes"])
def test_the_likelihood_is_that_of_the_model_whatever_was_drawn(backend, family, dtype, share, rng):
    problem = draw_problem(family.name, *SHAPE, True)
    rows, priors = believing(problem, rng, dtype, share)
    (moments,) = sweep_of(problem, backend, 3, rows)([model_of(problem, dtype)])
    seen = [i for i, x in enumerate(rows.values) if not np.isnan(x).all() and rows.weights[i] > 0]
    joint = naive.joint_log_density_of_observed(problem.mixture, rows.values[seen].tolist(), [priors[i] for i in seen])
    expected = math.fsum(w * naive.log_sum_exp(own) for w, own in zip(rows.weights[seen], joint, strict=True))
    assert abs(moments.log_likelihood - expected) <= 10 * TOLERANCE[dtype] * abs(expected)
    assert moments.total_weight == pytest.approx(rows.weights[seen].sum(), rel=1e-6)


def test_labels_are_drawn_by_the_responsibilities_and_anew_in_every_pass(backend):
    problem, n_rows = draw_problem("full", 1, 3, 4), 20_000
    table = np.array([[0.0, 0.0, -np.inf, 0.0]])
    rows = Rows(np.repeat(problem.values, n_rows, axis=0), None, None, np.zeros(n_rows, np.int32), table)
    sweep, model = sweep_of(problem, backend, 0, rows), model_of(problem)
    counts = [sweep([model])[0].counts for _ in range(2)]
    shares = evaluate(rows.take(slice(1)), model.prepared, backend, 1, "responsibilities")[0]
    assert np.abs(counts[0] / n_rows - shares).max() < 0.02
    assert counts[0][2] == 0.0
    assert not np.array_equal(*counts)


@pytest.mark.parametrize("share", [0.0, 0.2], ids=["complete", "holes"])
def test_threads_change_no_bit(backend, family, share, rng):
    problem = draw_problem(family.name, 5000, 3, 4, True)
    rows, _ = believing(problem, rng, share=share)
    one, three = (sweep_of(problem, backend, 5, rows, n)([model_of(problem)])[0] for n in (1, 3))
    assert same_bits(one, three)


def test_a_row_is_drawn_by_its_place_among_all_rows_with_holes_or_without():
    problem = draw_problem("diag", *SHAPE)
    with_holes = problem.values.copy()
    with_holes[::3, 1] = np.nan
    labels = []
    for values in (problem.values, with_holes):
        sweep = sweep_of(problem, get_backend("numpy"), 1, Rows(values, has_missing=values is with_holes))
        sweep([model_of(problem)])
        labels.append(sweep._labels.copy())
    complete = np.arange(len(with_holes)) % 3 > 0
    assert np.array_equal(labels[0][complete], labels[1][complete])


def test_numbers_are_those_of_splitmix64():
    def mixed(number):
        number = (number ^ number >> 30) * 0xBF58476D1CE4E5B9 % 2**64
        number = (number ^ number >> 27) * 0x94D049BB133111EB % 2**64
        return number ^ number >> 31

    rows = np.array([0, 1, 12_345_678_901], np.uint64)
    for seed, number in [(0, 0), (7, 0), (7, 3), (2**32 - 1, 99)]:
        stream = mixed((mixed(seed) + number) % 2**64)
        expected = [(mixed((stream + (row + 1) * 0x9E3779B97F4A7C15) % 2**64) >> 12) / 2**52 for row in rows.tolist()]
        assert uniform_numbers(seed, number, rows).tolist() == expected


def test_numbers_are_uniform_and_unlike_those_of_the_next_pass():
    rows = np.arange(100_000, dtype=np.uint64)
    one, other = uniform_numbers(1, 0, rows), uniform_numbers(1, 1, rows)
    counts = np.histogram(one, 20, (0.0, 1.0))[0]
    assert (np.square(counts - 5000) / 5000).sum() < 50  # chi-square with 19 degrees of freedom, one in 10,000
    assert abs(np.corrcoef(one, other)[0, 1]) < 4 / math.sqrt(len(rows))


def test_a_share_of_0_is_never_drawn():
    table = np.array([[0.0, 0.3, 0.0, 0.7, 0.0]] * 3)
    assert drawn(table, np.array([0.0, 0.3 - 1e-9, 1.0 - 2.0**-52])).tolist() == [1, 1, 3]
