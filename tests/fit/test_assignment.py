"""Hard and stochastic assignment, and annealing: what their criteria do, and where they end."""

import warnings

import numpy as np
import pytest

from fastgmm import GaussianMixture
from fastgmm.data.facts import Facts
from fastgmm.errors import DegenerateComponentError, DegenerateComponentWarning
from fastgmm.families import FAMILIES
from fastgmm.fit.annealing import annealed, exponents_from, tempered_sweep
from fastgmm.fit.options import InvalidParameterError
from fastgmm.fit.runs import Course, Stopping, run_em
from fastgmm.kernels import available_backends, get_backend
from fastgmm.rows import Rows
from fastgmm.sweeps.in_memory import make_sweep
from tests import naive
from tests.problems import as_mixture, draw_problem

BACKENDS = [name for name, state in available_backends().items() if state == "available"]


@pytest.fixture(scope="module")
def x():
    rng = np.random.default_rng(5)
    centers = 2.0 * rng.normal(size=(4, 3))
    return centers[rng.integers(4, size=1500)] + rng.normal(size=(1500, 3))


def fit(x, family="full", n_components=4, sample_weight=None, **options):
    options = {"random_state": 0, "covariance_type": family, "reg_covar": 0.0} | options
    return GaussianMixture(n_components, **options).fit(x, sample_weight=sample_weight)


def parameters(gm):
    return gm.weights_, gm.means_, gm.covariances_


def mixture(gm):
    return naive.Mixture(gm.covariance_type, *(array.tolist() for array in parameters(gm)))


def changes(gm):
    return [step.change for step in gm.history_]


