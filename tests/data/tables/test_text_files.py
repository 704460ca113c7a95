"""Points come out of text as they went in; a first row that may be points is never dropped."""

import gzip
import io
import sys

import numpy as np
import pytest

from fastgmm.data.tables import TextForm, read_points, write_rows


@pytest.fixture
def points():
    return np.random.default_rng(0).normal(size=(50, 3))


def write(path, text):
    path.write_text(text, encoding="utf-8")
    return path


def test_csv_round_trip_is_bitwise(tmp_path, points):
    write_rows(
        tmp_path / "x.csv", [points[:20], points[20:]], len(points), points.shape[1:], points.dtype, ["a", "b", "c"]
    )
    table = read_points(tmp_path / "x.csv")
    assert table.columns == ("a", "b", "c")
    np.testing.assert_array_equal(table.values, points)


@pytest.mark.parametrize(
    ("text", "columns", "values"),
    [
        ("1,2\n3,4\n", None, [[1, 2], [3, 4]]),
        ("1,2\n3,4", None, [[1, 2], [3, 4]]),
        ("a,b\r\n1,2\r\n", ("a", "b"), [[1, 2]]),
        ("a,b\r1,2\r", ("a", "b"), [[1, 2]]),
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
        ("Na,2m_wind\n1,2\n", ("Na", "2m_wind"), [[1, 2]]),
        ("2019,2020\n1,2\n", None, [[2019, 2020], [1, 2]]),
        ("1,2\n", None, [[1, 2]]),
    ],
)
def test_csv_with_and_without_header(tmp_path, text, columns, values):
    table = read_points(write(tmp_path / "x.csv", text))
    assert table.columns == columns
    np.testing.assert_array_equal(table.values, values)


NAN = float("nan")


@pytest.mark.parametrize("word", ["", " ", '""', "NA", "N/A", "n/a", "#N/A", "<NA>", "NULL", "null", "None", "NaN"])
def test_an_empty_cell_and_what_pandas_and_r_write_for_one_are_missing(tmp_path, word):
    table = read_points(write(tmp_path / "x.csv", f"a,b,c\n{word},2,3\n4,{word},6\n\n7,8,{word}\n"))
    np.testing.assert_array_equal(table.values, [[NAN, 2, 3], [4, NAN, 6], [7, 8, NAN]])


@pytest.mark.parametrize(
    ("name", "text", "columns", "values"),
    [
        ("x.csv", "NA,1\n2,3\n", None, [[NAN, 1], [2, 3]]),
        ("x.csv", ",\n2,3\n", None, [[NAN, NAN], [2, 3]]),
        ("x.csv", ",1.5\n2,3\n", None, [[NAN, 1.5], [2, 3]]),
        ("x.csv", 'id,a,b\n"x,\n",,2\n"""",3,\n', ["b", "a"], [[2, NAN], [NAN, 3]]),
        ("x.csv", "a,b\n1,\n,2\n", ["a"], [[1], [NAN]]),
        ("x.tsv", "1\t\n\t2\n", None, [[1, NAN], [NAN, 2]]),
        ("x.txt", "  1  NA\n\n  NA  2 \n", None, [[1, NAN], [NAN, 2]]),
    ],
)
def test_missing_cells_of_any_text(tmp_path, name, text, columns, values):
    np.testing.assert_array_equal(read_points(write(tmp_path / name, text), columns).values, values)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("x.csv", "1\n\n3\n"),
        ("x.csv", "\n\n1\n\n3\n\n\n"),
        ("x.csv", "a\n1\n\n3"),
        ("x.csv", '1\r\n""\r\n3\r\n'),
        ("x.txt", "1\n \n3\n\n"),
        ("x.txt", "1\nNA\n3\n \n"),
    ],
)
def test_in_one_column_an_empty_line_between_others_is_a_missing_value(tmp_path, name, text):
    np.testing.assert_array_equal(read_points(write(tmp_path / name, text)).values, [[1], [NAN], [3]])


def test_in_one_column_an_empty_line_below_the_header_is_a_missing_value(tmp_path):
    np.testing.assert_array_equal(read_points(write(tmp_path / "x.csv", "\na\n\n3\n")).values, [[NAN], [3]])


def test_an_empty_line_far_down_is_seen(tmp_path):
    values = read_points(write(tmp_path / "x.csv", "1.25\n" * 300_000 + "\n2\n")).values
    assert np.flatnonzero(np.isnan(values)).tolist() == [300_000]


def test_whether_a_first_row_of_whole_numbers_after_an_empty_cell_is_one_of_names_is_for_the_caller_to_say(tmp_path):
    path = write(tmp_path / "x.csv", ",0,1\n0,2.5,3.5\n")
    assert read_points(path, form=TextForm("yes")).columns == ("column_0", "0", "1")
    np.testing.assert_array_equal(read_points(path, form=TextForm("no")).values, [[NAN, 0, 1], [0, 2.5, 3.5]])


@pytest.mark.parametrize(
    ("text", "header", "columns"),
    [
        ("2019,2020\n1,2\n", "yes", ("2019", "2020")),
        ("place,2020\n1,2\n", "yes", ("place", "2020")),
        ("NA,-\n1,2\n", "yes", ("NA", "-")),
        (",0\n1,2\n", "yes", ("column_0", "0")),
        ("\n\n7,8\n1,2\n", "yes", ("7", "8")),
        ("1,2\n", "no", None),
    ],
)
def test_the_caller_says_whether_the_first_row_holds_names(tmp_path, text, header, columns):
    table = read_points(write(tmp_path / "x.csv", text), form=TextForm(header))
    assert table.columns == columns
    np.testing.assert_array_equal(table.values, [[1, 2]])


