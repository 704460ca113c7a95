"""Points in memory with the names of their columns: what is read from a file, and what takes the place of a frame."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from fastgmm.parameters import Array


@dataclass(frozen=True, eq=False)
class Table:
    """Points with the names of their columns, in the form that estimators take names from.

    Attributes
    ----------
    values : ndarray of shape (n_rows, n_columns)
        From ``.npy`` a read-only memory map of the file's own dtype, from ``.npz`` an array of that dtype, else float64
        (float32 where all of a ``.parquet`` file's columns are).
    columns : tuple of str, or None
    """

    values: Array
    columns: tuple[str, ...] | None

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        return np.array(self.values, dtype=dtype, copy=copy)

    def __len__(self) -> int:
        return len(self.values)
