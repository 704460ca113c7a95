"""Numba's kernels of rows with holes against those of NumPy, which are the meaning."""

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("numba")

from fastgmm.families import FAMILIES
from fastgmm.kernels import get_backend
from fastgmm.kernels.contract import Outputs, Section
from fastgmm.kernels.incomplete import IncompleteSlots
from fastgmm.rows import Rows
from tests.kernels.test_sweep import empty_slots
from tests.problems import assert_close, draw_problem, same_bits

# (rows, features, components): fewer components than a vector has lanes, and more; features that fill no panel.
SHAPES = [(30, 1, 1), (60, 5, 3), (40, 9, 11)]
SECTION = Section(n_chunks=2, chunk_rows=64, tile_rows=32, start=0, stop=64)


@pytest.fixture(autouse=True)
def _silent_overflow():
    # With NUMBA_DISABLE_JIT=1 kernels run on NumPy, which would warn.
    with np.errstate(all="ignore"):
        yield


def draw(family, shape, dtype="float64", grouped=False):
    """Rows of single patterns and runs of one, a row without any value, weights of 0; an order that leaves some out."""
    n_rows, n_features, n_components = shape
    problem, rng = draw_problem(family, *shape, weighted=True), np.random.default_rng(5)
    values = (np.round(problem.values * 64) / 64).astype(dtype)  # exact, when counted from the origin
    values[rng.random(values.shape) < 0.4] = np.nan
    values[3:20] = np.where(np.isnan(values[3]), np.nan, np.nan_to_num(values[3:20]))
    values[21] = np.nan
    weights = np.where(np.arange(n_rows) % 7 == 0, 0.0, problem.weights)
    rows = Rows(values, weights, np.full(n_features, 0.25), has_missing=True)
    if grouped:
        table = np.where(rng.random((3, n_components)) < 0.5, -np.inf, -0.5)
        table[:, 0] = 0.0
        rows = replace(rows, groups=rng.integers(-1, 4, n_rows).astype(np.int32), group_prior=table)
    return problem, rows, np.lexsort(np.isnan(values).T).astype(np.int32)[:-3]


def sweep(backend, problem, rows, order, sections=(SECTION,), n_threads=1, exponent=1.0):
    counts, first, second, totals = empty_slots(problem, SECTION.n_chunks)
    of_variances = not problem.family.has_matrices
    second = np.zeros(first.shape) if of_variances else second
    slots = IncompleteSlots(counts, first, second, totals, np.zeros(first.shape if of_variances else 0))
    prepared = problem.family.prepare_incomplete(problem.parameters, exponent)
    for section in sections:
        get_backend(backend).incomplete.sweep(rows, prepared, order, section, slots, n_threads)
    return slots if of_variances else slots._replace(second=np.tril(slots.second))


def score(backend, problem, rows, order, normalize=False):
    shape, dtype = (len(rows.values), problem.parameters.n_components), rows.values.dtype
    outputs = Outputs(np.zeros(shape[0], dtype), np.zeros(shape[0], np.int64), np.zeros(shape, dtype), normalize)
    prepared = problem.family.prepare_incomplete(problem.parameters)
    get_backend(backend).incomplete.log_density(rows, prepared, order, SECTION, outputs, 1)
    return outputs


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize(("grouped", "exponent"), [(False, 1.0), (True, 0.5)])
def test_sums_are_those_of_numpy(family, dtype, shape, grouped, exponent):
    problem, rows, order = draw(family.name, shape, dtype, grouped)
    found, expected = (sweep(name, problem, rows, order, exponent=exponent) for name in ("numba", "numpy"))
    for one, other in zip(found, expected, strict=True):
        assert_close(one, other, 1e-12)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("normalize", [False, True])
def test_outputs_are_those_of_numpy(family, dtype, shape, normalize):
    problem, rows, order = draw(family.name, shape, dtype, grouped=normalize)
    found, expected = (score(name, problem, rows, order, normalize) for name in ("numba", "numpy"))
    assert_close(found.log_density, expected.log_density, 1e-12 if dtype == "float64" else 1e-6)
    assert_close(found.joint, expected.joint, 1e-12 if dtype == "float64" else 1e-6)
    assert np.array_equal(found.labels, expected.labels)


@pytest.mark.parametrize("kind", ["full", "tied", "diag"])
def test_a_row_has_the_same_bits_whatever_stands_next_to_it(kind):
    """Alone, in a run of its pattern, and after another pattern with which it shares the beginning of its factor."""
    problem, rows, order = draw(kind, (60, 9, 5))
    in_runs, mixed = (
        score("numba", problem, rows, some) for some in (order, np.random.default_rng(1).permutation(order))
    )
    assert all(map(np.array_equal, in_runs[:3], mixed[:3]))
    for row in order[:20]:
        alone = score("numba", problem, rows, order[order == row])
        assert all(np.array_equal(one[row], other[row]) for one, other in zip(in_runs[:3], alone[:3], strict=True))


@pytest.mark.parametrize("kind", ["full", "tied", "diag"])
def test_sections_and_threads_change_no_bit(kind):
    problem, rows, order = draw(kind, (110, 5, 3))
    at_once = sweep("numba", problem, rows, order)
    cut = [SECTION._replace(stop=32), SECTION._replace(start=32)]
    assert same_bits(at_once, sweep("numba", problem, rows, order, cut))
    assert same_bits(at_once, sweep("numba", problem, rows, order, n_threads=2))


def test_a_covariance_without_a_factor_spoils_no_other_component():
    problem, rows, order = draw("full", (60, 3, 3))
    covariances = problem.parameters.covariances.copy()
    covariances[1] = np.ones((3, 3)) - 2 * np.eye(3)
    broken = replace(problem, parameters=replace(problem.parameters, covariances=covariances))
    order = order[np.isfinite(rows.values[order]).any(axis=1)]
    slots = sweep("numba", broken, rows, order)
    assert not slots.counts[:, 1].any()
    assert all(np.isfinite(field).all() for field in slots)


@pytest.mark.parametrize("grouped", [False, True])
def test_an_order_of_complete_rows_is_as_if_they_stood_so(grouped):
    for family in FAMILIES.values():
        problem = draw_problem(family.name, 150, 6, 4, weighted=True)
        rows = problem.rows("float64")
        if grouped:
            with np.errstate(divide="ignore"):
                table = np.log(np.eye(4))
            rows = replace(rows, groups=(np.arange(150) % 6 - 1).astype(np.int32), group_prior=table)
        order = np.random.default_rng(1).permutation(150)[:120].astype(np.int32)
        one, other = empty_slots(problem, 2), empty_slots(problem, 2)
        get_backend("numba").sweep(rows, problem.prepared("float64"), SECTION, one, 1, order)
        get_backend("numba").sweep(rows.take(order), problem.prepared("float64"), SECTION, other, 1)
        assert same_bits(one, other)
