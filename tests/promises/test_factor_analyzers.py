"""Mixtures of factor analyzers: what fastgmm promises of a fit holds for them, and no matrix is ever made."""

import pickle
import tracemalloc
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fastgmm
from fastgmm import GaussianMixture
from fastgmm.cli.command_line import main
from fastgmm.data.datasets import load_old_faithful
from fastgmm.data.facts import Facts
from fastgmm.families import FAMILIES
from fastgmm.families.component import component_matrices
from fastgmm.fit.merged import merged_components
from fastgmm.kernels.backend import Backend
from fastgmm.model.attributes import parameters_of
from fastgmm.parameters import FloatArray, Parameters
from fastgmm.rows import Rows
from fastgmm.sweeps.bounded import BoundedSweep, first_bounds
from fastgmm.sweeps.in_memory import make_sweep
from tests import naive
from tests.problems import assert_close, assert_close_moments

BOTH = ("factor", "ppca")


def drawn(seed: int, n: int, d: int, n_components: int = 3, rank: int = 2, apart: float = 3.0) -> FloatArray:
    rng = np.random.default_rng(seed)
    loadings, means = rng.normal(size=(n_components, d, rank)), apart * rng.normal(size=(n_components, d))
    labels = rng.integers(n_components, size=n)
    stretched = np.einsum("nij,nj->ni", loadings[labels], rng.normal(size=(n, rank)))
    rows: FloatArray = means[labels] + stretched + 0.5 * rng.normal(size=(n, d))
    return rows


@pytest.fixture(scope="module")
def points() -> FloatArray:
    return drawn(3, 600, 7)


def mixture(name: str = "factor", **options: Any) -> GaussianMixture:
    return GaussianMixture(**{"n_components": 3, "covariance_type": name, "rank": 2, "random_state": 0} | options)


def somewhere(name: str, seed: int, d: int, n_components: int = 3, rank: int = 2) -> Parameters:
    rng = np.random.default_rng(seed)
    covariances = rng.normal(size=(n_components, d, rank + 1))
    covariances[..., -1] = rng.uniform(0.3, 1.5, (n_components, d))
    if name == "ppca":
        covariances[..., -1] = covariances[:, :1, -1]
    weights = rng.uniform(0.5, 1.5, n_components)
    return Parameters(f"{name}({rank})", weights / weights.sum(), 2.0 * rng.normal(size=(n_components, d)), covariances)


def as_matrices(gm: GaussianMixture) -> GaussianMixture:
    matrices = component_matrices(parameters_of(vars(gm)))
    return GaussianMixture.from_parameters(gm.weights_, gm.means_, matrices, random_state=0)


# --- the arithmetic --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("d", "rank"), [(1, 1), (3, 1), (5, 4), (9, 5), (13, 9), (70, 3)])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_densities_are_those_of_the_oracle(d: int, rank: int, dtype: str, backend: Backend) -> None:
    own = somewhere("factor", d, d, 3, rank)
    X = (4.0 * np.random.default_rng(d).normal(size=(45, d))).astype(np.float32).astype(dtype)
    gm = GaussianMixture.from_parameters(own.weights, own.means, own.covariances, "factor", backend=backend.name)
    expected = naive.joint_log_density(
        naive.Mixture(own.covariance_type, own.weights.tolist(), own.means.tolist(), own.covariances.tolist()),
        X.astype(np.float64).tolist(),
    )
    assert_close(gm.predict_joint_log_proba(X), np.array(expected), 1e-12 if dtype == "float64" else 2e-5)
    assert np.array_equal(gm.predict(X), np.argmax(expected, axis=1))


