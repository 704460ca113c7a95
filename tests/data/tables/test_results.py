"""Results go into files as NumPy would write them, and into text that reads back to the bit."""

import os

import numpy as np
import pytest

from fastgmm.data.tables import rows_as_text, write_rows


@pytest.mark.parametrize("dtype", ["i8", "f4", "f8"])
@pytest.mark.parametrize("shape", [(7,), (7, 2)])
def test_written_npy_is_what_numpy_would_write(tmp_path, shape, dtype):
    array = np.arange(np.prod(shape), dtype=dtype).reshape(shape)
    write_rows(tmp_path / "a.npy", [array[:3], array[3:]], shape[0], shape[1:], array.dtype, ["unused"])
    np.save(tmp_path / "b.npy", array)
    assert (tmp_path / "a.npy").read_bytes() == (tmp_path / "b.npy").read_bytes()


@pytest.mark.parametrize("shape", [(7,), (7, 2), (0, 2)])
def test_nobody_needs_to_know_how_many_rows_come(tmp_path, shape):
    array = np.arange(np.prod(shape), dtype=float).reshape(shape)
    write_rows(tmp_path / "a.npy", iter([array[:3], array[3:]]), None, shape[1:], array.dtype, ["unused"])
    np.save(tmp_path / "b.npy", array)
    assert (tmp_path / "a.npy").read_bytes() == (tmp_path / "b.npy").read_bytes()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="POSIX pipes")
def test_a_pipe_is_refused_before_any_row_is_made(tmp_path):
    os.mkfifo(tmp_path / "a.npy")
    reader = os.open(tmp_path / "a.npy", os.O_RDONLY | os.O_NONBLOCK)
    rows = iter([np.ones(3)])
    with pytest.raises(ValueError, match=r"a pipe takes \.csv alone"):
        write_rows(tmp_path / "a.npy", rows, None, (), float, ["unused"])
    os.close(reader)
    assert len(list(rows)) == 1


def test_rows_as_text():
    assert rows_as_text(np.array([1, 2])) == "1\n2\n"
    assert rows_as_text(np.array([[0.1, 1e-300]])) == "0.1,1e-300\n"
