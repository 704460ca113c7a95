"""Targets are checked as rows are, and none of them may be missing."""

import numpy as np
import pytest

from fastgmm.data.targets import check_targets


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64, object, str])
def test_a_vector_is_a_column_and_a_table_stays_one(dtype: type) -> None:
    vector, is_vector = check_targets(np.array([1, 2, 3]).astype(dtype), 3, "Regressor")
    table, was_vector = check_targets(np.array([[1, 2], [3, 4], [5, 6]]).astype(dtype), 3, "Regressor")
    assert (vector.tolist(), is_vector) == ([[1.0], [2.0], [3.0]], True)
    assert (table.tolist(), was_vector) == ([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]], False)
    assert vector.dtype == (np.float32 if dtype is np.float32 else np.float64)


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (None, "Regressor requires y to be passed, but the target y is None"),
        ([1.0, 2.0], r"Found input variables with inconsistent numbers of samples: \[3, 2\]"),
        (5.0, "y should be a 1d array, or have a column for each target"),
        (np.zeros((3, 0)), r"got an array of shape \(3, 0\)"),
        (np.zeros((3, 1, 1)), "y should be a 1d array"),
        ([1.0, np.nan, np.nan], "Input y contains NaN. The first is at row 1: leave out rows of unknown targets"),
        ([[1.0, 0.0], [1.0, 2.0], [-np.inf, 0.0]], "Input y contains infinity .* The first is at row 2"),
        (["a", "b", "c"], "could not convert string to float"),
    ],
)
def test_what_is_refused(y: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        check_targets(y, 3, "Regressor")
