"""``Moments``: sums over rows, which may be taken in parts."""

import dataclasses
import functools
import math
import pickle

import numpy as np
import pytest

from fastgmm.data.facts import Facts
from fastgmm.fit.maximize import maximize
from fastgmm.moments import Moments, check_moments
from fastgmm.rows import Rows
from fastgmm.sweeps.in_memory import make_sweep
from tests import naive
from tests.problems import (
    assert_close,
    assert_close_moments,
    draw_problem,
    oracle_moments,
    same_bits,
    with_both_triangles,
)


def moments_of(backend, problem, rows) -> Moments:
    return with_both_triangles(
        make_sweep(Facts(rows), problem.family, backend, 1).moments(problem.prepared()), problem.family
    )


def test_of_all_rows_they_are_those_of_the_oracle(backend, family):
    problem = draw_problem(family.name, 257, 5, 3, weighted=True)
    assert_close_moments(moments_of(backend, problem, problem.rows()), oracle_moments(problem), 1e-12)


@pytest.mark.parametrize("cuts", [[1], [100], [256], [7, 8], [50, 100, 200]], ids=str)
def test_those_of_parts_add_up_to_those_of_the_whole(backend, family, cuts):
    problem = draw_problem(family.name, 257, 5, 3, weighted=True)
    parts = [
        moments_of(backend, problem, Rows(values, weights))
        for values, weights in zip(np.split(problem.values, cuts), np.split(problem.weights, cuts), strict=True)
    ]
    assert_close_moments(functools.reduce(Moments.__add__, parts), oracle_moments(problem), 1e-12)


def test_the_order_of_two_parts_does_not_matter(backend, family):
    problem = draw_problem(family.name, 257, 5, 3)
    one, other = (moments_of(backend, problem, Rows(part)) for part in np.split(problem.values, [100]))
    assert_close_moments(one + other, other + one, 0.0)


def test_adding_leaves_both_parts_as_they_were(backend, family):
    problem = draw_problem(family.name, 7, 2, 3)
    part = moments_of(backend, problem, problem.rows())
    counts = part.counts.copy()
    total = part + part
    assert np.array_equal(part.counts, counts)
    assert np.array_equal(total.counts, 2 * counts)


def test_their_size_does_not_depend_on_the_rows(backend, family):
    few, many = (
        moments_of(backend, problem, problem.rows())
        for problem in (draw_problem(family.name, n_rows, 2, 3) for n_rows in (7, 600))
    )
    assert few.first.shape == many.first.shape == (3, 2)
    assert few.second.shape == many.second.shape


def test_they_are_float64_whatever_comes_in(backend, family, dtype):
    problem = draw_problem(family.name, 7, 2, 3)
    moments = make_sweep(Facts(problem.rows(dtype)), family, backend, 1).moments(problem.prepared(dtype))
    assert {moments.counts.dtype, moments.first.dtype, moments.second.dtype} == {np.dtype(np.float64)}


# --- refusing, scaling, other means ----------------------------------------------------------------------------------


def changed(moments: Moments, **fields) -> Moments:
    return dataclasses.replace(moments, **fields)


def test_a_sweep_says_what_they_are_of(backend, family):
    problem = draw_problem(family.name, 257, 5, 3)
    weights = np.ones(257)
    weights[:7] = 0.0
    moments = make_sweep(Facts(Rows(problem.values, weights)), family, backend, 1).moments(problem.prepared())
    assert np.array_equal(moments.about, problem.parameters.means)
    assert (moments.n_rows, moments.covariance_type, moments.extra.shape) == (250, family.name, (3, 0))


def test_a_pickle_of_them_names_the_public_class_and_keeps_their_bits(family):
    moments = oracle_moments(draw_problem(family.name, 7, 2, 3))
    content = pickle.dumps(moments)
    assert b"cfastgmm\nMoments" in pickle.dumps(moments, 0)
    assert same_bits(pickle.loads(content), moments)


def test_adding_adds_all_that_is_a_sum_over_rows(family):
    one = changed(oracle_moments(draw_problem(family.name, 7, 2, 3)), extra=np.ones((3, 4)))
    total = one + changed(one, n_rows=5, extra=np.full((3, 4), 2.0))
    assert total.n_rows == 12
    assert np.array_equal(total.extra, np.full((3, 4), 3.0))
    assert (total.total_weight, total.log_likelihood) == (2 * one.total_weight, 2 * one.log_likelihood)
    assert np.array_equal(total.about, one.about)


def test_those_about_means_that_differ_in_one_bit_do_not_add_up(family):
    moments = oracle_moments(draw_problem(family.name, 7, 2, 3))
    about = moments.about.copy()
    about[1, 1] = np.nextafter(about[1, 1], np.inf)
    with pytest.raises(ValueError, match=r"about different means.*one \+ other.recentred\(one.about\)"):
        moments + changed(moments, about=about)


def test_those_of_other_families_or_shapes_do_not_add_up(family):
    moments = oracle_moments(draw_problem(family.name, 7, 2, 3))
    other_family = "diag" if family.name == "full" else "full"
    with pytest.raises(ValueError, match=r"different families.*'full'"):
        moments + oracle_moments(draw_problem(other_family, 7, 2, 3))
    with pytest.raises(ValueError, match=r"different shapes.*counts \(3,\) and \(2,\)"):
        moments + oracle_moments(draw_problem(family.name, 7, 2, 2))
    with pytest.raises(ValueError, match=r"different shapes.*extra \(3, 0\) and \(3, 1\)"):
        moments + changed(moments, extra=np.zeros((3, 1)))


def test_they_add_up_with_nothing_but_moments(family):
    with pytest.raises(TypeError):
        oracle_moments(draw_problem(family.name, 7, 2, 3)) + 1.0


