"""Columns come out of ``.parquet`` files as they went in."""

import datetime
import io
import sys

import numpy as np
import pytest

from fastgmm.data.tables import parquet_files, read_points, require_output, write_columns, write_rows


@pytest.fixture
def points():
    return np.random.default_rng(0).normal(size=(50, 3))


def parquet_file(path, **columns):
    arrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    parquet.write_table(arrow.table(columns), path)
    return path


def test_parquet(tmp_path, points):
    path = parquet_file(tmp_path / "x.parquet", a=points[:, 0], **{"b.c": points[:, 1]}, n=np.arange(50))
    table = read_points(path)
    assert table.columns == ("a", "b.c", "n")
    assert table.values.dtype == np.float64
    np.testing.assert_array_equal(table.values, np.column_stack([points[:, :2], np.arange(50)]))
    chosen = read_points(path, ["n", "a"])
    assert chosen.columns == ("n", "a")
    np.testing.assert_array_equal(chosen.values, np.column_stack([np.arange(50), points[:, 0]]))


def test_parquet_of_float32_stays_float32(tmp_path, points):
    path = parquet_file(tmp_path / "x.parquet", a=points[:, 0].astype("f4"), b=points[:, 1].astype("f4"))
    assert read_points(path).values.dtype == np.float32


def test_labels_of_rows_from_pandas_are_no_feature(tmp_path):
    pytest.importorskip("pyarrow")
    pandas = pytest.importorskip("pandas")
    pandas.DataFrame({"a": [1.0, 2.0]}, index=[7, 9]).to_parquet(tmp_path / "x.parquet")
    assert read_points(tmp_path / "x.parquet").columns == ("a",)


def test_empty_cells_are_missing_values(tmp_path):
    columns = {"a": [1.0, None], "b": [None, 3], "c": [True, None], "d": [None, None]}
    values = read_points(parquet_file(tmp_path / "x.parquet", **columns)).values
    assert np.array_equal(values, [[1, np.nan, 1, np.nan], [np.nan, 3, np.nan, np.nan]], equal_nan=True)


def test_an_empty_cell_does_not_hide_a_whole_number_that_is_rounded(tmp_path):
    path = parquet_file(tmp_path / "x.parquet", a=[None, 2**53 + 1])
    with pytest.raises(ValueError, match=f"row 1, column 'a': {2**53 + 1} is a whole number"):
        read_points(path)


def test_bad_parquet_is_refused(tmp_path):
    path = parquet_file(tmp_path / "x.parquet", a=[1.0, 2.0], b=["x", "y"], c=[1.0, None])
    with pytest.raises(
        ValueError, match=r"column 'b': holds .*string, not numbers \(to leave it out: --columns numeric\)"
    ):
        read_points(path)
    with pytest.raises(ValueError, match=r"column 'b': holds .*string, not numbers$"):
        read_points(path, ["a", "b"])
    with pytest.raises(ValueError, match="no column 'd'"):
        read_points(path, ["d"])
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(ValueError, match="not a readable"):
        read_points(path)


def test_parquet_without_pyarrow_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ImportError, match=r"pip install 'fastgmm\[parquet\]'"):
        read_points(tmp_path / "x.parquet")


def test_a_model_chooses_among_named_columns(tmp_path, points):
    path = parquet_file(tmp_path / "x.parquet", a=points[:, 0], b=points[:, 1], c=["x"] * 50)
    assert read_points(path, if_named=["b", "a"]).columns == ("b", "a")


@pytest.mark.parametrize("dtype", ["i8", "u8"])
def test_whole_numbers_that_float64_does_not_hold_are_refused(tmp_path, dtype):
    numbers = np.array([1, 2**53, 2**53 + 1, 2**60 + 1], dtype)
    path = parquet_file(tmp_path / "x.parquet", a=numbers)
    message = (
        r"x\.parquet, row 2, column 'a': 9007199254740993 .* float64 does not hold; .* 9007199254740992\. Subtract"
    )
    with pytest.raises(ValueError, match=message):
        read_points(path)
    exact = parquet_file(tmp_path / "y.parquet", a=numbers[:2], b=np.array([2**60, 2**62], dtype))
    np.testing.assert_array_equal(read_points(exact).values, [[1, 2**60], [2**53, 2**62]])


