"""Annealing, and the power at its other end that makes assignments hard."""

import warnings

import numpy as np
import pytest

from fastgmm import GaussianMixture
from fastgmm.data.facts import Facts
from fastgmm.errors import MergedComponentsWarning
from fastgmm.families import FOUR
from fastgmm.fit.annealing import annealed, exponent_of_hard_assignment, exponents_from
from fastgmm.fit.maximize import maximize
from fastgmm.fit.runs import Stopping, run_em
from fastgmm.fit.update import Likelihood, Tempered
from fastgmm.kernels import get_backend
from fastgmm.rows import Rows
from fastgmm.sweeps.incomplete import suited_to_missing
from tests import naive
from tests.problems import TOLERANCE, as_mixture, assert_close, draw_problem, with_both_triangles

TABLE = np.array([[0.0, 0.5, 0.0], [0.0, 0.0, -np.inf]])


def believing(problem, dtype="float64", share=0.3):
    """Rows with holes and beliefs, and these beliefs row by row."""
    groups = (np.arange(len(problem.values)) % 3 - 1).astype(np.int32)
    is_missing = np.random.default_rng(1).random(problem.values.shape) < share
    is_missing[:, 0] &= ~is_missing[:, 1:].all(axis=1)
    values = np.where(is_missing, np.nan, problem.values).astype(dtype)
    priors = [TABLE[group].tolist() if group >= 0 else [0.0] * 3 for group in groups]
    return Rows(values, problem.weights, None, groups, TABLE, bool(is_missing.any())), priors


def tempered_moments(rows, problem, backend, exponent, dtype="float64"):
    update = Tempered(Likelihood(problem.family, np.zeros(rows.shape[1]), np.dtype(dtype)), exponent)
    model = update.prepare(problem.parameters)
    sweep = suited_to_missing(Facts(rows), problem.family, backend, 1).tempered(exponent)
    (moments,) = sweep([model])
    return moments, update.objective(moments, model)


@pytest.mark.parametrize("share", [0.0, 0.3], ids=["complete", "holes"])
def test_hard_moments_are_those_of_the_most_probable_components(backend, family, dtype, share):
    problem = draw_problem(family.name, 200, 3, 3, True)
    rows, priors = believing(problem, dtype, share)
    found, criterion = tempered_moments(rows, problem, backend, exponent_of_hard_assignment(np.dtype(dtype)), dtype)
    expected = naive.hard_moments(problem.mixture, rows.values.tolist(), rows.weights.tolist(), priors)
    tolerance = 10 * TOLERANCE[dtype]
    assert_close(found.counts, np.array(expected.counts), tolerance)
    step = naive.step_of_moments(problem.mixture, expected)
    ours = maximize(family, with_both_triangles(found, family), np.zeros(3), problem.parameters.covariances)
    assert_close(ours.means, np.array(step.means), tolerance)
    assert_close(ours.covariances, np.array(step.covariances), tolerance)
    assert criterion == pytest.approx(expected.log_likelihood / expected.total_weight, rel=tolerance)


@pytest.mark.parametrize("exponent", [0.3, 0.8])
def test_the_free_energy_is_that_of_the_oracle(backend, family, exponent):
    problem = draw_problem(family.name, 100, 3, 3, True)
    rows, priors = believing(problem)
    _, energy = tempered_moments(rows, problem, backend, exponent)
    expected = naive.free_energy(problem.mixture, rows.values.tolist(), rows.weights.tolist(), exponent, priors)
    assert energy == pytest.approx(expected / rows.weights.sum(), rel=1e-12)


def test_rows_with_equal_largest_densities_are_shared(backend):
    problem = draw_problem("spherical", 300, 2, 3)
    same = np.repeat(problem.parameters.means[:1], 3, axis=0)
    prepared = problem.prepared()._replace(means=same, log_constants=np.zeros(3), precisions=np.ones(3))
    moments = suited_to_missing(Facts(problem.rows()), problem.family, backend, 1).moments(prepared)
    assert_close(moments.counts, np.full(3, 100.0), 1e-12)


