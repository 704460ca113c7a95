"""Sweeps over rows in blocks are those over the same rows in memory."""

import pickle
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from fastgmm import GaussianMixture, Prior, blocks_of
from fastgmm.data.blocks.block import Block, Blocks, Form, Work
from fastgmm.model.attributes import ARRAYS

FAMILIES = ("full", "tied", "diag", "spherical")
K, D, N = 3, 4, 6000


def problem(dtype: type = np.float64, offset: float = 0.0, holes: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.RandomState(1)
    values = 3 * rng.standard_normal((K, D))[rng.randint(K, size=N)] + rng.standard_normal((N, D))
    values[rng.uniform(size=values.shape) < holes] = np.nan
    return (values + offset).astype(dtype), rng.randint(0, 3, N).astype(np.float64)


def start(family: str, offset: float = 0.0) -> dict[str, Any]:
    identity = {"full": np.tile(np.eye(D), (K, 1, 1)), "tied": np.eye(D), "diag": np.ones((K, D))}
    means = 2 * np.random.RandomState(2).standard_normal((K, D)) + offset
    precisions = identity.get(family, np.ones(K))
    return {"weights_init": np.ones(K) / K, "means_init": means, "precisions_init": precisions}


def fitted(family: str, X: Any, offset: float = 0.0, **options: Any) -> GaussianMixture:
    how = {"covariance_type": family, "tol": 0, "max_iter": 10, **start(family, offset), **options}
    weights = how.pop("sample_weight", None)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return GaussianMixture(K, **how).fit(X, sample_weight=weights)


def require_same_bits(one: GaussianMixture, other: GaussianMixture) -> None:
    for name in ARRAYS:
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), name)
    assert one.lower_bounds_ == other.lower_bounds_


def difference(one: GaussianMixture, other: GaussianMixture) -> float:
    pairs = [(getattr(one, name), getattr(other, name)) for name in ("weights_", "means_", "covariances_")]
    return max(float(np.max(np.abs(a - b) / np.maximum(1, np.abs(a)))) for a, b in pairs)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(
    ("dtype", "offset", "holes", "tolerance"),
    [
        (np.float64, 0.0, 0.0, 1e-12),
        (np.float64, 1e8, 0.0, 1e-12),
        (np.float64, 0.0, 0.2, 1e-12),
        (np.float64, 1e8, 0.2, 1e-12),
        (np.float32, 0.0, 0.0, 1e-12),
        (np.float32, 0.0, 0.2, 1e-6),  # rows of one pattern share rounding with those beside them
    ],
)
@pytest.mark.parametrize("weighted", [False, True])
def test_ten_iterations_are_those_in_memory(
    family: str, dtype: type, offset: float, holes: float, tolerance: float, weighted: bool
) -> None:
    values, weights = problem(dtype, offset, holes)
    in_memory = fitted(family, values, offset, sample_weight=weights if weighted else None)
    rows = np.column_stack([values, weights.astype(dtype)])
    # Sums over tiles are in the dtype of the rows, and whole tiles the same ones.
    block_rows = 1536 if dtype == np.float32 else 1700
    blocks = blocks_of([rows[:1000], rows[1000:]], weight=D, block_rows=block_rows)
    in_blocks = fitted(family, blocks if weighted else blocks_of([values], block_rows=block_rows), offset)
    assert difference(in_memory, in_blocks) <= tolerance
    assert in_memory.n_missing_ == in_blocks.n_missing_
    assert in_blocks.lower_bounds_ == pytest.approx(in_memory.lower_bounds_, rel=1e-6 if dtype == np.float32 else 1e-12)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("n_threads", [2, 3, 7])
def test_threads_change_no_bit(family: str, n_threads: int) -> None:
    values, _ = problem(holes=0.1)
    one, many = (fitted(family, blocks_of([values], block_rows=4000), n_threads=n) for n in (1, n_threads))
    require_same_bits(one, many)


@pytest.mark.parametrize("family", FAMILIES)
def test_how_arrays_are_cut_changes_no_bit(family: str) -> None:
    values, _ = problem(holes=0.1)
    whole = fitted(family, blocks_of([values], block_rows=1024))
    parts = [values[begin : begin + 777] for begin in range(0, N, 777)]
    require_same_bits(whole, fitted(family, blocks_of(parts, block_rows=1024)))
    require_same_bits(whole, fitted(family, blocks_of(lambda: iter(parts), block_rows=1024)))
    require_same_bits(whole, fitted(family, blocks_of([np.asfortranarray(part) for part in parts], block_rows=1024)))


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(
    "options",
    [
        {"prior": "default", "reg_covar": 0},
        {"prior": Prior(mean_precision=5, mean=np.zeros(D))},
        {"fixed": ("weights",)},
        {"assignment": "hard"},
        {"annealing": 0.5},
        {"accelerate": "squarem"},
        {"reg_covar": "relative"},
    ],
    ids=str,
)
@pytest.mark.parametrize("holes", [0.0, 0.2])
def test_every_option_means_the_same(family: str, options: dict[str, Any], holes: float) -> None:
    values, _ = problem(holes=holes)
    in_memory, in_blocks = (fitted(family, X, **options) for X in (values, blocks_of([values], block_rows=2500)))
    # Quartiles, and steps of EM on a sample, are those of another sample.
    sampled = options.get("reg_covar") == "relative" or (holes and options.get("prior") == "default")
    assert difference(in_memory, in_blocks) <= (1e-3 if sampled else 1e-10)


