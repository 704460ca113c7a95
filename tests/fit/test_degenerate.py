"""Singular covariances are explained, and a restart that went wrong spoils nothing but itself."""

import logging
import pickle
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from fastgmm import GaussianMixture
from fastgmm.errors import DegenerateComponentError, DegenerateComponentWarning, FastGMMError, RegularizationWarning
from fastgmm.families import FAMILIES, FOUR
from fastgmm.parameters import Array, FloatArray

LEADING = (
    "Fitting the mixture model failed because some components have ill-defined empirical covariance (for instance "
    "caused by singleton or collapsed samples). Try to decrease the number of components, increase reg_covar, or "
    "scale the input data."
)


def cloud(n_rows: int = 60, n_features: int = 5) -> FloatArray:
    return np.random.RandomState(0).normal(size=(n_rows, n_features))


def labels_in_turn(*several: Array) -> Callable[..., Array]:
    """A start that gives each restart the next of these labels."""
    remaining = iter(several)
    return lambda X, n_components, random_state: np.asarray(next(remaining))


def failure(data: Array, n_components: int = 1, **options: Any) -> DegenerateComponentError:
    estimator = GaussianMixture(n_components, **({"reg_covar": 0, "random_state": 0} | options))
    with pytest.raises(DegenerateComponentError) as caught:
        estimator.fit(data)
    assert not hasattr(estimator, "means_")
    assert str(caught.value).startswith(LEADING)
    assert f"probable cause: {caught.value.cause}." in str(caught.value)
    return caught.value


@pytest.mark.parametrize("covariance_type", ["full", "tied", "diag"])
@pytest.mark.parametrize("offset", [0.0, 7.0, 0.1])
def test_a_constant_column_is_named(covariance_type: str, offset: float) -> None:
    data = cloud()
    data[:, 3] = offset
    error = failure(data, covariance_type=covariance_type)
    assert error.cause == "constant column 3"
    data[:, 1] = offset
    assert failure(data, covariance_type=covariance_type).cause == "constant columns 1, 3"


def test_all_columns_constant_stop_a_spherical_fit_too() -> None:
    assert failure(np.ones((9, 2)), covariance_type="spherical").cause == "constant columns 0, 1"


@pytest.mark.parametrize("covariance_type", FOUR)
def test_duplicated_points_are_recognized(covariance_type: str) -> None:
    data = np.repeat(cloud(3, 2), 20, axis=0)
    options = {} if covariance_type != "tied" else {"init_params": labels_in_turn(np.repeat([0, 1, 2], 20))}
    assert failure(data, 3, covariance_type=covariance_type, **options).cause == "duplicated points"


def test_fewer_points_than_dimensions_are_counted() -> None:
    labels = np.repeat([0, 1], [57, 3])
    error = failure(cloud() + 50.0 * labels[:, np.newaxis], 2, init_params=labels_in_turn(labels))
    assert error.cause == "fewer points than dimensions (3 points in 5)"
    assert (error.component, error.effective_points) == (1, pytest.approx(3))


def test_dependent_columns_are_what_remains() -> None:
    data = cloud()
    data[:, 4] = data[:, 0] - 2 * data[:, 1]
    assert failure(data).cause.startswith("columns that are linearly dependent")


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_message_says_component_points_and_eigenvalue(dtype: type) -> None:
    data = cloud()
    data[:, 3] = 1.0
    error = failure(data.astype(dtype), covariance_type="diag")
    assert (error.component, error.effective_points, error.smallest_eigenvalue) == (0, 60.0, 0.0)
    assert "Component 0 has 60 effective points and a smallest eigenvalue of 0" in str(error)
    assert ("passing float64 data instead of float32" in str(error)) == (dtype == np.float32)


def test_weights_count_as_effective_points() -> None:
    data = cloud()
    data[:, 3] = 1.0
    with pytest.raises(DegenerateComponentError, match="has 150 effective points"):
        GaussianMixture(reg_covar=0).fit(data, sample_weight=2.5)


def test_a_row_of_weight_zero_does_not_hide_a_constant_column() -> None:
    data = cloud()
    data[1:, 3] = 1.0
    with pytest.raises(DegenerateComponentError, match="constant column 3"):
        GaussianMixture(reg_covar=0).fit(data, sample_weight=np.repeat([0.0, 1.0], [1, 59]))


def test_the_covariance_that_tied_components_share_has_no_number() -> None:
    data = cloud()
    data[:, 3] = 1.0
    error = failure(data, 2, covariance_type="tied")
    assert error.component == -1
    assert "The covariance shared by all components has 60 effective points" in str(error)