@pytest.mark.parametrize(
    "time",
    [
        datetime.datetime(2024, 1, 31, 12),
        datetime.datetime(2024, 1, 31, 12, tzinfo=datetime.UTC),
        datetime.date(2024, 1, 31),
        datetime.timedelta(seconds=1),
        datetime.time(12),
    ],
)
def test_times_are_refused_with_a_way_to_numbers(tmp_path, time):
    path = parquet_file(tmp_path / "x.parquet", a=[time])
    with pytest.raises(ValueError, match=r"column 'a': holds .*, not numbers\. Times as numbers .*np\.timedelta64"):
        read_points(path)


def test_the_bytes_of_a_file_are_read_from_standard_input(tmp_path, monkeypatch, points):
    path = parquet_file(tmp_path / "x.parquet", a=points[:, 0])
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(path.read_bytes())))
    assert read_points("-").columns == ("a",)


# --- writing ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["i8", "f4", "f8"])
@pytest.mark.parametrize("shape", [(7,), (7, 2)])
def test_blocks_of_rows_are_read_back_to_the_bit(tmp_path, shape, dtype):
    parquet = pytest.importorskip("pyarrow.parquet")
    array = np.random.default_rng(0).normal(0, 100, shape).astype(dtype)
    names = ["a", "b.c"][: len(shape)]
    write_rows(tmp_path / "x.parquet", iter([array[:3], array[3:]]), shape[0], shape[1:], array.dtype, names)
    table = parquet.read_table(tmp_path / "x.parquet")
    assert table.column_names == names
    columns = [table.column(name).to_numpy() for name in names]
    assert {column.dtype for column in columns} == {array.dtype}
    assert np.array_equal(np.column_stack(columns), array.reshape(7, -1))


def test_columns_of_several_types_keep_theirs(tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    write_columns(tmp_path / "x.parquet", iter([[np.array([0, 1]), np.array([0.5, np.nan])]]), ["n", "x"])
    table = parquet.read_table(tmp_path / "x.parquet")
    assert [str(column.type) for column in table.columns] == ["int64", "double"]
    assert np.array_equal(read_points(tmp_path / "x.parquet").values, [[0, 0.5], [1, np.nan]], equal_nan=True)


def test_large_blocks_are_cut_into_groups_of_rows(tmp_path, monkeypatch):
    parquet = pytest.importorskip("pyarrow.parquet")
    monkeypatch.setattr(parquet_files, "_NUMBERS_OF_A_GROUP", 20)
    array = np.arange(50.0).reshape(25, 2)
    write_rows(
        tmp_path / "x.parquet", iter([array[:15], array[15:]]), len(array), array.shape[1:], array.dtype, ["a", "b"]
    )
    file = parquet.ParquetFile(tmp_path / "x.parquet")
    assert [file.metadata.row_group(group).num_rows for group in range(file.num_row_groups)] == [10, 5, 10]
    assert np.array_equal(read_points(tmp_path / "x.parquet").values, array)


def test_a_file_appears_whole_or_not_at_all(tmp_path):
    pytest.importorskip("pyarrow")

    def broken_off():
        yield np.zeros(3)
        raise OSError("disk full")

    (tmp_path / "x.parquet").write_bytes(b"old")
    with pytest.raises(OSError, match="disk full"):
        write_rows(tmp_path / "x.parquet", broken_off(), 6, (), float, ["a"])
    assert (tmp_path / "x.parquet").read_bytes() == b"old"
    assert len(list(tmp_path.iterdir())) == 1


def test_without_pyarrow_an_output_is_refused_before_the_work(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ImportError, match=r"writing \.parquet needs pyarrow: pip install 'fastgmm\[parquet\]'"):
        require_output(tmp_path / "x.parquet")
    require_output(tmp_path / "x.csv")
