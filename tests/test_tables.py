"""Points come out of files as they went in, or with an error that says where."""

import sys

import numpy as np
import pytest

from fastgmm.tables import Table, column_names, read_points, rows_as_text, write_rows


@pytest.fixture
def points():
    return np.random.default_rng(0).normal(size=(50, 3))


def write(path, text):
    path.write_text(text, encoding="utf-8")
    return path


# --- .npy ------------------------------------------------------------------------------------------------------------


def test_npy_is_memory_mapped(tmp_path, points):
    np.save(tmp_path / "x.npy", points)
    table = read_points(tmp_path / "x.npy")
    assert isinstance(table.values, np.memmap)
    assert table.columns is None
    assert column_names(tmp_path / "x.npy") is None
    np.testing.assert_array_equal(table.values, points)


@pytest.mark.parametrize("dtype", ["<f4", ">f8", "i8", "u1", "?"])
def test_npy_keeps_its_dtype(tmp_path, dtype):
    np.save(tmp_path / "x.npy", np.zeros((4, 2), dtype))
    assert read_points(tmp_path / "x.npy").values.dtype == np.dtype(dtype)


def test_one_dimension_is_one_feature(tmp_path):
    np.save(tmp_path / "x.npy", np.arange(4.0))
    assert read_points(tmp_path / "x.npy").values.shape == (4, 1)


def test_npy_columns_by_number(tmp_path, points):
    np.save(tmp_path / "x.npy", points)
    np.testing.assert_array_equal(read_points(tmp_path / "x.npy", ["2", "0"]).values, points[:, [2, 0]])


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.array([{}]), "not a .npy file of numbers"),
        (np.zeros(3, complex), "holds complex128"),
        (np.array(["a"]), "holds <U1"),
        (np.zeros((2, 2, 2)), r"shape \(2, 2, 2\)"),
        (np.array(1.0), r"shape \(\)"),
    ],
)
def test_npy_of_other_things_is_refused(tmp_path, array, message):
    np.save(tmp_path / "x.npy", array, allow_pickle=True)
    with pytest.raises(ValueError, match=message):
        read_points(tmp_path / "x.npy")


def test_damaged_npy_is_refused(tmp_path, points):
    path = tmp_path / "x.npy"
    np.save(path, points)
    content = path.read_bytes()
    for damaged in (b"", b"junk", content[:20], content[:-1]):
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match=r"x\.npy: not a \.npy file"):
            read_points(path)
    with path.open("wb") as file:
        np.savez(file, points)
    with pytest.raises(ValueError, match="npz archive"):
        read_points(path)


# --- .csv ------------------------------------------------------------------------------------------------------------


def test_csv_round_trip_is_bitwise(tmp_path, points):
    write_rows(tmp_path / "x.csv", [points[:20], points[20:]], points.shape, points.dtype, "a,b,c")
    table = read_points(tmp_path / "x.csv")
    assert table.columns == ("a", "b", "c")
    np.testing.assert_array_equal(table.values, points)


@pytest.mark.parametrize(
    ("text", "columns", "values"),
    [
        ("1,2\n3,4\n", None, [[1, 2], [3, 4]]),
        ("1,2\n3,4", None, [[1, 2], [3, 4]]),
        ("a,b\r\n1,2\r\n", ("a", "b"), [[1, 2]]),
        ("\ufeffa,b\n1,2\n", ("a", "b"), [[1, 2]]),
        ("\ufeff1,2\n", None, [[1, 2]]),
        ('"a, really",b\n"1",2\n', ("a, really", "b"), [[1, 2]]),
        ('"a\nb",c\n1,2\n', ("a\nb", "c"), [[1, 2]]),
        (",a\n0,1\n1,2\n", ("column_0", "a"), [[0, 1], [1, 2]]),
        ("\n\na,b\n\n1,2\n\n3,4\n\n", ("a", "b"), [[1, 2], [3, 4]]),
        (" 1 , -2e3 \n", None, [[1, -2000]]),
        ("x\n1\n2\n", ("x",), [[1], [2]]),
        ("1,nan\ninf,2\n", None, [[1, np.nan], [np.inf, 2]]),
        ("größe\n1\n", ("größe",), [[1]]),
    ],
)
def test_csv_with_and_without_header(tmp_path, text, columns, values):
    path = write(tmp_path / "x.csv", text)
    table = read_points(path)
    assert table.columns == columns == column_names(path)
    np.testing.assert_array_equal(table.values, values)


