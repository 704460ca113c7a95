"""Fits of rows of which something is known."""

import numpy as np
import pytest

from fastgmm import GaussianMixture
from fastgmm.data.labels import with_labels
from fastgmm.fit import labelled
from fastgmm.rows import Rows
from tests import naive
from tests.conftest import BACKENDS

FAMILIES = ("full", "tied", "diag", "spherical")
KINDS = ("numbers", "allowed", "soft")


def classes(rng, n_rows=300, distance=4.0):
    """Rows of three classes (n, 2), and the classes."""
    of_rows = rng.integers(3, size=n_rows)
    values = rng.normal(size=(n_rows, 2)) * [1.0, 0.5]
    values[:, 0] += distance * of_rows
    return values, of_rows


def labels_of(kind, rng, of_rows):
    if kind == "numbers":
        return np.where(rng.uniform(size=len(of_rows)) < 0.3, of_rows, -1)
    allowed = np.eye(3, dtype=bool)[of_rows] | (rng.uniform(size=(len(of_rows), 3)) < 0.6)
    return allowed if kind == "allowed" else allowed * rng.uniform(0.1, 3.0, allowed.shape)


def priors_of(labels):
    """The logarithms of the beliefs of every row, as the oracle takes them."""
    table = labels if labels.ndim == 2 else (labels[:, np.newaxis] == np.arange(3)) | (labels[:, np.newaxis] < 0)
    with np.errstate(divide="ignore"):
        return np.log(table / table.max(axis=1, keepdims=True)).tolist()


def fitted(values, labels, **options):
    options = {"random_state": 0, "reg_covar": 0.0} | options
    return GaussianMixture(3, **options).fit(values, labels=labels)


def attributes(gm):
    return [gm.weights_, gm.means_, gm.covariances_, np.array(gm.lower_bounds_)]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("family", FAMILIES)
