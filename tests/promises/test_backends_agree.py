"""Backends are indistinguishable: fits agree to rounding, and a row has the same bits in whatever company it comes."""

import functools
import itertools
import warnings

import numpy as np
import pytest

from fastgmm import GaussianMixture
from fastgmm.data.datasets import load_old_faithful
from fastgmm.families import FAMILIES, FOUR
from tests.conftest import BACKENDS
from tests.problems import assert_close, draw_parameters, same_bits

ARRAYS = ("weights_", "means_", "covariances_", "precisions_", "precisions_cholesky_")
# After 50 iterations, relative to the largest number of an array.
TOLERANCE = {"float64": 1e-12, "float32": 1e-5}
# (rows, features, components): one and several chunks, features that fill panels of four and that do not.
SHAPES = [(500, 1, 2), (700, 2, 3), (2100, 3, 4), (2500, 8, 5), (400, 13, 3)]
METHODS = ("score_samples", "predict", "predict_proba")

pairs_of_backends = pytest.mark.parametrize(
    ("one", "other"), list(itertools.combinations([name for name in ("c", "numba", "numpy") if name in BACKENDS], 2))
)


@functools.cache
def blobs(n_rows, n_features, n_components):
    """Clusters of different shapes six deviations apart, and the means of a start between them."""
    rng = np.random.default_rng([n_rows, n_features, n_components])
    centers = 6.0 * np.array(list(itertools.islice(itertools.product((0, 1, 2), repeat=n_features), n_components)))
    shears = np.eye(n_features) + rng.normal(size=(n_components, n_features, n_features)) / (3 * np.sqrt(n_features))
    labels = rng.integers(n_components, size=n_rows)
    X = centers[labels] + np.einsum("ni,nij->nj", rng.normal(size=(n_rows, n_features)), shears[labels])
    return X, centers + rng.uniform(-1, 1, centers.shape)


def fit(backend, family, X, n_components, sample_weight=None, **start):
    model = GaussianMixture(
        n_components, covariance_type=family, tol=0.0, max_iter=50, backend=backend, n_threads=2, **start
    )
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Best performing initialization did not converge")
        return model.fit(X, sample_weight=sample_weight)


def assert_same_fit(X, family, dtype, *models):
    # The tied family computes in float64 throughout.
    tolerance = TOLERANCE["float64" if family == "tied" else dtype]
    one, other = models
    assert one.n_iter_ == other.n_iter_ == 50
    for name in (*ARRAYS, "lower_bound_", "lower_bounds_"):
        assert_close(np.array(getattr(one, name)), np.array(getattr(other, name)), tolerance)
    assert np.array_equal(one.predict(X), other.predict(X))
    assert_close(one.predict_proba(X), other.predict_proba(X), 100 * tolerance, scale=1.0)
    assert_close(one.score_samples(X), other.score_samples(X), 10 * TOLERANCE[dtype])


def with_holes(shape, share_missing):
    """The blobs; some of their rows lack every value."""
    X = blobs(*shape)[0]
    return np.where(np.random.default_rng(1).uniform(size=X.shape) < share_missing, np.nan, X)


@functools.cache
def from_a_random_state(backend, family, dtype, shape):
    return fit(backend, family, blobs(*shape)[0].astype(dtype), shape[2], random_state=0)


@functools.cache
def from_a_given_start(backend, family, dtype, shape, share_missing=0.0):
    """With weights, some of them 0."""
    X, means = with_holes(shape, share_missing), blobs(*shape)[1]
    n_components, n_features = means.shape
    precisions = np.ones(FAMILIES[family].covariance_shape(n_components, n_features))
    start = {
        "means_init": means,
        "weights_init": np.full(n_components, 1 / n_components),
        "precisions_init": precisions * (np.eye(n_features) if family in ("full", "tied") else 1.0),
    }
    weights = np.random.default_rng(0).uniform(0.0, 3.0, len(X)).round()
    return fit(backend, family, X.astype(dtype), n_components, weights, **start)


@pairs_of_backends
@pytest.mark.parametrize("family", FOUR)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("fitted", [from_a_random_state, from_a_given_start])
def test_fifty_iterations_lead_to_the_same_model(one, other, family, dtype, shape, fitted):
    X = blobs(*shape)[0].astype(dtype)
    assert_same_fit(X, family, dtype, *(fitted(name, family, dtype, shape) for name in (one, other)))


@pairs_of_backends
@pytest.mark.parametrize("family", FOUR)
@pytest.mark.parametrize(("shape", "share_missing"), [((1500, 3, 4), 0.2), ((200, 4, 2), 0.6)], ids=str)
def test_fifty_iterations_with_missing_values_lead_to_the_same_model(one, other, family, dtype, shape, share_missing):
    """Many rows of a pattern and few, from whole covariances and from observed ones."""
    X = with_holes(shape, share_missing).astype(dtype)
    assert_same_fit(
        X, family, dtype, *(from_a_given_start(name, family, dtype, shape, share_missing) for name in (one, other))
    )


