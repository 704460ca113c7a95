"""``errors`` of fit, of scores, of moments; and ``denoise``."""

import pickle

import numpy as np
import pytest

import fastgmm
from fastgmm import GaussianMixture
from tests import naive_of_errors
from tests.problems import assert_close, draw_problem

RNG = np.random.default_rng(0)
TRUE = np.where(RNG.random((600, 1)) < 0.5, 0.0, 6.0) + RNG.normal(size=(600, 2))
ERRORS = RNG.uniform(0.0, 3.0, (600, 2))
X = TRUE + RNG.normal(size=(600, 2)) * np.sqrt(ERRORS)


@pytest.fixture(scope="module")
def mixture():
    return GaussianMixture(2, random_state=0, tol=1e-6, max_iter=500).fit(X, errors=ERRORS)


def test_the_mixture_is_that_of_the_true_values(mixture):
    measured = GaussianMixture(2, random_state=0).fit(X)
    for k in range(2):
        assert np.abs(np.diagonal(mixture.covariances_[k]) - 1.0).max() < 0.35
        assert np.diagonal(measured.covariances_[k]).min() > 2.0
    assert mixture.score(TRUE) > measured.score(TRUE) + 0.1


@pytest.mark.parametrize("kind", ["variances", "matrices"])
def test_scores_with_errors_are_those_of_what_was_measured(family, kind):
    problem = draw_problem(family.name, 50, 3, 2)
    errors = RNG.uniform(0.0, 2.0, (50, 3))
    matrices = errors[:, :, np.newaxis] * np.eye(3)
    parameters = problem.parameters
    gm = GaussianMixture.from_parameters(
        parameters.weights, parameters.means, parameters.covariances, parameters.covariance_type
    )
    joint = naive_of_errors.joint_log_density(problem.mixture, problem.values.tolist(), matrices.tolist())
    densities = np.logaddexp.reduce(joint, axis=1)
    given = errors if kind == "variances" else matrices
    assert_close(gm.score_samples(problem.values, errors=given), densities, 1e-12)
    assert_close(gm.predict_proba(problem.values, errors=given), np.exp(joint - densities[:, None]), 1e-11)
    assert np.array_equal(gm.predict(problem.values, errors=given), np.argmax(joint, axis=1))
    assert gm.score(problem.values, errors=given) == pytest.approx(densities.mean(), rel=1e-12)
    n_free = gm.aic(problem.values) + 2 * 50 * gm.score(problem.values)
    assert gm.aic(problem.values, errors=given) == pytest.approx(n_free - 2 * densities.sum())
    assert gm.bic(problem.values, errors=given) - gm.aic(problem.values, errors=given) == pytest.approx(
        n_free / 2 * (np.log(50) - 2)
    )


def test_errors_of_0_are_none(mixture):
    nothing = np.zeros_like(X)
    assert_close(mixture.score_samples(X, errors=nothing), mixture.score_samples(X), 1e-12)
    ordinary = GaussianMixture(2, random_state=0, tol=1e-9, max_iter=500).fit(X)
    with_none = GaussianMixture(2, random_state=0, tol=1e-9, max_iter=500).fit(X, errors=nothing)
    assert_close(with_none.covariances_, ordinary.covariances_, 1e-6)


def test_an_infinite_error_is_a_missing_value(family):
    is_missing = np.random.default_rng(1).random(X.shape) < 0.2
    is_missing[:, 0] &= ~is_missing[:, 1]
    options = {"covariance_type": family.name, "random_state": 0}
    infinite = GaussianMixture(2, **options).fit(X, errors=np.where(is_missing, np.inf, ERRORS))
    missing = GaussianMixture(2, **options).fit(np.where(is_missing, np.nan, X), errors=ERRORS)
    assert infinite.n_missing_ == missing.n_missing_ == is_missing.sum()
    assert np.array_equal(infinite.covariances_, missing.covariances_)
    scores = infinite.score_samples(X, errors=np.full(X.shape, np.inf))
    assert not scores.any()


def test_rows_in_any_order_and_weights_that_repeat_them_make_the_same_mixture():
    counts = np.random.default_rng(0).integers(0, 3, 600)
    start = {"means_init": [[0.0, 0.0], [6.0, 6.0]], "tol": 1e-9, "max_iter": 300}
    weighted = GaussianMixture(2, **start).fit(X, sample_weight=counts, errors=ERRORS)
    repeated = GaussianMixture(2, **start).fit(np.repeat(X, counts, axis=0), errors=np.repeat(ERRORS, counts, axis=0))
    assert_close(weighted.covariances_, repeated.covariances_, 1e-6)


