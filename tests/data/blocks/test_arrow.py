"""Rows of Parquet, Arrow's files, data sets and tables come in the same blocks as rows of an array."""

import datetime

import numpy as np
import pytest

from fastgmm import blocks_of
from fastgmm.errors import ColumnsLeftOutWarning
from tests.data.blocks.sources import (
    NAMES,
    assert_same_bits,
    blocks_in,
    columns_of,
    fit_of,
    rows_of,
    values_in,
)

pyarrow = pytest.importorskip("pyarrow")
parquet = pytest.importorskip("pyarrow.parquet")
dataset = pytest.importorskip("pyarrow.dataset")
feather = pytest.importorskip("pyarrow.feather")


@pytest.fixture(name="X")
def rows():
    return rows_of()


def table_of(X, names=NAMES):
    return pyarrow.table(columns_of(X, names))


def parquet_file(path, X, names=NAMES, **options):
    parquet.write_table(table_of(X, names), path, **options)
    return path


def parquet_of(path, **columns):
    parquet.write_table(pyarrow.table(columns), path)
    return path


def arrow_file(path, X, kind="file", rows=700, **options):
    table = table_of(X)
    new = pyarrow.ipc.new_file if kind == "file" else pyarrow.ipc.new_stream
    with new(str(path), table.schema, options=pyarrow.ipc.IpcWriteOptions(**options)) as writer:
        writer.write_table(table, max_chunksize=rows)
    return path


@pytest.mark.parametrize("row_group_size", [7, 700, 3_000])
@pytest.mark.parametrize("dtype", ["f8", "f4"])
def test_a_parquet_file_whatever_its_row_groups(tmp_path, row_group_size, dtype):
    X = rows_of(dtype=dtype)
    path = parquet_file(tmp_path / "x.parquet", X, row_group_size=row_group_size)
    source = blocks_of(path, block_rows=1_000)
    assert source.form.columns == NAMES
    assert_same_bits(source, X)


def test_parquet_files_one_after_the_other(tmp_path, X):
    """Also such as have their columns in another order, and one without any row."""
    some = table_of(X[100:1_500])
    parquet.write_table(some.select(NAMES[::-1]), tmp_path / "b.parquet")
    files = [
        parquet_file(tmp_path / "a.parquet", X[:100]),
        tmp_path / "b.parquet",
        parquet_file(tmp_path / "c.parquet", X[:0]),
        parquet_file(tmp_path / "d.parquet", X[1_500:]),
    ]
    assert_same_bits(blocks_of(files, block_rows=1_000), X)
    assert_same_bits(blocks_of(tmp_path, block_rows=1_000), X)


def test_rows_are_float32_where_all_features_of_all_files_are(tmp_path):
    wide = parquet_of(tmp_path / "a.parquet", x=np.zeros(3, "f4"), y=np.zeros(3, "f8"))
    single = parquet_of(tmp_path / "b.parquet", x=np.zeros(3, "f4"), y=np.zeros(3, "f4"))
    assert blocks_of(single).form.dtype == np.float32
    assert blocks_of([single, wide]).form.dtype == np.float64
    assert blocks_of([single, wide], columns=["x"]).form.dtype == np.float32
    assert blocks_of([single, wide], columns=["x"], weight="y").form.dtype == np.float32


def test_columns_weights_and_labels_are_chosen_by_name_and_by_number(tmp_path):
    names = {"w": [1.0, 2.0], "x": [3, None], "text": ["p", "q"], "label": [None, 1], "y": [True, False]}
    path = parquet_of(tmp_path / "x.parquet", **names)
    for chosen in (["y", "x"], [4, 1]):
        source = blocks_of(path, columns=chosen, weight="w", labels="label")
        (block,) = blocks_in(source)
        assert source.form.columns == ("y", "x")
        np.testing.assert_array_equal(block.values, [[1, 3], [0, np.nan]])
        np.testing.assert_array_equal(block.weights, [1, 2])
        np.testing.assert_array_equal(block.labels, [np.nan, 1])


def test_labels_of_rows_from_pandas_are_no_feature(tmp_path):
    pandas = pytest.importorskip("pandas")
    pandas.DataFrame({"a": [1.0, 2.0]}, index=[7, 9]).to_parquet(tmp_path / "x.parquet")
    assert blocks_of(tmp_path / "x.parquet").form.columns == ("a",)


