"""A family without arithmetic of its own stands in one place, and all of fastgmm knows it by its name."""

import dataclasses
import math
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fastgmm
from fastgmm import GaussianMixture
from fastgmm.cli.command_line import main
from fastgmm.families import FAMILIES
from fastgmm.kernels.backend import Backend
from fastgmm.moments import Moments
from fastgmm.parameters import FloatArray
from tests import naive
from tests.problems import assert_close

# --- the place -------------------------------------------------------------------------------------------------------


def shared_variances(moments: Moments, counts: FloatArray, shifts: FloatArray) -> FloatArray:
    """σ'² = Σₖ(Sₖ − Nₖδₖ²)/ΣN of every feature, the same in all components: mclust's EEI."""
    pooled = (moments.second - counts[:, np.newaxis] * shifts**2).sum(axis=0) / counts.sum()
    return np.tile(pooled, (len(counts), 1))


SHARED_VARIANCES = dataclasses.replace(
    FAMILIES["diag"],
    name="shared variances",
    maximize=shared_variances,
    n_covariance_parameters=lambda n_components, n_features: n_features,
)


@pytest.fixture(autouse=True)
def known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(FAMILIES, SHARED_VARIANCES.name, SHARED_VARIANCES)


# --- all of fastgmm --------------------------------------------------------------------------------------------------

WEIGHTS, MEANS, DEVIATIONS = np.array([0.5, 0.3, 0.2]), np.array([[0.0, 0.0], [3.0, 1.0], [-2.0, 6.0]]), [0.8, 1.5]


@pytest.fixture
def points() -> FloatArray:
    rng = np.random.default_rng(3)
    return MEANS[rng.choice(3, 400, p=WEIGHTS)] + rng.normal(size=(400, 2)) * DEVIATIONS


def mixture(**options: Any) -> GaussianMixture:
    return GaussianMixture(**{"n_components": 3, "covariance_type": "shared variances", "random_state": 0} | options)


def start(**options: Any) -> GaussianMixture:
    variances = np.ones((3, 2))
    return GaussianMixture.from_parameters(WEIGHTS, MEANS + 0.5, variances, "shared variances", **options)


def assert_same_models(one: GaussianMixture, other: GaussianMixture, tolerance: float = 0.0) -> None:
    for name in ("weights_", "means_", "covariances_", "precisions_cholesky_"):
        assert_close(getattr(one, name), getattr(other, name), tolerance)


def test_an_iteration_is_that_of_the_oracle(points: FloatArray, backend: Backend) -> None:
    """Whose variances are about the new means, one component at a time, and pooled at last."""
    before = naive.Mixture("diag", WEIGHTS.tolist(), (MEANS + 0.5).tolist(), [[1.0, 1.0]] * 3)
    weights, row_weights = np.linspace(0.5, 2.0, len(points)), np.linspace(0.5, 2.0, len(points)).tolist()
    expected = naive.em_step(before, points.tolist(), row_weights)
    pooled = [math.fsum(w * v[j] for w, v in zip(expected.weights, expected.covariances, strict=True)) for j in (0, 1)]
    gm = start(reg_covar=0.25, backend=backend.name)
    after = gm.maximized(gm.moments(points, weights))
    assert_close(after.weights_, np.array(expected.weights), 1e-12)
    assert_close(after.means_, np.array(expected.means), 1e-12)
    assert_close(after.covariances_, np.tile(pooled, (3, 1)) + 0.25, 1e-12)


@pytest.mark.parametrize("accelerate", [None, "squarem"])
@pytest.mark.parametrize("init_params", ["auto", "kmeans", "random_from_data"])
def test_a_fit_finds_the_variances_that_all_components_share(
    points: FloatArray, backend: Backend, init_params: str, accelerate: str | None
) -> None:
    gm = mixture(backend=backend.name, init_params=init_params, n_init=3, accelerate=accelerate).fit(points)
    assert gm.converged_
    assert (np.diff(gm.lower_bounds_) > -1e-9).all()
    assert (gm.covariances_ == gm.covariances_[0]).all()
    order = np.argsort(-gm.weights_)
    assert_close(gm.means_[order], MEANS, 0.1)
    assert_close(np.sqrt(gm.covariances_[0]), np.array(DEVIATIONS), 0.1)