def test_fit_predict_and_labels_know_of_errors(mixture):
    labels = np.where(np.arange(600) % 7 == 0, (TRUE[:, 0] > 3).astype(int), -1)
    gm = GaussianMixture(2, random_state=0)
    found = gm.fit_predict(X, labels=labels, errors=ERRORS)
    assert (found[labels >= 0] == labels[labels >= 0]).all()
    assert (found == (TRUE[:, 0] > 3)).mean() > 0.97


@pytest.mark.parametrize(
    "options",
    [
        {"assignment": "hard"},
        {"assignment": "stochastic", "max_iter": 30},
        {"annealing": 0.7},
        {"accelerate": "squarem"},
        {"prior": "default", "reg_covar": 0.0},
        {"fixed": "weights", "weights_init": [0.5, 0.5]},
        {"covariance_type": "VEI"},
    ],
    ids=str,
)
def test_whatever_else_a_fit_is_asked_for(options):
    if "fixed" in options:
        options = options | {"fixed": ("weights",)}
    gm = GaussianMixture(2, random_state=0, **options).fit(X, errors=ERRORS)
    assert np.sort(gm.means_[:, 0]).round().tolist() == [0.0, 6.0]
    variances = [np.diagonal(each).mean() if np.ndim(each) == 2 else np.mean(each) for each in gm.covariances_]
    assert max(variances) < 1.7


def test_rows_without_any_value_say_nothing():
    holes, labels = X.copy(), np.full(600, -1)
    holes[::5], labels[::5] = np.nan, 1
    kept = ~np.isnan(holes[:, 0])
    start = {"means_init": [[0.0, 0.0], [6.0, 6.0]], "random_state": 0}
    with_empty = GaussianMixture(2, **start).fit(holes, errors=ERRORS)
    without = GaussianMixture(2, **start).fit(X[kept], errors=ERRORS[kept])
    assert_close(with_empty.covariances_, without.covariances_, 1e-10)
    labelled = GaussianMixture(2, **start).fit(holes, errors=ERRORS, labels=labels)
    assert labelled.weights_[1] > without.weights_[1] + 0.05
    assert with_empty.score(holes, errors=ERRORS) == pytest.approx(with_empty.score(X[kept], errors=ERRORS[kept]))


def test_a_deadline_is_minded():
    many, variances = np.tile(X, (200, 1)), np.tile(ERRORS, (200, 1))
    gm = GaussianMixture(8, random_state=0, tol=0.0, max_iter=10_000, deadline=1.0).fit(many, errors=variances)
    assert gm.stop_reason_ == "deadline"


def test_a_checkpoint_is_of_its_errors(tmp_path):
    path = tmp_path / "fit"
    first = GaussianMixture(2, random_state=0).fit(X, errors=ERRORS, checkpoint=path)
    again = GaussianMixture(2, random_state=0).fit(X, errors=ERRORS, checkpoint=path)
    assert np.array_equal(first.means_, again.means_)
    for errors in (None, ERRORS + 1.0):
        with pytest.raises(ValueError, match="is of a fit of other rows"):
            GaussianMixture(2, random_state=0).fit(X, errors=errors, checkpoint=path)


def test_a_step_of_moments_is_an_iteration(family):
    options = {"covariance_type": family.name, "random_state": 0, "tol": 0.0}
    with pytest.warns(fastgmm.errors.ConvergenceWarning):
        gm = GaussianMixture(2, **options, max_iter=3).fit(X, errors=ERRORS)
    with pytest.warns(fastgmm.errors.ConvergenceWarning):
        following = GaussianMixture(2, **options, max_iter=4).fit(X, errors=ERRORS)
    parts = gm.moments(X[:200], errors=ERRORS[:200]) + gm.moments(X[200:], errors=ERRORS[200:])
    stepped = gm.maximized(parts)
    assert_close(stepped.means_, following.means_, 1e-10)
    assert_close(stepped.covariances_, following.covariances_, 1e-10)


def test_model_files_and_pickles_are_those_of_any_mixture(mixture, tmp_path):
    mixture.save(tmp_path / "model.npz")
    for read in (fastgmm.load(tmp_path / "model.npz"), pickle.loads(pickle.dumps(mixture))):
        assert np.array_equal(read.score_samples(X, errors=ERRORS), mixture.score_samples(X, errors=ERRORS))


