"""Products in parts are those of the whole, and no part is so large that BLAS would share it among threads."""

from typing import Any, ClassVar

import numpy as np
import pytest

from fastgmm.machine.small_products import NUMBERS_OF_ONE_THREAD, product

SHAPES = [
    (3, 4, 5),
    (1, 500, 500),
    (500, 500, 1),
    (300, 400, 200),
    (2000, 3, 2),
    (20_000, 12, 3),
    (2, 10_000, 3),
    (3, 0, 2),
]


class Watched(np.ndarray[Any, Any]):
    """Notes the shapes of its products."""

    shapes: ClassVar[list[tuple[int, int, int]]] = []

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
        if ufunc is np.matmul:
            self.shapes.append((*inputs[0].shape[-2:], inputs[1].shape[-1]))
        return getattr(ufunc, method)(*(np.asarray(each) for each in inputs), **options)


@pytest.mark.parametrize("shape", SHAPES)
def test_a_product_is_that_of_the_whole_in_small_parts(shape: tuple[int, int, int], rng: np.random.Generator) -> None:
    n, k, m = shape
    left, right = rng.normal(size=(2, 1, n, k)), rng.normal(size=(3, k, m))
    Watched.shapes.clear()
    np.testing.assert_allclose(product(left.view(Watched), right), left @ right, atol=1e-11)
    for rows, inner, columns in Watched.shapes:
        assert rows * inner * columns <= 2**18
        assert max(rows, columns) * inner <= max(NUMBERS_OF_ONE_THREAD, inner)


def test_small_matrices_are_multiplied_at_once(rng: np.random.Generator) -> None:
    Watched.shapes.clear()
    product(rng.normal(size=(1000, 4, 4)).view(Watched), rng.normal(size=(4, 3)))
    assert Watched.shapes == [(4, 4, 3)]
