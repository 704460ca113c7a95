"""Text that pyarrow parses has the bits that ``float`` gives each cell, and what it refuses is looked at again."""

import gzip
import math
import struct
import sys
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fastgmm.data.choice import Choice
from fastgmm.data.tables import arrow_text, read_points, text_files
from fastgmm.data.tables.arrow_text import is_for_arrow, parse_by_arrow
from fastgmm.data.tables.cells import is_missing, is_number
from fastgmm.data.tables.source import source_of
from fastgmm.data.tables.text_files import layout_of
from fastgmm.data.tables.text_rows import TextForm

pytest.importorskip("pyarrow")


@pytest.fixture
def of_any_size(monkeypatch):
    """Also a short text is one for pyarrow."""
    monkeypatch.setattr("fastgmm.data.tables.text_rows._FEW_BYTES", 0)


def layout(path, text, delimiter=","):
    path.write_text(text, encoding="utf-8")
    return layout_of(source_of(path), delimiter, Choice(), TextForm("no"))


def hard_cells():
    """Random doubles in few and in many digits, and decimals halfway between two doubles, or a digit beside."""
    rng = np.random.default_rng(0)
    bits = [*rng.integers(2**63, size=2_000).tolist(), *rng.integers(2**52, size=500).tolist()]
    for number in (struct.unpack("d", struct.pack("Q", each))[0] for each in bits):
        above = math.nextafter(number, math.inf)
        if math.isfinite(number) and math.isfinite(above):
            halfway = format((Decimal(number) + Decimal(above)) / 2, ".800e")
            mantissa, exponent = halfway.split("e")
            yield from (repr(number), f"{number:.17g}", f"{-number:.25e}", halfway, f"{mantissa}1e{exponent}")
    yield from [
        "1e23",
        "8.5e22",
        "5e-324",
        "2.4703282292062327e-324",
        "2.4703282292062328e-324",
        "1e-400",
        "-0.0",
        "9007199254740993",
    ]


def test_decimals_are_rounded_as_python_rounds_them(tmp_path):
    cells = list(hard_cells())
    found = parse_by_arrow(layout(tmp_path / "x.csv", "".join(f"{cell}\n" for cell in cells)))
    assert found.tobytes() == np.array([[float(cell)] for cell in cells]).tobytes()


CELLS = st.one_of(
    st.floats().map(repr),
    st.integers(-(2**70), 2**70).map(str),
    st.sampled_from(["", "NA", " NA", "NULL", "+1.5", " 2 ", ".5", "5.", "1e5", "1E+5", "inf", "-Infinity", "NaN"]),
    st.sampled_from(["1_000", "0x10", "1d5", "1,5", "--1", "1e", "true", "x", "１", '"1.5"', '"NA"', "1 2", "1e400"]),
    st.text("0123456789.eE+-_ naif", max_size=6),
)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cells=st.lists(CELLS, min_size=1, max_size=4))
def test_what_it_accepts_is_a_number_or_missing_and_of_the_same_bits(tmp_path, cells):
    text = "".join(f"{cell};1\n" for cell in cells)
    try:
        found = parse_by_arrow(layout(tmp_path / "x.csv", text, ";"))[:, 0]
    except ValueError:
        return
    told = [cell.strip('"') for cell in cells]
    assert all(is_number(cell) or is_missing(cell) for cell in told)
    np.testing.assert_array_equal(found, [math.nan if is_missing(cell) else float(cell) for cell in told])


@pytest.mark.usefixtures("of_any_size")
@pytest.mark.parametrize("suffix", ["csv", "csv.gz", "tsv"])
def test_text_with_empty_cells_is_read_as_without_pyarrow(tmp_path, monkeypatch, suffix):
    text = 'kind,a,b\n"cat, black",1,\n"two\nlines",NA,0.1\n\n,3e-1,4\n'
    content = (text.replace(",", "\t") if suffix == "tsv" else text).encode()
    path = tmp_path / f"x.{suffix}"
    path.write_bytes(gzip.compress(content) if suffix.endswith("gz") else content)
    monkeypatch.setattr(text_files, "_parse_complete", None)  # nobody else reads it
    by_arrow = read_points(path, ["b", "a"])
    monkeypatch.undo()
    monkeypatch.setattr(text_files, "is_for_arrow", lambda layout: False)
    np.testing.assert_array_equal(by_arrow.values, read_points(path, ["b", "a"]).values)
    np.testing.assert_array_equal(by_arrow.values, [[np.nan, 1], [0.1, np.nan], [4, 0.3]])


@pytest.mark.usefixtures("of_any_size")
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b\n1,2\n3,x\n", r"line 3, column 2 \('b'\): 'x' is not a number"),
        ("a,b\n1,2\n3\n", "line 3: 1 columns, where the first row has 2"),
        ("a,b\n1,9007199254740993\n", r"line 2, column 2 \('b'\): 9007199254740993 is a whole number"),
    ],
)
def test_what_is_wrong_is_said_of_its_line_and_column(tmp_path, text, message):
    (tmp_path / "x.csv").write_text(text)
    with pytest.raises(ValueError, match=message):
        read_points(tmp_path / "x.csv")


def test_large_text_alone_is_worth_the_import(tmp_path):
    assert not is_for_arrow(layout(tmp_path / "x.csv", "1,2\n" * 1_000))
    assert is_for_arrow(layout(tmp_path / "x.csv", "1,2\n" * 300_000))
    assert not is_for_arrow(layout(tmp_path / "x.txt", "1 2\n" * 300_000, " "))


def test_large_text_is_read_without_pyarrow_too(tmp_path, monkeypatch):
    monkeypatch.setattr(arrow_text, "find_spec", lambda name: None)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    path = Path(tmp_path / "x.csv")
    path.write_text("1,2\n" * 300_000)
    assert read_points(path).values.shape == (300_000, 2)
