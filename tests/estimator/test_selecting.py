"""``fastgmm.select``: which number of components and which covariances."""

import inspect
import math
import warnings

import numpy as np
import pytest

import fastgmm
from fastgmm import GaussianMixture
from fastgmm.data.datasets import load_old_faithful
from fastgmm.errors import SelectionAtEdgeWarning, SelectionIncompleteWarning

FAITHFUL = load_old_faithful()


def clusters(n_rows, n_clusters=3, n_features=2, seed=0, apart=8.0):
    rng = np.random.default_rng(seed)
    centers = apart * rng.permutation(n_clusters * n_features).reshape(n_clusters, n_features)
    return rng.normal(size=(n_rows, n_features)) + centers[rng.integers(n_clusters, size=n_rows)]


def best_of_a_loop(X, n_components, families, **options):
    """The lowest BIC of sound fits, one after the other."""
    found = math.inf
    for covariance_type in families:
        for k in n_components:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                gm = GaussianMixture(k, covariance_type=covariance_type, random_state=0, **options).fit(X)
            if not gm.degenerate_components_:
                found = min(found, gm.bic(X))
    return found


def test_old_faithful_has_the_model_that_mclust_chooses():
    """R's mclust 6.0.0: EEE with three components, BIC −2314.30; by ICL two full ones, −2322.70."""
    by_bic = fastgmm.select(FAITHFUL, 9, random_state=0)
    assert by_bic.best_params_ == {"n_components": 3, "covariance_type": "tied"}
    assert by_bic.best_.bic(FAITHFUL) < 2314.31
    by_icl = fastgmm.select(FAITHFUL, 9, criterion="icl", random_state=0)
    assert by_icl.best_params_ == {"n_components": 2, "covariance_type": "full"}
    assert by_icl.table_["icl"][0] == pytest.approx(2322.70, abs=0.02)


def test_iris_has_the_model_that_mclust_chooses_from_these_families():
    """R's mclust 6.0.0: of its four families that are ours VVV with two components, BIC −574.02."""
    X = pytest.importorskip("sklearn.datasets").load_iris().data
    chosen = fastgmm.select(X, 9, random_state=0)
    assert chosen.best_params_ == {"n_components": 2, "covariance_type": "full"}
    assert chosen.best_.bic(X) == pytest.approx(574.02, abs=0.01)


def test_criteria_of_the_table_are_those_of_the_models():
    chosen = fastgmm.select(FAITHFUL, 4, random_state=0)
    for line in chosen.table_:
        gm = chosen.model(str(line["covariance_type"]), int(line["n_components"]))
        assert line["bic"] == pytest.approx(gm.bic(FAITHFUL), rel=1e-9)
        assert line["aic"] == pytest.approx(gm.aic(FAITHFUL), rel=1e-9)
        z = gm.predict_proba(FAITHFUL)
        assert line["icl"] == pytest.approx(line["bic"] - 2 * np.log(z.max(axis=1)).sum(), rel=1e-9)
        entropy = -(z * np.log(np.maximum(z, 1e-300))).sum()
        assert line["entropy"] == pytest.approx(entropy, abs=1e-6)
        of_one = chosen.model(str(line["covariance_type"]), 1).score(FAITHFUL) * len(FAITHFUL)
        if line["n_components"] == 1:
            assert line["nec"] == 1.0
        else:
            assert line["nec"] == pytest.approx(entropy / (line["log_likelihood"] - of_one), rel=1e-6)


@pytest.mark.parametrize("criterion", ["aic", "nec", "cv"])
def test_other_criteria_find_plain_clusters(criterion):
    X = clusters(600, apart=30.0)
    assert fastgmm.select(X, 4, "spherical", criterion=criterion, random_state=0).best_params_["n_components"] >= 3


def test_a_callable_sees_candidates_and_decides():
    seen = []

    def fewest(candidate):
        seen.append(candidate.bic)
        return candidate.n_components

    chosen = fastgmm.select(FAITHFUL, [2, 3], "full", criterion=fewest, random_state=0)
    assert chosen.best_params_["n_components"] == 2
    assert all(map(math.isfinite, seen))
    assert "fewest" in str(chosen)


def test_a_race_of_many_rows_finds_no_worse_model_than_a_loop_of_fits():
    X = clusters(60_000)
    chosen = fastgmm.select(X, 6, random_state=0)
    assert chosen.best_params_["n_components"] == 3
    assert chosen.table_["status"][0] == "exact"
    assert (chosen.table_["status"] != "exact").any()
    assert chosen.best_.bic(X) <= best_of_a_loop(X, range(2, 5), ["tied", "spherical"]) + 1.0


