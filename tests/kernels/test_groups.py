"""What is believed of rows before they are looked at: known labels, allowed components, given responsibilities."""

import dataclasses

import numpy as np
import pytest

from fastgmm.kernels.contract import Outputs, Section, Slots
from fastgmm.rows import Rows
from tests import naive
from tests.kernels.test_sweep import empty_slots, moments_of, whole
from tests.problems import TOLERANCE, Problem, assert_close, assert_close_moments, draw_problem, same_bits

# Tiles are full and partial, and have fewer or more features than a component may be given up after.
SHAPES = [(257, 5, 3), (60, 17, 4)]


def labels_of(rng, n_rows, n_components):
    """A known component for every other row, and for the rest a group outside the table."""
    with np.errstate(divide="ignore"):
        table = np.log(np.eye(n_components))
    return rng.choice([*range(n_components), -1, n_components, 2**31 - 1, -(2**31)], n_rows), table


def allowed_sets(rng, n_rows, n_components):
    table = np.where(rng.uniform(size=(5, n_components)) < 0.5, -np.inf, 0.0)
    table[np.arange(5), np.arange(5) % n_components] = 0.0
    return rng.integers(5, size=n_rows), table


def given_responsibilities(rng, n_rows, n_components):
    """A group for every row, believed in more or less."""
    return np.arange(n_rows), np.log(rng.dirichlet(np.full(n_components, 0.3), n_rows) + 1e-300)


BELIEFS = {"labels": labels_of, "allowed sets": allowed_sets, "given responsibilities": given_responsibilities}


def draw(family, shape, belief, weighted=False) -> tuple[Problem, np.ndarray, np.ndarray]:
    """A problem, and groups of its rows with a table of priors."""
    n_rows, _, n_components = shape
    groups, table = BELIEFS[belief](np.random.default_rng(7), n_rows, n_components)
    return draw_problem(family.name, *shape, weighted=weighted), groups.astype(np.int32), table


def priors_of(groups, table):
    """Those of every row, as the oracle takes them."""
    nothing = [0.0] * table.shape[1]
    return [table[group].tolist() if 0 <= group < len(table) else nothing for group in groups.tolist()]


def sweep(backend, problem, groups, table, dtype="float64", section=None, n_threads=1) -> Slots:
    section = section or whole(len(problem.values))
    slots = empty_slots(problem, section.n_chunks)
    rows = dataclasses.replace(problem.rows(dtype), groups=groups, group_prior=table)
    backend.sweep(rows, problem.prepared(dtype), section, slots, n_threads)
    return slots


def evaluate(backend, problem, groups, table, dtype="float64", normalize=False, rows=None) -> Outputs:
    rows = dataclasses.replace(rows or problem.rows(dtype), groups=groups, group_prior=table)
    n_rows, n_components = len(groups), len(problem.parameters.means)
    outputs = Outputs(
        np.empty(n_rows, dtype), np.empty(n_rows, np.int64), np.empty((n_rows, n_components), dtype), normalize
    )
    backend.log_density(rows, problem.prepared(dtype), whole(n_rows), outputs, 1)
    return outputs


@pytest.mark.parametrize("belief", BELIEFS)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_a_sweep_collects_the_moments_of_the_oracle(backend, family, dtype, shape, belief):
    problem, groups, table = draw(family, shape, belief, weighted=belief == "labels")
    weights = None if problem.weights is None else problem.weights.tolist()
    expected = naive.moments(problem.mixture, problem.values.tolist(), weights, priors_of(groups, table))
    found = moments_of(sweep(backend, problem, groups, table, dtype), 0, problem)
    sums = {name: np.array(getattr(expected, name)) for name in ("counts", "first", "second")}
    expected = dataclasses.replace(found, **sums, log_likelihood=expected.log_likelihood)
    assert_close_moments(found, expected, TOLERANCE[dtype])


@pytest.mark.parametrize("belief", BELIEFS)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_densities_and_responsibilities_are_those_of_the_oracle(backend, family, dtype, shape, belief):
    problem, groups, table = draw(family, shape, belief)
    rows, priors, tolerance = problem.values.tolist(), priors_of(groups, table), TOLERANCE[dtype]
    outputs = evaluate(backend, problem, groups, table, dtype)
    joint = np.array(naive.joint_log_density(problem.mixture, rows, priors))
    allowed = np.isfinite(joint)
    assert_close(outputs.joint[allowed], joint[allowed], tolerance)
    assert (outputs.joint[~allowed] < -1e38).all()
    assert_close(outputs.log_density, np.array(naive.log_density(problem.mixture, rows, priors)), tolerance)
    assert_close(np.take_along_axis(joint, outputs.labels[:, np.newaxis], 1)[:, 0], joint.max(axis=1), tolerance)
    shares = evaluate(backend, problem, groups, table, dtype, normalize=True).joint
    assert_close(shares, np.array(naive.responsibilities(problem.mixture, rows, priors)), tolerance, scale=1.0)
    assert not shares[~allowed].any()


