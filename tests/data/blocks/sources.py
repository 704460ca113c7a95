"""The same rows in files of every kind, and what of a source is compared."""

from pathlib import Path
from typing import Any

import numpy as np

import fastgmm
from fastgmm.data.blocks.block import Block

NAMES = ("a", "b.c", "d e")


def rows_of(n: int = 3_000, dtype: str = "f8") -> np.ndarray:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, 3)) + 6 * rng.integers(2, size=(n, 1))
    X[rng.random(X.shape) < 0.01] = np.nan
    return X.astype(dtype)


def columns_of(X: np.ndarray, names: tuple[str, ...] = NAMES) -> dict[str, Any]:
    return dict(zip(names, X.T, strict=True))


def write_text(path: Path, X: np.ndarray, header: str = "", separator: str = ",", missing: str = "") -> Path:
    """Floats with as many digits as it takes to read them back."""
    lines = [separator.join(missing if np.isnan(cell) else repr(float(cell)) for cell in row) for row in X]
    path.write_text("\n".join(([header] if header else []) + lines) + "\n")
    return path


def blocks_in(source: Any) -> list[Block]:
    """Copies of its blocks."""
    return list(source.map(_copied, 1))


def _copied(block: Block, n_threads: int) -> Block:
    weights, labels = (None if each is None else each.copy() for each in (block.weights, block.labels))
    return Block(block.number, block.begin, block.values.copy(), weights, labels, block.places)


def values_in(source: Any) -> np.ndarray:
    return np.concatenate([block.values for block in blocks_in(source)])


def fit_of(source: Any) -> list[np.ndarray]:
    """What a fit finds, to be compared to the last bit."""
    gm = fastgmm.GaussianMixture(2, random_state=0, max_iter=3, tol=1e9).fit(source)
    return [gm.weights_, gm.means_, gm.covariances_, np.array(gm.lower_bound_)]


def assert_same_bits(source: Any, X: np.ndarray, block_rows: int = 1_000) -> None:
    """A source has the rows of an array in the same blocks, twice, and so is the fit the same."""
    expected = fastgmm.blocks_of([X], block_rows=block_rows)
    for _ in range(2):
        assert [block.begin for block in blocks_in(source)] == [block.begin for block in blocks_in(expected)]
        assert values_in(source).dtype == X.dtype
        np.testing.assert_array_equal(values_in(source), X)
    for found, other in zip(fit_of(source), fit_of(expected), strict=True):
        np.testing.assert_array_equal(found, other)
