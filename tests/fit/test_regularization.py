"""How much is added to covariances, and when a fit says that it is felt."""

import numpy as np
import pytest

from fastgmm import GaussianMixture
from fastgmm.data.facts import Facts
from fastgmm.errors import RegularizationWarning
from fastgmm.families import FOUR
from fastgmm.fit.regularization import regularization_of
from fastgmm.rows import Rows


def test_relative_regularization_is_a_millionth_of_the_variance_of_ordinary_features(rng):
    values = np.column_stack([rng.normal(size=900), rng.uniform(size=900), rng.exponential(size=900)])
    np.testing.assert_allclose(
        regularization_of("relative", Facts(Rows(values))), 1e-6 * values.var(axis=0), rtol=1e-12
    )


@pytest.mark.parametrize("code", [1e6, -1e9, 1e12])
def test_one_row_does_not_set_the_scale_of_relative_regularization(rng, code):
    values = np.concatenate([rng.normal(0, 1, 1000), rng.normal(8, 1, 1000)])[:, np.newaxis]
    before = regularization_of("relative", Facts(Rows(values)))
    after = regularization_of("relative", Facts(Rows(np.concatenate([values, [[code]]]))))
    assert before <= after <= 20 * before


@pytest.mark.filterwarnings("ignore::fastgmm.errors.DegenerateComponentWarning")  # of the one row
def test_a_code_for_missing_values_leaves_the_groups_as_they_are(rng):
    values = np.concatenate([rng.normal(0, 1, (1000, 1)), rng.normal(8, 1, (1000, 1)), [[1e6]]])
    mixture = GaussianMixture(3, random_state=0, reg_covar="relative").fit(values)
    order = np.argsort(mixture.means_[:, 0])
    np.testing.assert_allclose(mixture.means_[order, 0], [0, 8, 1e6], atol=0.2)
    np.testing.assert_allclose(mixture.covariances_[order[:2]].ravel(), 1.0, rtol=0.1)


def test_where_most_rows_share_a_number_the_variance_is_the_scale(rng):
    values = np.where(rng.uniform(size=(1000, 1)) < 0.9, 3.0, rng.normal(size=(1000, 1)))
    np.testing.assert_allclose(
        regularization_of("relative", Facts(Rows(values))), 1e-6 * values.var(axis=0), rtol=1e-12
    )


@pytest.mark.parametrize("covariance_type", FOUR)
@pytest.mark.parametrize("deviation", [1e-4, 3e-3])
def test_regularization_that_is_felt_within_groups_is_said_however_far_these_are_apart(rng, covariance_type, deviation):
    places = np.concatenate([center + deviation * rng.normal(size=(200, 2)) for center in ([0, 0], [3, 1], [5, 7])])
    options = {"covariance_type": covariance_type, "random_state": 0}
    with pytest.warns(RegularizationWarning, match="wider than their points") as caught:
        mixture = GaussianMixture(3, **options).fit(places)
    assert len(caught) == 1
    warning = caught[0].message
    assert warning.components == (0, 1, 2)
    assert warning.reg_covar == 1e-6
    assert warning.smallest_variance == pytest.approx(deviation**2, rel=0.3)
    assert mixture.degenerate_components_ == ()
    GaussianMixture(3, reg_covar=1e-3 * deviation**2, **options).fit(places)


@pytest.mark.parametrize("covariance_type", FOUR)
def test_ordinary_data_are_no_reason_to_warn(rng, covariance_type):
    for unit in (0.1, 1.0, 1e6):
        data = unit * np.concatenate([rng.normal(0, 1, (300, 3)), rng.normal(6, 1, (300, 3))])
        GaussianMixture(2, covariance_type=covariance_type, random_state=0).fit(data)


@pytest.mark.parametrize("covariance_type", FOUR)
@pytest.mark.parametrize("name", ["iris", "wine"])
@pytest.mark.parametrize("reg_covar", [1e-6, "relative"])
def test_well_known_data_are_no_reason_to_warn(covariance_type, name, reg_covar):
    data = getattr(pytest.importorskip("sklearn.datasets"), f"load_{name}")().data
    GaussianMixture(3, covariance_type=covariance_type, random_state=0, reg_covar=reg_covar).fit(data)


def test_a_thin_direction_across_the_features_counts_too(rng):
    along = rng.normal(size=(300, 1))
    data = np.concatenate([along, along], axis=1) + 1e-3 * rng.normal(size=(300, 2))
    with pytest.warns(RegularizationWarning):
        GaussianMixture().fit(data)
    GaussianMixture(covariance_type="diag").fit(data)


def test_relative_regularization_too_is_felt_by_groups_far_smaller_than_the_whole(rng):
    data = np.concatenate([rng.normal(0, 1, (300, 2)), 300 + rng.normal(0, 0.1, (300, 2))])
    with pytest.warns(RegularizationWarning, match=r"^reg_covar='relative' is a millionth of") as caught:
        GaussianMixture(2, random_state=0, reg_covar="relative").fit(data)
    [narrow] = caught[0].message.components
    mixture = GaussianMixture(2, random_state=0).fit(data)
    assert mixture.covariances_[narrow, 0, 0] < 0.1


def test_the_scale_follows_units_to_the_bit_and_no_order_of_rows_and_weights_are_rows_repeated(rng):
    values = rng.standard_cauchy(size=(501, 2))
    relative = regularization_of("relative", Facts(Rows(values)))
    for power in (-40, 40):
        assert np.array_equal(regularization_of("relative", Facts(Rows(values * 2.0**power))), relative * 4.0**power)
    np.testing.assert_allclose(
        regularization_of("relative", Facts(Rows(rng.permutation(values)))), relative, rtol=1e-12
    )
    weights = rng.integers(0, 4, len(values)).astype(np.float64)
    repeated = regularization_of("relative", Facts(Rows(np.repeat(values, weights.astype(int), axis=0))))
    for unit in (1e-9, 1.0, 1e9):
        np.testing.assert_allclose(regularization_of("relative", Facts(Rows(values, unit * weights))), repeated)