def test_the_error_is_a_value_error_and_survives_a_pickle() -> None:
    error = failure(np.ones((9, 2)))
    assert isinstance(error, ValueError)
    assert isinstance(error, FastGMMError)
    copy = pickle.loads(pickle.dumps(error))
    assert (str(copy), copy.cause, copy.component) == (str(error), error.cause, error.component)


@pytest.mark.parametrize("covariance_type", FOUR)
@pytest.mark.parametrize("scale", [1e155, 1e200])
def test_values_whose_squares_overflow_are_named(covariance_type: str, scale: float) -> None:
    data = cloud(60, 2) * scale
    assert failure(data, covariance_type=covariance_type).cause == "values so large that their squares overflow"


@pytest.mark.parametrize("covariance_type", FOUR)
@pytest.mark.parametrize("scale", [1e-155, 1e-160, 1e-165])
@pytest.mark.parametrize("reg_covar", [0.0, "relative"])
def test_values_whose_squares_underflow_are_named(covariance_type: str, scale: float, reg_covar: float | str) -> None:
    error = failure(cloud(60, 2) * scale, covariance_type=covariance_type, reg_covar=reg_covar)
    assert error.cause == "values so close to each other that their squared distances underflow"


@pytest.mark.parametrize("covariance_type", ["full", "diag", "spherical"])
def test_a_variance_too_small_for_single_precision_is_an_error(covariance_type: str) -> None:
    data = np.repeat(np.arange(3.0, dtype=np.float32), 20)[:, np.newaxis]
    options = {"covariance_type": covariance_type, "random_state": 0, "reg_covar": 1e-100}
    with pytest.raises(DegenerateComponentError, match="passing float64 data") as caught:
        GaussianMixture(3, **options).fit(data)
    assert 0 < caught.value.smallest_eigenvalue < 1e-99
    with pytest.warns(DegenerateComponentWarning, match="Components 0, 1, 2 of 3 collapsed onto few distinct points"):
        assert GaussianMixture(3, **options).fit(data.astype(np.float64)).degenerate_components_ == (0, 1, 2)


@pytest.mark.parametrize("offset", [1e3, 1e6, 1e8])
@pytest.mark.parametrize("column", [0, 2])
def test_a_singular_covariance_is_recognized_far_from_the_origin(offset: float, column: int) -> None:
    data = cloud() + offset
    data[:, 4] = data[:, column]
    failure(data)


# Two clusters; a start that puts one point alone into a component makes a covariance that is zero.
CLUSTERS = np.concatenate([cloud(50, 2), cloud(50, 2) + 8.0])
SOUND, ALONE = np.repeat([0, 1], 50), np.repeat([1, 0], [1, 99])


@pytest.mark.parametrize("starts", [(ALONE, SOUND), (SOUND, ALONE), (ALONE, SOUND, ALONE)])
def test_a_failed_restart_does_not_sink_the_others(starts: tuple[Array, ...], caplog: pytest.LogCaptureFixture) -> None:
    alone = GaussianMixture(2, reg_covar=0, init_params=labels_in_turn(SOUND)).fit(CLUSTERS)
    with caplog.at_level(logging.DEBUG, "fastgmm"):
        estimator = GaussianMixture(2, reg_covar=0, n_init=len(starts), init_params=labels_in_turn(*starts))
        estimator.fit(CLUSTERS)
    assert np.array_equal(estimator.means_, alone.means_)
    assert {step.restart for step in estimator.history_} == {i for i, start in enumerate(starts) if start is SOUND}
    assert len([record for record in caplog.records if "failed" in record.message]) == len(starts) - 1


def test_when_every_restart_fails_the_first_failure_is_raised() -> None:
    assert failure(CLUSTERS, 2, n_init=2, init_params=labels_in_turn(ALONE, ALONE)).component == 1


def test_a_failed_fit_keeps_the_fit_before() -> None:
    estimator = GaussianMixture(2, random_state=0).fit(CLUSTERS)
    before = estimator.means_.copy()
    estimator.set_params(init_params=labels_in_turn(ALONE), reg_covar=0)
    with pytest.raises(DegenerateComponentError):
        estimator.fit(CLUSTERS)
    assert np.array_equal(estimator.means_, before)


# One point is there ten times: a component that collapses onto it has an enormous likelihood.
WITH_SPIKE = np.concatenate([cloud(200, 2), np.zeros((10, 2))])
SPIKE, HALVES = np.repeat([0, 1], [200, 10]), (WITH_SPIKE[:, 0] > 0).astype(int)


