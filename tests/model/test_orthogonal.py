"""QR factorizations and inverses of wide matrices, by panels and blocks, are what LAPACK's are."""

import numpy as np
import pytest

from fastgmm.machine.small_products import NUMBERS_OF_ONE_THREAD
from fastgmm.model.orthogonal import inverse_of_triangle, orthogonal_and_triangle


@pytest.mark.parametrize("shape", [(2, 3, 6, 2), (2, 1, 300, 100), (1, 90, 90), (10_000, 3), (3, 5, 0)])
@pytest.mark.parametrize("closeness", [1.0, 1e-9], ids=["apart", "nearly dependent"])
def test_columns_are_orthogonal_and_make_the_matrix(
    shape: tuple[int, ...], closeness: float, rng: np.random.Generator
) -> None:
    matrices = rng.normal(size=(*shape[:-1], 1)) + closeness * rng.normal(size=shape)
    q, r = orthogonal_and_triangle(matrices)
    np.testing.assert_allclose(np.swapaxes(q, -1, -2) @ q, np.broadcast_to(np.eye(shape[-1]), r.shape), atol=1e-13)
    np.testing.assert_allclose(q @ r, matrices, atol=1e-13)
    np.testing.assert_array_equal(r, np.triu(r))


@pytest.mark.parametrize("size", [1, 64, 65, 200])
def test_an_inverse_is_one_and_a_triangle(size: int, rng: np.random.Generator) -> None:
    r = np.triu(rng.normal(size=(2, 1, size, size))) + 3 * np.sqrt(size) * np.eye(size)
    inverse = inverse_of_triangle(r)
    np.testing.assert_allclose(inverse @ r, np.broadcast_to(np.eye(size), r.shape), atol=1e-12)
    np.testing.assert_array_equal(inverse, np.triu(inverse))


def test_lapack_gets_no_more_than_one_thread_takes(monkeypatch: pytest.MonkeyPatch, rng: np.random.Generator) -> None:
    sizes, factorize = [], np.linalg.qr

    def record(matrices: np.ndarray) -> object:
        sizes.append(matrices.shape[-2] * matrices.shape[-1])
        return factorize(matrices)

    monkeypatch.setattr(np.linalg, "qr", record)
    orthogonal_and_triangle(rng.normal(size=(2, 500, 100)))
    assert NUMBERS_OF_ONE_THREAD // 2 < max(sizes) <= NUMBERS_OF_ONE_THREAD
