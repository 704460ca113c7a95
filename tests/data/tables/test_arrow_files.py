"""Arrow's own files, Feather's among them, are read as Parquet is."""

import io
import sys

import numpy as np
import pytest

from fastgmm.data.choice import NUMERIC
from fastgmm.data.tables import read_points
from fastgmm.errors import ColumnsLeftOutWarning

pyarrow = pytest.importorskip("pyarrow")
feather = pytest.importorskip("pyarrow.feather")

COLUMNS = {"a": [1, 2, None], "kind": ["x", None, "y"], "b": [0.5, 1.5, 2.5]}
NUMBERS = [[1, 0.5], [2, 1.5], [np.nan, 2.5]]


def written(path, compression="uncompressed"):
    """A stream where the name ends in ``.arrow``, else a file, of two batches."""
    table = pyarrow.concat_tables([pyarrow.table(COLUMNS).slice(0, 1), pyarrow.table(COLUMNS).slice(1)])
    if path.suffix == ".arrow":
        with pyarrow.ipc.new_stream(str(path), table.schema) as writer:
            writer.write_table(table)
    else:
        feather.write_feather(table, path, compression=compression)
    return path


@pytest.mark.parametrize("name", ["x.feather", "x.arrow", "x.ipc"])
@pytest.mark.parametrize("compression", ["uncompressed", "lz4"])
def test_chosen_columns_are_read_in_their_order(tmp_path, name, compression):
    table = read_points(written(tmp_path / name, compression), ["b", "a"])
    assert table.columns == ("b", "a")
    np.testing.assert_array_equal(table.values, np.array(NUMBERS)[:, ::-1])


@pytest.mark.parametrize("name", ["x.feather", "x.arrow"])
def test_numeric_columns_are_read_and_the_others_named(tmp_path, name):
    with pytest.warns(ColumnsLeftOutWarning, match=r"'kind' \(string\)$"):
        table = read_points(written(tmp_path / name), NUMERIC)
    assert table.columns == ("a", "b")
    np.testing.assert_array_equal(table.values, NUMBERS)


def test_a_column_of_text_is_refused_with_a_way_to_leave_it_out(tmp_path):
    words = r"column 'kind': holds string, not numbers \(to leave it out: --columns numeric\)$"
    with pytest.raises(ValueError, match=words):
        read_points(written(tmp_path / "x.feather"))


def test_standard_input_may_be_a_file_of_arrow(tmp_path, monkeypatch):
    content = written(tmp_path / "x.feather").read_bytes()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))
    np.testing.assert_array_equal(read_points("-", ["a", "b"]).values, NUMBERS)


@pytest.mark.parametrize("content", [b"", b"ARROW1 and nothing else", b"text"])
def test_damaged_files_are_refused(tmp_path, content):
    (tmp_path / "x.feather").write_bytes(content)
    with pytest.raises(ValueError, match=r"x\.feather: not a readable Arrow file"):
        read_points(tmp_path / "x.feather")


def test_without_pyarrow_it_is_said_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(
        ImportError, match=r"^reading \.arrow and \.feather needs pyarrow: pip install 'fastgmm\[parquet\]'"
    ):
        read_points(tmp_path / "x.feather")
