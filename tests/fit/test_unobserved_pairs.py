"""What holes leave undetermined is said: features never observed together, and components that see no value of one."""

import warnings
from typing import Any

import numpy as np
import pytest

from fastgmm import GaussianMixture, Prior
from fastgmm.data.facts import Facts
from fastgmm.errors import DegenerateComponentError, DegenerateComponentWarning, UnobservedPairWarning
from fastgmm.families import CovarianceFamily
from fastgmm.parameters import FloatArray
from fastgmm.rows import Rows

WORDS = "are never observed together: their correlation given the others is not determined by the data."


def matched_files(n_rows: int = 200) -> FloatArray:
    """Rows of two files: one lacks feature 3, the other feature 1."""
    values = np.random.default_rng(0).normal(size=(n_rows, 4))
    values[: n_rows // 2, 3] = values[n_rows // 2 :, 1] = np.nan
    return values


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9])
@pytest.mark.parametrize("weighted", [False, True])
def test_rows_that_have_both_of_two_features_are_counted(share: float, weighted: bool) -> None:
    rng = np.random.default_rng(1)
    values = np.where(rng.random((300, 5)) < share, np.nan, 1.0)
    weights = rng.integers(3, size=300).astype(np.float64) if weighted else None
    has = ~np.isnan(values) if weights is None else ~np.isnan(values[weights > 0])
    facts = Facts(Rows(values, weights, has_missing=True))
    assert np.array_equal(facts.observed_together, has.T.astype(int) @ has)
    i, j = facts.seldom_together
    assert i < j
    assert facts.observed_together[i, j] == facts.observed_together.min()


def test_a_fit_warns_once_of_features_that_no_row_has_both_of(family: CovarianceFamily) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        GaussianMixture(2, covariance_type=family.name, random_state=0, n_init=2).fit(matched_files())
    if not family.has_matrices:
        assert not caught
        return
    [warning] = caught
    assert isinstance(warning.message, UnobservedPairWarning)
    assert str(warning.message) == f"Features 1 and 3 {WORDS}"
    assert vars(warning.message) == {"features": (1, 3), "n_pairs": 1}
    assert warning.filename == __file__


def test_names_of_columns_are_said() -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(matched_files(), columns=["age", "petal", "height", "sepal"])
    with pytest.warns(UnobservedPairWarning, match=r"^Features 1 \('petal'\) and 3 \('sepal'\) are never"):
        GaussianMixture(random_state=0).fit(frame)


def test_a_row_of_weight_zero_is_no_row_that_has_both() -> None:
    values = np.concatenate([matched_files(), np.zeros((1, 4))])
    GaussianMixture(random_state=0).fit(values)
    with pytest.warns(UnobservedPairWarning):
        GaussianMixture(random_state=0).fit(values, sample_weight=np.r_[np.ones(200), 0.0])


def test_what_is_graver_is_said_first_and_fixed_covariances_need_no_data() -> None:
    with pytest.warns(UserWarning, match="did not converge.* Besides: Features 1 and 3 are never") as caught:
        GaussianMixture(2, max_iter=1, tol=0.0, random_state=0).fit(matched_files())
    assert len(caught) == 1
    GaussianMixture(fixed=("covariances",), precisions_init=[np.eye(4)]).fit(matched_files())


# --- components that see too little of a feature ---------------------------------------------------------------------


def one_class_lacks_a_feature() -> FloatArray:
    rng = np.random.default_rng(2)
    values = rng.normal(size=(120, 3)) + np.repeat([[0.0], [50.0]], 60, axis=0)
    values[61:, 2] = np.nan
    return values


def test_a_component_that_holds_fewer_than_two_values_of_a_feature_is_degenerate(family: CovarianceFamily) -> None:
    precisions = np.full(family.covariance_shape(2, 3), 1.0) * (np.eye(3) if family.has_matrices else 1.0)
    start: dict[str, Any] = {"means_init": [[0.0] * 3, [50.0] * 3], "precisions_init": precisions}
    with pytest.warns(DegenerateComponentWarning) as caught:
        gm = GaussianMixture(2, covariance_type=family.name, **start).fit(one_class_lacks_a_feature())
    assert gm.degenerate_components_ == caught[0].message.components == (1,)
    if family.name == "diag":  # where a single value has the variance of reg_covar
        assert caught[0].message.cause == "few points"
        return
    assert caught[0].message.cause == "few values of feature 2"
    assert str(caught[0].message) == (
        "Component 1 of 2 holds fewer than two values of feature 2: what it is like there follows from other features "
        "or from the start."
    )


