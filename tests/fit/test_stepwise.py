"""Stepwise EM: what a batch of rows makes of a model, and what is kept of it."""

import pickle
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from fastgmm import GaussianMixture
from fastgmm.data.facts import Facts
from fastgmm.families import FOUR, CovarianceFamily
from fastgmm.fit.em import em
from fastgmm.fit.options import Options
from fastgmm.fit.posterior import update_of
from fastgmm.fit.prior import Prior
from fastgmm.fit.stepwise import Earlier, Stream, moments_of_model, step_of_batch
from fastgmm.kernels import get_backend
from fastgmm.parameters import FloatArray, Parameters
from fastgmm.rows import Rows
from fastgmm.sweeps.in_memory import make_sweep
from tests import naive
from tests.conftest import BACKENDS
from tests.problems import Problem, as_mixture, assert_close, draw_parameters, draw_problem

FAR = 2.0**27  # standard deviations from zero, some 1e8
CUTS = [(0, 60), (60, 120), (120, 150), (150, 151), (151, 240)]
ARRAYS = ("weights", "means", "covariances")


def options_of(problem: Problem, **others: Any) -> Options:
    how = {"n_components": problem.parameters.n_components, "covariance_type": problem.family.name, "reg_covar": 0.01}
    return Options(**(how | others))


def batches_of(rows: Rows) -> list[Rows]:
    return [rows.take(slice(*cut)) for cut in CUTS]


def weights_of(rows: Rows) -> list[float]:
    return [1.0] * rows.shape[0] if rows.weights is None else rows.weights.tolist()


def walk(
    options: Options, start: Parameters, batches: list[Rows], n_steps: int | None = None
) -> list[tuple[Parameters, Stream]]:
    """The models after each batch, from a start, or a model that so many steps have led to."""
    earlier, result = Earlier(start, n_steps=n_steps), []
    for rows in batches:
        fit, stream = step_of_batch(options, rows, earlier)
        earlier = Earlier(fit.parameters, stream, (earlier.n_steps or 0) + 1, fit.prior)
        result.append((fit.parameters, stream))
    return result


def shares_by_hand(weights: list[float], decay: float, offset: float) -> list[float]:
    """Of batches of these weights, after a start."""
    shares = [1.0]
    for t, weight in enumerate(weights[1:]):
        average = sum(weights[: t + 1]) / (t + 1)
        shares.append((t + offset) ** -decay * min(1.0, weight / average))
    return shares


# --- a step ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("decay", "offset"), [(0.7, 2.0), (0.5, 1.0), (1.0, 16.0)], ids=str)
@pytest.mark.parametrize("weighted", [False, True], ids=["unweighted", "weighted"])
@pytest.mark.parametrize("backend", BACKENDS)
def test_models_are_those_of_the_oracle(
    family: CovarianceFamily, backend: str, weighted: bool, decay: float, offset: float
) -> None:
    problem = draw_problem(family.name, 240, 3, 3, weighted=weighted)
    options = options_of(problem, learning_decay=decay, learning_offset=offset, backend=backend)
    batches = batches_of(problem.rows())
    given = [
        (rows.values.tolist(), np.ones(rows.shape[0]) if rows.weights is None else rows.weights) for rows in batches
    ]
    given = [(values, weights.tolist()) for values, weights in given]
    shares = shares_by_hand([sum(weights) for _, weights in given], decay, offset)
    expected = naive.stepwise(problem.mixture, given, shares, 0.01)
    for (found, _), mixture in zip(walk(options, problem.parameters, batches), expected, strict=True):
        for name in ARRAYS:
            assert_close(getattr(found, name), np.array(getattr(mixture, name)), 1e-10)


def test_the_bound_is_that_of_all_batches_each_by_its_share_and_under_its_own_model(family: CovarianceFamily) -> None:
    problem = draw_problem(family.name, 240, 3, 3)
    batches = batches_of(problem.rows())
    mixture, earlier, expected = problem.mixture, Earlier(problem.parameters), 0.0
    shares = shares_by_hand([rows.total_weight for rows in batches], 0.7, 2.0)
    for rows, share in zip(batches, shares, strict=True):
        own = np.mean(naive.log_density(mixture, rows.values.tolist()))
        expected = (1.0 - share) * expected + share * own
        fit, stream = step_of_batch(options_of(problem), rows, earlier)
        assert fit.lower_bound == pytest.approx(expected, rel=1e-12)
        mixture = as_mixture(fit.parameters)
        earlier = Earlier(fit.parameters, stream, (earlier.n_steps or 0) + 1)


