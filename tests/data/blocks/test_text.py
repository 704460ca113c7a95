"""Rows of text come in blocks with the meaning that the text has as a whole."""

import gzip

import numpy as np
import pytest

from fastgmm import blocks_of
from fastgmm.data.tables import TextForm, read_points
from fastgmm.errors import ColumnsLeftOutWarning
from tests.data.blocks.sources import assert_same_bits, blocks_in, fit_of, rows_of, values_in, write_text


@pytest.fixture(params=[1, 30, 2**17])
def any_chunk(request, monkeypatch):
    """Chunks of a line each, of a few, and of all."""
    monkeypatch.setattr("fastgmm.data.tables.text_rows._CHUNK_CHARACTERS", request.param)


def text_file(path, content):
    path.write_bytes(content.encode())
    return path


@pytest.mark.parametrize(
    ("name", "separator", "missing"), [("x.csv", ",", ""), ("x.tsv", "\t", "NA"), ("x.txt", " ", "nan")]
)
def test_text_with_missing_cells(tmp_path, name, separator, missing):
    X = rows_of()
    assert_same_bits(blocks_of(write_text(tmp_path / name, X, "", separator, missing), block_rows=1_000), X)


def test_numeric_columns_are_those_of_the_first_file_with_numbers(tmp_path):
    (tmp_path / "a.csv").write_text("kind,x,w,y\ncat,1,9,2\ndog,3,9,NA\n")
    (tmp_path / "b.csv").write_text("y,x,more,w\n4,5,text,9\n")
    with pytest.warns(ColumnsLeftOutWarning, match=r"'kind' \(text\)$"):
        source = blocks_of(tmp_path, columns="numeric", weight="w")
    assert source.form.columns == ("x", "y")
    np.testing.assert_array_equal(values_in(source), [[1, 2], [3, np.nan], [5, 4]])


def test_files_with_headers_one_after_the_other(tmp_path):
    """Also gzipped ones, such as have their columns in another order, and empty ones."""
    X = rows_of()
    zipped = tmp_path / "a.csv.gz"
    zipped.write_bytes(gzip.compress(write_text(tmp_path / "x.csv", X[:100], "a,b c,d").read_bytes()))
    (tmp_path / "x.csv").unlink()
    write_text(tmp_path / "b.csv", X[100:1_500, [2, 0, 1]], "d,a,b c")
    (tmp_path / "c.csv").write_bytes(b"")
    (tmp_path / "d.csv").write_text("a,b c,d\n")
    write_text(tmp_path / "e.tsv", X[1_500:], "a\tb c\td", "\t")
    source = blocks_of(tmp_path, block_rows=1_000)
    assert source.form.columns == ("a", "b c", "d")
    assert_same_bits(source, X)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("x.csv", "1,2\n3,4\n"),
        ("x.csv", "1,2\r\n3,4\r\n\r\n5,6"),
        ("x.csv", "\ufeff1,2\n\n\n3,\n,NA\n"),
        ("x.csv", 'a,"b\n,c"\n1,2\n"3","4"\n5,"6"\n'),
        ("x.csv", 'a,b\n"1\n",2\n3,"\n4"\n5,6\n7,8\n'),
        ("x.csv", "a\n1\n\n2\n\n\n3\n\n"),
        ("x.csv", "a\n\n1\n2\n"),
        ("x.csv", "\n1\n\n2\n"),
        ("x.csv", "1\n \n2\n3\n"),
        ("x.txt", "a b\n 1   2\n3\t4 \n   \n5 6\n"),
        ("x.txt", "1\n   \n\n2\n3\n"),
        ("x.dat", '1 "2"\n3 NA\n'),
        ("x.tsv", "a\tb\n1\t\n\t2\n"),
    ],
)
@pytest.mark.usefixtures("any_chunk")
def test_what_the_whole_means_chunks_mean(tmp_path, name, content):
    path = text_file(tmp_path / name, content)
    expected = read_points(path)
    source = blocks_of(path)
    assert source.form.columns == expected.columns
    np.testing.assert_array_equal(values_in(source), expected.values)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a,b\n1,2\n3,x\n5,6\n", r"line 3, column 2 \('b'\): 'x' is not a number"),
        ("1,2\n\n3,4\n5,6,7\n", "line 4: 3 columns, where the first row has 2"),
        ('a,b\n"1\n",2\n3\n', "line 4: 1 columns, where the first row has 2"),
        (f"a,b\n1,2\n1,{2**53 + 1}\n", r"line 3, column 2 \('b'\): 9007199254740993 is a whole number"),
        (f'1,2\n,"{2**53 + 1}"\n', "line 2, column 2: 9007199254740993 is a whole number"),
        ("1;2\n3;4\n", r"line 1, column 1: '1;2' is not a number .*--delimiter ';'"),
    ],
)
@pytest.mark.usefixtures("any_chunk")
def test_a_bad_cell_is_refused_with_its_line_as_in_the_whole(tmp_path, content, message):
    good = write_text(tmp_path / "a.csv", np.ones((3, content.split("\n")[0].count(",") + 1)))
    path = text_file(tmp_path / "x.csv", content)
    if content.startswith("a"):
        good = text_file(tmp_path / "a.csv", "a,b\n1,1\n")
    with pytest.raises(ValueError, match=r"x\.csv, " + message) as found:
        values_in(blocks_of([good, path]))
    with pytest.raises(ValueError, match=r"x\.csv, ") as expected:
        read_points(path)
    # How to leave a column of text out depends on the rows that were looked at.
    assert str(found.value).split(" (to leave")[0] == str(expected.value).split(" (to leave")[0]