def test_a_label_that_is_known_is_the_label(backend, family, dtype):
    """Also where the row lies so far from the component that its density is 0."""
    far = draw_problem(family.name, 257, 17, 3)
    values = far.values.copy()
    values[::2] += 1e18
    problem = dataclasses.replace(far, values=values)
    known = np.arange(257, dtype=np.int32) % 3
    with np.errstate(divide="ignore"):
        outputs = evaluate(backend, problem, known, np.log(np.eye(3)), dtype, normalize=True)
    assert np.array_equal(outputs.labels, known)
    assert np.array_equal(outputs.joint, np.eye(3)[known])
    assert not np.isnan(outputs.log_density).any()


@pytest.mark.parametrize(("dtype", "scale"), [("float32", 1e30), ("float64", 1e200)])
def test_a_label_holds_for_a_row_beyond_all_squares(backend, family, dtype, scale):
    """And under a component of weight 0, whose log-density is −inf."""
    problem = draw_problem(family.name, 40, 3, 3)
    lost = dataclasses.replace(problem.parameters, weights=np.array([0.5, 0.0, 0.5]))
    problem = dataclasses.replace(problem, parameters=lost, values=problem.values * scale)
    known = np.arange(40, dtype=np.int32) % 3
    with np.errstate(all="ignore"):
        table = np.log(np.eye(3))
        outputs = evaluate(backend, problem, known, table, dtype, normalize=True)
        counts = sweep(backend, problem, known, table, dtype).counts[0]
    assert np.array_equal(outputs.joint, np.eye(3)[known])
    assert (outputs.log_density[known == 1] == -np.inf).all()
    assert np.array_equal(counts, np.bincount(known))


def test_a_group_that_allows_nothing_makes_the_likelihood_zero_and_nothing_nan(backend, family, dtype):
    problem = draw_problem(family.name, 40, 3, 2)
    groups = np.repeat([0, 1], 20).astype(np.int32)
    table = np.array([[-np.inf, -np.inf], [0.0, -np.inf]])
    outputs = evaluate(backend, problem, groups, table, dtype, normalize=True)
    slots = sweep(backend, problem, groups, table, dtype)
    assert (outputs.log_density == -np.inf)[groups == 0].all()
    assert np.isfinite(outputs.log_density[groups == 1]).all()
    assert not any(np.isnan(each).any() for each in (outputs.joint, *slots))
    assert slots.totals[0, 1] == -np.inf


def test_rows_of_weight_zero_have_no_say_whatever_their_group(backend, family):
    problem, groups, table = draw(family, (257, 5, 3), "labels", weighted=True)
    weights = problem.weights.copy()
    weights[::3] = 0.0
    groups[::3] = 0
    problem = dataclasses.replace(problem, weights=weights)
    kept = dataclasses.replace(problem, values=problem.values[weights > 0], weights=weights[weights > 0])
    all_rows = sweep(backend, problem, groups, table)
    some = sweep(backend, kept, groups[weights > 0], table)
    assert all(np.allclose(one, other, rtol=1e-12, atol=1e-10) for one, other in zip(all_rows, some, strict=True))


def test_a_prior_of_zero_changes_no_bit(backend, family, dtype):
    """With few features, where no component is given up early."""
    problem = draw_problem(family.name, 257, 5, 3, weighted=True)
    believed = sweep(backend, problem, np.zeros(257, np.int32), np.zeros((1, 3)), dtype)
    assert same_bits(believed, sweep(backend, problem, None, None, dtype))


@pytest.mark.parametrize("belief", BELIEFS)
def test_any_number_of_threads_gives_the_same_bits(backend, family, belief):
    problem, groups, table = draw(family, (600, 2, 3), belief, weighted=True)
    section = Section(n_chunks=5, chunk_rows=128, tile_rows=64, start=0, stop=128)
    alone, together = (sweep(backend, problem, groups, table, "float64", section, n) for n in (1, 3))
    assert same_bits(alone, together)


def test_the_bits_of_a_row_do_not_depend_on_its_neighbors(backend, family, dtype):
    problem, groups, table = draw(family, (257, 5, 3), "allowed sets")
    order = np.random.default_rng(3).permutation(257)
    rows = problem.rows(dtype)
    straight = evaluate(backend, problem, groups, table, dtype)
    turned = evaluate(backend, problem, groups[order], table, dtype, rows=rows.take(order))
    assert same_bits(Outputs(*(each[order] for each in straight[:3]), False), turned)


def test_groups_go_along_with_their_rows(rng):
    rows = Rows(rng.normal(size=(1000, 2)), None, None, np.arange(1000, dtype=np.int32), np.zeros((1000, 2)))
    for some in (rows.take(slice(7, 500)), rows.take(np.array([3, 1, 900])), rows.thinned(50)):
        assert np.array_equal(rows.values[some.groups], some.values)
        assert some.group_prior is rows.group_prior
