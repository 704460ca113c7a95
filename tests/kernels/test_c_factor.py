"""C refuses parameters of factor analyzers whose shapes do not agree: kernels trust them."""

import numpy as np
import pytest

from fastgmm.families import FAMILIES
from fastgmm.kernels.contract import ONE_SMALL_TILE, Outputs
from fastgmm.parameters import Parameters

_kernels = pytest.importorskip("fastgmm.kernels.c._kernels")

OWN = Parameters("factor(2)", np.full(3, 1 / 3), np.zeros((3, 4)), np.ones((3, 4, 3)))
PREPARED = FAMILIES["factor(2)"].prepare(OWN, np.dtype(np.float64))
FACTOR = 4


def score(prepared: tuple) -> None:
    outputs = Outputs(np.empty(5), np.empty(0, np.int64), np.empty((0, 0)), False)
    _kernels.log_density(FACTOR, np.zeros((5, 4)), None, None, None, prepared, ONE_SMALL_TILE, outputs, None)


def test_parameters_that_agree_are_taken() -> None:
    score(PREPARED)


@pytest.mark.parametrize(
    "wrong",
    [
        {"loadings": np.zeros((3, 4, 5)), "projections": np.zeros((3, 4, 5))},
        {"loadings": np.zeros((3, 4, 0)), "projections": np.zeros((3, 4, 0))},
        {"projections": np.zeros((3, 4, 1))},
        {"loadings": np.zeros((3, 3, 2))},
        {"halves": np.zeros(2)},
        {"loadings": np.zeros((3, 4, 2), np.float32)},
    ],
)
def test_others_are_refused(wrong: dict) -> None:
    """More factors than features among them, for whose lines there is no room."""
    with pytest.raises((TypeError, ValueError), match=next(iter(wrong))):
        score(PREPARED._replace(**wrong))