def test_what_samples_tell_is_told_beside_what_all_rows_tell():
    """Chance moves criteria of a sample far, and their differences little."""
    X = clusters(60_000)
    raced, exact = (fastgmm.select(X, 5, "spherical", exact=exact, random_state=0) for exact in (False, True))
    of_all = {int(line["n_components"]): line["bic"] for line in exact.table_}
    estimated = raced.table_[raced.table_["status"] == "estimated"]
    assert (estimated["n_components"] > 3).any()
    for line in estimated[estimated["n_components"] > 3]:
        assert line["bic"] == pytest.approx(of_all[int(line["n_components"])], abs=60.0)


def test_exact_fits_every_candidate_to_all_rows():
    X = clusters(40_000)
    chosen = fastgmm.select(X, 4, ["tied", "spherical"], exact=True, random_state=0)
    assert not (chosen.table_["status"] == "estimated").any()


@pytest.mark.parametrize("n_rows", [300, 40_000])
def test_any_number_of_threads_makes_the_same_choice_to_the_bit(n_rows):
    X = clusters(n_rows, 4, 3)
    one, other = (fastgmm.select(X, 6, random_state=0, n_threads=n) for n in (1, 2))
    for name in one.table_.dtype.names:
        np.testing.assert_array_equal(one.table_[name], other.table_[name])
    np.testing.assert_array_equal(one.best_.means_, other.best_.means_)


def test_a_whole_weight_is_the_row_repeated():
    weights = np.random.default_rng(0).integers(0, 3, size=len(FAITHFUL))
    weighted = fastgmm.select(FAITHFUL, 4, sample_weight=weights, random_state=0)
    repeated = fastgmm.select(np.repeat(FAITHFUL, weights, axis=0), 4, random_state=0)
    assert weighted.best_params_ == repeated.best_params_
    assert weighted.table_["bic"][0] == pytest.approx(repeated.table_["bic"][0], abs=0.1)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_rows_far_from_the_origin_make_the_same_choice(dtype):
    X = np.round(clusters(400, 3) * 64) / 64
    near, far = (fastgmm.select((X + offset).astype(dtype), 5, random_state=0) for offset in (0, 4096))
    assert near.best_params_ == far.best_params_
    np.testing.assert_allclose(np.sort(far.best_.means_[:, 0]), np.sort(near.best_.means_[:, 0]) + 4096, atol=0.05)


def test_values_may_be_missing():
    X = clusters(500, 3, 3, apart=20.0)
    X[np.random.default_rng(0).uniform(size=X.shape) < 0.1] = np.nan
    chosen = fastgmm.select(X, 4, ["diag", "full"], random_state=0)
    assert chosen.best_params_["n_components"] == 3


def test_rows_in_blocks_are_chosen_for_as_rows_in_memory():
    X = clusters(40_000, 3, 2)
    blocks = fastgmm.blocks_of([X[:15_000], X[15_000:]])
    chosen = fastgmm.select(blocks, 5, ["full", "tied"], random_state=0)
    in_memory = fastgmm.select(X, 5, ["full", "tied"], random_state=0)
    assert chosen.best_params_ == in_memory.best_params_
    assert chosen.best_.bic(X) == pytest.approx(in_memory.best_.bic(X), abs=0.1)


def test_few_rows_in_blocks_are_all_fitted_to():
    chosen = fastgmm.select(fastgmm.blocks_of([FAITHFUL[:100], FAITHFUL[100:]]), 4, random_state=0)
    assert chosen.table_["bic"][0] == pytest.approx(2314.30, abs=0.02)


@pytest.mark.filterwarnings("ignore::fastgmm.errors.SelectionAtEdgeWarning")
def test_names_of_columns_are_kept():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(np.asarray(FAITHFUL), columns=["eruptions", "waiting"])
    chosen = fastgmm.select(frame, 3, random_state=0)
    assert chosen.best_.feature_names_in_.tolist() == ["eruptions", "waiting"]
    assert pandas.DataFrame(chosen.table_)["covariance_type"][0] == "tied"


@pytest.mark.filterwarnings("ignore::fastgmm.errors.SelectionAtEdgeWarning")
def test_no_spike_wins():
    """Fifty rows on a single point: a component on it has a likelihood without bound."""
    X = np.concatenate([clusters(200, 2), np.repeat([[3.0, 3.0]], 50, axis=0)])
    chosen = fastgmm.select(X, 6, random_state=0)
    assert not chosen.best_.degenerate_components_


def test_the_best_at_the_edge_warns():
    with pytest.warns(SelectionAtEdgeWarning, match="2 components, the most that were allowed"):
        chosen = fastgmm.select(clusters(500, 4), 2, random_state=0)
    assert chosen.at_edge_
    assert "the most that were allowed" in str(chosen)


