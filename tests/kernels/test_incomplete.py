"""``Backend.incomplete``: rows that lack some of their values."""

import numpy as np
import pytest

from fastgmm.kernels.backend import Backend
from fastgmm.kernels.contract import Outputs, Section
from fastgmm.kernels.incomplete import IncompleteSlots
from fastgmm.rows import Rows
from tests import naive
from tests.problems import Problem, assert_close, draw_problem

# (rows, features, components).
SHAPES = [(1, 2, 1), (40, 1, 2), (70, 3, 2), (33, 5, 3), (20, 9, 2)]


def with_holes(problem: Problem, dtype: str = "float64", share: float = 0.4) -> tuple[Rows, np.ndarray]:
    """The problem's rows with values missing at random, one of them with none at all, and an order by pattern."""
    rng = np.random.default_rng(3)
    values = problem.values.astype(dtype)
    values[rng.random(values.shape) < share] = np.nan
    values[-1] = np.nan if len(values) > 1 else values[-1]
    order = np.lexsort(np.isnan(values).T).astype(np.int32)
    return Rows(values, problem.weights, has_missing=True), order


def empty_slots(problem: Problem, n_chunks: int) -> IncompleteSlots:
    n_components, n_features = problem.parameters.means.shape
    is_direct = problem.family.name in ("diag", "spherical")
    second = {"full": (n_components, n_features, n_features), "tied": (n_features, n_features)}
    shape = second.get(problem.family.name, (n_components, n_features))
    return IncompleteSlots(
        counts=np.zeros((n_chunks, n_components)),
        first=np.zeros((n_chunks, n_components, n_features)),
        second=np.zeros((n_chunks, *shape)),
        totals=np.zeros((n_chunks, 2)),
        observed=np.zeros((n_chunks if is_direct else 0, n_components, n_features)),
    )


def sweep(
    backend: Backend, problem: Problem, rows: Rows, order: np.ndarray, section: Section, n_threads: int = 1
) -> IncompleteSlots:
    slots = empty_slots(problem, section.n_chunks)
    prepared = problem.prepared_incomplete()
    backend.incomplete.sweep(rows, prepared, order, section, slots, n_threads)
    return slots


def whole(n_rows: int) -> Section:
    return Section(1, 512, 32, 0, n_rows)


def assert_are_of_the_oracle(slots: IncompleteSlots, problem: Problem, rows: Rows, priors: list | None = None) -> None:
    weights = None if rows.weights is None else rows.weights.tolist()
    expected = naive.moments_of_observed(problem.mixture, rows.points().astype(float).tolist(), weights, priors)
    scale = max(1.0, float(np.abs(expected.second).max()))
    second = slots.second[0]
    if problem.family.has_matrices:
        second = np.tril(second) + np.swapaxes(np.tril(second, -1), -1, -2)
    assert_close(slots.counts[0], np.array(expected.counts), 1e-11, expected.total_weight)
    assert_close(slots.first[0], np.array(expected.first), 1e-11, scale)
    assert_close(second, np.array(expected.second), 1e-11, scale)
    totals = [expected.total_weight, expected.log_likelihood]
    assert_close(slots.totals[0], np.array(totals), 1e-11, max(map(abs, totals)))
    if expected.observed is not None:
        assert_close(slots.observed[0], np.array(expected.observed), 1e-11, expected.total_weight)


@pytest.mark.parametrize("weighted", [False, True], ids=["unweighted", "weighted"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_a_sweep_collects_the_moments_of_the_oracle(backend, family, dtype, shape, weighted):
    problem = draw_problem(family.name, *shape, weighted=weighted)
    rows, order = with_holes(problem, dtype)
    assert_are_of_the_oracle(sweep(backend, problem, rows, order, whole(len(order))), problem, rows)


def test_beliefs_and_an_origin_count(backend, family):
    problem = draw_problem(family.name, 40, 3, 2)
    holes, order = with_holes(problem)
    prior = np.log([[0.2, 0.8], [1.0, 3.0], [0.5, 1e-3]])
    groups = (np.arange(40) % 3).astype(np.int32)
    origin = np.array([1.0, -2.0, 0.5])
    rows = Rows(holes.values + origin, None, origin, groups, prior, has_missing=True)
    assert_are_of_the_oracle(sweep(backend, problem, rows, order, whole(40)), problem, rows, prior[groups].tolist())


def test_only_the_rows_of_the_order_count(backend, family):
    problem = draw_problem(family.name, 70, 3, 2, weighted=True)
    rows, order = with_holes(problem)
    some = order[::2].copy()
    assert_are_of_the_oracle(sweep(backend, problem, rows, some, whole(len(some))), problem, rows.take(some))


@pytest.mark.parametrize("n_threads", [2, 3])
def test_any_number_of_threads_fills_the_slots_with_the_same_bits(backend, family, n_threads):
    problem = draw_problem(family.name, 200, 3, 2, weighted=True)
    rows, order = with_holes(problem)
    section = Section(4, 64, 32, 0, 64)
    alone, together = (sweep(backend, problem, rows, order, section, threads) for threads in (1, n_threads))
    assert all(np.array_equal(one, other) for one, other in zip(alone, together, strict=True))


def log_densities(backend: Backend, problem: Problem, rows: Rows, order: np.ndarray, exponent: float) -> Outputs:
    n_rows, n_components = len(rows.values), len(problem.parameters.weights)
    dtype = rows.values.dtype
    outputs = Outputs(
        np.full(n_rows, 7, dtype), np.full(n_rows, 7), np.full((n_rows, n_components), 7, dtype), normalize=False
    )
    prepared = problem.prepared_incomplete(exponent)
    backend.incomplete.log_density(rows, prepared, order, whole(len(order)), outputs, 1)
    return outputs


@pytest.mark.parametrize("exponent", [1.0, 0.5])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_log_densities_are_those_of_the_oracle_in_the_places_of_the_rows(backend, family, shape, exponent):
    problem = draw_problem(family.name, *shape)
    rows, order = with_holes(problem)
    found = log_densities(backend, problem, rows, order, exponent)
    joint = np.array(naive.joint_log_density_of_observed(problem.mixture, rows.values.tolist(), exponent=exponent))
    assert_close(found.joint, joint, 1e-11, max(1.0, float(np.abs(joint).max())))
    assert np.array_equal(found.labels, found.joint.argmax(axis=1))
    expected = np.array([naive.log_sum_exp(values) for values in joint.tolist()])
    assert_close(found.log_density, expected, 1e-11, max(1.0, float(np.abs(expected).max())))


def test_rows_outside_the_order_keep_what_their_places_held(backend, family):
    problem = draw_problem(family.name, 20, 3, 2)
    rows, order = with_holes(problem)
    found = log_densities(backend, problem, rows, order[:5].copy(), 1.0)
    others = np.setdiff1d(order, order[:5])
    assert (found.log_density[others] == 7).all()
    assert (found.joint[others] == 7).all()


def test_a_row_has_the_same_bits_alone(backend, family):
    problem = draw_problem(family.name, 60, 4, 3)
    rows, order = with_holes(problem)
    together = log_densities(backend, problem, rows, order, 1.0)
    for place in order[::7]:
        alone = log_densities(backend, problem, rows, np.array([place], np.int32), 1.0)
        assert np.array_equal(alone.joint[place], together.joint[place])
        assert alone.log_density[place] == together.log_density[place]
