"""``Backend.uncertain``: rows of known errors."""

from dataclasses import replace

import numpy as np
import pytest

from fastgmm.families.uncertain import moments_of_true_values, prepare_uncertain
from fastgmm.kernels.backend import Backend
from fastgmm.kernels.contract import Outputs, Section
from fastgmm.kernels.uncertain import UncertainSlots
from fastgmm.rows import Rows
from tests import naive, naive_of_errors
from tests.problems import Problem, assert_close, draw_problem

# (rows, features, components).
SHAPES = [(1, 2, 1), (40, 1, 2), (70, 3, 2), (33, 5, 3)]
KINDS = ["variances", "matrices"]


def drawn_errors(kind: str, n_rows: int, d: int) -> np.ndarray:
    """Numbers of float32, some of them 0; matrices some of which are singular."""
    rng = np.random.default_rng([7, n_rows, d])
    if kind == "variances":
        return np.where(rng.random((n_rows, d)) < 0.2, 0.0, rng.uniform(0.1, 2.0, (n_rows, d))).astype(np.float32)
    roots = np.round(rng.normal(size=(n_rows, d, d)) * 8) / 8
    roots[::3, :, 0] = 0.0
    return (roots @ np.swapaxes(roots, 1, 2)).astype(np.float32)


def as_matrices(errors: np.ndarray) -> np.ndarray:
    return errors if errors.ndim == 3 else errors[:, :, np.newaxis] * np.eye(errors.shape[1])


def rows_of(problem: Problem, kind: str, dtype: str = "float64", share: float = 0.0) -> Rows:
    """The problem's rows, with errors and a share of the values missing, of the last row all."""
    values = problem.values.astype(dtype)
    errors = drawn_errors(kind, *values.shape).astype(dtype)
    if share:
        missing = np.random.default_rng(3).random(values.shape) < share
        missing[-1] = len(values) > 1
        values[missing] = np.nan
        errors[missing if kind == "variances" else missing[:, :, None] | missing[:, None, :]] = 0.0
    return Rows(values, problem.weights, has_missing=share > 0, errors=errors)


def sweep(
    backend: Backend,
    problem: Problem,
    rows: Rows,
    section: Section,
    n_threads: int = 1,
    order: np.ndarray | None = None,
) -> tuple[UncertainSlots, object]:
    prepared = prepare_uncertain(problem.family, problem.parameters, rows.errors.ndim == 3)
    n_components, d = prepared.means.shape
    slots = UncertainSlots(
        counts=np.zeros((section.n_chunks, n_components)),
        first=np.zeros((section.n_chunks, n_components, d)),
        second=np.zeros((section.n_chunks, *prepared.covariances.shape)),
        totals=np.zeros((section.n_chunks, 2)),
    )
    backend.uncertain.sweep(rows, prepared, order, section, slots, n_threads)
    return slots, prepared


def whole(n_rows: int) -> Section:
    return Section(1, 512, 32, 0, n_rows)


def assert_are_of_the_oracle(
    backend: Backend, problem: Problem, rows: Rows, priors: list | None = None, order: np.ndarray | None = None
) -> None:
    slots, prepared = sweep(backend, problem, rows, whole(len(rows.values)), order=order)
    rows = rows if order is None else rows.take(order)
    weights = None if rows.weights is None else rows.weights.tolist()
    errors = as_matrices(rows.errors.astype(float)).tolist()
    points = rows.points().astype(float).tolist()
    expected = naive_of_errors.moments(problem.mixture, points, errors, weights, priors)
    counts, first, second, totals = (slot[0] for slot in slots)
    first, second = moments_of_true_values(problem.family, prepared, counts, first, second)
    scale = max(1.0, float(np.abs(expected.second).max()))
    assert_close(counts, np.array(expected.counts), 1e-11, expected.total_weight)
    assert_close(first, np.array(expected.first), 1e-11, scale)
    assert_close(second, np.array(expected.second), 1e-11, scale)
    sums = [expected.total_weight, expected.log_likelihood]
    assert_close(totals, np.array(sums), 1e-11, max(map(abs, sums)))


@pytest.mark.parametrize("share", [0.0, 0.4], ids=["whole", "holes"])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_a_sweep_collects_the_moments_of_the_oracle(backend, family, dtype, shape, kind, share):
    problem = draw_problem(family.name, *shape, weighted=share > 0)
    assert_are_of_the_oracle(backend, problem, rows_of(problem, kind, dtype, share))


@pytest.mark.parametrize("kind", KINDS)
def test_values_and_errors_may_be_of_other_precision(backend, family, kind):
    problem = draw_problem(family.name, 40, 3, 2)
    rows = rows_of(problem, kind, "float32")
    assert_are_of_the_oracle(backend, problem, Rows(rows.values, errors=rows.errors.astype(np.float64)))