@pytest.mark.parametrize("covariance_type", ["full", "diag", "spherical"])
@pytest.mark.parametrize("starts", [(SPIKE, HALVES), (HALVES, SPIKE)])
def test_a_spike_loses_against_a_sound_restart_of_lower_likelihood(
    covariance_type: str, starts: tuple[Array, ...]
) -> None:
    options = {"covariance_type": covariance_type, "max_iter": 1000}
    with pytest.warns(DegenerateComponentWarning, match="Component 1 of 2 collapsed onto few distinct points"):
        spike = GaussianMixture(2, init_params=labels_in_turn(SPIKE), **options).fit(WITH_SPIKE)
    sound = GaussianMixture(2, init_params=labels_in_turn(HALVES), **options).fit(WITH_SPIKE)
    assert spike.degenerate_components_ == (1,)
    assert sound.degenerate_components_ == ()
    assert spike.lower_bound_ > sound.lower_bound_
    chosen = GaussianMixture(2, init_params=labels_in_turn(*starts), n_init=2, **options).fit(WITH_SPIKE)
    assert np.array_equal(chosen.means_, sound.means_)


@pytest.mark.parametrize("covariance_type", ["full", "diag", "spherical"])
def test_a_near_spike_is_degenerate_without_regularization_too(covariance_type: str) -> None:
    near = np.concatenate([cloud(200, 2), 1e-4 * cloud(3, 2)])
    options = {"covariance_type": covariance_type, "max_iter": 1000, "reg_covar": 0}
    with pytest.warns(DegenerateComponentWarning) as caught:
        spike = GaussianMixture(2, init_params=labels_in_turn(np.repeat([0, 1], [200, 3])), **options).fit(near)
    assert spike.degenerate_components_ == caught[0].message.components == (1,)
    assert GaussianMixture(2, init_params=labels_in_turn(SOUND), **options).fit(CLUSTERS).degenerate_components_ == ()


# Four groups far tighter than they are apart, of 200 points.
TIGHT = np.concatenate([center + 1e-4 * cloud(200, 1) for center in range(4)])


@pytest.mark.parametrize("covariance_type", FOUR)
@pytest.mark.parametrize("reg_covar", [0.0, 1e-14])
def test_tight_groups_of_many_points_are_sound(covariance_type: str, reg_covar: float) -> None:
    mixture = GaussianMixture(4, covariance_type=covariance_type, reg_covar=reg_covar, random_state=0).fit(TIGHT)
    assert mixture.degenerate_components_ == ()
    np.testing.assert_allclose(mixture.covariances_, TIGHT[:200].var(), rtol=1e-3)


@pytest.mark.filterwarnings("ignore::fastgmm.errors.RegularizationWarning")
@pytest.mark.parametrize("covariance_type", FOUR)
def test_the_restart_that_finds_tight_groups_is_kept(covariance_type: str) -> None:
    options = {"covariance_type": covariance_type, "init_params": "random_from_data", "max_iter": 500}
    for seed in range(3):
        mixture = GaussianMixture(4, n_init=10, random_state=seed, **options).fit(TIGHT)
        ends = {step.restart: step.lower_bound for step in mixture.history_}
        assert mixture.lower_bound_ > max(ends.values()) - 0.5


@pytest.mark.filterwarnings("ignore::fastgmm.errors.RegularizationWarning")
def test_a_line_of_many_points_is_sound_and_one_of_few_is_not() -> None:
    def with_line(n_points: int) -> GaussianMixture:
        line = np.outer(cloud(n_points, 1)[:, 0], [1.0, 2.0]) + 9.0
        labels = np.repeat([0, 1], [200, n_points])
        return GaussianMixture(2, init_params=labels_in_turn(labels)).fit(np.concatenate([cloud(200, 2), line]))

    assert with_line(200).degenerate_components_ == ()
    with pytest.warns(DegenerateComponentWarning):
        assert with_line(6).degenerate_components_ == (1,)


def test_repeated_rows_are_no_distinct_points() -> None:
    repeated = np.concatenate([cloud(200, 2), np.repeat(1e-4 * cloud(2, 2), 100, axis=0)])
    with pytest.warns(DegenerateComponentWarning):
        mixture = GaussianMixture(2, init_params=labels_in_turn(np.repeat([0, 1], 200))).fit(repeated)
    assert mixture.degenerate_components_ == (1,)


@pytest.mark.parametrize("factor", [1e-300, 1.0, 1e300])
def test_the_unit_of_weights_makes_no_component_degenerate(factor: float) -> None:
    weights = factor * np.random.default_rng(0).uniform(0.5, 2.0, len(TIGHT))
    assert (
        GaussianMixture(4, reg_covar=0, random_state=0).fit(TIGHT, sample_weight=weights).degenerate_components_ == ()
    )