@pytest.mark.parametrize("kind", ["file", "stream"])
@pytest.mark.parametrize("compression", [None, "lz4", "zstd"])
def test_arrow_files(tmp_path, X, kind, compression):
    path = arrow_file(tmp_path / "x.arrow", X, kind, compression=compression)
    assert_same_bits(blocks_of(path, block_rows=1_000), X)
    np.testing.assert_array_equal(values_in(blocks_of(path, columns=["d e", "a"])), X[:, [2, 0]])


def test_feather_files(tmp_path, X):
    feather.write_feather(table_of(X[:1_000]), tmp_path / "x.feather")
    feather.write_feather(table_of(X[1_000:]), tmp_path / "y.feather", compression="uncompressed")
    assert_same_bits(blocks_of([tmp_path / "x.feather", tmp_path / "y.feather"], block_rows=1_000), X)


def test_feather_of_version_1_is_refused(tmp_path):
    (tmp_path / "x.feather").write_bytes(b"FEA1" + bytes(40))
    with pytest.raises(ValueError, match=r"x\.feather: Feather of version 1"):
        blocks_of(tmp_path / "x.feather")


def test_a_table_in_memory(X):
    table = pyarrow.concat_tables([table_of(X[:10]), table_of(X[10:])])
    assert_same_bits(blocks_of(table, block_rows=1_000), X)


def test_numeric_columns_of_a_table_are_those_with_numbers(X):
    table = table_of(X).append_column("kind", pyarrow.array(["cat"] * len(X)))
    with pytest.warns(ColumnsLeftOutWarning, match=r"'kind' \(string\)$"):
        source = blocks_of(table, columns="numeric", block_rows=1_000)
    assert_same_bits(source, X)


def test_a_data_set_with_columns_in_the_names_of_directories(tmp_path):
    table = pyarrow.table({"a": np.arange(10.0), "y": np.arange(10) % 2})
    dataset.write_dataset(table, tmp_path, format="parquet", partitioning=["y"], partitioning_flavor="hive")
    source = blocks_of(dataset.dataset(tmp_path, partitioning="hive"))
    assert source.form.columns == ("a", "y")
    np.testing.assert_array_equal(values_in(source), [[a, a % 2] for a in [0, 2, 4, 6, 8, 1, 3, 5, 7, 9]])


def test_a_data_set_of_files_and_one_in_memory(tmp_path, X):
    files = [parquet_file(tmp_path / f"{i}.parquet", X[i::2]) for i in range(2)]
    expected = np.concatenate([X[0::2], X[1::2]])
    assert_same_bits(blocks_of(dataset.dataset(files), block_rows=1_000), expected)
    assert_same_bits(blocks_of(dataset.dataset(table_of(X)), block_rows=1_000), X)


def test_a_filtered_data_set_is_refused_with_a_way_out(tmp_path, X):
    filtered = dataset.dataset(parquet_file(tmp_path / "x.parquet", X)).filter(dataset.field("a") > 0)
    with pytest.raises(ValueError, match=r"filtered.*lambda"):
        blocks_of(filtered)


# --- refused ---------------------------------------------------------------------------------------------------------


def test_files_that_differ_in_their_columns_are_refused_at_once(tmp_path):
    first = parquet_of(tmp_path / "a.parquet", x=[1.0], y=[1.0])
    second = parquet_of(tmp_path / "b.parquet", x=[1.0], z=[1.0])
    with pytest.raises(ValueError, match=r"b\.parquet has no column 'y', which .*a\.parquet has"):
        blocks_of([first, second])
    third = parquet_of(tmp_path / "c.parquet", x=[1.0], y=[1.0], z=[1.0])
    with pytest.raises(ValueError, match=r"c\.parquet has a column 'z', which .*a\.parquet has not: choose columns"):
        blocks_of([first, third])
    assert values_in(blocks_of([first, second, third], columns=["x"])).shape == (3, 1)