@pytest.mark.parametrize("kind", KINDS)
def test_beliefs_and_an_origin_count(backend, family, kind):
    problem = draw_problem(family.name, 40, 3, 2)
    prior = np.log([[0.2, 0.8], [1.0, 3.0], [0.5, 1e-3]])
    groups = (np.arange(40) % 3).astype(np.int32)
    origin = np.array([1.0, -2.0, 0.5])
    plain = rows_of(problem, kind, share=0.3)
    rows = Rows(plain.values + origin, None, origin, groups, prior, has_missing=True, errors=plain.errors)
    assert_are_of_the_oracle(backend, problem, rows, prior[groups].tolist())


@pytest.mark.parametrize("kind", KINDS)
def test_only_the_rows_of_the_order_count(backend, family, kind):
    problem = draw_problem(family.name, 70, 3, 2, weighted=True)
    order = np.random.default_rng(0).permutation(70)[:40].astype(np.int32)
    assert_are_of_the_oracle(backend, problem, rows_of(problem, kind, share=0.2), order=order)


def test_a_row_of_weight_0_may_hold_anything(backend, family):
    problem = draw_problem(family.name, 40, 3, 2, weighted=True)
    rows = rows_of(problem, "variances")
    weights = rows.weights.copy()
    weights[[3, 39]] = 0.0
    values = rows.values.copy()
    values[3], values[39] = np.inf, np.nan
    slots, _ = sweep(backend, problem, Rows(values, weights, errors=rows.errors), whole(40))
    others, _ = sweep(backend, problem, Rows(rows.values, weights, errors=rows.errors), whole(40))
    assert all(np.array_equal(one, other) for one, other in zip(slots, others, strict=True))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("n_threads", [2, 3])
def test_any_number_of_threads_fills_the_slots_with_the_same_bits(backend, family, kind, n_threads):
    problem = draw_problem(family.name, 200, 3, 2, weighted=True)
    rows, section = rows_of(problem, kind, share=0.2), Section(4, 64, 32, 0, 64)
    alone, together = (sweep(backend, problem, rows, section, threads)[0] for threads in (1, n_threads))
    assert all(np.array_equal(one, other) for one, other in zip(alone, together, strict=True))


def log_densities(backend: Backend, problem: Problem, rows: Rows, exponent: float = 1.0) -> Outputs:
    n_rows, n_components = len(rows.values), len(problem.parameters.weights)
    dtype = rows.values.dtype
    outputs = Outputs(
        np.empty(n_rows, dtype), np.empty(n_rows, np.int64), np.empty((n_rows, n_components), dtype), False
    )
    prepared = prepare_uncertain(problem.family, problem.parameters, rows.errors.ndim == 3, exponent)
    backend.uncertain.log_density(rows, prepared, whole(n_rows), outputs, 1)
    return outputs


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("exponent", [1.0, 0.5])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_log_densities_are_those_of_the_oracle(backend, family, shape, kind, exponent):
    problem = draw_problem(family.name, *shape)
    rows = rows_of(problem, kind, share=0.3)
    found = log_densities(backend, problem, rows, exponent)
    errors = as_matrices(rows.errors).tolist()
    joint = naive_of_errors.joint_log_density(problem.mixture, rows.values.tolist(), errors, exponent=exponent)
    assert_close(found.joint, np.array(joint), 1e-11, max(1.0, float(np.abs(joint).max())))
    assert np.array_equal(found.labels, found.joint.argmax(axis=1))
    expected = np.array([naive.log_sum_exp(values) for values in joint])
    assert_close(found.log_density, expected, 1e-11, max(1.0, float(np.abs(expected).max())))


@pytest.mark.parametrize("kind", KINDS)
def test_a_row_has_the_same_bits_alone(backend, family, kind):
    problem = draw_problem(family.name, 60, 4, 3)
    rows = rows_of(problem, kind, share=0.2)
    together = log_densities(backend, problem, rows)
    for at in (0, 17, 59):
        alone = log_densities(backend, problem, rows.take(np.array([at])))
        assert np.array_equal(alone.joint[0], together.joint[at])
        assert alone.log_density[0] == together.log_density[at]


@pytest.mark.parametrize("unit", [1e-150, 1e150])
def test_determinants_of_any_unit_neither_overflow_nor_vanish(backend, family, unit):
    problem = draw_problem(family.name, 20, 5, 2)
    rows = rows_of(problem, "variances")
    own = problem.parameters
    scaled = replace(problem, parameters=replace(own, means=own.means * unit, covariances=own.covariances * unit**2))
    found = log_densities(backend, scaled, Rows(rows.values * unit, errors=rows.errors * unit**2))
    expected = log_densities(backend, problem, rows).log_density - 5 * np.log(unit)
    assert_close(found.log_density, expected, 1e-12)