@pytest.mark.parametrize(("covariance_type", "degenerate"), [("full", (0, 1)), ("tied", (0, 1)), ("diag", ())])
def test_fewer_rows_than_features_make_no_matrix(covariance_type: str, degenerate: tuple[int, ...]) -> None:
    data = np.concatenate([cloud(10, 30), cloud(10, 30) + 9.0])
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        mixture = GaussianMixture(2, covariance_type=covariance_type, random_state=0).fit(data)
    assert mixture.degenerate_components_ == degenerate
    assert ["20 rows of 30 features" in str(each.message) for each in caught] == [True] * bool(degenerate)


@pytest.mark.parametrize("far", [1e8, 1e12])
def test_a_row_far_from_all_others_does_not_flatten_them(far: float) -> None:
    data = np.concatenate([cloud(1500, 3) + center for center in (0.0, 5.0, 12.0)] + [np.full((1, 3), far)])
    with pytest.warns(DegenerateComponentWarning, match="of 3 collapsed onto few distinct points"):
        mixture = GaussianMixture(3, random_state=0).fit(data)
    assert len(mixture.degenerate_components_) == 1
    assert mixture.means_[mixture.degenerate_components_[0]] == pytest.approx(np.full(3, far))


def test_tight_points_are_counted_however_many_other_rows_there_are() -> None:
    data = np.tile(cloud(1000, 2), (2200, 1))
    data[::100_000] = 30.0 + 1e-5 * cloud(22, 2)
    labels = np.zeros(len(data), int)
    labels[::100_000] = 1
    mixture = GaussianMixture(2, reg_covar=1e-14, init_params=labels_in_turn(labels)).fit(data)
    assert mixture.degenerate_components_ == ()


@pytest.mark.parametrize("covariance_type", FOUR)
@pytest.mark.parametrize("deviation", [1e-4, 1e-6])
def test_groups_that_are_tight_lie_in_no_plane_though_their_centers_do(covariance_type: str, deviation: float) -> None:
    data = np.concatenate([center + deviation * cloud(50, 3) for center in (0.0, 1.0)])
    mixture = GaussianMixture(2, covariance_type=covariance_type, random_state=0)
    with pytest.warns(RegularizationWarning, match="of components 0, 1, which is"):
        mixture.fit(data)
    assert mixture.degenerate_components_ == ()


@pytest.mark.parametrize("covariance_type", ["full", "diag"])
def test_a_plane_of_few_points_that_are_rounded_alike_is_an_accident(covariance_type: str) -> None:
    """29 flowers of iris have a petal width of 0.2."""
    iris = pytest.importorskip("sklearn.datasets").load_iris().data
    start = labels_in_turn((iris[:, 3] == 0.2).astype(int))
    with pytest.warns(DegenerateComponentWarning, match="Component 1 of 2 collapsed onto few distinct points"):
        GaussianMixture(2, covariance_type=covariance_type, init_params=start).fit(iris)


@pytest.mark.parametrize(
    ("column", "cause"),
    [
        (lambda data: np.ones(len(data)), "constant column 2"),
        (lambda data: data @ [1.0, 2.0], "columns that are linearly dependent"),
    ],
    ids=["constant", "dependent"],
)
@pytest.mark.parametrize("starts", [(SPIKE, HALVES), (HALVES, SPIKE)])
def test_a_plane_of_all_rows_hides_no_spike(
    column: Callable[[FloatArray], FloatArray], cause: str, starts: tuple[Array, ...]
) -> None:
    data = np.column_stack([WITH_SPIKE, column(WITH_SPIKE)])

    def fitted(*starts: Array) -> GaussianMixture:
        mixture = GaussianMixture(2, init_params=labels_in_turn(*starts), n_init=len(starts), max_iter=1000)
        with pytest.warns(DegenerateComponentWarning, match=r"^All rows lie in a plane \(") as caught:
            mixture.fit(data)
        assert caught[0].message.cause == cause
        assert caught[0].message.components == mixture.degenerate_components_ == (0, 1)
        return mixture

    assert np.array_equal(fitted(*starts).means_, fitted(HALVES).means_)


def test_many_points_of_hardly_any_weight_are_few() -> None:
    data = np.concatenate([cloud(200, 2), 20.0 + 1e-5 * cloud(20, 2)])
    mixture = GaussianMixture(2, init_params=labels_in_turn(np.repeat([0, 1], [200, 20])))
    with pytest.warns(DegenerateComponentWarning):
        mixture.fit(data, sample_weight=np.repeat([1.0, 50.0, 1e-3], [200, 1, 19]))
    assert mixture.degenerate_components_ == (1,)


