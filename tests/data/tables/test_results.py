"""Results go into files as NumPy would write them, and into text that reads back to the bit."""

import numpy as np
import pytest

from fastgmm.data.tables import rows_as_text, write_rows


@pytest.mark.parametrize("dtype", ["i8", "f4", "f8"])
@pytest.mark.parametrize("shape", [(7,), (7, 2)])
def test_written_npy_is_what_numpy_would_write(tmp_path, shape, dtype):
    array = np.arange(np.prod(shape), dtype=dtype).reshape(shape)
    write_rows(tmp_path / "a.npy", [array[:3], array[3:]], shape, array.dtype, ["unused"])
    np.save(tmp_path / "b.npy", array)
    assert (tmp_path / "a.npy").read_bytes() == (tmp_path / "b.npy").read_bytes()


def test_rows_as_text():
    assert rows_as_text(np.array([1, 2])) == "1\n2\n"
    assert rows_as_text(np.array([[0.1, 1e-300]])) == "0.1,1e-300\n"
