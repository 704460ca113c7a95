"""Noise is one more component, evenly spread, and what is promised of a fit holds beside it."""

import math
import pickle
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fastgmm
from fastgmm import GaussianMixture
from fastgmm.errors import DegenerateComponentError
from fastgmm.families import FAMILIES, FOURTEEN
from fastgmm.parameters import FloatArray, Parameters
from tests import naive
from tests.problems import as_mixture, assert_close

TAKEN = [name for name in ("full", "diag", "spherical", *FOURTEEN) if not FAMILIES[name].is_shared]
KERNELS = ("full", "diag", "spherical")


def clusters_and_noise(rng: np.random.Generator, n_rows: int = 400, share: float = 0.25) -> FloatArray:
    n_noise = int(share * n_rows)
    centers = np.array([[0.0, 0.0], [6.0, 6.0]])[rng.integers(2, size=n_rows - n_noise)]
    return np.concatenate([centers + rng.normal(size=centers.shape), rng.uniform(-12.0, 18.0, (n_noise, 2))])


@pytest.fixture(scope="module")
def points() -> FloatArray:
    return clusters_and_noise(np.random.default_rng(5))


def mixture(**options: Any) -> GaussianMixture:
    return GaussianMixture(**{"n_components": 2, "noise": "box", "random_state": 0, "tol": 1e-8} | options)


def joint_densities(gm: GaussianMixture, rows: FloatArray) -> list[list[float]]:
    """Of the components, each as often as a row is no noise, and of noise: π₀/V; in plain floats."""
    parameters = Parameters(FAMILIES[gm.covariance_type].kernel, gm.weights_, gm.means_, gm.covariances_)
    of_components = naive.joint_log_density(as_mixture(parameters), rows.tolist())
    uniform = math.log(gm.noise_weight_) - gm.noise_log_volume_
    return [[value + math.log1p(-gm.noise_weight_) for value in row] + [uniform] for row in of_components]


@pytest.mark.parametrize("backend", ["numpy", "numba", "c"])
@pytest.mark.parametrize("name", KERNELS)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_densities_are_those_of_the_formula(name: str, backend: str, dtype: type, points: FloatArray) -> None:
    rows, tolerance = points.astype(dtype), 1e-12 if dtype is np.float64 else 1e-5
    gm = mixture(covariance_type=name, backend=backend).fit(rows)
    joint = joint_densities(gm, rows)
    expected = [naive.log_sum_exp(row) for row in joint]
    assert_close(gm.score_samples(rows), np.array(expected), tolerance)
    probabilities = [[math.exp(value - total) for value in row] for row, total in zip(joint, expected, strict=True)]
    assert_close(gm.predict_proba(rows), np.array(probabilities), tolerance)
    labels = np.argmax(joint, axis=1)
    assert np.array_equal(gm.predict(rows), np.where(labels == 2, -1, labels))


@pytest.mark.parametrize("name", KERNELS)
def test_an_iteration_is_that_of_the_formula(name: str, points: FloatArray) -> None:
    """Weights, means and scatter of the components under their probabilities, and the mean probability of noise."""
    options = {"covariance_type": name, "reg_covar": 0.0}
    before = mixture(**options, max_iter=3)
    after = mixture(**options, max_iter=4)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        before.fit(points), after.fit(points)
    probabilities = before.predict_proba(points)
    assert after.noise_weight_ == pytest.approx(probabilities[:, 2].mean(), rel=1e-12)
    step = naive.step_of_shares(name, points.tolist(), probabilities[:, :2].tolist())
    assert_close(after.weights_, np.array(step.weights) / sum(step.weights), 1e-11)
    assert_close(after.means_, np.array(step.means), 1e-11)
    assert_close(after.covariances_, np.array(step.covariances), 1e-11)


