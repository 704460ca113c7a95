"""The order of rows by the features that they lack."""

import tracemalloc

import numpy as np
import pytest

from fastgmm.data.patterns import patterns_of
from fastgmm.rows import Rows
from tests.fit.test_incomplete_fits import with_holes


def test_every_row_is_complete_incomplete_or_empty():
    nan = np.nan
    values = np.array([[1.0, 2.0], [nan, 2.0], [nan, nan], [1.0, nan], [3.0, 4.0]])
    patterns = patterns_of(Rows(values, has_missing=True))
    assert patterns.complete.tolist() == [0, 4]
    assert sorted(patterns.incomplete.tolist()) == [1, 3]
    assert patterns.empty.tolist() == [2]
    assert {array.dtype for array in (patterns.complete, patterns.incomplete, patterns.empty)} == {np.dtype(np.int32)}
    assert patterns.n_missing == 4


@pytest.mark.parametrize("n_features", [1, 3, 16, 17, 40])
def test_patterns_stand_together_seldom_missing_features_first_and_equal_ones_in_the_order_of_the_data(n_features):
    rng = np.random.default_rng(0)
    values = with_holes(rng.normal(size=(500, n_features)), np.linspace(0.5, 0.01, n_features), rng)
    is_missing = np.isnan(values)
    expected = sorted(
        np.flatnonzero(is_missing.any(axis=1) & ~is_missing.all(axis=1)),
        key=lambda row: (is_missing[row][np.argsort(is_missing.sum(axis=0), kind="stable")].tolist(), row),
    )
    assert patterns_of(Rows(values, has_missing=True)).incomplete.tolist() == expected


def test_patterns_of_a_column_order_and_of_float32_are_the_same():
    rng = np.random.default_rng(1)
    values = with_holes(rng.normal(size=(100, 5)), 0.3, rng)
    orders = [
        patterns_of(Rows(array, has_missing=True)).incomplete
        for array in (values, np.asfortranarray(values), values.astype(np.float32))
    ]
    assert all(np.array_equal(orders[0], order) for order in orders)


def test_an_order_takes_little_memory_beside_the_rows():
    n_rows = 200_000
    values = with_holes(np.zeros((n_rows, 17)), 0.3, np.random.default_rng(2))
    rows = Rows(values, has_missing=True)
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    patterns_of(rows)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak - before < 24 * n_rows + 2**22
