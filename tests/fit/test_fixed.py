"""Parameters that stay as they are: to the bit, whatever else moves, and counted as none that is free."""

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fastgmm
from fastgmm import GaussianMixture, Step
from fastgmm.families import CovarianceFamily
from tests.problems import draw_parameters

X = np.random.default_rng(0).normal(size=(120, 2)) + np.repeat([[0.0], [4.0], [9.0]], 40, axis=0)
PARTS = ("weights", "means", "covariances")
SUBSETS = [some for size in range(4) for some in itertools.combinations(PARTS, size)]


def given(family: CovarianceFamily) -> dict[str, Any]:
    parameters = draw_parameters(np.random.default_rng(3), family.name, 2, 3)
    return {
        "weights_init": [0.2, 0.3, 0.5],
        "means_init": [[0.1, 0.2], [4.1, 4.3], [9.2, 8.7]],
        "precisions_init": family.precisions(family.precisions_cholesky(parameters.covariances)),
    }


def started(family: CovarianceFamily, **options: Any) -> GaussianMixture:
    """After no iteration: the values that were given, as attributes."""
    return GaussianMixture(3, covariance_type=family.name, max_iter=0, **given(family), **options).fit(X)


@pytest.mark.filterwarnings("ignore:Best performing initialization did not converge")
@pytest.mark.parametrize("accelerate", [None, "squarem"])
@pytest.mark.parametrize("parts", SUBSETS, ids="+".join)
def test_all_seven_combinations_work(family: CovarianceFamily, parts: tuple[str, ...], accelerate: Any) -> None:
    start = started(family)
    options: dict[str, Any] = {"covariance_type": family.name, "reg_covar": 1e-3, "accelerate": accelerate}
    gm = GaussianMixture(3, fixed=parts, tol=1e-8, max_iter=60, **options, **given(family)).fit(X)
    for part in PARTS:
        stays = np.array_equal(getattr(gm, f"{part}_"), getattr(start, f"{part}_"))
        assert stays == (part in parts), part
    again = gm.set_params(warm_start=True).fit(X)
    for part in parts:
        assert np.array_equal(getattr(again, f"{part}_"), getattr(start, f"{part}_"))
    if len(parts) == 3:
        assert (gm.n_iter_, gm.converged_, gm.stop_reason_) == (1, True, "converged")
        assert gm.lower_bound_ == pytest.approx(gm.score(X), rel=1e-12)


def test_some_components_may_be_fixed(family: CovarianceFamily) -> None:
    start, fixed = (
        started(family),
        {"weights": [2], "means": [0, 1]} | ({} if family.is_shared else {"covariances": [1]}),
    )
    gm = GaussianMixture(3, covariance_type=family.name, fixed=fixed, **given(family)).fit(X)
    assert gm.weights_[2] == start.weights_[2]
    assert gm.weights_.sum() == pytest.approx(1.0, rel=1e-15)
    assert np.array_equal(gm.means_[:2], start.means_[:2])
    assert not np.array_equal(gm.means_[2], start.means_[2])
    if not family.is_shared:
        assert np.array_equal(gm.covariances_[1], start.covariances_[1])
        assert not np.array_equal(gm.covariances_[0], start.covariances_[0])


def test_means_far_from_zero_and_those_that_callbacks_see_stay_to_the_bit(family: CovarianceFamily) -> None:
    means, seen = np.array([[0.1, 0.2], [4.1, 4.3], [9.2, 8.7]]) + 1e6 + 1 / 3, list[Step]()
    options: dict[str, Any] = {"covariance_type": family.name, "means_init": means, "callbacks": [seen.append]}
    gm = GaussianMixture(3, fixed=["means"], **options).fit(np.round(X, 3) + 1e6)
    assert np.array_equal(gm.means_, means)
    assert all(step.parameters is not None and np.array_equal(step.parameters.means, means) for step in seen)


def test_fixed_covariances_are_no_reason_to_warn(recwarn: pytest.WarningsRecorder, family: CovarianceFamily) -> None:
    precisions = family.precisions(
        np.full(family.covariance_shape(3, 2), 0.0) + (np.eye(2) * 1e3 if family.has_matrices else 1e3)
    )
    options: dict[str, Any] = {
        "covariance_type": family.name,
        "means_init": [[0, 0], [4, 4], [9, 9]],
        "reg_covar": 1e-3,
    }
    gm = GaussianMixture(3, fixed=("covariances", "means"), precisions_init=precisions, **options).fit(X)
    assert gm.degenerate_components_ == ()
    assert not recwarn.list


# --- what is counted -------------------------------------------------------------------------------------------------


