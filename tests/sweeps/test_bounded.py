"""Bounds leave out components that cannot matter, and change nothing but the order of sums."""

from dataclasses import replace

import numpy as np
import pytest

from fastgmm.data.facts import Facts
from fastgmm.families import FAMILIES
from fastgmm.fit.maximize import maximize
from fastgmm.kernels import available_backends, get_backend
from fastgmm.parameters import Parameters
from fastgmm.rows import Rows
from fastgmm.sweeps.bounded import BoundedSweep
from fastgmm.sweeps.in_memory import evaluate, make_sweep
from tests.problems import assert_close_moments, draw_parameters, same_bits, with_both_triangles

N_ROWS, N_FEATURES, N_COMPONENTS = 5000, 3, 12
TOLERANCE = {"float64": 1e-11, "float32": 2e-4}

BACKENDS = [name for name in ("c", "numba") if available_backends()[name] == "available"]


@pytest.fixture(params=BACKENDS)
def bounding(request):
    """A backend that sweeps with bounds."""
    return get_backend(request.param)


def draw(family, rng, separation=30.0, dtype="float64", weighted=False, n_features=N_FEATURES):
    """Rows in random order of well-separated components, and a start a little off."""
    means = separation * rng.uniform(-1.0, 1.0, (N_COMPONENTS, n_features))
    values = (means[rng.integers(N_COMPONENTS, size=N_ROWS)] + rng.normal(size=(N_ROWS, n_features))).astype(dtype)
    weights = None
    if weighted:
        weights = rng.uniform(0.5, 2.0, N_ROWS) * (rng.uniform(size=N_ROWS) < 0.9)
        values[weights == 0] = np.nan
    shape = family.covariance_shape(N_COMPONENTS, n_features)
    matrices = np.broadcast_to(1.5 * np.eye(n_features), (N_COMPONENTS, n_features, n_features))
    covariances = {"full": matrices, "tied": matrices[0]}.get(family.name, np.full(shape, 1.5))
    start = means + rng.normal(scale=0.3, size=means.shape)
    equal = np.full(N_COMPONENTS, 1 / N_COMPONENTS)
    return Rows(values, weights), Parameters(family.name, equal, start, covariances)


def iterate(sweep, family, start, dtype, iterations=9):
    """The moments of some iterations of EM."""
    parameters, result = start, []
    for _ in range(iterations):
        prepared = family.prepare(parameters, np.dtype(dtype))
        moments = sweep.moments(prepared)
        parameters = maximize(family, moments, np.full(prepared.means.shape[1], 1e-6))
        result.append(with_both_triangles(moments, family))
    return result


def ordinary(rows, family, backend, n_threads=1):
    return make_sweep(Facts(rows), family, backend, n_threads)


@pytest.mark.parametrize("weighted", [False, True], ids=["rows", "weighted rows, some of weight 0"])
def test_moments_are_those_of_ordinary_sweeps(bounding, family, dtype, rng, weighted):
    rows, start = draw(family, rng, dtype=dtype, weighted=weighted)
    bounded = BoundedSweep(ordinary(rows, family, bounding))
    for ours, true in zip(
        iterate(bounded, family, start, dtype),
        iterate(ordinary(rows, family, bounding), family, start, dtype),
        strict=True,
    ):
        assert_close_moments(ours, true, TOLERANCE[dtype])
    assert bounded._share_evaluated() < 0.5


@pytest.mark.parametrize("n_features", [1, 8, 9, 17])
def test_any_number_of_features(bounding, rng, n_features):
    family = FAMILIES["full"]
    rows, start = draw(family, rng, n_features=n_features, separation=100.0 if n_features == 1 else 30.0)
    bounded = BoundedSweep(ordinary(rows, family, bounding))
    ours, true = (iterate(each, family, start, "float64") for each in (bounded, ordinary(rows, family, bounding)))
    assert_close_moments(ours[-1], true[-1], 1e-11)
    assert bounded._bounds is not None


def test_the_same_bits_for_any_number_of_threads_and_layout(bounding, family, rng):
    rows, start = draw(family, rng)
    fortran = Rows(np.asfortranarray(rows.values))
    reference = iterate(BoundedSweep(ordinary(rows, family, bounding)), family, start, "float64")[-1]
    for each, n_threads in ((rows, 2), (rows, 3), (rows, 7), (fortran, 1), (fortran, 2)):
        moments = iterate(BoundedSweep(ordinary(each, family, bounding, n_threads)), family, start, "float64")[-1]
        assert same_bits(moments, reference)