@pytest.mark.parametrize("name", BOTH)
def test_a_step_is_that_of_the_oracle(name: str, backend: Backend) -> None:
    """Which makes whole scatter matrices, about the new means, and inverts whole covariances."""
    own, X = somewhere(name, 5, 6), drawn(5, 80, 6)
    weights = np.random.default_rng(1).uniform(0.25, 3.0, len(X))
    gm = GaussianMixture.from_parameters(
        own.weights, own.means, own.covariances, name, backend=backend.name, reg_covar=1e-3
    )
    after = gm.maximized(gm.moments(X, weights))
    lists = own.weights.tolist(), own.means.tolist(), own.covariances.tolist()
    expected = naive.factor_step(naive.Mixture(own.covariance_type, *lists), X.tolist(), weights.tolist(), 1e-3)
    assert_close(after.weights_, np.array(expected.weights), 1e-12)
    assert_close(after.means_, np.array(expected.means), 1e-12)
    assert_close(after.covariances_, np.array(expected.covariances), 1e-11)


def test_densities_keep_their_digits_where_noise_is_tiny() -> None:
    """Woodbury's formula would subtract 1e16 from 1e16."""
    d, rank, noise = 6, 2, 1e-8
    rng = np.random.default_rng(0)
    loadings, factors = rng.normal(size=(d, rank)), rng.normal(size=(50, rank))
    unexplained = noise * rng.normal(size=(50, d))
    covariances = np.concatenate([loadings, np.full((d, 1), noise**2)], axis=1)[np.newaxis]
    gm = GaussianMixture.from_parameters([1.0], np.zeros((1, d)), covariances, "factor")
    distances = gm.mahalanobis(factors @ loadings.T + unexplained)[:, 0]
    # Along the loadings noise is absorbed by the factors: what is left is at right angles to them.
    basis = np.linalg.qr(loadings, mode="complete")[0][:, rank:]
    at_right_angles = np.square((unexplained @ basis) / noise).sum(axis=1)
    expected = at_right_angles + np.square(factors).sum(axis=1)
    assert_close(distances, expected, 1e-6)
    constant = gm.score_samples(np.zeros((1, d)))[0]
    assert_close(constant - gm.score_samples(factors @ loadings.T + unexplained), 0.5 * expected, 1e-6)


def test_bounded_sweeps_collect_the_same_moments(backend: Backend) -> None:
    if backend.bounded_sweep is None:
        pytest.skip("no bounds")
    X, own = drawn(1, 3000, 70, 4, 3), somewhere("factor", 1, 70, 4, 3)
    family = FAMILIES["factor(3)"]
    sweep = make_sweep(Facts(Rows(X)), family, backend, 1)
    model = family.model_of(own, np.dtype(np.float64))
    bounded = BoundedSweep(sweep)
    bounded._bounds, bounded._previous = first_bounds(sweep, model.prepared), model.prepared
    for _ in range(4):
        expected, found = sweep([model])[0], bounded([model])[0]
        assert_close_moments(found, expected, 1e-11)
        assert_close(found.extra, expected.extra, 1e-11)
        shifts = expected.first / expected.counts[:, np.newaxis]
        after = family.maximized(expected, expected.counts, shifts, own.covariances)
        own = Parameters(family.name, expected.counts / len(X), own.means + shifts, after)
        model = family.model_of(own, np.dtype(np.float64))


# --- fits ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", BOTH)
@pytest.mark.parametrize("accelerate", [None, "squarem"])
def test_the_objective_never_falls(name: str, accelerate: str | None) -> None:
    """In 100 fits of either, half of them with far too many components or factors."""
    rng = np.random.default_rng(0)
    for seed in range(50):
        n, d = int(rng.integers(30, 200)), int(rng.integers(2, 9))
        rank, n_components = int(rng.integers(1, d)), int(rng.integers(1, 5))
        gm = mixture(name, n_components=n_components, rank=rank, tol=1e-7, max_iter=60, random_state=seed)
        gm.set_params(accelerate=accelerate, init_params="random_from_data", reg_covar=1e-3)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            gm.fit(drawn(seed, n, d, apart=float(rng.uniform(0.0, 4.0))))
        accepted = [step.lower_bound for step in gm.history_ if step.accepted]
        assert (np.diff(accepted) >= -1e-11 * np.abs(accepted[:-1])).all()