def test_what_is_fixed_is_no_free_parameter(family: CovarianceFamily, tmp_path: Path) -> None:
    of_covariances = family.n_covariance_parameters(3, 2)
    cases: list[tuple[Any, int]] = [
        ((), 0),
        (("weights",), 2),
        (("means",), 6),
        (("covariances",), of_covariances),
        (PARTS, 8 + of_covariances),
        ({"weights": [1], "means": [0, 2]}, 5),
        ({"weights": [1, 2]}, 2),
    ]
    free = GaussianMixture(3, covariance_type=family.name, random_state=0).fit(X)._n_parameters()
    for fixed, number in cases:
        gm = GaussianMixture(3, covariance_type=family.name, fixed=fixed, **given(family)).fit(X)
        assert (gm.n_fixed_parameters_, gm._n_parameters()) == (number, free - number)
        deviance = -2 * 120 * gm.score(X)
        assert gm.bic(X) == pytest.approx(deviance + (free - number) * np.log(120))
        assert gm.aic(X) == pytest.approx(deviance + 2 * (free - number))
        gm.save(tmp_path / "model.npz")
        loaded = fastgmm.load(tmp_path / "model.npz")
        assert (loaded.n_fixed_parameters_, loaded.bic(X)) == (number, gm.bic(X))
        assert loaded.fixed == fixed


# --- what is refused -------------------------------------------------------------------------------------------------

REFUSED: list[tuple[Any, dict[str, Any], str]] = [
    (("means",), {}, r"fixed=\('means',\) needs means_init, or warm_start=True after a fit\."),
    (("means",), {"warm_start": True}, r"fixed=\('means',\) needs means_init, or warm_start=True after a fit\."),
    (("weights",), {"means_init": X[:3]}, r"fixed=\('weights',\) needs weights_init"),
    ({"covariances": [0]}, {}, r"fixed=\{'covariances': \[0\]\} needs precisions_init"),
    (("mean",), {}, r"'fixed' must be among 'weights', 'means', 'covariances'; got 'mean'\."),
    ({"mean": [0]}, {}, r"'fixed' must be among 'weights', 'means', 'covariances'; got 'mean'\."),
    ([3], {}, r"'fixed' must be among 'weights', 'means', 'covariances'; got 3\."),
    ({"means": [3]}, {"means_init": X[:3]}, r"fixed\['means'\] names component 3, but with n_components=3 .* 0 to 2\."),
    ({"means": [True]}, {"means_init": X[:3]}, r"names component True"),
    ({"means": "ab"}, {"means_init": X[:3]}, r"names component 'a'"),
    ("means", {"means_init": X[:3]}, r"'fixed' parameter of GaussianMixture must be a tuple of names, or a dict"),
    (None, {}, r"'fixed' parameter of GaussianMixture must be a tuple of names, or a dict"),
]


@pytest.mark.parametrize(("fixed", "options", "message"), REFUSED)
def test_what_makes_no_sense_is_refused_and_the_estimator_stays(fixed: Any, options: Any, message: str) -> None:
    gm = GaussianMixture(3, random_state=0, fixed=fixed, **options)
    with pytest.raises(ValueError, match=message):
        gm.fit(X)
    assert not hasattr(gm, "means_")
    fitted = GaussianMixture(3, random_state=0).fit(X).set_params(fixed=fixed, **options)
    before = dict(vars(fitted))
    if "warm_start" not in options:
        with pytest.raises(ValueError, match=message):
            fitted.fit(X)
    assert all(vars(fitted)[name] is value for name, value in before.items())


def test_a_tied_covariance_is_fixed_for_all_or_for_none() -> None:
    gm = GaussianMixture(2, covariance_type="tied", precisions_init=np.eye(2), fixed={"covariances": [0]})
    with pytest.raises(ValueError, match=r"A tied covariance is fixed for all components or for none\."):
        gm.fit(X)


@pytest.mark.filterwarnings("ignore:Component 0 of 2 collapsed")
@pytest.mark.parametrize("some", [[0], [0, 1]])
def test_a_fixed_weight_of_0_may_have_a_prior(some: list[int]) -> None:
    """What is believed of a constant is a constant, here −∞."""
    start = {"weights_init": [0.0, 1.0], "means_init": [[0.0, 0.0], [5.0, 5.0]]}
    options: dict[str, Any] = {"fixed": {"weights": some}, "prior": fastgmm.Prior(weight_concentration=2.0)}
    gm = GaussianMixture(2, **start, **options, max_iter=200).fit(X)
    assert np.isfinite(gm.lower_bounds_).all()
    assert gm.converged_
    assert gm.weights_.tolist() == [0.0, 1.0]
    assert gm.lower_bound_ == pytest.approx(gm.score(X), abs=1e-3)
    assert np.isfinite(gm.maximized(gm.moments(X)).lower_bound_)
