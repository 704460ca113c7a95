"""Counts, zeros and ones, and categories as rows of entries."""

import numpy as np
import pytest

from fastgmm.data.counts import (
    check_binary,
    check_categories,
    check_counts,
    entries_of_categories,
    numbers_of_categories,
)

sparse = pytest.importorskip("scipy.sparse")


def test_what_can_be_read_where_it_is_is_not_copied():
    X = np.arange(6.0).reshape(2, 3)
    for values in (X, X.astype(np.float32), X.astype(np.uint8), X > 2):
        rows = check_counts(values, "", 1, allow_missing=True)
        assert np.shares_memory(rows.values, values)
        assert (rows.dense() == values).all()
    matrix = sparse.csr_array(X)
    assert np.shares_memory(check_counts(matrix, "", 1, allow_missing=True).values, matrix.data)
    binary = (X > 2).astype(np.float64)
    assert np.shares_memory(check_binary(binary, "", 1, 0.0).values, binary)


def test_missing_values_are_known_where_they_are():
    X = [[np.nan, 1.0], [0.0, 2.0]]
    assert check_counts(X, "", 1, allow_missing=True).has_missing
    assert check_counts(sparse.csr_array(X), "", 1, allow_missing=True).n_lines == 4
    rows = check_binary(X, "", 1, 1.0)
    assert rows.has_missing
    np.testing.assert_array_equal(rows.dense(), [[np.nan, 0.0], [0.0, 1.0]])


@pytest.mark.parametrize(
    ("indptr", "indices"), [([0, 2, 1], [0, 1]), ([0, 1, 5], [0, 1]), ([0, 1, 2], [0, 9]), ([0, 1, 2], [0, -1])]
)
def test_a_sparse_matrix_that_is_unsound_is_refused(indptr, indices):
    matrix = sparse.csr_matrix((2, 2))
    matrix.indptr, matrix.indices, matrix.data = np.array(indptr), np.array(indices), np.ones(2)
    matrix.has_canonical_format = True
    with pytest.raises(ValueError, match=r"sound|order|beyond"):
        check_counts(matrix, "", 1, allow_missing=True)


def test_an_entry_stands_for_every_category_but_a_missing_one():
    X = np.array([[0.0, 2.0], [np.nan, 0.0], [1.0, np.nan]])
    values = check_categories(X, "", 1)
    n_categories = numbers_of_categories(values)
    assert n_categories.tolist() == [2, 3]
    rows = entries_of_categories(values, n_categories, "")
    assert rows.values is None
    assert rows.starts.tolist() == [0, 2, 3, 4]
    assert rows.lines.tolist() == [0, 4, 2, 1]
    assert rows.dense().tolist() == [[1, 0, 0, 0, 1], [0, 0, 1, 0, 0], [0, 1, 0, 0, 0]]


def test_whole_numbers_of_any_type_are_categories():
    for dtype in (bool, np.int8, np.uint16, np.int64, np.float32):
        X = np.array([[0, 1], [1, 1]], dtype)
        assert entries_of_categories(check_categories(X, "", 1), np.array([2, 2]), "").lines.tolist() == [0, 3, 1, 3]
    assert numbers_of_categories(np.array([[np.nan], [np.nan]])).tolist() == [1]