@pytest.mark.filterwarnings("ignore::fastgmm.errors.SelectionAtEdgeWarning")
@pytest.mark.parametrize("seed", [1, 5, 9])
def test_what_is_given_up_is_not_the_best_of_skewed_rows(seed):
    """Where a mixture is not the truth its likelihood may rest for some steps, and rise after them."""
    rng = np.random.RandomState(seed)
    X = rng.normal(size=(4000, 2)) @ rng.normal(size=(2, 2)) + rng.exponential(2.0, size=(4000, 2))
    quick, whole = (fastgmm.select(X, 6, exact=exact, random_state=0) for exact in (False, True))
    assert quick.best_.bic(X) < whole.best_.bic(X) + 1.0
    assert not (whole.table_["status"] == "hopeless").any()


@pytest.mark.parametrize("n_rows", [400, 40_000])
@pytest.mark.parametrize("n_components", [[1, 2, 3, 4], [2, 3, 4]])
def test_nec_compares_with_one_component_whether_that_is_asked_for_or_not(n_rows, n_components):
    X = clusters(n_rows)
    chosen = fastgmm.select(X, n_components, ["full", "diag"], criterion="nec", random_state=0)
    assert chosen.best_params_["n_components"] == 3
    assert set(chosen.table_["n_components"]) == set(n_components)
    line = chosen.table_[0]
    z = chosen.best_.predict_proba(X)
    entropy = -(z * np.log(np.maximum(z, 1e-300))).sum()
    one = GaussianMixture(1, covariance_type=str(line["covariance_type"])).fit(X)
    gain = len(X) * (chosen.best_.score(X) - one.score(X))
    assert line["criterion"] == pytest.approx(entropy / gain, rel=1e-6, abs=1e-12)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_criterion_that_is_nowhere_finite_chooses_nothing(value):
    with pytest.raises(ValueError, match="finite for none"):
        fastgmm.select(FAITHFUL, 2, criterion=lambda candidate: value)


def test_a_criterion_that_returns_no_number_is_told_so():
    with pytest.raises(TypeError, match="must return a number"):
        fastgmm.select(FAITHFUL, 2, criterion=lambda candidate: None)


@pytest.mark.parametrize("criterion", [lambda candidate: 10**400, lambda candidate: "low"])
def test_a_criterion_that_is_too_large_or_text_is_finite_for_none(criterion):
    with pytest.raises(ValueError, match="finite for none"):
        fastgmm.select(FAITHFUL, 2, criterion=criterion)


def test_cross_validation_fits_anew_to_every_fold():
    """Rows of a single cluster: whoever has seen what is left out would find eight."""
    X = np.random.default_rng(0).normal(size=(100, 5))
    chosen = fastgmm.select(X, 8, ["full", "diag"], criterion="cv", random_state=0)
    assert chosen.best_params_["n_components"] == 1
    rng = np.random.RandomState(20)
    fold = np.empty(len(X), int)
    fold[np.argsort(rng.uniform(size=len(X)))] = np.arange(len(X)) % 5
    of_folds = 0.0
    for number in range(5):
        one = GaussianMixture(1, covariance_type="diag").fit(X[fold != number])
        of_folds -= 2 * one.score_samples(X[fold == number]).sum()
    assert chosen.table_["cv"][0] == pytest.approx(of_folds, rel=1e-9)


def test_long_tails_have_sound_fits_of_many_components():
    """Where components collapse onto rows far out, others split in their place."""
    X = np.random.default_rng(1).lognormal(0, 1, (500, 2))
    for seed in range(3):
        chosen = fastgmm.select(X, 8, random_state=seed)
        assert chosen.best_.bic(X) < 3010.0
        assert not chosen.best_.degenerate_components_


@pytest.mark.parametrize("scale", [1e155, 1e300])
def test_values_too_large_to_be_squared_are_refused(scale):
    with pytest.raises(ValueError, match="squares overflow"):
        fastgmm.select(clusters(200) * scale, 3, random_state=0)


@pytest.mark.filterwarnings("ignore::fastgmm.errors.SelectionAtEdgeWarning")
def test_a_family_without_any_fit_is_told_of():
    X = np.column_stack([clusters(300), np.ones(300)])
    with pytest.warns(SelectionIncompleteWarning, match="full, tied and diag covariances.* constant column 2"):
        fastgmm.select(X, 5, random_state=0)


def test_heavy_rows_are_drawn_as_often_as_they_weigh():
    """A race on rows of which a few weigh nearly all: as though these were repeated."""
    X = np.concatenate([clusters(3000, 2), 60.0 + clusters(60_000, 3, seed=1)])
    weights = np.r_[np.full(3000, 1000.0), np.full(60_000, 1e-3)]
    chosen = fastgmm.select(X, 5, "spherical", sample_weight=weights, random_state=0)
    estimated = chosen.table_[chosen.table_["status"] == "estimated"]
    assert chosen.best_params_["n_components"] in (2, 3)
    assert len(estimated)
    two = GaussianMixture(2, covariance_type="spherical", random_state=0).fit(X, sample_weight=weights)
    per_row = (weights @ two.score_samples(X)) / weights.sum()
    assert chosen.best_.score(X[:3000]) >= per_row - 0.01