@pairs_of_backends
@pytest.mark.parametrize("family", FOUR)
def test_old_faithful_has_the_same_model_on_every_backend(one, other, family, dtype):
    X = load_old_faithful().astype(dtype)
    assert_same_fit(X, family, dtype, *(fit(name, family, X, 2, random_state=0) for name in (one, other)))


# A row's bits are its own.

N_ROWS, N_FEATURES, N_COMPONENTS = 3300, 5, 7
LAYOUTS = {
    "C": np.ascontiguousarray,
    "Fortran": np.asfortranarray,
    "every other row": lambda X: np.repeat(X, 2, axis=0)[::2],
    "every third column": lambda X: np.repeat(X, 3, axis=1)[:, ::3],
    "rows backward": lambda X: X[::-1].copy()[::-1],
    "columns backward": lambda X: X[:, ::-1].copy()[:, ::-1],
}

row_by_row = pytest.mark.parametrize("backend_name", BACKENDS)


@pytest.fixture(params=METHODS)
def method(request):
    return request.param


@functools.cache
def overlapping(family, dtype):
    """Parameters of components that overlap, and rows from all over, a few of them far away."""
    rng = np.random.default_rng(0)
    parameters = draw_parameters(rng, family.name, N_FEATURES, N_COMPONENTS)
    X = rng.normal(scale=2.0, size=(N_ROWS, N_FEATURES))
    X[::50] *= 30.0
    return parameters, X.astype(dtype)


def model_of(parameters, backend, n_threads=None):
    return GaussianMixture.from_parameters(
        parameters.weights,
        parameters.means,
        parameters.covariances,
        parameters.covariance_type,
        backend=backend,
        n_threads=n_threads,
    )


@row_by_row
def test_a_row_has_the_same_bits_alone_as_among_others(family, dtype, backend_name, method):
    parameters, X = overlapping(family, dtype)
    score = getattr(model_of(parameters, backend_name, 1), method)
    together = score(X)
    alone = np.concatenate([score(X[i : i + 1]) for i in range(0, N_ROWS, 5)])
    assert same_bits(alone, together[::5])


@row_by_row
@pytest.mark.parametrize("n_rows", [1, 2, 31, 32, 33, 255, 257, 3000])
def test_a_row_has_the_same_bits_in_any_batch_layout_and_number_of_threads(family, dtype, backend_name, method, n_rows):
    parameters, X = overlapping(family, dtype)
    together = getattr(model_of(parameters, backend_name, 1), method)(X)
    for n_threads in (1, 2, 3, 7):
        score = getattr(model_of(parameters, backend_name, n_threads), method)
        for begin, layout in itertools.product((0, 17, 288), LAYOUTS):
            batch = LAYOUTS[layout](X[begin : begin + n_rows])
            assert batch.shape == (n_rows, N_FEATURES)
            assert same_bits(score(batch), together[begin : begin + n_rows]), f"{layout}, {n_threads} threads"


@row_by_row
def test_a_row_has_the_same_bits_in_any_order_of_rows(family, dtype, backend_name, method):
    parameters, X = overlapping(family, dtype)
    score = getattr(model_of(parameters, backend_name, 3), method)
    order = np.random.default_rng(1).permutation(N_ROWS)
    assert same_bits(score(X[order]), score(X)[order])
    assert same_bits(score(X[::-1]), score(X)[::-1])


def test_auto_scores_one_row_and_many_to_the_same_bits(family, dtype, method, monkeypatch):
    """By one backend, however many rows come and however heavy the fit was."""
    monkeypatch.delenv("FASTGMM_BACKEND", raising=False)
    parameters, X = overlapping(family, dtype)
    many = np.tile(X, (10, 1))
    score = getattr(model_of(parameters, "auto"), method)
    together = score(many)
    for i in (0, 1, 50, 3299, 3300, len(many) - 1):
        assert same_bits(score(many[i : i + 1]), together[i : i + 1])


@row_by_row
def test_a_row_among_seventy_thousand_has_the_same_bits_on_64_threads(family, dtype, backend_name, method):
    """A chunk and more for every thread."""
    parameters, X = overlapping(family, dtype)
    together = getattr(model_of(parameters, backend_name, 1), method)(X)
    many = np.tile(X, (22, 1))
    for n_threads in (16, 64):
        found = getattr(model_of(parameters, backend_name, n_threads), method)(many)
        assert all(same_bits(part, together) for part in np.split(found, 22)), f"{n_threads} threads"