def test_blocks_have_no_errors(mixture):
    blocks = fastgmm.blocks_of([X])
    for call in (mixture.fit, mixture.fit_predict, mixture.predict, mixture.predict_proba, mixture.score_samples):
        with pytest.raises(ValueError, match="errors of rows are for rows in memory"):
            call(blocks, errors=ERRORS)
    for call in (mixture.score, mixture.bic, mixture.aic, mixture.moments):
        with pytest.raises(ValueError, match="errors of rows are for rows in memory"):
            call(blocks, errors=ERRORS)
    with pytest.raises(TypeError, match="denoise takes rows in memory"):
        mixture.denoise(blocks, ERRORS)


def test_noise_and_errors_do_not_go_together():
    with pytest.raises(ValueError, match="noise='box' does not go with errors"):
        GaussianMixture(2, noise="box").fit(X, errors=ERRORS)
    noisy = GaussianMixture(2, noise="box", random_state=0).fit(X)
    for call in (noisy.predict, noisy.score_samples, noisy.denoise):
        with pytest.raises(ValueError, match="takes no errors"):
            call(X, errors=ERRORS)


def test_a_refused_fit_leaves_the_model_as_it_was(mixture):
    before = mixture.means_
    with pytest.raises(ValueError, match="errors must be variances"):
        mixture.fit(X, errors=-ERRORS)
    assert mixture.means_ is before


def test_denoised_rows_are_nearer_to_the_true_values_and_their_covariances_say_how_near(mixture):
    expected, left = mixture.denoise(X, ERRORS, return_cov=True)
    assert ((expected - TRUE) ** 2).mean() < 0.75 * ((X - TRUE) ** 2).mean()
    scaled = np.einsum("ni,nij,nj->n", expected - TRUE, np.linalg.inv(left), expected - TRUE)
    assert 1.6 < scaled.mean() < 2.4


@pytest.mark.parametrize("kind", ["variances", "matrices"])
def test_denoised_rows_are_those_of_the_oracle(family, kind):
    problem = draw_problem(family.name, 12, 3, 2)
    values = problem.values.copy()
    values[::3, 1] = np.nan
    errors = RNG.uniform(0.0, 2.0, (12, 3))
    matrices = errors[:, :, np.newaxis] * np.eye(3)
    own = problem.parameters
    gm = GaussianMixture.from_parameters(own.weights, own.means, own.covariances, own.covariance_type)
    found, left = gm.denoise(values, errors if kind == "variances" else matrices, return_cov=True)
    shares = gm.predict_proba(values, errors=errors)
    for row, (x, error) in enumerate(zip(values.tolist(), matrices.tolist(), strict=True)):
        known = [
            naive_of_errors.true_values(
                x, error, own.means[k].tolist(), naive_of_errors.covariance_matrix(problem.mixture, k)
            )
            for k in range(2)
        ]
        mean = sum(r * np.array(m) for r, (m, _) in zip(shares[row], known, strict=True))
        total = sum(
            r * (np.array(c) + np.outer(np.array(m) - mean, np.array(m) - mean))
            for r, (m, c) in zip(shares[row], known, strict=True)
        )
        assert_close(found[row], mean, 1e-11, 1.0)
        assert_close(left[row], total, 1e-11, 1.0)
    assert gm.denoise(values.astype(np.float32), errors).dtype == np.float32


def test_a_row_of_which_nothing_is_known_does_not_rule_the_start():
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(1000, 2)) + 6.0 * rng.integers(2, size=(1000, 1))
    errors = np.full(rows.shape, 0.2)
    errors[0] = 1e6
    for given in (errors, errors[:, :, np.newaxis] * np.eye(2)):
        gm = GaussianMixture(2, random_state=0).fit(rows, errors=given)
        assert_close(np.sort(gm.means_[:, 0]), np.array([0.0, 6.0]), 0.05)


def test_small_errors_keep_their_digits_in_what_is_left_of_them():
    gm = GaussianMixture.from_parameters([1.0], [[0.0, 0.0]], [[[4.0, 1.0], [1.0, 2.0]]])
    for scale in (1e-6, 1e-12, 1e-18):
        errors = np.diag([scale, 2.0 * scale])
        _, left = gm.denoise([[1.0, -1.0]], errors[np.newaxis], return_cov=True)
        exact = np.linalg.inv(np.linalg.inv(gm.covariances_[0]) + np.linalg.inv(errors))
        assert_close(left[0], exact, 1e-9)


def test_factor_analyzers_take_no_errors_in_words():
    gm = GaussianMixture(2, covariance_type="factor", random_state=0)
    with pytest.raises(ValueError, match="take no known errors"):
        gm.fit(X, errors=ERRORS)
    with pytest.raises(ValueError, match="take no known errors"):
        GaussianMixture(2, covariance_type="factor", random_state=0).fit(X).score(X, errors=ERRORS)