@pytest.mark.parametrize("data", ["faithful", "iris"])
def test_as_many_factors_as_a_matrix_has_room_for_reach_its_likelihood(data: str) -> None:
    X = load_old_faithful() if data == "faithful" else pytest.importorskip("sklearn.datasets").load_iris().data
    how = {"tol": 1e-10, "max_iter": 5000, "reg_covar": 1e-9}
    full = GaussianMixture(2 if data == "faithful" else 3, random_state=0, **how).fit(X)
    start = {"means_init": full.means_, "weights_init": full.weights_, "accelerate": "squarem"}
    gm = mixture(n_components=full.n_components, rank=X.shape[1] - 1, **how, **start).fit(X)
    assert gm.score(X) == pytest.approx(full.score(X), rel=1e-6)
    assert gm.bic(X) == pytest.approx(full.bic(X), rel=1e-6)


def test_extrapolation_takes_fewer_iterations_to_the_same_maximum(points: FloatArray) -> None:
    plain = mixture(tol=1e-9, max_iter=2000).fit(points)
    quick = mixture(tol=1e-9, max_iter=2000, accelerate="squarem").fit(points)
    assert quick.n_iter_ < plain.n_iter_ / 2
    assert quick.score(points) == pytest.approx(plain.score(points), abs=1e-6)


@pytest.mark.parametrize("name", BOTH)
def test_backends_and_single_precision_lead_to_the_same_model(name: str, points: FloatArray, backend: Backend) -> None:
    gm, reference = (mixture(name, backend=each, tol=1e-7, max_iter=2000) for each in (backend.name, "numpy"))
    assert_close(gm.fit(points).covariances_, reference.fit(points).covariances_, 1e-8)
    single = mixture(name, backend=backend.name, tol=1e-6, max_iter=500).fit(points.astype(np.float32))
    assert single.score(points) == pytest.approx(reference.score(points), abs=1e-3)