def test_an_iteration_is_that_of_the_oracle(rng, family, kind):
    values, of_rows = classes(rng, 60)
    labels, weights = labels_of(kind, rng, of_rows), rng.uniform(0.5, 2.0, 60)
    options = {"covariance_type": family, "random_state": 0, "reg_covar": 0.0, "tol": 0.0}
    start = GaussianMixture(3, max_iter=0, **options).fit(values, sample_weight=weights, labels=labels)
    found = GaussianMixture(3, max_iter=1, **options)
    with pytest.warns(UserWarning, match="did not converge"):
        found.fit(values, sample_weight=weights, labels=labels)
    parts = (start.weights_.tolist(), start.means_.tolist(), start.covariances_.tolist())
    mixture = naive.Mixture(family, *parts)
    expected = naive.em_step(mixture, values.tolist(), weights.tolist(), priors=priors_of(labels))
    np.testing.assert_allclose(found.weights_, expected.weights, rtol=1e-9)
    np.testing.assert_allclose(found.means_, expected.means, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(found.covariances_, expected.covariances, rtol=1e-8, atol=1e-9)
    moments = naive.moments(mixture, values.tolist(), weights.tolist(), priors_of(labels))
    assert found.lower_bound_ == pytest.approx(moments.log_likelihood / moments.total_weight, rel=1e-12)


@pytest.mark.parametrize("family", FAMILIES)
def test_where_every_label_is_known_one_step_gives_the_classes(rng, family):
    values, of_rows = classes(rng, distance=0.5)
    gm = fitted(values, of_rows, covariance_type=family)
    unit = {"full": [np.eye(2).tolist()] * 3, "tied": np.eye(2).tolist(), "diag": [[1.0, 1.0]] * 3}
    start = naive.Mixture(family, [1 / 3] * 3, [[0.0, 0.0]] * 3, unit.get(family, [1.0] * 3))
    expected = naive.em_step(start, values.tolist(), priors=priors_of(of_rows))
    np.testing.assert_allclose(gm.weights_, np.bincount(of_rows) / len(of_rows), rtol=1e-13)
    np.testing.assert_allclose(gm.means_, expected.means, rtol=1e-13, atol=1e-13)
    np.testing.assert_allclose(gm.covariances_, expected.covariances, rtol=1e-13, atol=1e-13)
    assert gm.n_iter_ <= 2


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("accelerate", [None, "squarem"])
def test_the_bound_never_falls(rng, family, kind, accelerate):
    values, of_rows = classes(rng, distance=1.5)
    options = {"covariance_type": family, "tol": 1e-7, "max_iter": 500, "accelerate": accelerate}
    gm = fitted(values, labels_of(kind, rng, of_rows), **options)
    assert len(gm.lower_bounds_) > 3
    assert (np.diff(gm.lower_bounds_) >= -1e-12).all()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("family", FAMILIES)
def test_backends_agree(rng, family, kind):
    values, of_rows = classes(rng)
    labels = labels_of(kind, rng, of_rows)
    fits = [fitted(values, labels, covariance_type=family, backend=backend) for backend in BACKENDS]
    for other in fits[1:]:
        for one, two in zip(attributes(fits[0]), attributes(other), strict=True):
            np.testing.assert_allclose(one, two, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("family", FAMILIES)
def test_any_number_of_threads_gives_the_same_bits(rng, family):
    values, of_rows = classes(rng, 5000, distance=2.0)
    labels = labels_of("numbers", rng, of_rows)
    alone, together = (fitted(values, labels, covariance_type=family, n_threads=n) for n in (1, 3))
    assert all(np.array_equal(one, two) for one, two in zip(attributes(alone), attributes(together), strict=True))


@pytest.mark.parametrize("nothing", [np.full(300, -1), np.ones((300, 3), bool), np.ones((300, 3))])
def test_labels_that_say_nothing_change_no_bit(rng, nothing):
    values, _ = classes(rng)
    without, told = fitted(values, None), fitted(values, nothing)
    assert all(np.array_equal(one, two) for one, two in zip(attributes(without), attributes(told), strict=True))


def test_y_stays_ignored(rng):
    values, of_rows = classes(rng)
    without = fitted(values, None)
    told = GaussianMixture(3, random_state=0, reg_covar=0.0).fit(values, of_rows)
    assert np.array_equal(without.means_, told.means_)


def test_integer_weights_are_rows_repeated(rng):
    values, of_rows = classes(rng)
    labels, counts = labels_of("numbers", rng, of_rows), rng.integers(3, size=300)
    options = {"means_init": [[0.0, 0.0], [4.0, 0.0], [8.0, 0.0]], "tol": 1e-9, "reg_covar": 0.0}
    weighted = GaussianMixture(3, **options).fit(values, sample_weight=counts, labels=labels)
    repeated = GaussianMixture(3, **options).fit(np.repeat(values, counts, axis=0), labels=np.repeat(labels, counts))
    np.testing.assert_allclose(weighted.means_, repeated.means_, rtol=1e-7, atol=1e-7)


def test_of_a_sample_that_names_components_no_more_beliefs_are_looked_at(rng, monkeypatch):
    """Though its table is that of all rows."""
    beliefs, looked_at = rng.integers(1, 4, (5000, 3)).astype(float), []
    rows = with_labels(Rows(np.zeros((5000, 1))), beliefs + 1e-9 * np.arange(5000)[:, np.newaxis], 3)
    of_rows, members = labelled._largest, rng.permutation(5000)[:100]
    monkeypatch.setattr(labelled, "_largest", lambda table: looked_at.append(len(table)) or of_rows(table))
    named = labelled.named_components(rows.take(members))
    ranks = np.sort(beliefs[members], axis=1)
    assert np.array_equal(named, np.where(ranks[:, 2] > ranks[:, 1], beliefs[members].argmax(axis=1), -1))
    assert sum(looked_at) == 100


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("scale", [0.01, 1.0, 1e6])
def test_only_ratios_of_beliefs_within_a_row_matter(rng, family, scale):
    """Also of rows that lack some values, or all."""
    values, of_rows = classes(rng)
    values[::5, 1] = values[::20, 0] = np.nan
    labels, units = labels_of("soft", rng, of_rows), scale * rng.uniform(0.5, 2.0, (300, 1))
    one, other = (fitted(values, each, covariance_type=family) for each in (labels, units * labels))
    for found, expected in zip(attributes(other), attributes(one), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("method", ["auto", "kmeans", "k-means++"])
@pytest.mark.parametrize("n_rows", [300, 30_000])
def test_components_keep_the_numbers_that_labels_give_them(rng, method, n_rows):
    """Whatever their order, from one label each, and where one class has none."""
    corners = np.array([[0.0, 0.0], [9.0, 0.0], [0.0, 9.0]])
    of_rows = rng.integers(3, size=n_rows)
    values = rng.normal(size=(n_rows, 2)) + corners[of_rows]
    labels = np.full(n_rows, -1)
    for known in (0, 2):
        labels[np.flatnonzero(of_rows == known)[0]] = known
    gm = fitted(values, labels, init_params=method)
    np.testing.assert_allclose(gm.means_, corners, atol=0.5)
    assert (gm.fit_predict(values, labels=labels)[labels >= 0] == labels[labels >= 0]).all()


def test_a_class_within_another_is_found_from_its_labels(rng):
    """Where distances to means tell nothing."""
    inner, outer = rng.normal(size=(1500, 2)) * 0.3, rng.normal(size=(1500, 2)) * 3.0
    values, of_rows = np.concatenate([inner, outer]), np.repeat([1, 0], 1500)
    labels = np.where(rng.uniform(size=3000) < 0.1, of_rows, -1)
    gm = GaussianMixture(2, random_state=0).fit(values, labels=labels)
    np.testing.assert_allclose(np.trace(gm.covariances_, axis1=1, axis2=2), [18.0, 0.18], rtol=0.15)


def test_given_means_are_the_start_all_the_same(rng):
    values, of_rows = classes(rng)
    means = [[8.0, 0.0], [1.0, 0.0], [4.0, 0.0]]
    gm = fitted(values, labels_of("numbers", rng, of_rows), means_init=means, max_iter=0)
    np.testing.assert_allclose(gm.means_, means)


def test_known_labels_are_kept_where_the_density_says_otherwise(rng):
    values, of_rows = classes(rng)
    labels = np.where(rng.uniform(size=300) < 0.5, of_rows, -1)
    labels[:3] = (of_rows[:3] + 1) % 3
    gm = GaussianMixture(3, random_state=0)
    found = gm.fit_predict(values, labels=labels)
    assert np.array_equal(found[labels >= 0], labels[labels >= 0])
    assert np.array_equal(found[labels < 0], gm.predict(values)[labels < 0])


@pytest.mark.parametrize("method", ["fit", "fit_predict"])
def test_an_estimator_is_what_it_was_after_labels_that_are_refused(rng, method):
    values, of_rows = classes(rng)
    gm = fitted(values, of_rows)
    before = dict(vars(gm))
    for wrong in (of_rows + 1, of_rows[1:], ["a"] * 300, np.zeros((300, 3)), np.zeros(300, int)):
        with pytest.raises((ValueError, TypeError), match="abels"):
            getattr(gm, method)(values, labels=wrong)
        assert vars(gm) == before


def test_a_row_that_allows_components_of_weight_zero_alone_is_refused(rng):
    values, of_rows = classes(rng)
    of_rows[7] = 1
    gm = GaussianMixture(3, weights_init=[0.5, 0.0, 0.5], random_state=0)
    before = dict(vars(gm))
    labels = np.full(300, -1)
    labels[7] = 1
    with pytest.raises(ValueError, match=r"labels\[7\] allows components of weight 0 only\."):
        gm.fit(values, labels=labels)
    assert vars(gm) == before


def test_a_warm_start_keeps_its_components(rng):
    values, of_rows = classes(rng)
    gm = fitted(values, of_rows, warm_start=True)
    means = gm.means_
    labels = np.where(rng.uniform(size=300) < 0.1, of_rows, -1)
    np.testing.assert_allclose(gm.fit(values, labels=labels).means_, means, atol=0.3)