def test_all_that_is_to_say_is_said_in_one_warning() -> None:
    """Too few iterations, a component that collapsed, and others that regularization makes wider than their points."""
    data, labels = np.concatenate([TIGHT, [[9.0]]]), np.repeat([0, 1, 2, 3, 4], [200, 200, 200, 200, 1])
    with pytest.warns(UserWarning, match=r"did not converge.*Component 4 of 5 collapsed.*reg_covar=1e-06 is") as caught:
        GaussianMixture(5, init_params=labels_in_turn(labels), max_iter=1).fit(data)
    assert len(caught) == 1


def test_one_warning_names_the_components_of_a_kept_fit_that_few_points_hold() -> None:
    iris = pytest.importorskip("sklearn.datasets").load_iris().data
    with pytest.warns(UserWarning, match="collapsed onto few distinct points") as caught:
        mixture = GaussianMixture(40, random_state=0).fit(iris)
    assert len(caught) == 1
    assert len(mixture.degenerate_components_) >= 20


@pytest.mark.filterwarnings("ignore:All rows lie in a plane")
def test_among_spikes_the_likelihood_decides() -> None:
    data = np.column_stack([cloud(100, 1), np.ones(100)])
    estimator = GaussianMixture(2, n_init=3, random_state=0, max_iter=1000).fit(data)
    assert estimator.degenerate_components_ == (0, 1)
    last_bounds = {step.restart: step.lower_bound for step in estimator.history_}
    assert estimator.lower_bound_ == max(last_bounds.values())


def test_a_large_regularization_is_warned_about() -> None:
    data = cloud() * [1.0, 1.0, 0.1, 1.0, 1.0]
    with pytest.warns(UserWarning, match=r"^reg_covar=1e-06 is absolute, .* more than a tenth of the small") as caught:
        GaussianMixture().fit(data * [1, 1, 0.01, 1, 1])
    assert caught[0].filename == __file__
    GaussianMixture().fit(data)
    GaussianMixture(reg_covar="relative").fit(data * 1e-9)
    GaussianMixture(reg_covar=0).fit(data * 1e-9)


@pytest.mark.parametrize("columns", [[3], [0, 1, 2, 3, 4]])
def test_constant_columns_are_warned_about(columns: list[int]) -> None:
    data = cloud()
    data[:, columns] = 5.0
    with pytest.warns(DegenerateComponentWarning, match="All rows lie in a plane") as caught:
        assert GaussianMixture().fit(data).degenerate_components_ == (0,)
    assert len(caught) == 1
    assert "constant column" in caught[0].message.cause


@pytest.mark.parametrize("covariance_type", ["full", "tied", "diag"])
def test_relative_regularization_adds_a_millionth_of_each_variance(covariance_type: str) -> None:
    data = cloud(500, 3) * [1e-6, 1.0, 1e6]
    matrix = FAMILIES[covariance_type].matrices(
        GaussianMixture(covariance_type=covariance_type, reg_covar="relative").fit(data).covariances_, 1, 3
    )[0]
    np.testing.assert_allclose(np.diag(matrix), data.var(axis=0) * (1 + 1e-6), rtol=1e-10)


@pytest.mark.parametrize("covariance_type", ["full", "tied", "diag"])
def test_relative_regularization_makes_a_fit_follow_the_units(covariance_type: str) -> None:
    units = np.array([1e-8, 1e9])

    def fitted(data: FloatArray) -> GaussianMixture:
        options = {"reg_covar": "relative", "covariance_type": covariance_type, "max_iter": 1000}
        return GaussianMixture(2, init_params=labels_in_turn(SOUND), **options).fit(data)

    plain, scaled = fitted(CLUSTERS), fitted(CLUSTERS * units)
    assert np.array_equal(plain.predict(CLUSTERS), scaled.predict(CLUSTERS * units))
    np.testing.assert_allclose(scaled.means_, plain.means_ * units, rtol=1e-8)
    matrices = [FAMILIES[covariance_type].matrices(each.covariances_, 2, 2) for each in (plain, scaled)]
    np.testing.assert_allclose(matrices[1], matrices[0] * np.outer(units, units), rtol=1e-7)


def test_relative_regularization_cannot_save_a_constant_column() -> None:
    data = cloud()
    data[:, 3] = 5.0
    assert failure(data, reg_covar="relative").cause == "constant column 3"
