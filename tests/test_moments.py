"""``Moments``: sums over rows, which may be taken in parts."""

import dataclasses
import functools
import math
import pickle

import numpy as np
import pytest

from fastgmm.data.facts import Facts
from fastgmm.fit.maximize import maximize
from fastgmm.kernels import get_backend
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


# --- taking away -----------------------------------------------------------------------------------------------------


def parts_of(family, cut, n_rows=257):
    """Moments of the rows before a cut, and of those after it."""
    problem = draw_problem(family.name, n_rows, 3, 4)
    backend = get_backend("numpy")
    return [moments_of(backend, problem, Rows(part)) for part in np.split(problem.values, [cut])]


def assert_within(actual: Moments, expected: Moments, tolerance: float, sizes: Moments) -> None:
    """Each sum within ``tolerance`` of the largest number in ``sizes``."""
    for name in ("counts", "first", "second", "extra", "total_weight", "log_likelihood"):
        scale = float(np.abs(getattr(sizes, name)).max(initial=0.0))
        assert_close(np.asarray(getattr(actual, name)), getattr(expected, name), tolerance, scale)
    assert actual.n_rows == expected.n_rows


@pytest.mark.parametrize("cut", [3, 128, 254])
def test_a_part_is_what_is_left_of_the_whole_without_the_other(family, cut):
    one, other = parts_of(family, cut)
    whole = one + other
    assert_within(whole - other, one, 3e-16, whole)
    assert_within(whole - one, other, 3e-16, whole)
    check_moments(whole - other)


@pytest.mark.parametrize("ratio", [1e3, 1e6, 1e9])
def test_what_is_left_has_lost_as_many_digits_as_it_is_smaller(family, ratio):
    few, many = parts_of(family, 128)
    many = many.scaled(ratio)
    left = (few + many) - many
    assert_within(left, few, 1e-15 * ratio, few)
    after, expected = (maximize(family, each, np.zeros(3)) for each in (left, few))
    assert_close(after.means, expected.means, 1e-15 * ratio)
    assert_close(after.covariances, expected.covariances, 1e-15 * ratio)


def test_taking_away_leaves_both_as_they_were_and_their_means(family):
    one, other = parts_of(family, 100)
    whole = one + other
    before = [array.copy() for array in (whole.counts, whole.first, whole.second, other.second)]
    assert np.array_equal((whole - other).about, whole.about)
    for array, copy in zip((whole.counts, whole.first, whole.second, other.second), before, strict=True):
        assert np.array_equal(array, copy)


def test_where_all_rows_are_taken_away_nothing_is_left(family):
    _, moments = parts_of(family, 50)
    nothing = (moments.scaled(1 / 3) + moments) - moments - moments.scaled(1 / 3)
    assert (nothing.n_rows, nothing.total_weight, nothing.log_likelihood) == (0, 0.0, 0.0)
    assert not nothing.counts.any()
    assert not nothing.first.any()
    assert_close(nothing.second, np.zeros_like(nothing.second), 1e-15, float(np.abs(moments.second).max()))


def test_a_component_that_lost_its_rows_but_for_rounding_has_none_and_keeps_its_mean(family):
    one, other = parts_of(family, 128)
    counts, second = one.counts.copy(), one.second.copy()
    counts[2] = 1e-14
    one = changed(one, counts=counts, first=one.first * (counts[:, np.newaxis] > 1), second=second)
    left = (one + other) - other
    assert left.counts[2] == 0.0
    assert np.array_equal(left.first[2], np.zeros(3))
    assert left.counts[[0, 1, 3]] == pytest.approx(one.counts[[0, 1, 3]], rel=1e-13)
    assert np.array_equal(maximize(family, left, np.full(3, 1e-6)).means[2], one.about[2])


def test_counts_and_squares_that_rounding_made_negative_come_out_as_0(family):
    moments = changed(parts_of(family, 128)[0], extra=np.zeros((4, 0)))
    larger = changed(
        moments, counts=moments.counts * (1 + 1e-15), second=moments.second * (1 + 1e-15), total_weight=128 + 1e-13
    )
    left = moments - larger
    assert left.counts.tolist() == [0.0] * 4
    assert left.total_weight == 0.0
    check_moments(left)
    nearly = moments - changed(larger, counts=moments.counts / 2)
    squares = nearly.second if not family.has_matrices else np.diagonal(nearly.second, axis1=-2, axis2=-1)
    assert (np.asarray(squares) >= 0.0).all()


def test_what_is_no_part_is_refused(family):
    one, other = parts_of(family, 128)
    whole = one + other
    with pytest.raises(ValueError, match="not part of those: they are of 257 rows, those of 128"):
        one - whole
    with pytest.raises(ValueError, match="not part of those: of total_weight, -"):
        one - one.scaled(1.001)
    counts = one.counts.copy()
    counts[1] += 1e-6
    with pytest.raises(ValueError, match="not part of those: of counts, -1e-06 would be left"):
        one - changed(one, counts=counts)
    with pytest.raises(ValueError, match="not part of those: of the squares in second, -"):
        one - changed(one, second=1.001 * one.second)


def test_counts_of_features_are_taken_away_too():
    """Of complete rows among rows with holes, as they are added."""
    problem = draw_problem("diag", 40, 3, 2)
    complete = changed(oracle_moments(problem), n_rows=40)
    holes = changed(complete, extra=complete.counts[:, np.newaxis] * [1.0, 0.5, 0.25])
    whole = complete + holes
    assert_within(whole - complete, holes, 3e-16, whole)
    left = whole - holes
    assert_within(left, changed(complete, extra=np.tile(complete.counts, (3, 1)).T), 3e-16, whole)
    with pytest.raises(ValueError, match="not part of those: of extra, -"):
        holes - complete.scaled(0.75)


def test_a_row_that_was_impossible_cannot_be_taken_away(family):
    one, other = parts_of(family, 128)
    impossible = changed(other, log_likelihood=-np.inf)
    with pytest.raises(ValueError, match="the likelihood of the others is not known"):
        (one + impossible) - impossible
    assert ((one + impossible) - one).log_likelihood == -np.inf


def test_what_does_not_add_up_is_not_taken_away(family):
    one, other = parts_of(family, 128)
    with pytest.raises(ValueError, match="about different means"):
        (one + other) - other.recentred(other.about + 1.0)
    with pytest.raises(ValueError, match="second of moments must be a finite array"):
        one - changed(other, second=np.full_like(other.second, np.nan))
    with pytest.raises(TypeError):
        one - 1.0


def test_a_window_that_slides_for_long_stays_near_the_moments_of_its_rows(family):
    problem = draw_problem(family.name, 600, 3, 4)
    backend = get_backend("numpy")
    batches = [moments_of(backend, problem, Rows(part)) for part in np.split(problem.values, 60)]
    window = functools.reduce(Moments.__add__, batches[:10])
    for step in range(3000):
        window = window + batches[(step + 10) % 60] - batches[step % 60]
    expected = functools.reduce(Moments.__add__, batches[:10])
    assert_within(window, expected, 1e-12, expected)


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
        ({"covariance_type": "round"}, "must be among 'full', 'tied', 'diag', 'spherical', 'factor'; got 'round'"),
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