def test_labels_are_a_column() -> None:
    values, _ = problem(holes=0.3)
    labels = np.where(np.random.RandomState(0).uniform(size=N) < 0.2, np.argmax(values[:, :K], axis=1), -1)
    values[:50] = np.nan  # rows that say nothing but their label
    labels[:50] = 1
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        how: dict[str, Any] = {**start("full"), "tol": 0, "max_iter": 5}
        in_memory = GaussianMixture(K, **how).fit(values, labels=labels)
        rows = np.column_stack([values, labels])
        in_blocks = GaussianMixture(K, **how).fit(blocks_of([rows], labels=D, block_rows=2500))
    assert difference(in_memory, in_blocks) <= 1e-12


@pytest.mark.parametrize("init_params", ["auto", "kmeans", "k-means++", "random_from_data", "random"])
@pytest.mark.parametrize("holes", [0.0, 0.2])
def test_starts_find_the_clusters(init_params: str, holes: float) -> None:
    rng = np.random.RandomState(0)
    values = 20 * np.eye(K, D)[rng.randint(K, size=N)] + rng.standard_normal((N, D))
    values[rng.uniform(size=values.shape) < holes] = np.nan
    gm = GaussianMixture(K, init_params=init_params, random_state=0, n_init=5, tol=1e-6, max_iter=500)  # type: ignore[arg-type]
    gm.fit(blocks_of([values], block_rows=1000))
    order = np.argmax(gm.means_[:, :K], axis=0)
    assert np.abs(gm.means_[order] - 20 * np.eye(K, D)).max() < 0.3


def test_answers_come_block_by_block() -> None:
    values, weights = problem(holes=0.2)
    gm = fitted("full", values)
    blocks = blocks_of([values], block_rows=2500)
    for name in ("predict", "predict_proba", "score_samples"):
        parts = list(getattr(gm, name)(blocks))
        assert [len(part) for part in parts] == [2500, 2500, 1000]
        np.testing.assert_array_equal(np.concatenate(parts), getattr(gm, name)(values))
    for name in ("score", "bic", "aic"):
        assert getattr(gm, name)(blocks) == pytest.approx(getattr(gm, name)(values), rel=1e-13)
    weighted = blocks_of([np.column_stack([values, weights])], weight=D, block_rows=2500)
    assert gm.score(weighted) == pytest.approx(gm.score(values, sample_weight=weights), rel=1e-13)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("holes", [0.0, 0.2])
def test_moments_of_blocks_are_those_of_the_rows(family: str, holes: float) -> None:
    values, weights = problem(holes=holes)
    labels = np.where(weights == 2, 1.0, -1.0)
    gm = fitted(family, values)
    blocks = blocks_of([np.column_stack([values, weights, labels])], weight=D, labels=D + 1, block_rows=2500)
    found, expected = gm.moments(blocks), gm.moments(values, weights, labels=labels)
    for name in ("counts", "first", "second", "about", "extra", "total_weight", "log_likelihood", "n_rows"):
        one, other = getattr(found, name), getattr(expected, name)
        np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-12 * np.max(np.abs(expected.second)), err_msg=name)


class Elsewhere:
    """Blocks whose work is done as it would be in another process: it travels there, and its results back."""

    def __init__(self, blocks: Blocks) -> None:
        self.blocks = blocks

    @property
    def form(self) -> Form:
        return self.blocks.form

    def map(self, work: Work[Any], n_threads: int | None) -> Iterator[Any]:
        def there(block: Block, threads: int) -> Any:
            return pickle.loads(pickle.dumps(pickle.loads(pickle.dumps(work))(block, threads)))

        return self.blocks.map(there, n_threads)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("holes", [0.0, 0.2])
def test_work_and_its_results_can_travel(family: str, holes: float) -> None:
    values, _ = problem(holes=holes)
    blocks = blocks_of([values], block_rows=2500)
    here, there = fitted(family, blocks), fitted(family, Elsewhere(blocks))
    require_same_bits(here, there)
    same = [np.concatenate(list(here.predict(each))) for each in (blocks, Elsewhere(blocks))]  # type: ignore[arg-type]
    np.testing.assert_array_equal(*same)


def test_a_source_that_changes_is_refused() -> None:
    values, _ = problem()
    passes = iter([values, values, values, values[:-1]])
    with pytest.raises(ValueError, match="must give the same rows each time"):
        fitted("full", blocks_of(lambda: iter([next(passes)])))


def test_a_fit_that_fails_leaves_the_estimator_as_it_was() -> None:
    values, _ = problem()
    gm = fitted("full", values)
    before = dict(vars(gm))
    with pytest.raises(ValueError, match="infinity"):
        gm.fit(blocks_of([values, np.full((1, D), np.inf)]))
    assert vars(gm) == before


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda gm, b: gm.fit(b, sample_weight=np.ones(N)), r"name their column, blocks_of\(\.\.\., weight="),
        (lambda gm, b: gm.fit(b, labels=np.zeros(N)), r"name their column, blocks_of\(\.\.\., labels="),
        (lambda gm, b: gm.score(b, sample_weight=np.ones(N)), "name their column"),
        (lambda gm, b: gm.set_params(assignment="stochastic").fit(b), "needs rows in memory"),
        (lambda gm, b: gm.fit(np.ones((9, D)) + np.eye(9, D)).predict(blocks_of([np.ones((3, 2))])), "2 features"),
    ],
)
def test_what_blocks_cannot_do_is_said(call: Any, message: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(ValueError, match=message):
            call(GaussianMixture(2, random_state=0), blocks_of([problem()[0]]))
