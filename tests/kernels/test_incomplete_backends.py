"""Rows with holes: every backend's kernels against those of NumPy, which are the meaning."""

import dataclasses

import numpy as np
import pytest

from fastgmm.kernels import get_backend
from fastgmm.kernels.contract import Outputs, Section
from fastgmm.kernels.incomplete import IncompleteSlots
from fastgmm.rows import Rows
from tests.kernels.test_sweep import empty_slots, whole
from tests.problems import TOLERANCE, assert_close, draw_problem, same_bits

# One feature; components that fill a register and such as do not; tiles that are not full; wide rows.
SHAPES = [(40, 1, 1), (300, 5, 3), (150, 8, 8), (70, 17, 13), (40, 33, 5)]
N_CHUNKS = 3


def draw(family, shape, weighted=False, grouped=False, dtype="float64", share=0.3):
    """Rows in which values are missing here and there, and in every seventh row all of them; some of them in order."""
    problem = draw_problem(family.name, *shape, weighted=weighted)
    rng = np.random.default_rng(shape)
    n_rows, n_features, n_components = shape
    complete = np.round(problem.values * 1024) / 1024  # in float32, too, differences from the origin are exact
    values = np.where(rng.uniform(size=(n_rows, n_features)) < share, np.nan, complete).astype(dtype)
    values[::7] = np.nan
    values[1::3] = np.where(np.isnan(values[1]), np.nan, complete[1::3])  # many rows of one pattern
    weights = problem.weights
    if weighted:
        weights = np.where(np.arange(n_rows) % 5 == 0, 0.0, weights)
    rows = Rows(values, weights, np.arange(n_features) / 8.0, has_missing=True)
    if grouped:
        table = np.where(rng.uniform(size=(4, n_components)) < 0.5, -np.inf, 0.5)
        table[:, 0] = -1.0
        rows = dataclasses.replace(rows, groups=rng.integers(-1, 5, n_rows).astype(np.int32), group_prior=table)
    missing = np.isnan(values)
    order = np.lexsort(missing.T).astype(np.int32)
    return problem, rows, order[rng.uniform(size=n_rows) < 0.9]


def prepared_of(problem, exponent=1.0):
    return problem.prepared_incomplete(exponent)


def slots_of(problem, n_chunks):
    counts, first, second, totals, _ = empty_slots(problem, n_chunks)
    if problem.family.name == "spherical":
        second = np.zeros(first.shape)
    observed = np.zeros(first.shape if not problem.family.has_matrices else (n_chunks, first.shape[1], 0))
    return IncompleteSlots(counts, first, second, totals, observed)


def sweep(backend, problem, rows, order, sections=None, n_threads=1, exponent=1.0):
    sections = sections or [whole(max(1, len(order)))]
    slots = slots_of(problem, sections[0].n_chunks)
    for section in sections:
        backend.incomplete.sweep(rows, prepared_of(problem, exponent), order, section, slots, n_threads)
    return slots


def lower(slots, family):
    return slots._replace(second=np.tril(slots.second)) if family.has_matrices else slots


def evaluate(backend, problem, rows, order, normalize=False, exponent=1.0, prepared=None):
    n_rows, n_components = rows.shape[0], problem.parameters.n_components
    dtype = rows.values.dtype
    outputs = Outputs(
        np.zeros(n_rows, dtype), np.zeros(n_rows, np.int64), np.zeros((n_rows, n_components), dtype), normalize
    )
    prepared = prepared or prepared_of(problem, exponent)
    backend.incomplete.log_density(rows, prepared, order, whole(max(1, len(order))), outputs, 1)
    return outputs


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize(
    ("weighted", "grouped", "exponent"), [(False, False, 1.0), (True, False, 0.5), (True, True, 1.0)]
)
def test_moments_are_those_of_numpy(backend, family, dtype, shape, weighted, grouped, exponent):
    problem, rows, order = draw(family, shape, weighted, grouped, dtype)
    found = lower(sweep(backend, problem, rows, order, exponent=exponent), family)
    expected = lower(sweep(get_backend("numpy"), problem, rows, order, exponent=exponent), family)
    for name, one, other in zip(found._fields, found, expected, strict=True):
        assert np.isfinite(other).all(), name
        assert_close(one, other, TOLERANCE["float64"])


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize(
    ("normalize", "grouped", "exponent"), [(False, False, 1.0), (True, False, 0.5), (True, True, 1.0)]
)
def test_outputs_are_those_of_numpy_in_their_places(backend, family, dtype, shape, normalize, grouped, exponent):
    problem, rows, order = draw(family, shape, grouped=grouped, dtype=dtype)
    found = evaluate(backend, problem, rows, order, normalize, exponent)
    expected = evaluate(get_backend("numpy"), problem, rows, order, normalize, exponent)
    assert_close(found.log_density, expected.log_density, TOLERANCE[dtype])
    assert_close(found.joint, expected.joint, TOLERANCE[dtype])
    assert np.array_equal(found.labels, expected.labels)


