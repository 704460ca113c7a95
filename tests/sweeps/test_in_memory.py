"""One pass over all rows: the same answer for any number of threads, any layout, and weights that mean repetition."""

import dataclasses

import numpy as np
import pytest

from fastgmm.data.facts import Facts
from fastgmm.families import FAMILIES
from fastgmm.fit.maximize import maximize
from fastgmm.parameters import Parameters, PreparedFull
from fastgmm.rows import Rows
from fastgmm.sweeps.in_memory import evaluate, make_sweep, total_scatter
from tests import naive
from tests.kernels.test_sweep import SHAPES
from tests.problems import (
    TOLERANCE,
    as_mixture,
    assert_close,
    assert_close_moments,
    draw_parameters,
    draw_problem,
    oracle_moments,
    same_bits,
    with_both_triangles,
)

# Enough for several chunks.
MANY_ROWS = 5000
EVERYTHING = ("log_density", "labels", "joint", "responsibilities")


def sweep(backend, family, rows, prepared, n_threads=1):
    return with_both_triangles(make_sweep(Facts(rows), family, backend, n_threads).moments(prepared), family)


def many_rows(family, dtype="float64", weighted=True):
    """A problem too large for the oracle."""
    problem = draw_problem(family.name, MANY_ROWS, 3, 2, weighted=weighted)
    return problem.rows(dtype), problem.prepared(dtype)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_a_sweep_gives_the_moments_of_the_oracle(backend, family, dtype, shape):
    problem = draw_problem(family.name, *shape, weighted=True)
    moments = sweep(backend, family, problem.rows(dtype), problem.prepared(dtype))
    assert_close_moments(moments, oracle_moments(problem), TOLERANCE[dtype])


def test_chunks_add_up(backend, family):
    """Rows of many chunks, given again as parts that are a single chunk each."""
    rows, prepared = many_rows(family)
    parts = [
        sweep(backend, family, Rows(values, weights), prepared)
        for values, weights in zip(np.array_split(rows.values, 7), np.array_split(rows.weights, 7), strict=True)
    ]
    total = parts[0]
    for part in parts[1:]:
        total = total + part
    assert_close_moments(sweep(backend, family, rows, prepared), total, 1e-12)


@pytest.mark.parametrize("n_threads", [2, 3, 7])
def test_any_number_of_threads_sweeps_to_the_same_bits(backend, family, n_threads):
    rows, prepared = many_rows(family)
    alone, together = (sweep(backend, family, rows, prepared, threads) for threads in (1, n_threads))
    assert same_bits(alone, together)


@pytest.mark.parametrize("n_threads", [2, 3, 7])
@pytest.mark.parametrize("wanted", EVERYTHING)
def test_any_number_of_threads_evaluates_to_the_same_bits(backend, family, n_threads, wanted):
    rows, prepared = many_rows(family)
    alone, together = (evaluate(rows, prepared, backend, threads, wanted) for threads in (1, n_threads))
    assert same_bits(alone, together)


@pytest.mark.parametrize("separation", [0.0, 1e6])
def test_rows_with_groups_have_their_own_shared_scatter(backend, rng, separation):
    """To the last digits also where clusters are far apart, of which the scatter of all rows would know few."""
    tied, known = FAMILIES["tied"], np.arange(300, dtype=np.int32) % 3
    values = rng.normal(size=(300, 5)) + separation * known[:, np.newaxis]
    means = np.array([values[known == k].mean(axis=0) for k in range(3)])
    prepared = tied.prepare(Parameters("tied", np.full(3, 1 / 3), means, np.eye(5)), np.float64)
    table = np.where(np.eye(3, dtype=bool), 0.0, -np.inf)
    moments = make_sweep(Facts(Rows(values, None, None, known, table)), tied, backend, 1).moments(prepared)
    expected = naive.sums_of_shares("tied", means.tolist(), values.tolist(), np.eye(3)[known].tolist())
    assert_close(moments.second, np.array(expected[2]), 1e-13)
    assert np.array_equal(moments.second, moments.second.T)


