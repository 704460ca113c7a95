"""Features far from zero are counted from a number amid them, exactly, and nobody outside a fit sees it."""

import numpy as np
import pytest

from fastgmm import GaussianMixture
from fastgmm.data.facts import Facts
from fastgmm.data.origin import less_origin, origin_of, plus_origin
from fastgmm.parameters import Parameters
from fastgmm.rows import Rows
from fastgmm.sweeps.bounded import BoundedSweep
from fastgmm.sweeps.in_memory import evaluate, make_sweep
from tests.conftest import BACKENDS
from tests.problems import draw_problem, same_bits
from tests.sweeps.test_bounded import draw


def far_rows(rng, n_rows=1000):
    """A feature at zero, one far from it below, one constant and one far above."""
    return rng.normal(size=(n_rows, 4)) * [1.0, 1.0, 0.0, 1e-9] + [0.0, -1e6, 123456789.123, 1.0]


def test_only_features_far_from_zero_have_an_origin(rng, dtype):
    origin = origin_of(Facts(Rows(far_rows(rng).astype(dtype))))
    assert origin[0] == 0.0
    assert np.allclose(origin[1:], [-1e6, 123456789.123, 1.0], rtol=1e-6, atol=0.0)
    assert (origin == origin.astype(dtype)).all()


@pytest.mark.parametrize("values", [np.zeros((10, 2)), np.ones((10, 2)).cumsum(axis=0), -np.eye(5) * 1e300])
def test_most_data_have_none(values):
    assert origin_of(Facts(Rows(values))) is None


def test_a_single_row_elsewhere_leaves_a_feature_as_it_is(rng):
    """The difference from a far number would no longer be exact."""
    values = far_rows(rng, 100_000)
    values[77_777, 1] = 5.0
    assert np.flatnonzero(origin_of(Facts(Rows(values)))).tolist() == [2, 3]


def test_rows_of_weight_zero_do_not_count(rng):
    values, weights = far_rows(rng), np.ones(1000)
    values[::7], weights[::7] = 1.7e308, 0.0
    assert np.flatnonzero(origin_of(Facts(Rows(values, weights)))).tolist() == [1, 2, 3]


def test_differences_from_the_origin_are_exact(rng, dtype):
    rows = Rows(far_rows(rng).astype(dtype))
    rows = Rows(rows.values, origin=origin_of(Facts(rows)))
    points = rows.points()
    assert points.dtype == rows.values.dtype
    exact = rows.values.astype(np.longdouble) - rows.origin
    assert np.array_equal(points.astype(np.longdouble), exact)


def test_means_go_in_and_come_out():
    origin = np.array([0.0, 1e6])
    inside = less_origin(np.array([[1.0, 1e6 + 1.0]]), origin)
    assert inside.tolist() == [[1.0, 1.0]]
    parameters = plus_origin(Parameters("diag", np.ones(1), inside, np.ones((1, 2))), origin)
    assert parameters.means.tolist() == [[1.0, 1e6 + 1.0]]
    assert not any(array.flags.writeable for array in (parameters.weights, parameters.means, parameters.covariances))


@pytest.mark.parametrize("layout", [np.ascontiguousarray, np.asfortranarray], ids=["C", "Fortran"])
@pytest.mark.parametrize("weighted", [False, True], ids=["rows", "weighted rows"])
def test_kernels_sweep_and_score_differences_from_the_origin(backend, family, dtype, layout, weighted):
    problem = draw_problem(family.name, 333, 5, 3, weighted=weighted)
    origin = np.array([0.0, 4.0, -2.0, 0.5, 64.0])
    near = Rows(np.round(problem.values.astype(dtype) * 64) / 64, problem.weights)
    there = Rows(layout(near.values + origin.astype(dtype)), near.weights, origin)
    prepared = problem.prepared(dtype)
    assert same_bits(*(make_sweep(Facts(rows), family, backend, 2).moments(prepared) for rows in (near, there)))
    for wanted in ("log_density", "labels", "joint", "responsibilities"):
        assert same_bits(*(evaluate(rows, prepared, backend, 2, wanted) for rows in (near, there)))


