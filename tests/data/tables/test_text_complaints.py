"""Text that cannot be read is refused with the first cell that is wrong, and with what may be meant."""

import re

import pytest

from fastgmm.data.tables import TextForm, read_points

BAD_CELLS = [
    "na",
    "1.5x",
    '"1,5"',
    "0x10",
    "-",
    "?",
    "missing",
    "1_000",
    "１",
    "abc",
    "2024-01-31",
    "12:30",
]
IF_NAMES = re.escape(" (if this row holds names: --header yes)")
IF_MISSING = re.escape(" (if it stands for a missing value: leave the cell empty, or write NA)")


TO_LEAVE_OUT = " (to leave it out: --columns numeric)"
LEAVING_OUT = re.escape(TO_LEAVE_OUT)


def complaint(path, text, columns=None, **form):
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=path.name) as caught:
        read_points(path, columns, form=TextForm(**form))
    return str(caught.value).removeprefix(str(path))


@pytest.mark.parametrize("cell", BAD_CELLS)
@pytest.mark.parametrize("header", ["auto", "no"])
def test_a_bad_cell_beside_a_number_is_refused_in_the_first_row_as_in_any_other(tmp_path, cell, header):
    read = cell.strip('"')
    for bad_row in (f"{cell},1", f"1,{cell}"):
        column = 1 if bad_row.startswith(cell) else 2
        first = complaint(tmp_path / "x.csv", f"{bad_row}\n2,3\n4,5\n", header=header)
        later = complaint(tmp_path / "x.csv", f"2,3\n{bad_row}\n4,5\n", header=header)
        assert first.startswith(f", line 1, column {column}: {read!r} is not a number")
        assert later.startswith(f", line 2, column {column}: {read!r} is not a number")


@pytest.mark.parametrize("cell", sorted(set(BAD_CELLS) - {"abc", "１"}))
def test_a_column_that_begins_with_a_bad_cell_keeps_it(tmp_path, cell):
    message = complaint(tmp_path / "x.csv", f"{cell}\n2\n3\n")
    assert message.startswith(f", line 1, column 1: {cell.strip(chr(34))!r} is not a number")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("-,1\n2,3\n", ", line 1, column 1: '-' is not a number" + IF_MISSING),
        ("place,2019\n1,2\n", ", line 1, column 1: 'place' is not a number" + IF_NAMES),
        ("cat,NA\ndog,3\n", ", line 1, column 1: 'cat' is not a number" + IF_NAMES + LEAVING_OUT),
        ("\n\nx,1\n2,3\n", ", line 3, column 1: 'x' is not a number" + IF_NAMES),
        ("\ufeffx,1\n2,3\n", ", line 1, column 1: 'x' is not a number" + IF_NAMES),
        (",0\n0,1\n", ", line 1: the first cell is empty .* names .*--header yes.* or values .*--header no.*"),
        (",2019,2020\n0,1,2\n", ", line 1: the first cell is empty .* names .*--header yes.* or values .*"),
        (",1.5\nx,3\n", ", line 2, column 1: 'x' is not a number" + LEAVING_OUT),
        ("2019,x\n", ", line 1, column 2: 'x' is not a number" + IF_NAMES),
        ("a,b\n1,2\n3,x\n", ", line 3, column 2 \\('b'\\): 'x' is not a number"),
        ("1,2\n,3\n3,?\n", ", line 3, column 2: '\\?' is not a number" + IF_MISSING),
        ("a,b\n\n1,2\n\nx,3\n", ", line 5, column 1 \\('a'\\): 'x' is not a number"),
        ("a\n\n1\n\nx\n", ", line 5, column 1 \\('a'\\): 'x' is not a number"),
        ("1,2\n3,4,5\n", ", line 2: 3 columns, where the first row has 2"),
        ("a,b\n1\n", ", line 2: 1 columns, where the first row has 2"),
        ("1,\n2\n", ", line 2: 1 columns, where the first row has 2"),
        (" \n1,2\n", ", line 2: 2 columns, where the first row has 1"),
    ],
)
def test_the_first_bad_cell_is_located(tmp_path, text, message):
    assert re.fullmatch(message, complaint(tmp_path / "x.csv", text))


def test_a_bad_cell_far_down_is_located(tmp_path):
    text = "a,b\n" + "1,2\n" * 100_000 + "1,oops\n"
    assert complaint(tmp_path / "x.csv", text) == ", line 100002, column 2 ('b'): 'oops' is not a number"


def test_names_are_refused_where_there_are_to_be_none(tmp_path):
    assert "'a' is not a number" in complaint(tmp_path / "x.csv", "a,b\n1,2\n", header="no")


def test_columns_that_are_not_read_may_hold_anything(tmp_path):
    assert complaint(tmp_path / "x.csv", "na,1,cat\n2,3,dog\n", ["0", "1"]).startswith(", line 1, column 1: 'na'")