def test_exponents_grow_by_half_up_to_1():
    assert list(exponents_from(0.5)) == [0.5, 0.75, 1.0]
    assert list(exponents_from(1.0)) == [1.0]


@pytest.mark.parametrize("family", FOUR)
def test_each_run_begins_where_the_one_before_has_ended(family):
    problem = draw_problem(family, 300, 2, 3)
    rows, priors = believing(problem, share=0.0)
    sweep = suited_to_missing(Facts(rows), problem.family, get_backend("numpy"), 1)
    starts = []

    def run(start, course):
        starts.append((start, course.exponent))
        own = sweep.tempered(course.exponent)
        return run_em(own, start, np.zeros(2), Stopping(1e-4, 4), course=course)

    whole = annealed(run, problem.parameters, 0.4)
    begins = [number for number, step in enumerate(whole.steps) if step.change == np.inf]
    assert len(begins) == len(starts) == 4
    for begin, (start, exponent) in zip(begins, starts, strict=True):
        energy = naive.free_energy(as_mixture(start), rows.values.tolist(), [1.0] * 300, exponent, priors) / 300
        assert whole.steps[begin].lower_bound == pytest.approx(energy, rel=1e-10)
    assert [step.iteration for step in whole.steps] == list(range(1, len(whole.steps) + 1))
    assert not any(step.converged for step in whole.steps[: begins[-1]])


@pytest.fixture(scope="module")
def x():
    rng = np.random.default_rng(5)
    centers = 3.0 * rng.normal(size=(4, 3))
    return centers[rng.integers(4, size=800)] + rng.normal(size=(800, 3))


def test_a_fit_ends_with_the_likelihood(x):
    gm = GaussianMixture(4, random_state=0, annealing=0.6, tol=1e-6, max_iter=500).fit(x)
    assert gm.converged_
    assert gm.lower_bound_ == pytest.approx(gm.score(x), abs=1e-5)
    assert [step.change for step in gm.history_].count(np.inf) == 3


def test_from_1_it_is_plain(x):
    plain, one = (GaussianMixture(4, random_state=0, annealing=first).fit(x) for first in (None, 1.0))
    assert np.array_equal(one.means_, plain.means_)


@pytest.mark.parametrize("family", FOUR)
def test_a_fit_says_which_components_flat_densities_have_merged(x, family):
    with pytest.warns(MergedComponentsWarning) as caught:
        GaussianMixture(4, covariance_type=family, random_state=0, annealing=0.05, reg_covar=1.0).fit(x)
    [warning] = caught
    assert vars(warning.message) == {"components": ((0, 1, 2, 3),), "annealing": 0.05}
    assert str(warning.message).startswith(
        "Components 0, 1, 2, 3 of 4 are the same but for their weights: flat densities have merged them. Begin with a "
        "larger exponent than annealing=0.05, or fit fewer components."
    )


@pytest.mark.parametrize("family", FOUR)
def test_components_that_stay_apart_are_no_news(x, family):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        GaussianMixture(4, covariance_type=family, random_state=0, annealing=0.7, max_iter=500, tol=1e-6).fit(x)


def test_a_fit_that_is_cut_short_has_no_likelihood(x):
    def stop(step):
        raise StopIteration

    gm = GaussianMixture(4, random_state=0, annealing=0.5, callbacks=[stop]).fit(x)
    assert (gm.stop_reason_, gm.converged_, gm.n_iter_, gm.lower_bound_) == ("callback", False, 1, -np.inf)


@pytest.mark.prints
def test_verbose_says_once_how_it_ended(x, capsys):
    GaussianMixture(2, random_state=0, annealing=0.6, verbose=1, max_iter=500).fit(x)
    assert capsys.readouterr().out.count("converged") == 1