def test_parameters_that_jump_are_followed(bounding, family, rng):
    """No bound survives a jump to somewhere else, and none may be believed."""
    rows, start = draw(family, rng)
    sweep = ordinary(rows, family, bounding)
    bounded = BoundedSweep(sweep)
    iterate(bounded, family, start, "float64", iterations=4)
    for seed in range(6):
        other = draw_parameters(np.random.default_rng(seed), family.name, N_FEATURES, N_COMPONENTS)
        # The components of the start in another order, or strangers, or the start again.
        shuffled = Parameters(family.name, start.weights, np.roll(start.means, seed, axis=0), start.covariances)
        for parameters in (shuffled, other, start):
            prepared = family.prepare(parameters, np.dtype("float64"))
            assert_close_moments(
                *(with_both_triangles(each.moments(prepared), family) for each in (bounded, sweep)), 1e-11
            )


def test_rows_are_left_as_they_are_where_all_components_overlap(bounding, family, rng):
    rows, start = draw(family, rng, separation=1.0)
    bounded, sweep = BoundedSweep(ordinary(rows, family, bounding)), ordinary(rows, family, bounding)
    ours, true = (iterate(each, family, start, "float64") for each in (bounded, sweep))
    assert same_bits(ours[-1], true[-1])
    assert bounded._bounds is None


def test_rows_with_groups_are_swept_without_bounds(bounding, family, rng):
    """A prior may bring a component near that is far from all rows of a tile."""
    rows, start = draw(family, rng)
    rows = replace(rows, groups=np.zeros(N_ROWS, np.int32), group_prior=np.linspace(0.0, 1e4, N_COMPONENTS)[np.newaxis])
    bounded, sweep = BoundedSweep(ordinary(rows, family, bounding)), ordinary(rows, family, bounding)
    ours, true = (iterate(each, family, start, "float64") for each in (bounded, sweep))
    assert same_bits(ours[-1], true[-1])


def test_bounds_are_given_up_where_they_exclude_little(bounding, rng, monkeypatch):
    family = FAMILIES["full"]
    rows, start = draw(family, rng, separation=1.0)
    monkeypatch.setattr("fastgmm.sweeps.bounded._SHARE_OF_ROWS", 1.0)
    bounded = BoundedSweep(ordinary(rows, family, bounding))
    iterate(bounded, family, start, "float64", iterations=6)
    assert bounded._bounds is None


@pytest.mark.parametrize("seed", range(5))
def test_a_distance_moves_no_further_than_its_bound(family, rng, seed):
    """m' ≥ s·m − δ, by the joint log-densities of a mixture before and after any change."""
    before, after = (
        family.prepare(draw_parameters(np.random.default_rng([seed, i]), family.name, 4, 3), np.float64) for i in (0, 1)
    )
    rows = Rows(rng.normal(scale=10.0, size=(200, 4)))
    old, new = (distances(prepared, rows) for prepared in (before, after))
    shrink, drift = family.movement(before, after)
    assert (new >= shrink * old - drift - 1e-9).all()
    shrink, drift = family.movement(before, before)
    assert np.allclose(shrink, 1.0)
    assert np.allclose(drift, 0.0)


def distances(prepared, rows):
    joint = evaluate(rows, prepared, get_backend("numpy"), 1, "joint")
    return np.sqrt(np.maximum(0.0, 2.0 * (prepared.log_constants - joint)))


def test_rows_of_weight_0_in_a_row_leave_the_bounds_as_good(bounding, family, rng):
    """As where a fold is held out: whole tiles that do not count, and need no component."""
    rows, start = draw(family, rng)
    weights = np.ones(N_ROWS)
    weights[: N_ROWS // 2] = 0.0
    rows = Rows(rows.values, weights)
    bounded, sweep = BoundedSweep(ordinary(rows, family, bounding)), ordinary(rows, family, bounding)
    ours, true = (iterate(each, family, start, "float64", iterations=14) for each in (bounded, sweep))
    assert_close_moments(ours[-1], true[-1], 1e-11)
    assert bounded._bounds is not None
    assert bounded._share_evaluated() < 0.4


@pytest.mark.parametrize(("dtype", "scale"), [("float32", 1e18), ("float64", 1e153)])
def test_a_square_that_overflows_is_no_bound(bounding, rng, dtype, scale):
    """Distances of components beyond the range of their squares are not known, so components may come back."""
    family, n_components = FAMILIES["spherical"], 8
    means = np.stack([30.0 * np.arange(n_components), np.zeros(n_components)], axis=1)
    labels = np.repeat(np.arange(n_components), 512)
    values = ((means[labels] + rng.normal(size=(len(labels), 2))) * scale).astype(dtype)
    bounded, sweep = (
        each(Rows(values), family, bounding) for each in (lambda *a: BoundedSweep(ordinary(*a)), ordinary)
    )
    equal, ones = np.full(n_components, 1 / n_components), np.ones(n_components)
    moved = means.copy()
    moved[1] = means[0] + 0.5
    for centers in (means, means, means, means, moved):
        with np.errstate(all="ignore"):
            parameters = Parameters("spherical", equal, centers * scale, ones * float(scale) ** 2)
            prepared = family.prepare(parameters, np.dtype(dtype))
            ours, true = bounded.moments(prepared), sweep.moments(prepared)
        assert np.allclose(ours.counts, true.counts, rtol=1e-5)