@pytest.mark.parametrize("shape", [(1000, 5, 3), (1000, 9, 6)], ids=str)
def test_threads_and_sections_change_no_bit(backend, family, shape):
    problem, rows, order = draw(family, shape, weighted=True)
    section = Section(N_CHUNKS, 384, 64, 0, 384)
    alone = sweep(backend, problem, rows, order, [section])
    cut = [section._replace(start=start, stop=start + 128) for start in range(0, 384, 128)]
    assert same_bits(alone, sweep(backend, problem, rows, order, cut))
    assert same_bits(alone, sweep(backend, problem, rows, order, [section], n_threads=3))


@pytest.mark.parametrize("shape", [(300, 5, 3), (300, 18, 7)], ids=str)
def test_a_row_has_the_same_bits_alone_and_among_others(backend, family, dtype, shape):
    problem, rows, order = draw(family, shape, dtype=dtype)
    together = evaluate(backend, problem, rows, order)
    shuffled = evaluate(backend, problem, rows, np.random.default_rng(5).permutation(order))
    assert all(map(np.array_equal, together[:3], shuffled[:3]))
    for row in order[::17]:
        alone = evaluate(backend, problem, rows, order[order == row])
        assert all(np.array_equal(one[row], other[row]) for one, other in zip(together[:3], alone[:3], strict=True))


def test_rows_that_the_order_leaves_out_are_left_alone(backend, family):
    problem, rows, order = draw(family, (300, 5, 3))
    outputs = evaluate(backend, problem, rows, order)
    left_out = np.setdiff1d(np.arange(300), order)
    assert len(left_out)
    assert not outputs.log_density[left_out].any()
    assert not outputs.joint[left_out].any()
    assert not any(slot.any() for slot in sweep(backend, problem, rows, order[:0]))


@pytest.mark.parametrize("d", [3, 18])
def test_a_covariance_without_a_factor_has_no_density_and_spoils_no_other(backend, d):
    from fastgmm.families import FAMILIES

    problem, rows, order = draw(FAMILIES["full"], (60, d, 3))
    prepared = prepared_of(problem)
    prepared.covariances[1] = np.ones((d, d)) - 2 * np.eye(d)
    prepared.inverse_cholesky[1] = np.nan
    seen = order[~np.isnan(rows.values[order]).all(axis=1)]
    found = evaluate(backend, problem, rows, seen, normalize=True, prepared=prepared)
    assert not found.joint[:, 1].any()
    assert np.isfinite(found.log_density).all()


@pytest.mark.parametrize("name", ["full", "tied"])
def test_where_features_nearly_depend_on_each_other_few_digits_are_lost(backend, name):
    """What is filled in for a hole at first may be wrong by ten thousand deviations."""
    from fastgmm.families import FAMILIES

    problem, rows, order = draw(FAMILIES[name], (200, 6, 3), share=0.2)
    rng = np.random.default_rng(0)
    axes, scales = np.linalg.qr(rng.normal(size=(6, 6)))[0], np.logspace(0.0, -8.0, 6)
    covariances = np.broadcast_to((axes * scales) @ axes.T, problem.parameters.covariances.shape)
    noise = rng.normal(size=rows.shape) * np.sqrt(scales) @ axes.T
    values = np.where(np.isnan(rows.values), np.nan, problem.parameters.means[np.arange(200) % 3] + noise)
    problem = dataclasses.replace(problem, parameters=dataclasses.replace(problem.parameters, covariances=covariances))
    rows = Rows(values, has_missing=True)
    found, expected = (evaluate(one, problem, rows, order) for one in (backend, get_backend("numpy")))
    assert_close(found.log_density, expected.log_density, 1e-9, scale=1.0)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("grouped", [False, True])
def test_an_order_visits_rows_as_if_they_stood_so(backend, family, dtype, weighted, grouped):
    problem = draw_problem(family.name, 700, 6, 5, weighted=weighted)
    rows = problem.rows(dtype)
    if grouped:
        groups = (np.arange(700) % 6 - 1).astype(np.int32)
        with np.errstate(divide="ignore"):
            rows = dataclasses.replace(rows, groups=groups, group_prior=np.log(np.eye(5)))
    order = np.random.default_rng(1).permutation(700)[:555].astype(np.int32)
    section = Section(2, 512, 64, 0, 512)
    one, other = empty_slots(problem, 2), empty_slots(problem, 2)
    backend.sweep(rows, problem.prepared(dtype), section, one, 1, order)
    backend.sweep(rows.take(order), problem.prepared(dtype), section, other, 1)
    assert same_bits(one, other)
