"""A cell is the number that NumPy's parser reads, and names are what cannot be meant as points."""

import io

import numpy as np
import pytest

from fastgmm.data.tables.cells import are_names, is_number

READ = ["1", "+1", "-1.", ".5", "1e5", "1E-5", "nan", "NaN", "inf", "Infinity", "1e400", " 1 ", "1\t"]
NOT_READ = ["1_0", "0x10", "0x1p3", "١", "１", "1d5", "1,5", "1.5x", "--1", "NA", "a", "\u00a0x", ""]


@pytest.mark.parametrize("cell", READ + NOT_READ)
def test_a_number_is_what_numpy_reads(cell):
    try:
        np.loadtxt(io.StringIO(f'"{cell}"'), quotechar='"', delimiter=";", comments=None)
    except ValueError:
        assert not is_number(cell)
    else:
        assert is_number(cell)


@pytest.mark.parametrize(
    "row", [["a"], ["a", ""], ["a", "2m_wind"], ["Na", "Fe"], ["x1", "x2"], ["length (cm)", "date"], ["# a", "b"]]
)
def test_names(row):
    assert are_names(row)


@pytest.mark.parametrize(
    "row",
    [
        ["1"],
        ["a", "1"],
        ["a", "nan"],
        ["a", " 2019 "],
        ["a", "NA"],
        ["a", "-"],
        ["1.5x"],
        ["1.5x", "-2,5", ""],
        ["2024-01-31"],
        ["1;2"],
        [""],
        ["", " "],
        [],
    ],
)
def test_no_names(row):
    assert not are_names(row)