@pytest.mark.parametrize("name", TAKEN)
@given(seed=st.integers(0, 2**31), n_features=st.integers(1, 4), n_components=st.integers(1, 4))
@settings(max_examples=10, deadline=None)
def test_the_likelihood_never_falls(name: str, seed: int, n_features: int, n_components: int) -> None:
    rng = np.random.default_rng(seed)
    rows = np.concatenate([rng.normal(size=(90, n_features)), rng.uniform(-9.0, 9.0, (30, n_features))])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            gm = mixture(covariance_type=name, n_components=n_components, reg_covar=0.0, max_iter=60).fit(rows)
        except DegenerateComponentError:
            return
    bounds = np.array(gm.lower_bounds_)
    assert (np.diff(bounds) >= -1e-9 * (1.0 + np.abs(bounds[1:]))).all()


@pytest.mark.parametrize("name", KERNELS)
def test_threads_change_no_bit_of_many_components(name: str) -> None:
    """Among them sweeps that leave out what is far away, as noise is from nothing."""
    rng = np.random.default_rng(1)
    centers = 20.0 * rng.normal(size=(12, 2))
    rows = np.concatenate(
        [centers[rng.integers(12, size=20_000)] + rng.normal(size=(20_000, 2)), 30 * rng.normal(size=(2000, 2))]
    )
    options = {"n_components": 12, "covariance_type": name, "means_init": centers, "max_iter": 500}
    one, four = (mixture(**options, n_threads=n).fit(rows) for n in (1, 4))
    assert one.noise_weight_ == four.noise_weight_
    assert np.array_equal(one.means_, four.means_)
    assert np.array_equal(one.covariances_, four.covariances_)
    plain = mixture(**options, backend="numpy").fit(rows)
    assert_close(one.means_, plain.means_, 1e-8)
    assert one.noise_weight_ == pytest.approx(plain.noise_weight_, rel=1e-7)


def test_what_is_recovered() -> None:
    rng = np.random.default_rng(2)
    rows = clusters_and_noise(rng, 8000, share=0.3)
    gm = mixture().fit(rows)
    first, second = np.argsort(gm.means_[:, 0])
    assert gm.noise_weight_ == pytest.approx(0.3, abs=0.02)
    assert gm.means_[first] == pytest.approx([0.0, 0.0], abs=0.1)
    assert gm.means_[second] == pytest.approx([6.0, 6.0], abs=0.1)
    assert gm.covariances_[first] == pytest.approx(np.eye(2), abs=0.1)
    without = mixture(noise=None).fit(rows)
    assert np.linalg.det(without.covariances_).max() > 5.0 * np.linalg.det(gm.covariances_).max()
    drawn, labels = gm.sample(5000)
    assert (labels == -1).mean() == pytest.approx(gm.noise_weight_, abs=0.03)
    assert (drawn[labels == -1] >= gm.noise_box_[0]).all()
    assert (drawn[labels == -1] <= gm.noise_box_[1]).all()


def test_a_given_volume_is_kept_and_counts_one_parameter_less(points: FloatArray) -> None:
    box = mixture().fit(points)
    given = mixture(noise=math.exp(box.noise_log_volume_)).fit(points)
    assert given.noise_box_ is None
    assert given.noise_weight_ == pytest.approx(box.noise_weight_, rel=1e-9)
    assert box.bic(points) - given.bic(points) == pytest.approx(math.log(len(points)), abs=1e-5)
    assert box.aic(points) - mixture(noise=None).fit(points).aic(points) < 0
    with pytest.raises(ValueError, match="where noise may lie"):
        given.sample(3)


def test_files_pickles_and_blocks_know_the_noise(points: FloatArray, tmp_path: Path) -> None:
    gm = mixture().fit(points)
    gm.save(tmp_path / "model.npz")
    for copy in (fastgmm.load(tmp_path / "model.npz"), pickle.loads(pickle.dumps(gm))):
        assert np.array_equal(copy.predict_proba(points), gm.predict_proba(points))
        assert np.array_equal(copy.noise_box_, gm.noise_box_)
        assert copy.bic(points) == gm.bic(points)
    blocks = fastgmm.blocks_of([points[:100], points[100:]])
    assert np.array_equal(np.concatenate(list(gm.predict(blocks))), gm.predict(points))
    assert mixture().fit(blocks).noise_weight_ == pytest.approx(gm.noise_weight_, rel=1e-6)


