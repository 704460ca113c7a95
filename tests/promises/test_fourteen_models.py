"""mclust's models are families like any other: what fastgmm promises of a fit holds for each of them."""

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
from fastgmm.data.datasets import load_old_faithful
from fastgmm.errors import DegenerateComponentError
from fastgmm.families import FAMILIES, FOURTEEN
from fastgmm.parameters import FloatArray
from tests.problems import assert_close

CONSTRAINED = [name for name in FOURTEEN if FAMILIES[name].constrain is not None]
OTHER_NAMES = {"VVV": "full", "EEE": "tied", "VVI": "diag", "VII": "spherical"}


@pytest.fixture(scope="module")
def points() -> FloatArray:
    return drawn(np.random.default_rng(3), 400, 3, 3)


def drawn(rng: np.random.Generator, n_rows: int, n_features: int, n_components: int) -> FloatArray:
    factors = rng.normal(size=(n_components, n_features, n_features))
    labels = rng.integers(n_components, size=n_rows)
    noise = np.einsum("nij,nj->ni", factors[labels], rng.normal(size=(n_rows, n_features)))
    return 4.0 * rng.normal(size=(n_components, n_features))[labels] + noise


def mixture(name: str, **options: Any) -> GaussianMixture:
    return GaussianMixture(**{"n_components": 3, "covariance_type": name, "random_state": 0} | options)


def assert_in_the_set(gm: GaussianMixture) -> None:
    """The M-step of the model leaves its covariances where they are."""
    again = FAMILIES[gm.covariance_type].constrained(gm.covariances_, gm.weights_, gm.covariances_)
    assert_close(again, gm.covariances_, 1e-6)


@pytest.mark.parametrize("name", FOURTEEN)
@given(
    seed=st.integers(0, 2**31),
    n_features=st.integers(1, 5),
    n_components=st.integers(1, 4),
    accelerate=st.sampled_from([None, "squarem"]),
    missing=st.booleans(),
)
@settings(max_examples=15, deadline=None)
def test_the_likelihood_never_falls(
    name: str, seed: int, n_features: int, n_components: int, accelerate: str | None, missing: bool
) -> None:
    rng = np.random.default_rng(seed)
    X = drawn(rng, 120, n_features, n_components)
    if missing and n_features > 1:
        X[rng.random(X.shape) < 0.1] = np.nan
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        options = {"reg_covar": 0.0, "tol": 1e-6, "max_iter": 60, "accelerate": accelerate}
        try:
            gm = mixture(name, n_components=n_components, **options).fit(X)
        except DegenerateComponentError:  # on a few points, of which there is no likeliest covariance
            return
    bounds = np.array(gm.lower_bounds_)
    assert (np.diff(bounds) >= -1e-9 * (1.0 + np.abs(bounds[1:]))).all()
    assert_in_the_set(gm)


@pytest.mark.parametrize("name", OTHER_NAMES)
def test_another_name_fits_the_same_bits(name: str, points: FloatArray) -> None:
    one, other = mixture(name).fit(points), mixture(OTHER_NAMES[name]).fit(points)
    assert one.get_params()["covariance_type"] == name
    assert np.array_equal(one.means_, other.means_)
    assert np.array_equal(one.covariances_, other.covariances_)
    assert one.bic(points) == other.bic(points)


@pytest.mark.parametrize("name", ["E", "V"])
def test_of_one_feature_the_two_models_have_names_of_their_own(name: str, points: FloatArray) -> None:
    one = mixture(name).fit(points[:, :1])
    other = mixture(f"{name}II").fit(points[:, :1])
    assert np.array_equal(one.covariances_, other.covariances_)
    assert one.bic(points[:, :1]) == other.bic(points[:, :1])
    for refused in (mixture(name).fit, mixture(name).partial_fit, lambda X: fastgmm.select(X, 2, name)):
        with pytest.raises(ValueError, match=f"{name}' is a model of a single feature; got 3"):
            refused(points)


@pytest.mark.parametrize("name", FOURTEEN)
def test_threads_change_no_bit(name: str, points: FloatArray) -> None:
    X = np.tile(points, (20, 1))
    one, four = (mixture(name, n_threads=n, max_iter=20).fit(X) for n in (1, 4))
    assert np.array_equal(one.means_, four.means_)
    assert np.array_equal(one.covariances_, four.covariances_)