def test_two_values_of_a_feature_are_enough_where_variances_are_not_its_own() -> None:
    values = one_class_lacks_a_feature()
    values[70:80, 2] = 50.0 + np.arange(10)
    assert GaussianMixture(2, random_state=0).fit(values).degenerate_components_ == ()


@pytest.mark.parametrize("prior", [None, Prior(weight_concentration=2.0)])
def test_what_a_component_never_sees_stays_under_a_prior_too(prior: Prior | None) -> None:
    values = one_class_lacks_a_feature()
    values[60, 2] = np.nan
    start = {"weights_init": [0.5, 0.5], "means_init": [[0.0] * 3, [50.0, 50.0, 7.0]]}
    gm = GaussianMixture(2, covariance_type="diag", prior=prior, precisions_init=np.ones((2, 3)) / 3.0, **start)
    with pytest.warns(DegenerateComponentWarning, match="Component 1 of 2 holds fewer than two values"):
        gm.fit(values)
    assert gm.means_[1, 2] == 7.0
    assert gm.covariances_[1, 2] == pytest.approx(3.0, rel=1e-15)


# --- points of a pair ------------------------------------------------------------------------------------------------


def test_points_that_hold_a_flat_component_are_those_of_the_worst_pair() -> None:
    """Ninety rows lie on a line in the first two features, but few of them have both."""
    rng = np.random.default_rng(3)
    values = rng.normal(size=(600, 3))
    values[500:, 0] += 30.0
    values[500:, 1] = values[500:, 0] + 0.002 * values[500:, 1]
    whole = GaussianMixture(2, reg_covar=1e-9, means_init=[[0.0] * 3, [30.0, 30.0, 0.0]])
    assert whole.fit(values).degenerate_components_ == ()
    values[502:551, 0] = values[551:, 1] = np.nan
    with pytest.warns(DegenerateComponentWarning, match="Component 1 of 2 collapsed onto few"):
        assert whole.set_params(warm_start=True).fit(values).degenerate_components_ == (1,)


def test_a_column_that_is_constant_where_observed_is_named(family: CovarianceFamily) -> None:
    values = np.random.default_rng(4).normal(size=(100, 3))
    values[:, 1] = 7.0
    values[np.random.default_rng(5).random((100, 3)) < 0.3] = np.nan
    gm = GaussianMixture(2, covariance_type=family.name, random_state=0)
    if family.name == "spherical":
        assert gm.fit(values).degenerate_components_ == ()
        return
    with pytest.warns(DegenerateComponentWarning, match=r"All rows lie in a plane \(constant column 1\)"):
        assert gm.fit(values).degenerate_components_ == (0, 1)


def test_an_error_says_how_few_rows_have_both_of_the_worst_pair() -> None:
    values = np.random.default_rng(6).normal(size=(40, 2))
    values[:, 1] = 2.0 * values[:, 0]
    with pytest.raises(DegenerateComponentError) as caught:
        GaussianMixture(reg_covar=0).fit(values)
    assert caught.value.n_observed_pairs == 40
    values[2:20, 0] = values[20:, 1] = np.nan
    with pytest.raises(
        DegenerateComponentError, match="features 0 and 1 are observed together in 2 rows only"
    ) as caught:
        GaussianMixture(reg_covar=0, max_iter=10_000, tol=0.0).fit(values)
    assert caught.value.n_observed_pairs == 2
    gm = GaussianMixture.from_parameters([1.0], [[0.0]], [[1.0]], "diag", reg_covar=0.0)
    moments = gm.moments([[1.0], [1.0]])
    with pytest.raises(DegenerateComponentError) as caught:
        gm.maximized(moments)
    assert caught.value.n_observed_pairs is None