def test_far_from_zero_the_box_is_that_of_the_data(points: FloatArray) -> None:
    far = points + 1e8
    gm, near = mixture().fit(far), mixture().fit(points)
    assert_close(gm.noise_box_, np.stack([far.min(axis=0), far.max(axis=0)]), 1e-15)
    assert gm.noise_weight_ == pytest.approx(near.noise_weight_, rel=1e-6)
    of_blocks = mixture().fit(fastgmm.blocks_of([far[:100], far[100:]]))
    assert np.array_equal(of_blocks.noise_box_, gm.noise_box_)
    assert of_blocks.noise_weight_ == pytest.approx(near.noise_weight_, rel=1e-6)


def test_a_warm_start_goes_on_where_the_fit_ended(points: FloatArray) -> None:
    gm = mixture(warm_start=True).fit(points)
    bound = gm.lower_bound_
    assert gm.fit(points).n_iter_ <= 2
    assert gm.lower_bound_ == pytest.approx(bound, abs=1e-7)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"covariance_type": "tied"}, "must be None where covariance_type='tied'"),
        ({"covariance_type": "EEE"}, "must be None where covariance_type='EEE'"),
        ({"prior": "default"}, "must be None where prior='default'"),
        ({"accelerate": "squarem"}, "must be None where accelerate"),
        ({"assignment": "hard"}, "must be None where assignment"),
        ({"annealing": 0.5}, "must be None where annealing"),
        ({"noise": -1.0}, "must be None or a float in the range"),
    ],
)
def test_what_has_no_meaning_beside_noise_is_refused(options: dict[str, Any], message: str, points: FloatArray) -> None:
    with pytest.raises(ValueError, match=message):
        mixture(**options).fit(points)


def test_neither_holes_nor_labels_nor_constant_features_go_with_noise(points: FloatArray) -> None:
    holes = points.copy()
    holes[3, 0] = np.nan
    with pytest.raises(ValueError, match="does not go with missing values"):
        mixture().fit(holes)
    with pytest.raises(ValueError, match="takes no missing values"):
        mixture().fit(points).predict(holes)
    with pytest.raises(ValueError, match="does not go with labels"):
        mixture().fit(points, labels=np.where(np.arange(len(points)) < 2, 0, -1))
    with pytest.raises(ValueError, match="feature 2 is constant"):
        mixture().fit(np.column_stack([points, np.zeros(len(points))]))


def test_nor_do_single_steps_and_what_others_know_of_mixtures(points: FloatArray) -> None:
    gm = mixture().fit(points)
    for refused in (gm.moments, mixture().partial_fit, lambda rows: gm.to_sklearn()):
        with pytest.raises(ValueError, match="noise"):
            refused(points)
    assert gm.marginal([0]).weights_.sum() == pytest.approx(1.0)


def test_what_draws_rows_from_components_alone_is_refused(points: FloatArray) -> None:
    gm = mixture().fit(points)
    asked = gm.density_region, gm.outlier_p_values, gm.kl_divergence, gm.predict_joint_log_proba
    for ask, argument in zip(asked, (0.9, points, gm, points), strict=True):
        with pytest.raises(ValueError, match="of a mixture with noise is not offered"):
            ask(argument)


def test_a_warm_start_may_find_noise_where_there_was_none(points: FloatArray) -> None:
    gm = mixture(noise=None, warm_start=True).fit(points).set_params(noise="box").fit(points)
    assert gm.noise_weight_ == pytest.approx(mixture().fit(points).noise_weight_, abs=0.01)