def test_numbers_are_names_where_a_model_has_them_all(tmp_path):
    path = write(tmp_path / "x.csv", "id,2020,2019\n1,2,3\n")
    table = read_points(path, if_named=["2019", "2020"])
    assert table.columns == ("2019", "2020")
    np.testing.assert_array_equal(table.values, [[3, 2]])
    assert read_points(write(path, "2019,7\n2,3\n"), if_named=["2019", "2020"]).columns is None


def test_columns_by_name_and_number_leave_text_unread(tmp_path):
    path = write(tmp_path / "x.csv", 'a,kind,b\n1,cat,2\n3,"a\ndog",4\n')
    table = read_points(path, ["b", "0"])
    assert table.columns == ("b", "a")
    np.testing.assert_array_equal(table.values, [[2, 1], [4, 3]])


def test_a_first_row_with_text_beside_numbers_is_kept(tmp_path):
    table = read_points(write(tmp_path / "x.csv", "1,cat,2\n3,dog,4\n"), ["0", "2"])
    assert table.columns is None
    np.testing.assert_array_equal(table.values, [[1, 2], [3, 4]])


@pytest.mark.parametrize(
    ("name", "text", "delimiter"),
    [
        ("x.csv", "a;b\n1;2\n", ";"),
        ("x.csv", "a|b\n1|2\n", "|"),
        ("x.csv", "a\tb\n1\t2\n", "\t"),
        ("x.csv", " a   b \n\n\t1 \t2\n", " "),
        ("x.tsv", "a\tb\n1\t2\n", None),
        ("x.tsv", "a,b\n1,2\n", ","),
        ("x.txt", "a b\n 1.0   2.0\n", None),
        ("x.dat", '"a" "b"\n1e0 2e0\n', None),
        ("x.TXT", "a,b\n1,2\n", ","),
    ],
)
def test_the_delimiter_is_given_or_follows_from_the_name(tmp_path, name, text, delimiter):
    table = read_points(write(tmp_path / name, text), form=TextForm(delimiter=delimiter))
    assert table.columns == ("a", "b")
    np.testing.assert_array_equal(table.values, [[1, 2]])


@pytest.mark.parametrize("name", ["x.csv.gz", "x.CSV.GZ", "x.csv"])
def test_gzipped_text_is_read(tmp_path, points, name):
    write_rows(tmp_path / "plain.csv", [points], len(points), points.shape[1:], points.dtype, ["a", "b", "c"])
    (tmp_path / name).write_bytes(gzip.compress((tmp_path / "plain.csv").read_bytes()))
    table = read_points(tmp_path / name, ["c", "a"])
    assert table.columns == ("c", "a")
    np.testing.assert_array_equal(table.values, points[:, [2, 0]])


@pytest.mark.parametrize("name", ["x.tsv.gz", "x.txt.gz"])
def test_other_gzipped_text_is_read(tmp_path, name):
    (tmp_path / name).write_bytes(gzip.compress(b"a\tb\n1\t2\n"))
    np.testing.assert_array_equal(read_points(tmp_path / name).values, [[1, 2]])


def test_a_damaged_gzip_file_is_refused(tmp_path, points):
    content = gzip.compress(b"1,2\n3,4\n" * 10_000)
    flipped = content[:40] + bytes([content[40] ^ 16]) + content[41:]
    for damaged in (content[:5], content[:-1], flipped, content[:-8] + b"12345678"):
        (tmp_path / "x.csv.gz").write_bytes(damaged)
        with pytest.raises(ValueError, match=r"x\.csv\.gz: gzipped, and damaged or truncated"):
            read_points(tmp_path / "x.csv.gz")


@pytest.mark.parametrize("compress", [bytes, gzip.compress])
def test_text_is_read_from_standard_input(monkeypatch, compress):
    def given(text):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(compress(text))))

    given(b"a,kind,b\n1,cat,2\n")
    table = read_points("-", ["b", "a"])
    assert table.columns == ("b", "a")
    np.testing.assert_array_equal(table.values, [[2, 1]])
    given(b"1;2\n")
    np.testing.assert_array_equal(read_points("-", form=TextForm(delimiter=";")).values, [[1, 2]])
    given(b"1,2\n3,x\n")
    with pytest.raises(ValueError, match=r"^standard input, line 2, column 2: 'x' is not a number"):
        read_points("-")
    given(b"")
    with pytest.raises(ValueError, match=r"^standard input: the file is empty"):
        read_points("-")


def test_a_closed_standard_input_is_refused(monkeypatch):
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(ValueError, match="standard input is closed"):
        read_points("-")


def test_text_that_is_none_is_refused(tmp_path):
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


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the file is empty"),
        ("\n\n", "the file is empty"),
        ("a,b\n", "no rows of numbers below the header: a, b"),
        ("a,a\n1,2\n", "more than one column is called 'a'"),
    ],
)
def test_text_without_points_is_refused(tmp_path, text, message):
    with pytest.raises(ValueError, match=message):
        read_points(write(tmp_path / "x.csv", text))
