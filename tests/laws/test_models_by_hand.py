"""Models that no fit has made: whichever attributes are set, and however, every backend gives the mixture's scores."""

import copy
import pickle
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fastgmm
from fastgmm import GaussianMixture
from fastgmm.errors import ConvergenceWarning, NotFittedError
from fastgmm.families import FAMILIES, FOUR
from fastgmm.parameters import Array, FloatArray, Parameters
from tests import naive
from tests.conftest import BACKENDS
from tests.problems import TOLERANCE, assert_close, draw_parameters
from tests.roots import ROOTS, any_root

PARAMETERS = ("weights_", "means_", "covariances_", "precisions_cholesky_")
MATRICES = {"covariances_", "precisions_cholesky_"}
HISTORY = {
    "converged_": True,
    "n_iter_": 7,
    "lower_bound_": -1.5,
    "lower_bounds_": [-2.0, -1.5],
    "stop_reason_": "converged",
    "degenerate_components_": (),
    "history_": (),
    "n_features_in_": 2,
}


class Draw(NamedTuple):
    """A mixture in any units, with a root of its precisions in any form and dtype, and rows amid it."""

    seed: int
    family: str
    n_features: int
    n_components: int
    power: float
    root: str
    dtype: str
    of_rows: str
    as_lists: bool

    def given(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Weights, means and root as they are set, in float64."""
        rng, family = np.random.default_rng(self.seed), FAMILIES[self.family]
        drawn, unit = draw_parameters(rng, self.family, self.n_features, self.n_components), 10.0**self.power
        root = any_root(family.precisions_cholesky(drawn.covariances), self.root, family, rng) / unit
        arrays = (drawn.weights, unit * drawn.means, root)
        weights, means, root = (array.astype(self.dtype).astype(np.float64) for array in arrays)
        return weights, means, root

    def rows(self) -> Array:
        size = (9, self.n_features)
        return (10.0**self.power * np.random.default_rng(self.seed + 1).normal(size=size)).astype(self.of_rows)

    def mixture(self) -> naive.Mixture:
        """What the oracle is to know of it: covariances, by another way than the package's."""
        weights, means, root = self.given()
        if FAMILIES[self.family].has_matrices:
            covariances = np.linalg.inv(root @ np.swapaxes(root, -1, -2))
        else:
            covariances = 1.0 / root**2
        return naive.Mixture(self.family, weights.tolist(), means.tolist(), covariances.tolist())

    def estimator(self, backend: str) -> GaussianMixture:
        estimator = GaussianMixture(self.n_components, covariance_type=self.family, backend=backend)
        for name, array in zip(("weights_", "means_", "precisions_cholesky_"), self.given(), strict=True):
            setattr(estimator, name, array.tolist() if self.as_lists else array.astype(self.dtype))
        return estimator


draws = st.builds(
    Draw,
    seed=st.integers(0, 2**32 - 1),
    family=st.sampled_from(list(FOUR)),
    n_features=st.integers(1, 5),
    n_components=st.integers(1, 4),
    power=st.one_of(st.just(0.0), st.floats(-9.0, 9.0)),
    root=st.sampled_from(list(ROOTS)),
    dtype=st.sampled_from(["float64", "float32"]),
    of_rows=st.sampled_from(["float64", "float32"]),
    as_lists=st.booleans(),
)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(draw=draws)
def test_every_backend_gives_the_density_of_any_root_of_the_precisions(draw: Draw) -> None:
    rows, mixture, tolerance = draw.rows(), draw.mixture(), 10 * TOLERANCE[draw.of_rows]
    joint = np.array(naive.joint_log_density(mixture, rows.tolist()))
    densities = np.array(naive.log_density(mixture, rows.tolist()))
    scale = max(1.0, float(np.abs(joint).max()))
    for backend in BACKENDS:
        estimator = draw.estimator(backend)
        assert_close(estimator.predict_joint_log_proba(rows), joint, tolerance, scale)
        assert_close(estimator.score_samples(rows), densities, tolerance, scale)
        assert_close(
            estimator.predict_proba(rows), np.array(naive.responsibilities(mixture, rows.tolist())), tolerance, scale
        )
        best = np.take_along_axis(joint, estimator.predict(rows)[:, np.newaxis], 1)[:, 0]
        assert_close(best, joint.max(axis=1), tolerance, scale)


def saved_and_loaded(estimator: GaussianMixture) -> GaussianMixture:
    with tempfile.TemporaryDirectory() as folder:
        estimator.save(Path(folder) / "model.npz")
        return fastgmm.load(Path(folder) / "model.npz")


def through_scikit_learn(estimator: GaussianMixture) -> GaussianMixture:
    """Set there by hand, brought here, and there and back again."""
    mixture = pytest.importorskip("sklearn.mixture").GaussianMixture
    theirs = mixture(2, covariance_type=estimator.covariance_type, random_state=estimator.random_state)
    for name, value in vars(estimator).items():
        if name.endswith("_"):
            setattr(theirs, name, value)
    return GaussianMixture.from_sklearn(GaussianMixture.from_sklearn(theirs).to_sklearn())


COPIES: dict[str, Callable[[GaussianMixture], GaussianMixture]] = {
    "as it is": lambda estimator: estimator,
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "pickle": lambda estimator: pickle.loads(pickle.dumps(estimator)),
    "save": saved_and_loaded,
    "scikit-learn": through_scikit_learn,
    "save of a pickle": lambda estimator: saved_and_loaded(pickle.loads(pickle.dumps(estimator))),
}


def warm_fit(estimator: GaussianMixture, rows: FloatArray) -> FloatArray:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return estimator.set_params(warm_start=True, max_iter=2).fit(rows).means_


METHODS: dict[str, Callable[[GaussianMixture, FloatArray], Any]] = {
    "score_samples": lambda estimator, rows: estimator.score_samples(rows),
    "predict": lambda estimator, rows: estimator.predict(rows),
    "predict_proba": lambda estimator, rows: estimator.predict_proba(rows),
    "predict_joint_log_proba": lambda estimator, rows: estimator.predict_joint_log_proba(rows),
    "score": lambda estimator, rows: estimator.score(rows),
    "bic": lambda estimator, rows: estimator.bic(rows),
    "aic": lambda estimator, rows: estimator.aic(rows),
    "sample": lambda estimator, rows: estimator.sample(5)[0],
    "_n_parameters": lambda estimator, rows: estimator._n_parameters(),
    "fit from there": warm_fit,
}


class Setting(NamedTuple):
    """Which attributes of a mixture are set, and which of a fit that there never was."""

    seed: int
    family: str
    root: str
    parameters: frozenset[str]
    history: frozenset[str]

    def given(self) -> Parameters:
        return draw_parameters(np.random.default_rng(self.seed), self.family, 2, 2)

    @property
    def is_complete(self) -> bool:
        return {"weights_", "means_"} <= self.parameters and len(self.parameters & MATRICES) > 0

    def estimator(self) -> GaussianMixture:
        drawn, family = self.given(), FAMILIES[self.family]
        rng = np.random.default_rng(self.seed + 1)
        root = any_root(family.precisions_cholesky(drawn.covariances), self.root, family, rng)
        values = dict(zip(PARAMETERS, (drawn.weights, drawn.means, drawn.covariances, root), strict=True)) | HISTORY
        estimator = GaussianMixture(2, covariance_type=self.family, random_state=0)
        for name in self.parameters | self.history:
            setattr(estimator, name, values[name])
        return estimator

    def expected(self) -> GaussianMixture:
        drawn = self.given()
        arrays = drawn.weights, drawn.means, drawn.covariances
        return GaussianMixture.from_parameters(*arrays, self.family, random_state=0)


def some_settings(parameters: st.SearchStrategy[frozenset[str]]) -> st.SearchStrategy[Setting]:
    families, roots = st.sampled_from(list(FOUR)), st.sampled_from(list(ROOTS))
    history = st.frozensets(st.sampled_from(list(HISTORY)))
    return st.builds(Setting, st.integers(0, 2**32 - 1), families, roots, parameters, history)


complete = st.sampled_from(sorted(MATRICES)).map(lambda name: frozenset({"weights_", "means_", name}))
complete |= st.just(frozenset(PARAMETERS))
incomplete = st.frozensets(st.sampled_from(PARAMETERS), min_size=1)
ROWS = 2.0 * np.random.default_rng(0).normal(size=(40, 2))


@settings(max_examples=200, deadline=None, derandomize=True)
@given(setting=some_settings(complete), copied=st.sampled_from(list(COPIES)), method=st.sampled_from(list(METHODS)))
def test_of_covariances_and_factors_either_is_enough_for_every_method(
    setting: Setting, copied: str, method: str
) -> None:
    got = METHODS[method](COPIES[copied](setting.estimator()), ROWS)
    np.testing.assert_allclose(got, METHODS[method](setting.expected(), ROWS), rtol=1e-8, atol=1e-8)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(
    setting=some_settings(incomplete).filter(lambda setting: not setting.is_complete),
    copied=st.sampled_from(list(COPIES)),
    method=st.sampled_from(list(METHODS)),
)
def test_where_parameters_are_missing_every_method_names_the_remedy(setting: Setting, copied: str, method: str) -> None:
    with pytest.raises(NotFittedError, match=r"GaussianMixture\.from_parameters\(weights, means, covariances\)"):
        METHODS[method](COPIES[copied](setting.estimator()), ROWS)


@settings(max_examples=50, deadline=None, derandomize=True)
@given(
    setting=some_settings(st.just(frozenset())), method=st.sampled_from([name for name in METHODS if "fit" not in name])
)
def test_a_history_without_parameters_is_not_fitted(setting: Setting, method: str) -> None:
    with pytest.raises(NotFittedError, match="is not fitted yet"):
        METHODS[method](setting.estimator(), ROWS)
    setting.estimator().set_params(warm_start=True).fit(ROWS)