@pytest.mark.parametrize("name", FOURTEEN)
def test_backends_agree(name: str, points: FloatArray) -> None:
    numpy, numba, c = (
        mixture(name, backend=backend, tol=1e-10, max_iter=500).fit(points) for backend in ("numpy", "numba", "c")
    )
    for other in (numba, c):
        assert numpy.score(points) == pytest.approx(other.score(points), rel=1e-9)
        assert_close(other.covariances_, numpy.covariances_, 1e-4)


@pytest.mark.parametrize("name", FOURTEEN)
def test_files_and_pickles_keep_it(name: str, points: FloatArray, tmp_path: Path) -> None:
    gm = mixture(name).fit(points)
    gm.save(tmp_path / "model.npz")
    for copy in (fastgmm.load(tmp_path / "model.npz"), pickle.loads(pickle.dumps(gm))):
        assert copy.covariance_type == name
        assert np.array_equal(copy.predict_proba(points), gm.predict_proba(points))
        assert copy.bic(points) == gm.bic(points)


@pytest.mark.parametrize("name", FOURTEEN)
def test_blocks_and_labels_are_taken(name: str, points: FloatArray) -> None:
    of_rows = mixture(name, max_iter=20, tol=0.0)
    of_blocks = mixture(name, max_iter=20, tol=0.0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # twenty iterations are no convergence
        of_rows.fit(points)
        of_blocks.fit(fastgmm.blocks_of([points[:150], points[150:]]))
    assert_close(of_blocks.covariances_, of_rows.covariances_, 1e-12)
    labels = of_rows.predict(points)
    known = np.where(np.arange(len(points)) % 4 == 0, (labels + 1) % 3, -1)
    assert np.mean(mixture(name).fit(points, labels=known).predict(points) == (labels + 1) % 3) > 0.6


@pytest.mark.parametrize("name", FOURTEEN)
def test_a_graph_of_it_says_the_same(name: str, points: FloatArray) -> None:
    runtime = pytest.importorskip("onnxruntime")
    gm = mixture(name).fit(points)
    session = runtime.InferenceSession(gm.to_onnx().SerializeToString())
    assert_close(session.run(["score_samples"], {"X": points})[0].ravel(), gm.score_samples(points), 1e-12)


@pytest.mark.parametrize("name", FOURTEEN)
def test_what_is_made_of_a_mixture_is_of_the_family_whose_kernel_it_uses(name: str, points: FloatArray) -> None:
    """Parts, maps and mergers need not share what the components of the whole do."""
    gm, kernel = mixture(name).fit(points), FAMILIES[name].kernel
    assert gm.marginal([0, 2]).covariance_type == kernel
    assert gm.condition({1: 0.5}).covariance_type == kernel
    assert gm.to_sklearn().covariance_type == kernel
    assert_close(gm.to_sklearn().score_samples(points), gm.score_samples(points), 1e-9)
    assert gm.reduced(2).covariance_type == "full"


def test_scikit_learn_is_not_asked_to_fit_what_it_cannot() -> None:
    with pytest.raises(ValueError, match="cannot fit covariance_type='VEV'"):
        mixture("VEV").to_sklearn()
    assert mixture("VVV").to_sklearn().covariance_type == "full"


@pytest.mark.filterwarnings("ignore::fastgmm.errors.RegularizationWarning")
@pytest.mark.parametrize("name", CONSTRAINED)
def test_priors_given_starts_and_regularization_keep_the_constraint(name: str, points: FloatArray) -> None:
    shape = FAMILIES[name].covariance_shape(3, 3)
    unit = {1: np.ones(3), 2: np.ones((3, 3)), 3: np.tile(np.eye(3), (3, 1, 1))}[len(shape)]
    varied = unit * np.linspace(1.0, 2.0, 3).reshape(3, *[1] * (len(shape) - 1))
    for options in ({"prior": "default"}, {"reg_covar": 0.1}, {"reg_covar": "relative"}, {"precisions_init": varied}):
        gm = mixture(name, **options).fit(points)
        assert_in_the_set(gm)
        if "prior" not in options and options.get("reg_covar") != 0.1:
            assert (np.diff(gm.lower_bounds_) > -1e-5).all()


@pytest.mark.parametrize("name", CONSTRAINED)
def test_covariances_are_fixed_together_or_not_at_all(name: str, points: FloatArray) -> None:
    gm = mixture(name).fit(points)
    with pytest.raises(ValueError, match=f"{name} covariance is fixed for all components or for none"):
        mixture(name, precisions_init=gm.precisions_, fixed={"covariances": [1]}).fit(points)


@pytest.mark.parametrize("name", CONSTRAINED)
def test_batches_and_moments_lead_into_the_set(name: str, points: FloatArray) -> None:
    gm = mixture(name)
    for batch in np.split(points, 4):
        gm.partial_fit(batch)
    assert_in_the_set(gm)
    fitted = mixture(name).fit(points)
    assert_in_the_set(fitted.maximized(fitted.moments(points)))


@pytest.mark.filterwarnings("ignore::fastgmm.errors.SelectionAtEdgeWarning")
def test_a_selection_races_the_fourteen(points: FloatArray) -> None:
    found = fastgmm.select(points, [1, 2, 3], "mclust", random_state=0)
    assert set(found.table_["covariance_type"]) == set(FOURTEEN)
    assert set(fastgmm.select(points, [1], random_state=0).table_["covariance_type"]) == set(OTHER_NAMES.values())


@pytest.mark.filterwarnings("ignore::fastgmm.errors.SelectionAtEdgeWarning")
def test_a_selection_of_one_feature_races_two(points: FloatArray) -> None:
    found = fastgmm.select(points[:, :1], [1, 2], "mclust", random_state=0)
    assert set(found.table_["covariance_type"]) == {"E", "V"}


def test_the_best_of_the_fourteen_for_the_geyser_is_that_of_mclust() -> None:
    """Which has a BIC of −2314.3."""
    found = fastgmm.select(load_old_faithful(), range(1, 7), "mclust", random_state=0)
    assert found.table_[["covariance_type", "n_components"]][0].tolist() == ("EEE", 3)
    assert found.table_["bic"][0] == pytest.approx(2314.3, abs=0.05)


def test_mclust_finds_the_same_of_irises() -> None:
    """BIC as mclust 6 has it, where larger is better, of its two best models and others."""
    X = pytest.importorskip("sklearn.datasets").load_iris().data
    published = {("VEV", 2): -561.7285, ("VEV", 3): -562.5522, ("VVV", 2): -574.0178}
    for (name, k), bic in published.items():
        gm = mixture(name, n_components=k, tol=1e-9, max_iter=1000, reg_covar=1e-9, n_init=5).fit(X)
        assert -gm.bic(X) == pytest.approx(bic, abs=5e-3)


# The log-likelihoods to which `me` of R's mclust 6.0.0 climbs from a partition: of irises by their species, and of the
# geyser's eruptions by whether one waits for more than 67 minutes. Its inner tolerances were 1e-11.
OF_MCLUST = {
    "EII": (-401.802176, -1709.681373),
    "VII": (-384.314095, -1709.529282),
    "EEI": (-361.425522, -1157.680012),
    "VEI": (-339.468727, -1152.880196),
    "EVI": (-340.085581, -1153.885568),
    "VVI": (-306.860461, -1147.806353),
    "EEE": (-256.354043, -1140.186759),
    "VEE": (-237.560163, -1136.259854),
    "EVE": (-234.140235, -1136.910261),
    "VVE": (-215.240870, -1132.187446),
    "EEV": (-214.850379, -1139.331599),
    "VEV": (-186.073283, -1134.679204),
    "EVV": (-205.535881, -1135.769904),
    "VVV": (-180.185477, -1130.263960),
}


@pytest.mark.parametrize("name", FOURTEEN)
def test_from_the_same_partition_mclust_climbs_to_the_same_place(name: str) -> None:
    """But for VVE, where its M-step ends before the axes are the best."""
    irises, geyser = pytest.importorskip("sklearn.datasets").load_iris(), load_old_faithful()
    partitions = (irises.data, irises.target), (geyser, (geyser[:, 1] > 67).astype(int))
    for (X, labels), expected in zip(partitions, OF_MCLUST[name], strict=True):
        options: dict[str, Any] = {"init_params": lambda rows, k, random_state, labels=labels: labels, "reg_covar": 0.0}
        gm = mixture(name, n_components=labels.max() + 1, tol=1e-12, max_iter=20_000, **options).fit(X)
        found = gm.score(X) * len(X)
        if name == "VVE":
            assert found > expected
        else:
            assert found == pytest.approx(expected, rel=2e-6)