@pytest.mark.parametrize("backend_name", ["c", "numba"])
def test_threads_change_no_bit(backend_name: str) -> None:
    X = drawn(2, 9000, 20, 3, 4)
    fits = [
        mixture(rank=4, max_iter=6, tol=0.0, backend=backend_name, n_threads=n_threads)
        for n_threads in (1, 2, 3, 7, 16, 64)
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        first, *others = (gm.fit(X) for gm in fits)
    for other in others:
        assert np.array_equal(first.covariances_, other.covariances_)
        assert np.array_equal(first.means_, other.means_)


def test_memory_has_no_room_for_a_matrix() -> None:
    """Of 3000 features one would take 72 MB; a fit, scores, labels and draws of 300 rows take less than half."""
    d = 3000
    X = drawn(0, 300, d, 2, 2)
    gm = mixture(n_components=2, max_iter=3, tol=0.0, init_params="random_from_data")
    tracemalloc.start()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        gm.fit(X)
    gm.score_samples(X), gm.predict(X), gm.sample(10), gm.mahalanobis(X)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 8 * d * d / 2


@pytest.mark.parametrize("name", BOTH)
def test_features_without_noise_end_sound(name: str) -> None:
    """A Heywood case: two features are one factor exactly, and a third is another one."""
    X = drawn(7, 300, 5, 2, 2)
    X[:, 3], X[:, 4] = X[:, 0], X[:, 1]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        gm = mixture(name, n_components=2, reg_covar=1e-6, max_iter=500).fit(X)
    assert np.isfinite(gm.score_samples(X)).all()
    assert (gm.uniquenesses_ >= 1e-6).all()
    accepted = gm.lower_bounds_
    assert (np.diff(accepted) >= -1e-9 * np.abs(accepted[:-1])).all()


def test_fewer_rows_than_features_are_enough() -> None:
    X = drawn(0, 120, 200, 2, 2)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        gm = mixture(n_components=2, max_iter=500).fit(X)
    assert gm.degenerate_components_ == ()


def test_components_on_a_few_equal_rows_are_degenerate(points: FloatArray) -> None:
    X = np.concatenate([points, np.tile(points[0] + 100.0, (5, 1))])
    with pytest.warns(fastgmm.errors.DegenerateComponentWarning):
        gm = mixture(n_components=4, max_iter=200).fit(X)
    assert len(gm.degenerate_components_) == 1


def test_a_start_stretches_along_what_the_rows_stretch_along() -> None:
    rng = np.random.default_rng(0)
    directions = np.linalg.qr(rng.normal(size=(40, 2)))[0]
    X = rng.normal(size=(500, 2)) @ (5.0 * directions.T) + 0.3 * rng.normal(size=(500, 40))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        gm = mixture("ppca", n_components=1, max_iter=0).fit(X)
    found = np.linalg.qr(gm.loadings_[0])[0]
    assert np.linalg.svd(found.T @ directions)[1].min() > 0.99
    assert gm.score(X) > mixture("ppca", n_components=1, max_iter=500).fit(X).score(X) - 0.1


def test_rows_in_blocks_and_labels_are_fitted_to(points: FloatArray) -> None:
    whole = mixture(tol=1e-8, max_iter=500).fit(points)
    halves = mixture(tol=1e-8, max_iter=500).fit(fastgmm.blocks_of([points[:300], points[300:]]))
    assert halves.score(points) == pytest.approx(whole.score(points), abs=1e-6)
    labels = np.full(len(points), -1)
    labels[:200] = (whole.predict(points[:200]) + 1) % 3
    labelled = mixture(tol=1e-8, max_iter=500).fit(points, labels=labels)
    assert np.mean(labelled.predict(points) == (whole.predict(points) + 1) % 3) > 0.99


def test_what_is_fixed_stays(points: FloatArray) -> None:
    gm = mixture(max_iter=500).fit(points)
    start = {"weights_init": gm.weights_, "means_init": gm.means_ + 0.1, "precisions_init": gm.precisions_}
    fixed = mixture(fixed=("means",), max_iter=500, **start).fit(points)
    assert np.array_equal(fixed.means_, gm.means_ + 0.1)
    assert (np.diff(fixed.lower_bounds_) >= -1e-9).all()
    same = mixture(fixed=("covariances",), max_iter=500, **start).fit(points)
    assert_close(component_matrices(parameters_of(vars(same))), component_matrices(parameters_of(vars(gm))), 1e-9)


def test_annealing_ends_as_well_and_recognizes_components_that_it_has_merged(points: FloatArray) -> None:
    gm, plain = mixture(annealing=0.2, max_iter=500).fit(points), mixture(max_iter=500).fit(points)
    assert gm.score(points) == pytest.approx(plain.score(points), abs=0.02)
    turned = gm.loadings_ @ np.linalg.qr(np.random.default_rng(0).normal(size=(2, 2)))[0]
    rotated = np.concatenate([turned, gm.uniquenesses_[..., np.newaxis]], axis=2)
    twice = np.concatenate([gm.covariances_, rotated])
    both = Parameters("factor(2)", np.full(6, 1 / 6), np.tile(gm.means_, (2, 1)), twice)
    found = merged_components(both, FAMILIES["factor(2)"].precisions_cholesky(twice))
    assert found == ((0, 3), (1, 4), (2, 5))
    assert merged_components(parameters_of(vars(gm)), gm.precisions_cholesky_) == ()


# --- what a fitted model can do --------------------------------------------------------------------------------------


def test_files_pickles_and_warm_starts_keep_it(points: FloatArray, tmp_path: Path) -> None:
    gm = mixture().fit(points)
    gm.save(tmp_path / "model.npz")
    for copy in (fastgmm.load(tmp_path / "model.npz"), pickle.loads(pickle.dumps(gm))):
        assert (copy.covariance_type, copy.rank) == ("factor", 2)
        assert np.array_equal(copy.covariances_, gm.covariances_)
        assert np.array_equal(copy.score_samples(points), gm.score_samples(points))
    again = mixture(warm_start=True, tol=1e-2)
    again.weights_, again.means_, again.covariances_ = gm.weights_, gm.means_, gm.covariances_
    assert again.fit(points).n_iter_ <= 3
    with pytest.raises(ValueError, match=r"covariance_type is 'factor\(2\)'; got covariance_type='factor\(1\)'"):
        gm.set_params(rank=1, warm_start=True).fit(points)


def test_the_algebra_is_that_of_its_matrices(points: FloatArray) -> None:
    gm = mixture().fit(points)
    dense = as_matrices(gm)
    assert_close(gm.score_samples(points), dense.score_samples(points), 1e-12)
    assert_close(gm.mahalanobis(points), dense.mahalanobis(points), 1e-10)
    assert gm.marginal([4, 0, 2]).covariance_type == "factor"
    assert gm.marginal([4, 0]).covariance_type == "full"
    for features in ([4, 0, 2], [4, 0]):
        own, other = gm.marginal(features), dense.marginal(features)
        assert_close(own.score_samples(points[:, features]), other.score_samples(points[:, features]), 1e-12)
    assert_close(gm.condition({1: 2.0}).means_, dense.condition({1: 2.0}).means_, 1e-10)
    assert_close(gm.merged([[0, 1]]).covariances_, dense.merged([[0, 1]]).covariances_, 1e-10)
    assert gm.kl_divergence(dense, random_state=0)[0] == pytest.approx(0.0, abs=1e-9)


def test_samples_have_its_covariances() -> None:
    own = somewhere("factor", 0, 4, 1)
    gm = GaussianMixture.from_parameters(own.weights, own.means, own.covariances, "factor", random_state=0)
    X, _ = gm.sample(100_000)
    assert_close(np.cov(X.T), component_matrices(own)[0], 0.03)
    assert_close(X.mean(axis=0), own.means[0], 0.03)


def test_loadings_and_uniquenesses_are_of_fitted_factor_analyzers_alone(points: FloatArray) -> None:
    gm = mixture()
    assert not hasattr(gm, "loadings_")
    gm.fit(points)
    assert gm.loadings_.shape == (3, 7, 2)
    assert gm.uniquenesses_.shape == (3, 7)
    assert not hasattr(GaussianMixture().fit(points), "uniquenesses_")


def test_selection_finds_the_rank() -> None:
    X = drawn(1, 900, 8, 2, 3, apart=5.0)
    chosen = fastgmm.select(X, 3, ["factor", "diag"], rank=[1, 2, 3, 4], random_state=0)
    assert chosen.best_params_ == {"n_components": 2, "covariance_type": "factor", "rank": 3}
    assert chosen.best_.rank == 3
    assert chosen.model("factor(2)", 2).bic(X) > chosen.best_.bic(X)


def test_the_command_line_takes_a_rank(points: FloatArray, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.save(tmp_path / "points.npy", points)
    arguments = [str(tmp_path / "points.npy"), "-k", "3", "-o", str(tmp_path / "model.npz"), "--seed", "0"]
    assert main(["fit", *arguments, "--covariance-type", "factor", "--rank", "2"]) == 0
    assert "3 components, factor(2) covariances" in "".join(capsys.readouterr())
    assert np.array_equal(fastgmm.load(tmp_path / "model.npz").means_, mixture().fit(points).means_)


# --- what it refuses -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rank": 7}, "rank=7 should be less than n_features=7"),
        ({"rank": 0}, "'rank' parameter .* int in the range"),
        ({"prior": "default"}, "'prior' parameter .* must be None where covariance_type='factor'"),
        ({"noise": "box"}, "'noise' parameter .* must be None where covariance_type='factor'"),
    ],
)
def test_what_it_cannot_do_is_refused(options: dict[str, Any], message: str, points: FloatArray) -> None:
    with pytest.raises(ValueError, match=message):
        mixture(**options).fit(points)


def test_missing_values_batches_and_scikit_learn_are_refused(points: FloatArray) -> None:
    holes = points.copy()
    holes[3, 2] = np.nan
    with pytest.raises(ValueError, match=r"X contains NaN, and a mixture of covariance_type='factor\(2\)'"):
        mixture().fit(holes)
    gm = mixture().fit(points)
    with pytest.raises(ValueError, match="X contains NaN"):
        gm.predict(holes)
    with pytest.raises(ValueError, match="without loadings for partial_fit"):
        mixture().partial_fit(points)
    with pytest.raises(ValueError, match="scikit-learn knows no covariance_type='factor'"):
        gm.to_sklearn()
    with pytest.raises(ValueError, match="belong to the model that read the rows"):
        gm.moments(points).recentred(gm.means_)