def test_the_first_batch_takes_an_iteration_of_em_from_the_start(family: CovarianceFamily, dtype: str) -> None:
    problem = draw_problem(family.name, 240, 3, 3, weighted=True)
    rows, regularization = problem.rows(dtype), np.full(3, 0.01)
    sweep = make_sweep(Facts(rows), family, get_backend("numpy"), 1)
    iterates = em(update_of(family, regularization, rows.values.dtype, None, problem.parameters), problem.parameters)
    expected = iterates.send(sweep([next(iterates).asked])[0])
    fit, _ = step_of_batch(options_of(problem, backend="numpy"), rows, Earlier(problem.parameters))
    for name in ARRAYS:
        assert_close(getattr(fit.parameters, name), getattr(expected.model.parameters, name), 1e-13)
    assert fit.lower_bound == pytest.approx(expected.lower_bound, rel=1e-13)


def test_a_batch_with_the_whole_share_leaves_nothing_of_those_before(family: CovarianceFamily) -> None:
    problem = draw_problem(family.name, 240, 3, 3)
    options = options_of(problem, learning_offset=1.0)
    first, second = problem.rows().take(slice(0, 120)), problem.rows().take(slice(120, 240))
    (_, _), (found, _) = walk(options, problem.parameters, [first, second])
    (middle, _), *_ = walk(options, problem.parameters, [first])
    (expected, _), *_ = walk(options, middle, [second])
    for name in ARRAYS:
        assert_close(getattr(found, name), getattr(expected, name), 1e-12)


# --- shares ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n_steps", [0, 1, 2, 50])
def test_the_share_of_a_batch_falls_with_the_steps_before_it(n_steps: int) -> None:
    earlier = Earlier(draw_parameters(np.random.default_rng(0), "diag", 2, 2), n_steps=n_steps)
    options = Options(learning_decay=0.6, learning_offset=3.0)
    assert earlier.share(options, 5.0) == pytest.approx((max(n_steps, 1) + 2.0) ** -0.6, rel=1e-15)


def test_a_batch_that_weighs_less_than_those_before_it_has_less_of_a_share(family: CovarianceFamily) -> None:
    problem = draw_problem(family.name, 240, 3, 3)
    (parameters, stream) = walk(options_of(problem), problem.parameters, batches_of(problem.rows()))[1]
    earlier = Earlier(parameters, stream, 2)
    assert (stream.total_weight, stream.n_batches) == (120.0, 2)
    whole = 3.0**-0.7
    shares = [earlier.share(Options(), weight) for weight in (600.0, 60.0, 30.0, 1.0)]
    assert shares == pytest.approx([whole, whole, whole / 2, whole / 60], rel=1e-15)


# --- what stands for a model -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("regularization", [0.0, 0.05, 5.0], ids=["none", "some", "more than there is"])
def test_the_moments_that_stand_for_a_model_make_it(family: CovarianceFamily, regularization: float) -> None:
    parameters = draw_parameters(np.random.default_rng(3), family.name, 3, 4)
    update = update_of(family, np.full(3, regularization), np.dtype(np.float64), None, parameters)
    model = update.prepare(parameters)
    found = update.maximize(moments_of_model(update, parameters, -1.0), model)
    assert_close(found.weights, parameters.weights, 1e-14)
    assert_close(found.means, parameters.means, 1e-14)
    # Nothing is taken away from a covariance that has less than that.
    expected = parameters.covariances
    if regularization == 5.0:
        expected = family.regularize(expected.copy(), np.full(3, 5.0))
    assert_close(found.covariances, expected, 1e-13)


