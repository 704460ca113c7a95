"""Columns of a file are chosen."""

import pytest

from fastgmm.data.choice import NUMERIC, Choice
from fastgmm.errors import ColumnsLeftOutWarning


@pytest.mark.parametrize(
    ("choice", "names", "positions"),
    [
        (Choice(), ("a", "1", "c"), None),
        (Choice(["c", "0"]), ("a", "1", "c"), [2, 0]),
        (Choice(["1"]), ("a", "b", "1"), [2]),
        (Choice(["1"]), None, [1]),
        (Choice(["a"], ["c"]), ("a", "1", "c"), [0]),
        (Choice(None, ["c", "a"]), ("a", "1", "c"), [2, 0]),
        (Choice(None, ["c", "a"]), None, None),
    ],
)
def test_columns_are_chosen_by_name_then_by_number(choice, names, positions):
    assert choice.positions("x.csv", names, 3) == positions


def test_numeric_columns_are_all_but_those_without_numbers():
    with pytest.warns(ColumnsLeftOutWarning, match=r"^x\.csv: left out are columns without numbers: 'a' \(text\)$"):
        assert Choice(NUMERIC).positions("x.csv", ("a", "b", "c"), 3, lambda: {0: "text"}) == [1, 2]
    assert Choice(NUMERIC).positions("x.npy", None, 2) == [0, 1]
    with pytest.raises(ValueError, match=r"^x\.csv: no column holds numbers: '0' \(text\)$"):
        Choice(NUMERIC).positions("x.csv", None, 1, lambda: {0: "text"})


def test_a_column_that_is_not_there_is_refused():
    with pytest.raises(ValueError, match=r"^x\.csv: no column 'd'; there are a, b$"):
        Choice(["d"]).positions("x.csv", ("a", "b"), 2)
    with pytest.raises(ValueError, match=r"^x\.csv: no column '2'; there are 0 to 1$"):
        Choice(["2"]).positions("x.csv", None, 2)
    with pytest.raises(ValueError, match="asked for twice: a, 0"):
        Choice(["a", "0"]).positions("x.csv", ("a", "b"), 2)
