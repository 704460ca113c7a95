"""A table is an array with names."""

import numpy as np

from fastgmm.data.table import Table


def test_a_table_is_an_array_without_a_copy():
    points = np.zeros((50, 3))
    table = Table(points, ("a", "b", "c"))
    assert len(table) == 50
    assert np.shares_memory(np.asarray(table), points)