def test_csv_columns_by_name_and_number_leave_text_unread(tmp_path):
    path = write(tmp_path / "x.csv", "a,kind,b\n1,cat,2\n3,dog,4\n")
    table = read_points(path, ["b", "0"])
    assert table.columns == ("b", "a")
    np.testing.assert_array_equal(table.values, [[2, 1], [4, 3]])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b\n1,2\n3,x\n", r"x\.csv, line 3, column 2: 'x' is not a number"),
        ("1,2\n3,\n", r"x\.csv, line 2, column 2: the cell is empty"),
        ("1,,3\n", r"x\.csv, line 1, column 2: the cell is empty"),
        ("a,b\n\n1,2\n\nNA,3\n", r"x\.csv, line 5, column 1: 'NA'"),
        ("1,2\n3,4,5\n", r"x\.csv, line 2: 3 columns, where the first row has 2"),
        ("a,b\n1\n", r"x\.csv, line 2: 1 columns"),
        ("1;2\n", "no rows of numbers"),
        ("", "empty"),
        ("\n\n", "empty"),
        ("a,b\n", "no rows of numbers"),
        ("a,a\n1,2\n", "more than one column is called 'a'"),
    ],
)
def test_bad_csv_is_refused_and_located(tmp_path, text, message):
    with pytest.raises(ValueError, match=message):
        read_points(write(tmp_path / "x.csv", text))


def test_bad_cell_far_down_is_located(tmp_path):
    text = "a,b\n" + "1,2\n" * 100_000 + "1,oops\n"
    with pytest.raises(ValueError, match="line 100002, column 2: 'oops'"):
        read_points(write(tmp_path / "x.csv", text))


def test_csv_that_is_not_text_is_refused(tmp_path):
    (tmp_path / "x.csv").write_bytes(b"\xff\xfe\x00\x01" * 50)
    with pytest.raises(ValueError, match="UTF-8"):
        read_points(tmp_path / "x.csv")
    (tmp_path / "x.csv").write_bytes(b"1,2\n" * 100_000 + b"\xff\n")
    with pytest.raises(ValueError, match="UTF-8"):
        read_points(tmp_path / "x.csv")


@pytest.mark.parametrize("columns", [["c"], ["2"], ["-1"], ["a", "0"]])
def test_unknown_and_repeated_columns_are_refused(tmp_path, columns):
    with pytest.raises(ValueError, match=r"no column|asked for twice"):
        read_points(write(tmp_path / "x.csv", "a,b\n1,2\n"), columns)


# --- .parquet --------------------------------------------------------------------------------------------------------


def parquet_file(path, **columns):
    arrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    parquet.write_table(arrow.table(columns), path)
    return path


def test_parquet(tmp_path, points):
    path = parquet_file(tmp_path / "x.parquet", a=points[:, 0], **{"b.c": points[:, 1]}, n=np.arange(50))
    table = read_points(path)
    assert table.columns == ("a", "b.c", "n") == column_names(path)
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


def test_bad_parquet_is_refused(tmp_path):
    path = parquet_file(tmp_path / "x.parquet", a=[1.0, 2.0], b=["x", "y"], c=[1.0, None])
    with pytest.raises(ValueError, match=r"column 'b': holds .*string"):
        read_points(path)
    with pytest.raises(ValueError, match="row 1, column 'c': the cell is empty"):
        read_points(path, ["c"])
    with pytest.raises(ValueError, match="no column 'd'"):
        read_points(path, ["d"])
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(ValueError, match="not a readable"):
        read_points(path)


def test_parquet_without_pyarrow_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ImportError, match=r"pip install 'fastgmm\[parquet\]'"):
        read_points(tmp_path / "x.parquet")
    with pytest.raises(ImportError, match=r"pip install 'fastgmm\[parquet\]'"):
        column_names(tmp_path / "x.parquet")


# --- all -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", ["npy", "csv", "parquet"])
def test_missing_files_stay_file_not_found(tmp_path, suffix):
    if suffix == "parquet":
        pytest.importorskip("pyarrow")
    with pytest.raises(FileNotFoundError):
        read_points(tmp_path / f"x.{suffix}")


def test_unknown_suffix(tmp_path):
    with pytest.raises(ValueError, match="unknown kind of file"):
        read_points(tmp_path / "x.txt")


def test_table_is_an_array_without_a_copy(points):
    table = Table(points, ("a", "b", "c"))
    assert len(table) == 50
    assert np.shares_memory(np.asarray(table), points)


@pytest.mark.parametrize("dtype", ["i8", "f4", "f8"])
@pytest.mark.parametrize("shape", [(7,), (7, 2)])
def test_written_npy_is_what_numpy_would_write(tmp_path, shape, dtype):
    array = np.arange(np.prod(shape), dtype=dtype).reshape(shape)
    write_rows(tmp_path / "a.npy", [array[:3], array[3:]], shape, array.dtype, "unused")
    np.save(tmp_path / "b.npy", array)
    assert (tmp_path / "a.npy").read_bytes() == (tmp_path / "b.npy").read_bytes()


def test_rows_as_text():
    assert rows_as_text(np.array([1, 2])) == "1\n2\n"
    assert rows_as_text(np.array([[0.1, 1e-300]])) == "0.1,1e-300\n"