def test_the_mass_of_noise_is_left_out_of_a_shared_scatter(backend):
    """A component without a factor is a density that is the same everywhere; what it takes belongs to no covariance."""
    problem = draw_problem("tied", 257, 5, 3, weighted=True)
    full, factor = FAMILIES["full"], problem.prepared().inverse_cholesky
    prepared = PreparedFull(
        np.append(problem.prepared().log_constants, -8.0),
        np.vstack([problem.parameters.means, np.zeros(5)]),
        np.array([factor, factor, factor, np.zeros((5, 5))]),
    )
    moments = with_both_triangles(make_sweep(Facts(problem.rows()), full, backend, 1).moments(prepared), full)
    joint = np.array(naive.joint_log_density(problem.mixture, problem.values.tolist()))
    densities = np.exp(np.column_stack([joint, np.full(257, -8.0)]))
    shares = problem.weights[:, np.newaxis] * densities / densities.sum(axis=1, keepdims=True)
    means, rows = problem.parameters.means.tolist(), problem.values.tolist()
    expected = naive.sums_of_shares("tied", means, rows, shares[:, :3].tolist())
    assert_close(moments.second[:3].sum(axis=0), np.array(expected[2]), 1e-12)
    assert moments.counts[:3].sum() < 0.99 * moments.total_weight


def test_threads_sweep_float32_to_the_same_bits(backend):
    family = FAMILIES["full"]
    rows, prepared = many_rows(family, "float32")
    assert same_bits(*(sweep(backend, family, rows, prepared, threads) for threads in (1, 3)))


@pytest.mark.parametrize("wanted", EVERYTHING)
def test_groups_go_along_with_rows_through_blocks_and_chunks(backend, family, monkeypatch, wanted):
    rows, prepared = many_rows(family)
    rows = dataclasses.replace(rows, groups=np.arange(MANY_ROWS, dtype=np.int32) % 2, group_prior=np.diag([9.0, 5.0]))
    at_once = evaluate(rows, prepared, backend, 1, wanted)
    monkeypatch.setattr("fastgmm.kernels.contract._SECTION_WORK", 1e5)
    assert same_bits(evaluate(rows, prepared, backend, 1, wanted), at_once)
    one_by_one = [evaluate(rows.take(slice(i, i + 1)), prepared, backend, 1, wanted)[0] for i in (0, 1, 2048, 4999)]
    assert np.array_equal(at_once[[0, 1, 2048, 4999]], one_by_one)


def read_only(values, path):
    copy = values.copy()
    copy.flags.writeable = False
    return copy


def memory_mapped(values, path):
    mapped = np.memmap(path / "rows", values.dtype, "w+", shape=values.shape)
    mapped[:] = values
    return mapped