def test_header_and_delimiter_can_be_told(tmp_path):
    path = text_file(tmp_path / "x.csv", "2019;2020\n1;2\n3;\n")
    source = blocks_of(path, header="yes", delimiter=";")
    assert source.form.columns == ("2019", "2020")
    np.testing.assert_array_equal(values_in(source), read_points(path, form=TextForm("yes", ";")).values)
    assert len(values_in(blocks_of(path, header="no", delimiter=";"))) == 3
    for wrong in ({"header": "maybe"}, {"delimiter": ", "}, {"delimiter": 1}):
        with pytest.raises(ValueError, match=r"(header|delimiter) must be"):
            blocks_of(path, **wrong)


@pytest.mark.parametrize("content", ["w,x,y\n1,5,0\n2,,1\n", "1,5,0\n2,,1\n"])
def test_columns_weights_and_labels_are_chosen(tmp_path, content):
    path = text_file(tmp_path / "x.csv", content)
    (block,) = blocks_in(blocks_of(path, weight=0, labels=2))
    np.testing.assert_array_equal(block.values, [[5], [np.nan]])
    np.testing.assert_array_equal(block.weights, [1, 2])
    np.testing.assert_array_equal(block.labels, [0, 1])
    np.testing.assert_array_equal(values_in(blocks_of(path, columns=[2, 0])), [[0, 1], [1, 2]])


def test_text_beside_chosen_columns_is_not_looked_at(tmp_path):
    path = text_file(tmp_path / "x.csv", 'name,x\n"Smith, J",1\n"a ""b""\nc",2\nd,\n')
    np.testing.assert_array_equal(values_in(blocks_of(path, columns=["x"])), [[1], [2], [np.nan]])


def test_an_infinity_is_refused_where_it_stands(tmp_path):
    path = text_file(tmp_path / "x.csv", "a,b\n1,2\n3,4\n5,inf\n")
    with pytest.raises(ValueError, match=r"x\.csv, row 2: infinity .* in column 1 \('b'\)"):
        fit_of(blocks_of(path))


def test_files_that_differ_are_refused_at_once(tmp_path):
    named = text_file(tmp_path / "a.csv", "a,b\n1,2\n")
    other = text_file(tmp_path / "b.csv", "a,c\n1,2\n")
    unnamed, wide = text_file(tmp_path / "c.csv", "1,2\n"), text_file(tmp_path / "d.csv", "1,2,3\n")
    with pytest.raises(ValueError, match=r"b\.csv has no column 'b', which .*a\.csv has"):
        blocks_of([named, other])
    for files in ([named, unnamed], [unnamed, named]):
        with pytest.raises(ValueError, match=r"c\.csv has no names of columns, which .*a\.csv has"):
            blocks_of(files)
    with pytest.raises(ValueError, match=r"d\.csv has 3 columns, .*c\.csv has 2"):
        blocks_of([unnamed, wide])


def test_files_without_rows(tmp_path):
    empty = text_file(tmp_path / "x.csv", "")
    with pytest.raises(ValueError, match=r"x\.csv: the file is empty"):
        blocks_of(empty)
    with pytest.raises(ValueError, match="all files are empty"):
        blocks_of([empty, empty])
    with pytest.raises(ValueError, match="no rows"):
        fit_of(blocks_of([text_file(tmp_path / "y.csv", "a,b\n"), empty]))


def test_what_is_no_text_is_refused(tmp_path):
    (tmp_path / "x.csv").write_bytes(b"1,2\n" * 10 + b"\xff\xfe\n")
    with pytest.raises(ValueError, match=r"x\.csv: not a text file in UTF-8"):
        values_in(blocks_of(tmp_path / "x.csv"))
    whole = gzip.compress(b"1,2\n" * 10_000)
    (tmp_path / "y.csv.gz").write_bytes(whole[:-20])
    with pytest.raises(ValueError, match=r"y\.csv\.gz: gzipped, and damaged or truncated"):
        values_in(blocks_of(tmp_path / "y.csv.gz"))
    (tmp_path / "z.csv").write_text('1,2\n"3,4\n' + "5,6\n" * 100_000)
    with pytest.raises(ValueError, match=r"z\.csv: not a CSV file"):
        values_in(blocks_of(tmp_path / "z.csv"))
