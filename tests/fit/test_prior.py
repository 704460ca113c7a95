"""Priors: what they may be, the default one, and that of a background model."""

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fastgmm
from fastgmm import GaussianMixture, Prior
from fastgmm.cli.command_line import main
from fastgmm.errors import NotFittedError
from fastgmm.families import FAMILIES, CovarianceFamily
from fastgmm.parameters import FloatArray
from tests.problems import assert_close, draw_parameters

X = np.random.default_rng(0).normal(size=(80, 4)) * [1.0, 2.0, 1.0, 0.5] + np.repeat([[0.0], [3.0]], 40, axis=0)
EYE = np.eye(4)

REFUSED: dict[str, tuple[Prior, str]] = {
    "mean of another width": (Prior(1.0, [0.0, 0.0, 0.0]), r"prior\.mean has shape \(3,\), X has 4 features\."),
    "means of others": (Prior(1.0, np.zeros((3, 4))), r"prior\.mean has shape \(3, 4\), there are 2 components\."),
    "infinite mean": (Prior(1.0, [0, 0, 0, np.inf]), r"prior\.mean must be finite\."),
    "no mean": (Prior(1.0), r"prior\.mean_precision > 0 needs prior\.mean\."),
    "negative precision": (Prior(-1.0, [0, 0, 0, 0]), r"prior\.mean_precision must be .* not negative; got -1\.0"),
    "precision that is a text": (Prior("1", [0] * 4), r"prior\.mean_precision must be"),  # type: ignore[arg-type]
    "covariance alone": (Prior(covariance=EYE), r"prior\.covariance needs prior\.degrees_of_freedom\."),
    "degrees alone": (Prior(degrees_of_freedom=6.0), r"prior\.degrees_of_freedom needs prior\.covariance\."),
    "too few degrees": (
        Prior(degrees_of_freedom=-5.0, covariance=EYE),
        r"must be a finite number above -5 .*got -5\.0",
    ),
    "singular": (Prior(degrees_of_freedom=6, covariance=0 * EYE), "covariance must be symmetric, positive-definite"),
    "skew": (Prior(degrees_of_freedom=6, covariance=np.tri(4)), "covariance must be symmetric, positive-definite"),
    "of another shape": (Prior(degrees_of_freedom=6, covariance=np.ones(4)), r"covariance has shape \(4,\); of 2 full"),
    "sparse weights": (
        Prior(weight_concentration=0.33),
        r"prior\.weight_concentration must be at least 1 for a posterior mode; got 0\.33 "
        r"\(BayesianGaussianMixture takes less\)\.",
    ),
    "weights of others": (Prior(weight_concentration=[2.0, 2.0, 2.0]), r"has shape \(3,\), there are 2 components"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_a_fit_cannot_use_it_refuses_and_stays_as_it_was(name: str) -> None:
    prior, message = REFUSED[name]
    gm = GaussianMixture(2, random_state=0).fit(X)
    before = dict(vars(gm))
    with pytest.raises(ValueError, match=message):
        gm.set_params(prior=prior).fit(X)
    assert vars(gm) == before | {"prior": prior}


@pytest.mark.parametrize("covariance_type", ["diag", "spherical"])
def test_a_variance_is_positive(covariance_type: str) -> None:
    covariance = np.zeros(4) if covariance_type == "diag" else 0.0
    prior = Prior(degrees_of_freedom=3, covariance=covariance)
    with pytest.raises(ValueError, match=r"prior\.covariance must be positive and finite"):
        GaussianMixture(2, covariance_type=covariance_type, prior=prior).fit(X)


# --- the default -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("weighted", [False, True])
def test_the_default_is_that_of_mclust(family: CovarianceFamily, weighted: bool) -> None:
    """`priorControl`: shrinkage 0.01, mean(X), d + 2, var(X)/K^(2/d), of variances their mean."""
    weights = np.arange(80) % 4 if weighted else np.ones(80, int)
    gm = GaussianMixture(2, covariance_type=family.name, prior="default", random_state=0)
    found = gm.fit(X, sample_weight=weights if weighted else None).prior_
    rows = np.repeat(X, weights, axis=0)
    covariance = np.cov(rows.T) / 2 ** (2 / 4)
    if family.name == "diag":
        covariance = np.full(4, covariance.trace() / 4)
    elif family.name == "spherical":
        covariance = np.array(covariance.trace() / 4)
    assert (found.mean_precision, found.degrees_of_freedom, found.weight_concentration) == (0.01, 6.0, 1.0)
    assert_close(found.mean, rows.mean(axis=0), 1e-13)
    assert_close(found.covariance, covariance, 1e-13)


def test_there_is_none_unless_it_is_asked_for() -> None:
    assert GaussianMixture(2, random_state=0).fit(X).prior_ is None


def test_the_default_prior_as_an_object_makes_the_same_fit(family: CovarianceFamily) -> None:
    options: dict[str, Any] = {"covariance_type": family.name, "random_state": 0}
    one = GaussianMixture(2, prior="default", **options).fit(X)
    other = GaussianMixture(2, prior=one.prior_, **options).fit(X)
    assert np.array_equal(one.covariances_, other.covariances_)
    assert one.lower_bounds_ == other.lower_bounds_


# --- a background model ----------------------------------------------------------------------------------------------


def background(family: CovarianceFamily) -> GaussianMixture:
    parameters = draw_parameters(np.random.default_rng(5), family.name, 4, 2)
    return GaussianMixture.from_parameters(
        parameters.weights, parameters.means, parameters.covariances, family.name, reg_covar=0.0
    )


def adapted(model: GaussianMixture, relevance_factor: float, **options: Any) -> GaussianMixture:
    """One M-step from the model, under the prior that it makes."""
    prior = Prior.from_model(model, relevance_factor)
    other = GaussianMixture.from_parameters(
        model.weights_, model.means_, model.covariances_, model.covariance_type, reg_covar=0.0, prior=prior, **options
    )
    return other.maximized(other.moments(X))


def test_without_relevance_it_is_maximum_likelihood(family: CovarianceFamily) -> None:
    model = background(family)
    plain, other = model.maximized(model.moments(X)), adapted(model, 0.0)
    for name in ("weights_", "means_", "covariances_"):
        assert_close(getattr(other, name), getattr(plain, name), 1e-12)


def test_of_boundless_relevance_it_is_the_background_model(family: CovarianceFamily) -> None:
    model = background(family)
    other = adapted(model, 1e12)
    for name in ("weights_", "means_", "covariances_"):
        assert_close(getattr(other, name), getattr(model, name), 1e-9)


def test_it_is_worth_so_many_rows_of_every_component(family: CovarianceFamily) -> None:
    """Rows with the moments of the model: every mean and covariance is that of all rows together."""
    model, relevance = background(family), 16.0
    plain, other, moments = model.maximized(model.moments(X)), adapted(model, relevance), model.moments(X)
    share = moments.counts / (moments.counts + relevance)
    means = share[:, np.newaxis] * plain.means_ + (1 - share)[:, np.newaxis] * model.means_
    assert_close(other.means_, means, 1e-12)
    own, theirs = (family.matrices(each.covariances_, 2, 4) for each in (plain, model))
    counts = moments.counts[:, np.newaxis, np.newaxis]
    apart = plain.means_ - model.means_
    between = apart[:, :, np.newaxis] * apart[:, np.newaxis, :]
    scatters = counts * own + relevance * theirs + counts * relevance / (counts + relevance) * between
    expected = scatters.sum(axis=0) / (80 + 2 * relevance) if family.is_shared else scatters / (counts + relevance)
    found = other.covariances_ if family.is_shared else family.matrices(other.covariances_, 2, 4)
    if family.name in ("diag", "spherical"):
        diagonals = np.diagonal(expected, axis1=1, axis2=2)
        found = np.diagonal(found, axis1=1, axis2=2)
        expected = diagonals if family.name == "diag" else np.tile(diagonals.mean(axis=1)[:, np.newaxis], 4)
    assert_close(found, expected, 1e-12)


def test_variances_are_those_of_reynolds() -> None:
    """Equation 13: σ² = αE(x²) + (1 − α)(σ²_U + μ²_U) − μ²."""
    model, relevance = background(FAMILIES["diag"]), 16.0
    other, moments, shares = adapted(model, relevance), model.moments(X), model.predict_proba(X)
    alpha = (moments.counts / (moments.counts + relevance))[:, np.newaxis]
    first, second = (shares.T @ X**power / moments.counts[:, np.newaxis] for power in (1, 2))
    means = alpha * first + (1 - alpha) * model.means_
    assert_close(other.means_, means, 1e-12)
    expected = alpha * second + (1 - alpha) * (model.covariances_ + model.means_**2) - means**2
    assert_close(other.covariances_, expected, 1e-11)


def test_means_alone_may_be_adapted(family: CovarianceFamily) -> None:
    model = background(family)
    prior = Prior.from_model(model)
    options: dict[str, Any] = {"fixed": ("weights", "covariances"), "prior": prior, "warm_start": True}
    other = GaussianMixture.from_parameters(
        model.weights_, model.means_, model.covariances_, family.name, **options
    ).fit(X)
    assert np.array_equal(other.weights_, model.weights_)
    assert np.array_equal(other.covariances_, model.covariances_)
    assert not np.array_equal(other.means_, model.means_)


def test_a_model_that_is_none_is_refused() -> None:
    with pytest.raises(NotFittedError, match="is not fitted yet"):
        Prior.from_model(GaussianMixture())
    with pytest.raises(TypeError, match="gm must be a fitted GaussianMixture; got 3"):
        Prior.from_model(3)
    with pytest.raises(ValueError, match="relevance_factor must be a finite number that is not negative; got -1"):
        Prior.from_model(GaussianMixture().fit(X), -1)


# --- an option like others -------------------------------------------------------------------------------------------


def test_it_is_cloned_searched_over_pickled_and_shown() -> None:
    base, selection = (pytest.importorskip(f"sklearn.{name}") for name in ("base", "model_selection"))
    prior = Prior(0.5, np.zeros(4), 6.0, EYE)
    gm = GaussianMixture(2, prior=prior, random_state=0)
    assert_close(base.clone(gm).prior.covariance, EYE, 0.0)
    search = selection.GridSearchCV(gm, {"prior": [None, "default", prior]}, cv=2).fit(X)
    assert search.best_params_["prior"] in (None, "default", prior)
    assert "Prior(mean_precision=0.5" in repr(gm)
    read = pickle.loads(pickle.dumps(gm.fit(X)))
    assert_close(read.prior_.covariance, EYE, 0.0)
    assert_close(read.fit(X).covariances_, gm.covariances_, 0.0)
    assert b"fastgmm.fit" not in pickle.dumps(prior)


PRIORS = [
    None,
    "default",
    Prior(weight_concentration=2.0),
    Prior(2, [0, 0, 0, 0], 6, EYE, [1.0, 3.0]),
    Prior(np.float32(0.5), np.zeros((2, 4)), degrees_of_freedom=4.5, covariance=EYE),  # type: ignore[arg-type]
]


@pytest.mark.parametrize("prior", PRIORS, ids=["none", "default", "weights", "all", "each"])
def test_model_files_keep_it(prior: Any, tmp_path: Path) -> None:
    saved = GaussianMixture(2, prior=prior, random_state=0).fit(X)
    saved.save(tmp_path / "model.npz")
    loaded = fastgmm.load(tmp_path / "model.npz")
    for one, other in ((loaded.prior, prior), (loaded.prior_, saved.prior_)):
        if isinstance(other, Prior):
            assert_same_prior(one, other)
        else:
            assert one == other
    after, expected = (gm.maximized(gm.moments(X)) for gm in (loaded, saved))
    assert np.array_equal(after.means_, expected.means_)
    assert np.array_equal(after.covariances_, expected.covariances_)
    assert np.array_equal(loaded.fit(X).covariances_, saved.fit(X).covariances_)


def assert_same_prior(one: Any, other: Prior) -> None:
    for name, value in vars(other).items():
        if value is None:
            assert getattr(one, name) is None
        else:
            assert np.array_equal(getattr(one, name), value)


def test_an_option_that_is_no_prior_is_named() -> None:
    with pytest.raises(
        ValueError, match=r"'prior' parameter of GaussianMixture must be None or a str among \{'default'\} or"
    ):
        GaussianMixture(prior="mclust").fit(X)  # type: ignore[arg-type]


def test_the_command_line_takes_the_default_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    points, model = tmp_path / "points.npy", tmp_path / "model.npz"
    np.save(points, X)
    assert main(["fit", str(points), "-k", "2", "-o", str(model), "--prior", "default", "--quiet"]) == 0
    assert "converged" in capsys.readouterr().out
    expected: FloatArray = GaussianMixture(2, prior="default", random_state=0).fit(X).means_
    assert np.array_equal(fastgmm.load(model).means_, expected)