def test_a_model_goes_on_where_it_is_as_though_its_own_rows_were_known(family: CovarianceFamily) -> None:
    """Without holes and priors, what stands for it is what a first batch has left."""
    problem = draw_problem(family.name, 240, 3, 3)
    first, *others = batches_of(problem.rows())
    whole = walk(options_of(problem), problem.parameters, [first, *others[:1]])
    (middle, _), *_ = whole
    (found, _), *_ = walk(options_of(problem), middle, others[:1], n_steps=1)
    for name in ARRAYS:
        assert_close(getattr(found, name), getattr(whole[1][0], name), 1e-12)


# --- metamorphic -----------------------------------------------------------------------------------------------------


def end_of(problem: Problem, rows: Rows, start: Parameters, **options: Any) -> Parameters:
    return walk(options_of(problem, **options), start, batches_of(rows))[-1][0]


def test_they_follow_a_permutation_of_the_features(family: CovarianceFamily) -> None:
    problem, order = draw_problem(family.name, 240, 3, 3, weighted=True), [2, 0, 1]
    covariances = problem.parameters.covariances
    if family.has_matrices:
        covariances = covariances[..., order, :][..., order]
    elif family.kernel == "diag":
        covariances = covariances[:, order]
    start = replace(problem.parameters, means=problem.parameters.means[:, order], covariances=covariances)
    rows = problem.rows()
    permuted = end_of(problem, replace(rows, values=np.ascontiguousarray(rows.values[:, order])), start)
    plain = end_of(problem, rows, problem.parameters)
    assert_close(permuted.means, plain.means[:, order], 1e-12)
    assert_close(permuted.weights, plain.weights, 1e-12)


def test_a_weight_of_two_is_the_row_twice_and_of_zero_none(family: CovarianceFamily) -> None:
    problem = draw_problem(family.name, 240, 3, 3)
    times = np.arange(1, 241) % 3
    weights = times.astype(np.float64)
    weighted = walk(options_of(problem), problem.parameters, batches_of(Rows(problem.values, weights)))
    repeated = [Rows(np.repeat(problem.values[i:j], times[i:j], axis=0)) for i, j in CUTS]
    expected = walk(options_of(problem), problem.parameters, repeated)
    for name in ARRAYS:
        assert_close(getattr(weighted[-1][0], name), getattr(expected[-1][0], name), 1e-12)
    assert weighted[-1][1].total_weight == expected[-1][1].total_weight == weights.sum()
    assert weighted[-1][1].moments.n_rows == np.count_nonzero(weights)


def test_rows_that_weigh_next_to_nothing_leave_the_prior(family: CovarianceFamily) -> None:
    problem = draw_problem(family.name, 240, 3, 3)
    prior = Prior(mean_precision=5.0, mean=[0.5, -0.5, 0.25], weight_concentration=3.0)
    rows = Rows(problem.values, np.full(240, 1e-307))
    found = end_of(problem, rows, problem.parameters, prior=prior)
    assert_close(found.means, np.tile([0.5, -0.5, 0.25], (3, 1)), 1e-12)
    assert_close(found.weights, np.full(3, 1 / 3), 1e-12)


@pytest.mark.parametrize("factor", [2.0**200, 2.0**-200, 1e300], ids=str)
def test_the_unit_of_the_weights_does_not_matter(family: CovarianceFamily, factor: float) -> None:
    problem = draw_problem(family.name, 240, 3, 3, weighted=True)
    rows = problem.rows()
    assert rows.weights is not None
    scaled = end_of(problem, replace(rows, weights=rows.weights * factor), problem.parameters)
    plain = end_of(problem, rows, problem.parameters)
    for name in ARRAYS:
        assert_close(getattr(scaled, name), getattr(plain, name), 1e-12)


def rounded(problem: Problem) -> tuple[FloatArray, Parameters]:
    """Rows and means with so few digits that they have room for a shift."""
    values, means = (np.round(each * 2**20) / 2**20 for each in (problem.values, problem.parameters.means))
    return values, replace(problem.parameters, means=means)