LAYOUTS = {
    "Fortran": lambda values, path: np.asfortranarray(values),
    "every other row": lambda values, path: np.repeat(values, 2, axis=0)[::2],
    "every third column": lambda values, path: np.repeat(values, 3, axis=1)[:, ::3],
    "columns of a wider table": lambda values, path: np.hstack([values, values])[:, values.shape[1] :],
    "read-only": read_only,
    "memmap": memory_mapped,
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_layout_of_the_rows_in_memory_changes_no_bit(backend, family, dtype, layout, tmp_path):
    problem = draw_problem(family.name, 257, 5, 3)
    straight, prepared = problem.rows(dtype), problem.prepared(dtype)
    turned = Rows(LAYOUTS[layout](straight.values, tmp_path))
    assert np.array_equal(turned.values, straight.values)
    assert same_bits(sweep(backend, family, straight, prepared), sweep(backend, family, turned, prepared))
    for wanted in EVERYTHING:
        assert same_bits(*(evaluate(rows, prepared, backend, 1, wanted) for rows in (straight, turned)))


def test_weights_may_be_a_strided_view_and_read_only(backend, family):
    problem = draw_problem(family.name, 100, 2, 3, weighted=True)
    strided = np.repeat(problem.weights, 2)[::2]
    strided.flags.writeable = False
    straight, turned = (Rows(problem.values, weights) for weights in (problem.weights, strided))
    prepared = problem.prepared()
    assert same_bits(sweep(backend, family, straight, prepared), sweep(backend, family, turned, prepared))


def test_a_whole_weight_is_the_row_repeated(backend, family, dtype, rng):
    problem = draw_problem(family.name, 257, 5, 3)
    times = rng.integers(1, 5, 257)
    rows, prepared = problem.rows(dtype), problem.prepared(dtype)
    weighted = sweep(backend, family, Rows(rows.values, times.astype(float)), prepared)
    repeated = sweep(backend, family, Rows(np.repeat(rows.values, times, axis=0)), prepared)
    assert_close_moments(weighted, repeated, TOLERANCE[dtype])


def test_weights_of_one_are_no_weights(backend, family, dtype):
    problem = draw_problem(family.name, 257, 5, 3)
    rows, prepared = problem.rows(dtype), problem.prepared(dtype)
    ones = sweep(backend, family, Rows(rows.values, np.ones(257)), prepared)
    assert_close_moments(ones, sweep(backend, family, rows, prepared), 1e-15)


@pytest.mark.parametrize("at", ["first", "last", "every other"])
@pytest.mark.parametrize("absurd", [False, True], ids=["ordinary", "absurd"])
def test_a_zero_weight_is_the_row_removed(backend, family, dtype, at, absurd):
    """Whatever the row holds: here also numbers near the largest there are."""
    problem = draw_problem(family.name, 257, 5, 3, weighted=True)
    removed = np.zeros(257, bool)
    removed[{"first": 0, "last": -1, "every other": slice(None, None, 2)}[at]] = True
    rows, prepared = problem.rows(dtype), problem.prepared(dtype)
    values = rows.values.copy()
    if absurd:
        values[removed] = np.finfo(dtype).max / 100
    without = sweep(backend, family, Rows(values, np.where(removed, 0.0, rows.weights)), prepared)
    kept = sweep(backend, family, Rows(rows.values[~removed], rows.weights[~removed]), prepared)
    assert_close_moments(without, kept, TOLERANCE[dtype])


@pytest.mark.parametrize("offset", [0.0, 1e4, 1e8])
def test_far_from_the_origin_float64_covariances_keep_their_digits(backend, family, offset):
    """Standard deviations are near 1; at 1e8 the rows themselves are only good to 1e-8."""
    problem = draw_problem(family.name, 257, 5, 3)
    values = problem.values + offset
    parameters = dataclasses.replace(problem.parameters, means=problem.parameters.means + offset)
    moments = sweep(backend, family, Rows(values), family.prepare(parameters, np.float64))
    found = maximize(family, moments, np.zeros(5))
    expected = naive.em_step(as_mixture(parameters), values.tolist())
    assert_close(found.covariances, np.array(expected.covariances), 1e-6 if offset == 1e8 else 1e-9)
    assert_close(found.means, np.array(expected.means), 1e-15)
    assert_close(found.weights, np.array(expected.weights), 1e-9)


@pytest.mark.parametrize("separation", [10.0, 1e3, 1e5])
def test_far_from_each_other_components_keep_the_digits_of_their_covariances(backend, family, separation):
    """Two clusters with standard deviations near 1."""
    problem = draw_problem(family.name, 257, 5, 2)
    shift = separation * np.arange(257)[:, np.newaxis] % (2 * separation)
    parameters = dataclasses.replace(problem.parameters, means=np.array([np.zeros(5), np.full(5, separation)]))
    values = problem.values + shift
    moments = sweep(backend, family, Rows(values), family.prepare(parameters, np.float64))
    found = maximize(family, moments, np.zeros(5))
    expected = naive.em_step(as_mixture(parameters), values.tolist())
    # The tied family subtracts the scatter between the clusters from that of all rows.
    tolerance = 1e-12 + (1e-15 * separation**2 if family.name == "tied" else 0.0)
    assert_close(found.covariances, np.array(expected.covariances), tolerance)


ABSURD = {"float64": [1e160, 1e200, 1.7e308], "float32": [1e20, 1e30, 3.4e38]}


def absurd_rows(dtype, magnitude):
    """Ordinary rows, and rows with one, two or all numbers absurdly large, of either sign."""
    values = np.zeros((8, 3), dtype)
    values[1:4, 0] = magnitude, -magnitude, magnitude
    values[3:6, 1] = -magnitude, magnitude, -magnitude
    values[5:7, :] = [[magnitude], [-magnitude]]
    return Rows(values)


@pytest.mark.parametrize("at", [0, 1, 2])
def test_absurd_rows_get_responsibilities_and_never_nan(backend, family, dtype, rng, at):
    rows = absurd_rows(dtype, ABSURD[dtype][at])
    prepared = family.prepare(draw_parameters(rng, family.name, 3, 2), np.dtype(dtype))
    log_density, labels, responsibilities = (
        evaluate(rows, prepared, backend, 1, wanted) for wanted in ("log_density", "labels", "responsibilities")
    )
    assert not np.isnan(log_density).any()
    assert (log_density < np.inf).all()
    assert np.isfinite(log_density[[0, 7]]).all()
    assert np.isin(labels, [0, 1]).all()
    assert_close(responsibilities.sum(axis=1), np.ones(8), 1e-6)
    assert (responsibilities >= 0).all()


@pytest.mark.parametrize("at", [0, 1, 2])
def test_absurd_rows_have_a_joint_density_that_is_a_number(backend, family, dtype, rng, at):
    rows = absurd_rows(dtype, ABSURD[dtype][at])
    prepared = family.prepare(draw_parameters(rng, family.name, 3, 2), np.dtype(dtype))
    joint = evaluate(rows, prepared, backend, 1, "joint")
    assert not np.isnan(joint).any()
    assert (joint < np.inf).all()


@pytest.mark.filterwarnings("ignore:overflow", "ignore:invalid")
@pytest.mark.parametrize("at", [0, 1, 2])
def test_absurd_rows_are_counted_and_their_likelihood_is_no_nan(backend, family, dtype, rng, at):
    """Their second moments may be infinite, and NumPy may say so."""
    rows = absurd_rows(dtype, ABSURD[dtype][at])
    prepared = family.prepare(draw_parameters(rng, family.name, 3, 2), np.dtype(dtype))
    moments = make_sweep(Facts(rows), family, backend, 1).moments(prepared)
    assert_close(moments.counts.sum(), 8.0, 1e-6)
    assert not np.isnan(moments.log_likelihood)
    assert moments.log_likelihood < 0


def test_the_scatter_of_all_rows_is_that_of_a_single_component(backend, dtype):
    problem = draw_problem("full", 257, 5, 1, weighted=True)
    scatter = total_scatter(Facts(problem.rows(dtype)), backend, 1)
    single = naive.Mixture("full", [1.0], [scatter.center.tolist()], [np.eye(5).tolist()])
    expected = naive.moments(single, problem.values.tolist(), problem.weights.tolist())
    assert_close(scatter.moments.second, np.array(expected.second), TOLERANCE[dtype])
    assert np.array_equal(scatter.moments.second[0], scatter.moments.second[0].T)


@pytest.mark.parametrize("separation", [1e2, 1e4])
def test_the_tied_covariance_of_float32_rows_survives_clusters_far_apart(backend, rng, separation):
    clusters = np.arange(4000) % 2
    values = (rng.standard_normal((4000, 2)) + separation * clusters[:, np.newaxis]).astype(np.float32)
    means = np.array([np.zeros(2), np.full(2, separation)])
    parameters = Parameters("tied", np.full(2, 0.5), means, np.eye(2))
    tied = FAMILIES["tied"]
    moments = sweep(backend, tied, Rows(values), tied.prepare(parameters, np.float32))
    residuals = (
        values.astype(np.float64)
        - np.array([values[clusters == k].mean(axis=0, dtype=float) for k in (0, 1)])[clusters]
    )
    found = maximize(tied, moments, np.zeros(2))
    assert_close(found.covariances, residuals.T @ residuals / 4000, 1e-6)