def test_families_that_are_one_model_are_one_finalist():
    """Of one feature three families are one; each takes no place of another number of components."""
    chosen = fastgmm.select(clusters(60_000, 3, 1), 5, random_state=0)
    exact = chosen.table_[chosen.table_["status"] == "exact"]
    models = {(int(line["n_components"]), int(line["n_parameters"]), round(float(line["bic"]), 1)) for line in exact}
    assert len(models) == len(exact)


@pytest.mark.parametrize("n_rows", [200, 40_000])
def test_a_deadline_ends_with_the_best_so_far_and_says_so(n_rows):
    with pytest.warns(SelectionIncompleteWarning, match="The deadline passed: .* were not tried"):
        chosen = fastgmm.select(clusters(n_rows), 8, deadline=1e-9, random_state=0)
    assert "The deadline passed" in str(chosen)
    assert chosen.was_cut_short_
    assert (chosen.table_["status"] == "skipped").any()
    chosen.best_.predict(clusters(10))


def test_rows_that_are_all_the_same_have_no_model():
    with pytest.raises(ValueError, match="constant columns 0, 1"):
        fastgmm.select(np.ones((50, 2)), 3, random_state=0)


@pytest.mark.filterwarnings("ignore::fastgmm.errors.SelectionAtEdgeWarning")
def test_a_candidate_that_is_not_there_is_named():
    with pytest.raises(KeyError, match="7 full components"):
        fastgmm.select(FAITHFUL, 2, random_state=0).model("full", 7)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"n_components": 0}, "'n_components' parameter of select must be a whole number from 1"),
        ({"n_components": []}, "'n_components'"),
        ({"n_components": True}, "'n_components'"),
        ({"n_components": 10**9}, "'n_components' parameter of select must be at most"),
        ({"criterion": np.array(["bic", "aic"])}, "'criterion' parameter of select"),
        ({"deadline": "5"}, "'deadline' parameter of select"),
        ({"n_components": [1, 2.5]}, "'n_components'"),
        ({"n_components": "many"}, "'n_components'"),
        ({"covariance_type": "round"}, "'covariance_type' parameter of select must be 'all', 'mclust', or one"),
        ({"covariance_type": []}, "'covariance_type'"),
        ({"criterion": "BIC"}, "'criterion' parameter of select must be among 'bic', 'aic', 'icl', 'nec', 'cv'"),
        ({"reg_covar": -1.0}, "'reg_covar' parameter of select"),
        ({"deadline": -1.0}, "'deadline' parameter of select"),
    ],
)
def test_what_is_no_range_family_or_criterion_is_refused_by_name(wrong, message):
    with pytest.raises(ValueError, match=message):
        fastgmm.select(FAITHFUL, **({"n_components": 2} | wrong))


@pytest.mark.filterwarnings("ignore::fastgmm.errors.SelectionAtEdgeWarning")
def test_more_components_than_rows_are_left_out():
    chosen = fastgmm.select([[0.0], [1.0], [3.0], [3.5]], [1, 2, 9], "spherical", random_state=0)
    assert set(chosen.table_["n_components"]) == {1, 2}
    with pytest.raises(ValueError, match="n_samples"):
        fastgmm.select([[0.0], [1.0]], [3])


def test_labels_in_blocks_are_refused():
    blocks = fastgmm.blocks_of([np.column_stack([FAITHFUL, np.zeros(len(FAITHFUL))])], columns=[0, 1], labels=2)
    with pytest.raises(ValueError, match="labels"):
        fastgmm.select(blocks, 2)


def test_the_picture_shows_every_family():
    pytest.importorskip("matplotlib")
    display = fastgmm.select(FAITHFUL, 4, random_state=0).plot()
    labels = {text.get_text() for text in display.axes_.get_legend().get_texts()}
    assert {"full", "tied", "diag", "spherical", "best"} <= labels


def test_every_parameter_is_documented():
    for name in inspect.signature(fastgmm.select).parameters:
        assert f"    {name} : " in (fastgmm.select.__doc__ or ""), name


def test_only_a_criterion_can_be_drawn_and_a_function_is_called_by_its_name():
    pytest.importorskip("matplotlib")

    def fewest(candidate):
        return candidate.n_parameters

    chosen = fastgmm.select(FAITHFUL, 3, criterion=fewest, random_state=0)
    assert chosen.plot().axes_.get_ylabel() == "fewest"
    with pytest.raises(ValueError, match="no criterion 'status'"):
        chosen.plot(criterion="status")