def test_far_from_zero_they_are_what_they_are_here(family: CovarianceFamily) -> None:
    problem = draw_problem(family.name, 240, 3, 3, weighted=True)
    values, start = rounded(problem)
    here = walk(options_of(problem), start, batches_of(Rows(values, problem.weights)))
    there = walk(
        options_of(problem), replace(start, means=start.means + FAR), batches_of(Rows(values + FAR, problem.weights))
    )
    for (one, _), (other, stream) in zip(here, there, strict=True):
        assert stream.origin is not None
        assert_close(other.weights, one.weights, 1e-13)
        assert_close(other.covariances, one.covariances, 1e-13)
        # The means that are shown are rounded; those that are kept are not.
        assert_close(stream.moments.about + (stream.origin - FAR), one.means, 1e-13)
        assert_close(other.means - FAR, one.means, 2.0**-25)


def test_rows_far_away_may_come_in_single_precision_after_a_first_batch_in_double(family: CovarianceFamily) -> None:
    """The origin of the first is no number of theirs."""
    problem = draw_problem(family.name, 240, 3, 3)
    values = np.round(problem.values * 8.0) / 8.0 + 2.0**20 + 1 / 32
    start = replace(problem.parameters, means=problem.parameters.means + 2.0**20)
    first, second = (Rows(values[part]) for part in (slice(0, 120), slice(120, 240)))
    single = Rows(second.values.astype(np.float32))
    (_, stream), (found, _) = walk(options_of(problem), start, [first, single])
    assert stream.origin is not None
    assert not np.array_equal(stream.origin, stream.origin.astype(np.float32))
    (_, _), (expected, _) = walk(options_of(problem), start, [first, Rows(single.values.astype(np.float64))])
    for name in ARRAYS:
        assert np.array_equal(getattr(found, name), getattr(expected, name))


def test_backends_agree(family: CovarianceFamily) -> None:
    problem = draw_problem(family.name, 240, 3, 3, weighted=True)
    ends = [end_of(problem, problem.rows(), problem.parameters, backend=name) for name in BACKENDS]
    for end in ends[1:]:
        for name in ARRAYS:
            assert_close(getattr(end, name), getattr(ends[0], name), 1e-12)


def test_single_precision_is_near(family: CovarianceFamily) -> None:
    problem = draw_problem(family.name, 240, 3, 3)
    double, single = (end_of(problem, problem.rows(dtype), problem.parameters) for dtype in ("float64", "float32"))
    for name in ARRAYS:
        assert_close(getattr(single, name), getattr(double, name), 1e-5)


# --- what is kept ----------------------------------------------------------------------------------------------------


def test_what_is_kept_does_not_grow_with_the_rows(family: CovarianceFamily) -> None:
    problem = draw_problem(family.name, 240, 3, 3)
    rows = problem.rows()
    many = Rows(np.concatenate([rows.values] * 40))
    stages = walk(options_of(problem), problem.parameters, [rows, many, rows, many, *[rows] * 20])
    sizes = {len(pickle.dumps(stream.moments)) for _, stream in stages}
    assert max(sizes) - min(sizes) <= 8  # digits of the number of rows
    kept = stages[-1][1].moments
    assert kept.n_rows == 240 * (22 + 80)
    assert kept.total_weight == pytest.approx(1.0, rel=1e-12)


def test_what_is_kept_is_about_the_means_that_it_has_led_to(family: CovarianceFamily) -> None:
    problem = draw_problem(family.name, 240, 3, 3)
    for found, stream in walk(options_of(problem), problem.parameters, batches_of(problem.rows())):
        assert stream.is_of(found)
        assert_close(stream.moments.first, np.zeros((3, 3)), 1e-14, 1.0)
        assert not stream.is_of(replace(found, means=found.means + 1e-9))
        other = next(name for name in FOUR if name != family.name)
        assert not stream.is_of(replace(found, covariance_type=other))


def test_a_pass_over_clusters_comes_near_to_a_fit() -> None:
    rng = np.random.default_rng(0)
    means = 2.0 * rng.standard_normal((8, 4))
    X = means[rng.integers(8, size=40_000)] + rng.standard_normal((40_000, 4))
    gm = GaussianMixture(8, random_state=0)
    for begin in range(0, len(X), 2000):
        gm.partial_fit(X[begin : begin + 2000])
    score = gm.score(X)
    assert score > gm.set_params(warm_start=True, tol=1e-7, max_iter=1000).fit(X).score(X) - 0.003