def test_two_columns_of_one_name_are_refused(tmp_path):
    table = pyarrow.Table.from_arrays([pyarrow.array([1.0]), pyarrow.array([2.0])], names=["x", "x"])
    parquet.write_table(table, tmp_path / "x.parquet")
    with pytest.raises(ValueError, match=r"x\.parquet: more than one column is called 'x'"):
        blocks_of(tmp_path / "x.parquet")


def test_text_is_refused_at_once(tmp_path):
    path = parquet_of(tmp_path / "x.parquet", a=[1.0, 2.0], b=["x", "y"])
    with pytest.raises(ValueError, match=r"x\.parquet, column 'b': holds .*string, not numbers"):
        blocks_of(path)
    with pytest.raises(ValueError, match="no column 'd'"):
        blocks_of(path, columns=["d"])


@pytest.mark.parametrize("time", [datetime.datetime(2024, 1, 31), datetime.date(2024, 1, 31), datetime.time(12)])
def test_times_are_refused_with_a_way_to_numbers(tmp_path, time):
    with pytest.raises(ValueError, match=r"column 'a': holds .*, not numbers\. Times as numbers .*np\.timedelta64"):
        blocks_of(parquet_of(tmp_path / "x.parquet", a=[time]))


def test_whole_numbers_that_float64_does_not_hold_are_refused_where_they_stand(tmp_path, monkeypatch):
    monkeypatch.setattr("fastgmm.data.blocks.arrow._MOST_ROWS_OF_A_PIECE", 10)
    path = parquet_of(tmp_path / "x.parquet", a=[*range(35), None, 2**53 + 1])
    source = blocks_of([parquet_of(tmp_path / "w.parquet", a=[1.0]), path])
    with pytest.raises(ValueError, match=rf"x\.parquet, row 36, column 'a': {2**53 + 1} is a whole number"):
        fit_of(source)


def test_an_infinity_is_refused_where_it_stands(tmp_path):
    files = [parquet_of(tmp_path / f"{i}.parquet", a=[0.0] * 5 + [np.inf] * i) for i in range(2)]
    with pytest.raises(ValueError, match=r"1\.parquet, row 5: infinity .* in column 0 \('a'\)"):
        fit_of(blocks_of(files))


def test_a_weight_and_a_label_that_are_wrong_are_refused_where_they_stand(tmp_path):
    rng = np.random.default_rng(0)
    x = rng.normal(size=9)
    good = parquet_of(tmp_path / "a.parquet", x=x, w=[1.0] * 9, y=[0, 1, -1] * 3)
    bad = parquet_of(tmp_path / "b.parquet", x=x, w=[1.0] * 7 + [-1.0, 1.0], y=[0, 1] * 4 + [2])
    with pytest.raises(ValueError, match=r"b\.parquet, row 7: the weight is -1"):
        fit_of(blocks_of([good, bad], columns=["x"], weight="w"))
    with pytest.raises(ValueError, match=r"b\.parquet, row 8: the label"):
        fit_of(blocks_of([good, bad], columns=["x"], labels="y"))


@pytest.mark.parametrize("name", ["x.parquet", "x.arrow", "x.feather"])
def test_damaged_files_are_refused(tmp_path, X, name):
    path = tmp_path / name
    for content in (b"", b"PAR1", b"ARROW1\0\0", b"something else that is long enough"):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=rf"{name}: not a readable"):
            blocks_of(path)
    written = parquet_file(path, X) if name == "x.parquet" else arrow_file(path, X, compression="lz4")
    whole = written.read_bytes()
    path.write_bytes(whole[:-10])
    with pytest.raises(ValueError, match=rf"{name}: not a readable"):
        blocks_of(path)
    path.write_bytes(whole[:300] + bytes(len(whole) // 2) + whole[300 + len(whole) // 2 :])
    with pytest.raises(ValueError, match=rf"{name}: not a readable"):
        values_in(blocks_of(path))


def test_files_without_any_row_are_no_source(tmp_path, X):
    with pytest.raises(ValueError, match="no rows"):
        fit_of(blocks_of(parquet_file(tmp_path / "x.parquet", X[:0])))


def test_without_pyarrow_it_is_said_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    for name in ("x.parquet", "x.arrow"):
        (tmp_path / name).write_bytes(b"")
        with pytest.raises(ImportError, match=r"pip install 'fastgmm\[parquet\]'"):
            blocks_of(tmp_path / name)