@pytest.mark.parametrize("family", FAMILIES)
def test_hard_iterations_are_those_of_the_oracle(x, family):
    before = fit(x[:200], family)
    start = {
        "weights_init": before.weights_,
        "means_init": before.means_,
        "precisions_init": before.precisions_,
    }
    with warnings.catch_warnings(action="ignore"):
        gm = fit(x[:200], family, assignment="hard", tol=0, max_iter=3, **start)
    expected = mixture(before)
    for step in gm.history_:
        bound = naive.classification_likelihood(expected, x[:200].tolist(), [1.0] * 200) / 200
        assert step.lower_bound == pytest.approx(bound, rel=1e-9)
        expected = naive.hard_step(expected, x[:200].tolist())
    for ours, true in zip(parameters(gm), expected[1:], strict=True):
        np.testing.assert_allclose(ours, np.array(true), rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_hard_criterion_never_falls_and_a_fit_ends_where_no_label_changes(x, family):
    gm = fit(x, family, assignment="hard", tol=0.0, max_iter=500)
    assert gm.converged_
    assert gm.stop_reason_ == "converged"
    assert min(changes(gm)) >= -1e-12 * abs(gm.lower_bound_)
    again = naive.hard_step(mixture(gm), x.tolist())
    np.testing.assert_allclose(gm.means_, np.array(again.means), rtol=1e-9, atol=1e-12)
    joint = gm.predict_joint_log_proba(x)
    assert gm.lower_bound_ == pytest.approx(joint.max(axis=1).mean(), rel=1e-9)


@pytest.mark.parametrize("options", [{"assignment": "hard"}, {"annealing": 0.6}], ids=["hard", "annealed"])
@pytest.mark.parametrize("family", FAMILIES)
def test_backends_agree(x, family, options):
    fits = [fit(x, family, backend=backend, tol=1e-4, max_iter=300, **options) for backend in BACKENDS]
    for other in fits[1:]:
        assert other.n_iter_ == fits[0].n_iter_
        np.testing.assert_allclose(other.means_, fits[0].means_, rtol=1e-7, atol=1e-9)
        np.testing.assert_allclose(other.covariances_, fits[0].covariances_, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize(
    "options", [{"assignment": "hard"}, {"assignment": "stochastic", "max_iter": 8}], ids=["hard", "stochastic"]
)
def test_threads_change_no_bit(x, options):
    rows = np.concatenate([x] * 4)
    one, three = (fit(rows, n_threads=n_threads, **options) for n_threads in (1, 3))
    assert all(np.array_equal(a, b) for a, b in zip(parameters(one), parameters(three), strict=True))


@pytest.mark.parametrize("family", FAMILIES)
def test_a_weight_of_0_removes_a_row_and_of_2_repeats_it_in_a_hard_fit(x, family):
    weights = np.random.default_rng(0).integers(0, 3, len(x))
    options = {"assignment": "hard", "tol": 0.0, "max_iter": 500, "means_init": x[:4]}
    weighted = fit(x, family, sample_weight=weights, **options)
    repeated = fit(np.repeat(x, weights, axis=0), family, **options)
    assert weighted.n_iter_ == repeated.n_iter_
    np.testing.assert_allclose(weighted.means_, repeated.means_, rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(weighted.weights_, repeated.weights_, rtol=1e-12)
    assert weighted.lower_bound_ == pytest.approx(repeated.lower_bound_, rel=1e-9)


def empty_component(x):
    return {"means_init": [*x[:3], [1e3] * 3], "precisions_init": np.broadcast_to(np.eye(3), (4, 3, 3))}


def test_a_component_without_rows_is_named_as_degenerate(x):
    with pytest.warns(DegenerateComponentWarning, match="Component 3"):
        gm = fit(x, assignment="hard", max_iter=500, reg_covar=1e-6, **empty_component(x))
    assert gm.degenerate_components_ == (3,)
    assert gm.means_[3].tolist() == [1e3] * 3
    assert gm.weights_[3] < 1e-14
    with pytest.raises(DegenerateComponentError):
        fit(x, assignment="hard", reg_covar=0.0, **empty_component(x))


@pytest.mark.parametrize("family", FAMILIES)
def test_a_stochastic_fit_ends_with_the_likeliest_that_it_has_visited(x, family):
    with warnings.catch_warnings(action="error"):
        gm = fit(x, family, assignment="stochastic", max_iter=20)
    assert (gm.n_iter_, gm.converged_, gm.stop_reason_) == (20, False, "max_iter")
    assert gm.lower_bound_ == max(gm.lower_bounds_)
    assert gm.lower_bound_ == pytest.approx(gm.score(x), rel=1e-12)
    assert min(changes(gm)) < 0.0  # it wanders


def test_a_seed_says_what_is_drawn(x):
    one, same, other = (fit(x, assignment="stochastic", max_iter=5, random_state=seed).means_ for seed in (1, 1, 2))
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)


def test_exponents_grow_by_half_up_to_1():
    assert list(exponents_from(0.5)) == [0.5, 0.75, 1.0]
    assert list(exponents_from(1.0)) == [1.0]


@pytest.mark.parametrize("loop", ["em", "accelerated"])
@pytest.mark.parametrize("family", FAMILIES)
def test_the_free_energy_never_falls_and_is_the_oracles(family, loop):
    problem = draw_problem(family, 300, 2, 3)
    table = np.array([[0.0, 0.5, 0.0], [0.0, 0.0, -np.inf]])
    groups = (np.arange(300) % 3 - 1).astype(np.int32)
    rows = Rows(problem.values, None, None, groups, table)
    sweep = make_sweep(Facts(rows), problem.family, get_backend("numpy"), 1)
    priors = [table[group].tolist() if group >= 0 else [0.0] * 3 for group in groups]
    starts = []

    def run(start, course):
        starts.append((start, course.exponent))
        tempered = tempered_sweep(sweep, course.exponent)
        return run_em(tempered, start, np.zeros(2), Stopping(1e-4, 4), course=Course(loop, course.exponent))

    whole = annealed(run, problem.parameters, 0.4)
    steps = list(whole.steps)
    begins = [number for number, step in enumerate(steps) if step.change == np.inf]
    assert len(begins) == len(starts) == 4
    assert not any(step.fell for step in steps)
    for begin, (start, exponent) in zip(begins, starts, strict=True):
        energy = naive.free_energy(as_mixture(start), problem.values.tolist(), exponent, priors) / 300
        assert steps[begin].lower_bound == pytest.approx(energy, rel=1e-10)


def test_an_annealed_fit_counts_all_its_iterations_and_ends_with_the_likelihood(x):
    gm = fit(x, annealing=0.6, tol=1e-6, max_iter=500)
    assert gm.converged_
    assert [step.iteration for step in gm.history_] == list(range(1, gm.n_iter_ + 1))
    assert changes(gm).count(np.inf) == 3
    assert gm.lower_bound_ == pytest.approx(gm.score(x), abs=1e-5)
    assert gm.lower_bound_ == pytest.approx(fit(x, tol=1e-6, max_iter=500).lower_bound_, abs=1e-2)


def test_annealing_from_1_is_plain(x):
    assert np.array_equal(fit(x, annealing=1.0).means_, fit(x).means_)


def test_an_annealed_fit_that_is_cut_short_has_no_likelihood(x):
    def stop(step):
        raise StopIteration

    gm = fit(x, annealing=0.5, callbacks=[stop])
    assert (gm.stop_reason_, gm.n_iter_, gm.lower_bound_) == ("callback", 1, -np.inf)


@pytest.mark.parametrize("assignment", ["hard", "stochastic"])
@pytest.mark.parametrize("option", [{"accelerate": "squarem"}, {"annealing": 0.5}], ids=["accelerate", "annealing"])
def test_what_is_for_soft_assignments_is_refused_elsewhere(x, assignment, option):
    (name,) = option
    with pytest.raises(InvalidParameterError, match=f"'{name}' parameter .* None where assignment='{assignment}'"):
        fit(x, assignment=assignment, **option)
