"""Columns of text that hold no numbers are found, and left out where numbers are asked for."""

import warnings

import numpy as np
import pytest

from fastgmm.data.choice import NUMERIC
from fastgmm.data.tables import read_points
from fastgmm.errors import ColumnsLeftOutWarning

FLIGHTS = """\
carrier,dep_delay,tailnum,time_hour,distance,empty
UA,2,N14228,2013-01-01 05:00:00,1400,
AA,,,2013-01-01 05:00:00,1416,
"B6, Inc.",-4,N804JB,2013-01-01 06:00:00,1576,NA
"""


def numbers_of(path, text):
    path.write_text(text)
    return read_points(path, NUMERIC)


def test_text_times_and_empty_columns_are_left_out_and_named(tmp_path):
    with pytest.warns(ColumnsLeftOutWarning) as caught:
        table = numbers_of(tmp_path / "flights.csv", FLIGHTS)
    assert table.columns == ("dep_delay", "distance")
    np.testing.assert_array_equal(table.values, [[2, 1400], [np.nan, 1416], [-4, 1576]])
    [warning] = caught
    assert warning.message.columns == {"carrier": "text", "tailnum": "text", "time_hour": "times", "empty": "nothing"}
    assert str(warning.message) == (
        f"{tmp_path / 'flights.csv'}: left out are columns without numbers: 'carrier' (text), 'tailnum' (text), "
        "'time_hour' (times), 'empty' (nothing)"
    )


def test_columns_without_names_are_named_by_their_numbers(tmp_path):
    with pytest.warns(ColumnsLeftOutWarning, match=r"'1' \(text\)$"):
        table = numbers_of(tmp_path / "x.tsv", "1\tcat\t2\n3\tdog\t4\n")
    assert table.columns is None
    assert table.values.tolist() == [[1, 2], [3, 4]]


def test_where_all_columns_hold_numbers_nothing_is_said(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert numbers_of(tmp_path / "x.csv", "a,b\n1,\n,nan\n3,4\n").columns == ("a", "b")


def test_a_table_without_numbers_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"x\.csv: no column holds numbers: 'a' \(text\), 'b' \(nothing\)$"):
        numbers_of(tmp_path / "x.csv", "a,b\nx,\ny,?\n")


@pytest.mark.parametrize("first", ["", "NA", "nan", "?"])
def test_a_column_whose_first_numbers_come_late_holds_numbers(tmp_path, first):
    text = "a,b\n" + f"1,{first}\n" * 300 + "1,2\n"
    if first == "?":  # may be meant as a missing value, which is not for us to decide
        with pytest.raises(ValueError, match=r"line 2, column 2 \('b'\): '\?' is not a number"):
            numbers_of(tmp_path / "x.csv", text)
    else:
        assert numbers_of(tmp_path / "x.csv", text).values[-1].tolist() == [1, 2]


@pytest.mark.parametrize("first", ["", "nan"])
def test_a_column_whose_first_text_comes_late_holds_text(tmp_path, first):
    text = "a,b\n" + f"1,{first}\n" * 300 + "1,N14228\n"
    with pytest.warns(ColumnsLeftOutWarning, match=r"'b' \(text\)$"):
        assert numbers_of(tmp_path / "x.csv", text).columns == ("a",)


@pytest.mark.parametrize("row", [2, 50, 1_000])
def test_a_mistake_among_numbers_leaves_no_column_out(tmp_path, row):
    lines = [f"{i},{i}" for i in range(1_200)]
    lines[row - 2] = "1,x"
    with pytest.raises(ValueError, match=rf"line {row}, column 2 \('b'\): 'x' is not a number"):
        numbers_of(tmp_path / "x.csv", "a,b\n" + "\n".join(lines))


def test_a_column_called_numeric_is_chosen_by_its_number(tmp_path):
    (tmp_path / "x.csv").write_text("a,numeric\n1,2\n")
    assert read_points(tmp_path / "x.csv", ["numeric"]).columns == ("numeric",)
    assert read_points(tmp_path / "x.csv", ["1"]).columns == ("numeric",)
    assert read_points(tmp_path / "x.csv", NUMERIC).columns == ("a", "numeric")
