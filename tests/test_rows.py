"""Rows: which of them say anything, and what is believed of their components."""

import numpy as np
import pytest

from fastgmm import rows
from fastgmm.rows import Rows


@pytest.mark.parametrize("n_features", [1, 2, 5])
@pytest.mark.parametrize("order", ["C", "F"])
def test_a_row_counts_that_weighs_something_and_has_a_value(
    n_features: int, order: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rows, "_ROWS_OF_A_BLOCK", 7)
    rng = np.random.default_rng(0)
    values = np.where(rng.random((40, n_features)) < 0.6, np.nan, 1.0)
    some = Rows(np.asarray(values, order=order), rng.integers(2, size=40).astype(float), has_missing=True)
    have_any = [any(value == value for value in row) for row in values.tolist()]
    assert some.are_observed.tolist() == have_any
    assert some.counted.tolist() == [has and w > 0 for has, w in zip(have_any, some.weights, strict=True)]
    assert some.n_counted == sum(some.counted)
    assert some.total_weight == some.weights[some.counted].sum()


def test_beliefs_are_those_of_the_group_and_none_outside_the_table() -> None:
    table = np.log([[0.5, 0.25, 1.0], [1.0, 1.0, 0.125]])
    some = Rows(np.zeros((4, 1)), groups=np.array([1, -1, 0, 2], np.int32), group_prior=table)
    expected = np.array([table[1], np.zeros(3), table[0], np.zeros(3)])
    assert np.array_equal(some.log_beliefs(), expected)
    assert np.array_equal(some.log_beliefs(2), expected[:, 2])
    chosen = np.array([0, 1, 1, 2])
    assert np.array_equal(some.log_beliefs(chosen), expected[np.arange(4), chosen])