@pytest.mark.parametrize("factor", [0, 0.25, np.float32(3.0), 7])
def test_scaled_they_are_those_of_rows_that_weigh_so_much(family, factor):
    problem = draw_problem(family.name, 50, 2, 3, weighted=True)
    scaled = changed(oracle_moments(problem), extra=np.ones((3, 2))).scaled(factor)
    weights = (float(factor) * problem.weights).tolist()
    expected = naive.moments(problem.mixture, problem.values.tolist(), weights)
    assert_close_moments(
        scaled, changed(scaled, **{name: np.array(v) for name, v in expected._asdict().items()}), 1e-12
    )
    assert np.array_equal(scaled.extra, np.full((3, 2), float(factor)))
    assert scaled.n_rows == 50


def test_scaled_by_nothing_they_weigh_nothing_also_where_a_row_is_impossible(family):
    moments = changed(oracle_moments(draw_problem(family.name, 7, 2, 3)), log_likelihood=-np.inf)
    assert moments.scaled(0.0).log_likelihood == 0.0


@pytest.mark.parametrize("factor", [-1.0, np.nan, np.inf, np.ones(3)], ids=str)
def test_no_other_number_scales_them(family, factor):
    with pytest.raises(ValueError, match="factor must be a finite number"):
        oracle_moments(draw_problem(family.name, 7, 2, 3)).scaled(factor)


def about_other_means(problem, means) -> Moments:
    """What the oracle says: the responsibilities of the problem, differences from other means."""
    rows = problem.values.tolist()
    shares = naive.weighted_shares(problem.mixture, rows, problem.weights.tolist())
    scatters = naive.scatter_matrices(rows, shares, means.tolist())
    first = [
        [math.fsum(r[k] * (x[j] - mean[j]) for r, x in zip(shares, rows, strict=True)) for j in range(len(mean))]
        for k, mean in enumerate(means.tolist())
    ]
    second = np.array(naive.in_family_shape(problem.family.name, scatters))
    return changed(oracle_moments(problem), first=np.array(first), second=second, about=means)


def test_recentred_they_are_those_about_other_means(family, rng):
    problem = draw_problem(family.name, 100, 3, 4, weighted=True)
    means = rng.normal(size=(4, 3))
    recentred = oracle_moments(problem).recentred(means.tolist())
    assert_close_moments(recentred, about_other_means(problem, means), 1e-13)
    assert np.array_equal(recentred.about, means)
    assert recentred.log_likelihood == oracle_moments(problem).log_likelihood


def test_there_and_back_they_are_the_same_and_the_same_model_follows(family, rng):
    problem = draw_problem(family.name, 100, 3, 4)
    moments = oracle_moments(problem)
    there = moments.recentred(rng.normal(size=(4, 3)))
    assert_close_moments(there.recentred(moments.about), moments, 1e-13)
    one, other = (maximize(family, each, np.zeros(3)) for each in (moments, there))
    assert_close(one.means, other.means, 1e-13)
    assert_close(one.covariances, other.covariances, 1e-13)


def test_recentred_lower_triangles_stay_enough(backend):
    problem = draw_problem("full", 100, 3, 2)
    moments = make_sweep(Facts(problem.rows()), problem.family, backend, 1).moments(problem.prepared())
    means = np.ones((2, 3))
    one = with_both_triangles(moments.recentred(means), problem.family)
    assert_close_moments(one, with_both_triangles(moments, problem.family).recentred(means), 1e-13)


def test_far_from_zero_they_keep_their_digits_about_other_means(family):
    moments, far = oracle_moments(draw_problem(family.name, 100, 2, 3)), 2.0**27
    there = changed(moments, about=np.round(moments.about) + far)
    shifts = np.array([[1.0, 2.0]])
    here = changed(moments, about=np.round(moments.about)).recentred(np.round(moments.about) + shifts)
    assert_close_moments(there.recentred(there.about + shifts), here, 0.0)


def test_only_finite_means_of_their_shape_are_means(family):
    moments = oracle_moments(draw_problem(family.name, 7, 2, 3))
    for means in (np.zeros((2, 3)), np.zeros(2), np.full((3, 2), np.nan)):
        with pytest.raises(ValueError, match=r"means must be a finite array of shape \(3, 2\)"):
            moments.recentred(means)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"covariance_type": "round"}, "must be among 'full', 'tied', 'diag', 'spherical'; got 'round'"),
        ({"counts": np.ones(2)}, r"counts of moments must have the shape \(3,\)"),
        ({"counts": [1.0, 1.0, 1.0]}, "counts of moments must be a finite array of float64"),
        ({"counts": -np.ones(3)}, "must be finite and not negative"),
        ({"first": np.zeros((2, 3))}, r"first of moments must have the shape \(3, 2\)"),
        ({"first": np.zeros((3, 2), np.float32)}, "first of moments must be a finite array of float64"),
        ({"second": np.full((3, 2, 2), np.nan)}, "second of moments must be a finite array"),
        ({"second": np.zeros((3, 2))}, r"second of moments must have the shape \(3, 2, 2\)"),
        ({"about": np.zeros(3)}, "about of moments must have the shape"),
        ({"extra": np.zeros((2, 0))}, "extra of moments must have a row for each component"),
        ({"total_weight": np.inf}, "must be finite and not negative"),
        ({"n_rows": -1}, "must be finite and not negative"),
        ({"log_likelihood": np.nan}, "log_likelihood of moments must be a number below infinity"),
    ],
    ids=str,
)
def test_unsound_ones_are_refused_by_name(change, complaint):
    with pytest.raises(ValueError, match=complaint):
        check_moments(changed(oracle_moments(draw_problem("full", 7, 2, 3)), **change))