@pytest.mark.parametrize(
    ("name", "text", "hint"),
    [
        ("x.csv", "1;2\n3;4\n", "semicolons seem to separate cells: --delimiter ';'"),
        ("x.csv", "a;b\n1;2\n3;4\n", "semicolons seem to separate cells: --delimiter ';'"),
        ("x.csv", "name;a;b\ncat;1;2\n", "semicolons seem to separate cells: --delimiter ';'"),
        ("x.csv", '"1";"2"\n', "semicolons seem to separate cells: --delimiter ';'"),
        ("x.csv", "1\t2\n3\t4\n", "tabs seem to separate cells: --delimiter tab"),
        ("x.csv", "1|2\n", "bars seem to separate cells: --delimiter '|'"),
        ("x.csv", "1   2\n", "spaces seem to separate cells: --delimiter space"),
        ("x.tsv", "1,2\n", "commas seem to separate cells: --delimiter ','"),
        ("x.txt", "1,2\n3,4\n", "commas seem to separate cells: --delimiter ','"),
        ("x.txt", "a b,c d\n1,2\n", "commas seem to separate cells: --delimiter ','"),
        ("x.csv", "1,5;2,5\n", "semicolons seem to separate cells with decimal commas: write points, as with tr , ."),
        ("x.csv", "a;b\n1,5;2,5\n", "semicolons seem to separate cells with decimal commas: write points, as with tr"),
        ("x.csv", "1,5\t2\n", "tabs seem to separate cells with decimal commas: write points, as with tr , ."),
        ("x.tsv", "1,5\t2\n", "a decimal comma: write points, as with tr , ."),
        ("x.csv", '"-1,5e-3",2\n', "a decimal comma: write points, as with tr , ."),
        ("x.csv", "# made by hand\n1,2\n", "lines that begin with # are not skipped: leave them out"),
        ("x.csv", "# 1,2\n1,2\n", "lines that begin with # are not skipped: leave them out"),
        ("x.csv", "a,b\n1,2\n# three,4\n", "lines that begin with # are not skipped: leave them out"),
    ],
)
def test_what_may_be_meant_is_said(tmp_path, name, text, hint):
    assert f" ({hint}" in complaint(tmp_path / name, text)


@pytest.mark.parametrize(
    ("text", "where", "others"),
    [
        ("n,kind,m\n1,cat,2\n3,dog,4\n", "line 2, column 2 ('kind'): 'cat'", ""),
        ("n,kind,m\n1,NA,2\n3,dog,?\n", "line 3, column 2 ('kind'): 'dog'", ""),
        ("kind,n,day\ncat,1,2024-01-31\n", "line 2, column 1 ('kind'): 'cat'", "'kind' (text), 'day' (times)"),
        ("day,n\n2024-01-31,1\n", "line 2, column 1 ('day'): '2024-01-31'", ""),
        ("1,cat\n2,dog\n", "line 1, column 2: 'cat'", ""),
        ("1,cat,a\n2,dog,b\n", "line 1, column 2: 'cat'", "'1' (text), '2' (text)"),
        ("n," + ",".join(f"x{i}" for i in range(30)) + "\n1" + 30 * ",cat", "line 2, column 2", "'x9' (text), ..."),
    ],
)
def test_of_a_column_of_text_it_is_said_how_to_leave_it_out(tmp_path, text, where, others):
    message = complaint(tmp_path / "x.csv", text)
    assert message.startswith(f", {where}")
    assert message.endswith(f"{others}; to leave them out: --columns numeric)" if others else TO_LEAVE_OUT)


@pytest.mark.parametrize("text", ["a,b\nx,1\n2,3\n", "a,b\n-,1\n?,3\n", "a\nx\ny\n"])
def test_columns_with_numbers_and_the_only_ones_are_not_to_be_left_out(tmp_path, text):
    assert "--columns" not in complaint(tmp_path / "x.csv", text)


def test_of_columns_that_were_chosen_none_is_left_out(tmp_path):
    assert "--columns" not in complaint(tmp_path / "x.csv", "a,b\nx,1\n", ["a", "b"])


@pytest.mark.parametrize("text", ["New York,5\n1,2\n", "a,b\n1,x y\n", "a,b\n1,2;x\n", "1,2\n3,cat\n"])
def test_no_other_delimiter_is_guessed_without_a_reason(tmp_path, text):
    assert "--delimiter" not in complaint(tmp_path / "x.csv", text)


@pytest.mark.parametrize("time", ["2024-01-31", "2024-01-31T12:30:00Z", "2024/1/31 12:30", "31.01.2024", "12:30:01.5"])
@pytest.mark.parametrize("text", ["{}\n{}\n", "t,x\n{},1\n", "1,{}\n"])
def test_times_are_refused_with_a_way_to_numbers(tmp_path, time, text):
    message = complaint(tmp_path / "x.csv", text.format(time, time))
    assert f"{time!r} is not a number. Times as numbers are" in message
    assert "(t - origin) / np.timedelta64(1, 's')" in message


@pytest.mark.parametrize(
    ("text", "where", "value"),
    [
        ("1700000000123456789\n", ", line 1, column 1: ", 1700000000123456789),
        (
            'a,b\n1,2\n\n1,"-9007199254740993"\n1,18446744073709551615\n',
            ", line 4, column 2 ('b'): ",
            -9007199254740993,
        ),
        ("1e300, 18446744073709551615 \n", ", line 1, column 2: ", 18446744073709551615),
    ],
)
def test_whole_numbers_that_float64_does_not_hold_are_refused(tmp_path, text, where, value):
    message = complaint(tmp_path / "x.csv", text)
    assert message.startswith(f"{where}{value} is a whole number that float64 does not hold")
    assert f"it would become {int(float(value))}. Subtract one whole number from all rows" in message


@pytest.mark.parametrize(
    "text", ["9007199254740992,18014398509481988\n", "0.12345678901234567890123,1e300\n", "1.7000000001234568e18,2\n"]
)
def test_decimals_are_rounded_and_whole_numbers_read_that_float64_holds(tmp_path, text):
    (tmp_path / "x.csv").write_text(text)
    assert read_points(tmp_path / "x.csv").values.tolist() == [[float(cell) for cell in text.split(",")]]


def test_whole_numbers_may_be_of_any_size_in_columns_that_are_not_read(tmp_path):
    (tmp_path / "x.csv").write_text("id,a\n1700000000123456789,9007199254740992\n")
    assert read_points(tmp_path / "x.csv", ["a"]).values.tolist() == [[2.0**53]]