def test_sweeps_with_bounds_do_so_too(backend, family, dtype, rng):
    rows, start = draw(family, rng, dtype=dtype, weighted=True)
    rows = Rows(np.nan_to_num(np.round(rows.values * 64) / 64), rows.weights)
    origin = np.array([64.0, 0.0, -32.0])
    there = Rows(rows.values + origin.astype(dtype), rows.weights, origin)
    prepared = family.prepare(start, np.dtype(dtype))
    sweeps = [BoundedSweep(make_sweep(Facts(each), family, backend, 2)) for each in (rows, there)]
    for _ in range(5):
        assert same_bits(*(sweep.moments(prepared) for sweep in sweeps))
    assert (sweeps[1]._bounds is not None) == (backend.bounded_sweep is not None)


def means_far_out(X, n_components, random_state):
    assert X.min() > 9e5, "a start sees the data as they are"
    return X[[0, 1]]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    "start",
    [
        *({"init_params": name} for name in ("kmeans", "k-means++", "random", "random_from_data", means_far_out)),
        {"means_init": [[1e6, 1e6 - 2], [1e6, 1e6 + 2]]},
        {
            "means_init": [[1e6, 1e6 - 2], [1e6, 1e6 + 2]],
            "weights_init": [0.5, 0.5],
            "precisions_init": [np.eye(2)] * 2,
        },
    ],
    ids=lambda start: " ".join(map(str, start.values()))[:30],
)
def test_every_start_and_every_outcome_are_among_the_values_of_the_data(backend, start, rng):
    X = rng.normal(size=(400, 2)) + [1e6, 1e6] + 4.0 * (np.arange(400)[:, np.newaxis] % 2)
    seen = []
    mixture = GaussianMixture(2, random_state=0, backend=backend, callbacks=[seen.append], max_iter=200, **start)
    mixture.fit(X)
    for means in (mixture.means_, *(step.parameters.means for step in seen)):
        assert ((X.min(axis=0) < means) & (means < X.max(axis=0))).all()
    assert np.array_equal(seen[-1].parameters.means, mixture.means_)
    assert mixture.score(X) == pytest.approx(seen[-1].lower_bound, abs=1e-3)
    means = mixture.means_
    mixture.set_params(warm_start=True, max_iter=1).fit(X)
    assert np.abs(mixture.means_ - means).max() < 0.1


def test_a_start_of_labels_is_the_same_far_away(family, rng):
    """With differences that are exact there as here."""
    X = np.round(rng.normal(size=(100, 2)) * 2**20) / 2**20
    labels = np.arange(100) % 3
    options = {"covariance_type": family.name, "init_params": lambda *_: labels, "max_iter": 0}
    here, there = (GaussianMixture(3, **options).fit(X + shift) for shift in (0.0, 2.0**27))
    np.testing.assert_allclose(there.covariances_, here.covariances_, rtol=1e-14, atol=1e-14)
    assert np.abs(there.means_ - 2.0**27 - here.means_).max() <= 2.0**-26


@pytest.mark.parametrize("first", [0, 1])
def test_every_other_row_may_weigh_nothing(family, first):
    """A regular look at some rows would meet these alone."""
    rng = np.random.default_rng(0)
    X = np.round(rng.normal(size=(16_384, 2)) * 2**20) / 2**20 + 2.0**27
    counted = np.arange(len(X)) % 2 == first
    options = {"covariance_type": family.name, "max_iter": 3, "tol": 10.0, "means_init": X[counted][:2]}
    weighted = GaussianMixture(2, **options).fit(X, sample_weight=counted.astype(float))
    removed = GaussianMixture(2, **options).fit(X[counted])
    np.testing.assert_allclose(weighted.covariances_, removed.covariances_, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("n_rows", [10, 1000])
def test_a_look_at_some_rows_sees_those_that_count(rng, n_rows):
    values, weights = rng.normal(size=(16_384, 2)), np.zeros(16_384)
    weights[1::2] = 1.0
    some = Rows(values, weights).thinned(n_rows)
    assert some.weights.all()
    assert n_rows <= len(some.values) <= 2 * n_rows
