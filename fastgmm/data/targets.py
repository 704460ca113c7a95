"""Targets of a regression: what users hand in beside X, checked, one column for each."""

from typing import Any

import numpy as np

from fastgmm.data.validation import as_float
from fastgmm.machine.pieces import pieces
from fastgmm.parameters import FloatingArray


def check_targets(y: Any, n_rows: int, estimator: str) -> tuple[FloatingArray, bool]:
    """Targets (n_rows, n_targets) of float32 or float64, and whether they were given as a vector.

    Raises
    ------
    ValueError
        For None, infinity, missing values (naming the first), and wrong shapes; errors begin with scikit-learn's words.
    TypeError
        As for X, for dates, times and durations, and for objects that are no numbers.
    """
    if y is None:
        raise ValueError(f"{estimator} requires y to be passed, but the target y is None.")
    values = as_float(y, "y")
    if values.ndim not in (1, 2) or 0 in values.shape[1:]:
        raise ValueError(
            f"y should be a 1d array, or have a column for each target; got an array of shape {values.shape}."
        )
    if len(values) != n_rows:
        raise ValueError(f"Found input variables with inconsistent numbers of samples: [{n_rows}, {len(values)}]")
    table: FloatingArray = values.reshape(n_rows, -1)
    for part in pieces(n_rows, table[:1].nbytes):
        unsound = ~np.isfinite(table[part]).all(axis=1)
        if unsound.any():
            row = part.start + int(np.argmax(unsound))
            what = "NaN" if np.isnan(table[row]).any() else "infinity or a value too large for dtype('float64')"
            raise ValueError(f"Input y contains {what}. The first is at row {row}: leave out rows of unknown targets.")
    return table, values.ndim == 1