def test_float32_rows_and_a_warm_start_lead_to_the_same_model(points: FloatArray, backend: Backend) -> None:
    gm = mixture(backend=backend.name, tol=1e-9, max_iter=500).fit(points)
    assert_same_models(mixture(backend=backend.name, tol=1e-6).fit(points.astype(np.float32)), gm, 1e-2)
    again = mixture(backend=backend.name, tol=1e-9, warm_start=True)
    again.weights_, again.means_, again.covariances_ = gm.weights_, gm.means_, gm.covariances_
    assert again.fit(points).n_iter_ <= 3
    assert_same_models(again, gm, 1e-4)


def test_its_scores_and_samples_are_those_of_the_family_whose_kernel_it_uses(points: FloatArray) -> None:
    gm = mixture().fit(points)
    diag = GaussianMixture.from_parameters(gm.weights_, gm.means_, gm.covariances_, "diag", random_state=0)
    assert np.array_equal(gm.score_samples(points), diag.score_samples(points))
    assert np.array_equal(gm.predict_proba(points), diag.predict_proba(points))
    assert np.array_equal(gm.sample(50)[0], diag.sample(50)[0])


def test_criteria_count_the_numbers_that_are_free(points: FloatArray) -> None:
    """Two weights, six means, and one variance for each of two features."""
    gm = mixture().fit(points)
    assert gm.bic(points) == pytest.approx(-2 * 400 * gm.score(points) + 10 * math.log(400))
    assert gm.aic(points) == pytest.approx(-2 * 400 * gm.score(points) + 2 * 10)


def test_it_is_saved_pickled_and_read_back(points: FloatArray, tmp_path: Path) -> None:
    gm = mixture().fit(points)
    gm.save(tmp_path / "model.npz")
    for copy in (fastgmm.load(tmp_path / "model.npz"), pickle.loads(pickle.dumps(gm))):
        assert copy.covariance_type == "shared variances"
        assert_same_models(copy, gm)
        assert np.array_equal(copy.predict(points), gm.predict(points))


def test_moments_travel_and_make_the_next_model(points: FloatArray, tmp_path: Path) -> None:
    gm = start()
    fastgmm.save_moments(tmp_path / "moments.npz", gm.moments(points[:100]))
    after = gm.maximized(fastgmm.load_moments(tmp_path / "moments.npz") + gm.moments(points[100:]))
    assert_same_models(after, gm.maximized(gm.moments(points)), 1e-12)
    with pytest.raises(ValueError, match="moments of covariance_type='full', the model is 'shared variances'"):
        gm.maximized(GaussianMixture(3, random_state=0).fit(points).moments(points))


def test_the_command_line_takes_it(points: FloatArray, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.save(tmp_path / "points.npy", points)
    arguments = [str(tmp_path / "points.npy"), "-k", "3", "-o", str(tmp_path / "model.npz"), "--seed", "0"]
    assert main(["fit", *arguments, "--covariance-type", "shared variances"]) == 0
    assert "3 components, shared variances covariances" in "".join(capsys.readouterr())
    assert_same_models(fastgmm.load(tmp_path / "model.npz"), mixture().fit(points), 1e-9)


def test_who_asks_for_a_family_that_there_is_not_is_told_of_it(points: FloatArray) -> None:
    known = r"among \{'full', 'tied', 'diag', 'spherical', .*'shared variances'\}. Got 'round'"
    with pytest.raises(ValueError, match=known):
        mixture(covariance_type="round").fit(points)
    fastgmm.warmup(backend="numpy")
    with pytest.raises(ValueError, match="'shared variances'; got 'round'"):
        fastgmm.warmup("round")
