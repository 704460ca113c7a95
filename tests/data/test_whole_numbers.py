"""Whole numbers beyond 2⁵³ are read where float64 holds them, and refused by name where they would be rounded."""

from decimal import Decimal

import numpy as np
import pytest

import fastgmm.machine.pieces
from fastgmm import GaussianMixture
from fastgmm.data.validation import check_rows
from fastgmm.data.whole_numbers import first_rounded

TIME = 1_700_000_000_123_456_789  # in nanoseconds since 1970, of which float64 holds every 256th
ROUNDED = 1_700_000_000_123_456_768
WORDS = (
    rf"^Input X contains whole numbers that float64 does not hold\. The first is {TIME} at row 1, column 1 \(counted "
    rf"from 0\); it would become {ROUNDED}\. Subtract one whole number from all rows while they are integers, as in "
    r"X - origin with origin = X\.min\(axis=0\) of the rows fitted, and the same origin for rows scored later; or "
)


def frame(**columns):
    return pytest.importorskip("pandas").DataFrame(columns)


def pandas_array(values, dtype):
    return pytest.importorskip("pandas").array(values, dtype=dtype)


def arrow_table(**columns):
    return pytest.importorskip("pyarrow").table(columns)


class PolarsLike:
    """A frame whose columns Polars would give so, and which NumPy reads as one array of floats."""

    columns = ("a", "b")

    def __array__(self, dtype=None, copy=None):
        return np.array([[1.5, 2], [1.5, TIME], [2.5, TIME]])

    def iter_columns(self):
        return iter([np.array([1.5, 1.5, 2.5]), np.array([2, TIME, TIME])])


def mapped_file(tmp_path):
    np.save(tmp_path / "x.npy", np.array([[1, 2], [1, TIME]]))
    return np.load(tmp_path / "x.npy", mmap_mode="r")


ROUNDED_IN = {
    "int64": lambda: np.array([[1, 2], [1, TIME], [TIME, 1]]),
    "uint64": lambda: np.array([[1, 2], [1, TIME], [TIME, 1]], np.uint64),
    "big-endian": lambda: np.array([[1, 2], [1, TIME]], ">i8"),
    "Fortran order": lambda: np.asfortranarray([[1, 2], [1, TIME], [TIME, 1]]),
    "objects": lambda: np.array([[1.5, 2], [1.5, TIME]], dtype=object),
    "objects of NumPy's": lambda: np.array([[1.5, 2], [1.5, np.int64(TIME)]], dtype=object),
    "decimals of whole numbers": lambda: np.array([[1.5, 2], [1.5, Decimal(TIME)]], dtype=object),
    "strings": lambda: np.array([["1.5", "2"], ["1.5", f" {TIME} "]]),
    "lists of integers": lambda: [[1, 2], [1, TIME]],
    "lists of integers among floats": lambda: [[1.5, 2], [1.5, TIME], [TIME, 1.5]],
    "tuples": lambda: ((1.5, 2), (1.5, TIME)),
    "lists of arrays": lambda: [np.array([1.5, 2]), np.array([1, TIME])],
    "a frame of integers": lambda: frame(a=[1, 1, TIME], b=[2, TIME, TIME]),
    "a frame of integers and floats": lambda: frame(a=[1.5, 1.5, 2.5], b=[2, TIME, TIME]),
    "a frame of int64 and uint64": lambda: frame(a=[-1, -1], b=np.array([2, TIME], np.uint64)),
    "a frame of Int64": lambda: frame(a=[1.5, 1.5], b=pandas_array([2, TIME], "Int64")),
    "a frame of UInt64": lambda: frame(a=[1.5, 1.5], b=pandas_array([2, TIME], "UInt64")),
    "a frame of Int64 alone": lambda: frame(a=pandas_array([1, 1], "Int64"), b=pandas_array([2, TIME], "Int64")),
    "a frame of objects": lambda: frame(a=[1.5, 1.5], b=np.array([2, TIME], dtype=object)),
    "a frame of strings": lambda: frame(a=["1.5", "1.5"], b=["2", str(TIME)]),
    "a table of Arrow's": lambda: arrow_table(a=[1.5, 1.5], b=[2, TIME]),
    "a frame like Polars'": PolarsLike,
}


@pytest.mark.parametrize("data", ROUNDED_IN.values(), ids=ROUNDED_IN)
def test_a_whole_number_that_would_be_rounded_is_refused_by_name(data):
    with pytest.raises(ValueError, match=WORDS):
        check_rows(data(), "GaussianMixture")


@pytest.mark.parametrize(
    "method", ["fit", "fit_predict", "predict", "predict_proba", "score_samples", "score", "aic", "bic"]
)
def test_every_method_refuses_it(tmp_path, method):
    estimator = GaussianMixture(1).fit(np.random.default_rng(0).normal(size=(50, 2)))
    for data in (mapped_file(tmp_path), [[1.5, 2], [1.5, TIME]]):
        with pytest.raises(ValueError, match=WORDS):
            getattr(estimator, method)(data)


@pytest.mark.parametrize(
    "value", [2**53 + 1, -(2**53) - 1, 2**54 + 2, 2**62 + 1, 2**63 - 1, -(2**63) + 1, 2**63 + 1, 2**64 - 1, 10**30]
)
def test_what_float64_does_not_hold(value):
    for data in ([[value, 0]], [[value, 0.5]], [[str(value), "0"]]):
        with pytest.raises(
            ValueError, match=f"The first is {value} at row 0, column 0 .* would become {int(float(value))}"
        ):
            check_rows(data, "GaussianMixture")


@pytest.mark.parametrize("value", [2**53, -(2**53), 2**53 + 2, 2**60 + 256, -(2**63), 2**63, 2**64 - 2**11, 2**70])
def test_what_float64_holds(value):
    for data in ([[value, 0]], [[value, 0.5]], [[str(value), "0"]], frame(a=[value], b=[0.5])):
        assert check_rows(data, "GaussianMixture").values[0, 0] == value


def test_milliseconds_and_seconds_in_nanoseconds_are_told_apart():
    seconds = np.array([[1_700_000_000_000_000_000]])
    assert np.array_equal(check_rows(seconds, "GaussianMixture").values, seconds)
    with pytest.raises(ValueError, match="The first is 1700000000001000000"):
        check_rows(seconds + 1_000_000, "GaussianMixture")


@pytest.mark.parametrize(
    "data",
    [
        [[1e300, float(TIME)]],
        [["1.7000000001234568e18", "0.123456789012345678901"]],
        [[Decimal(TIME) + Decimal("0.5"), 1]],
        np.array([[1e30, 1]], np.longdouble),
        np.array([[True, False]]),
    ],
)
def test_decimals_are_rounded_as_ever(data):
    assert check_rows(data, "GaussianMixture").shape == (1, 2)


def test_what_no_float_is_large_enough_for_is_an_error_of_value():
    with pytest.raises(ValueError, match="int too large to convert to float"):
        GaussianMixture().fit([[10**400, 1], [2, 3]])
    with pytest.raises(ValueError, match="infinity or a value too large"):
        GaussianMixture().fit([["1" * 400, "1"], ["2", "3"]])


@pytest.mark.parametrize(
    "data",
    [
        lambda values: frame(a=[1.5, 2.5], b=pandas_array(values, "Int64")),
        lambda values: [[1.5, values[0]], [2.5, values[1]]],
        lambda values: arrow_table(a=[1.5, 2.5], b=values),
    ],
    ids=["a frame", "lists", "an Arrow table"],
)
def test_a_missing_value_does_not_hide_a_whole_number_that_is_rounded(data):
    assert np.isnan(check_rows(data([2**53 + 2, None]), "GaussianMixture").values[1, 1])
    with pytest.raises(ValueError, match=f"The first is {2**53 + 1} at row 0, column 1"):
        check_rows(data([2**53 + 1, None]), "GaussianMixture")


def test_the_way_out_leads_to_the_right_fit():
    rng = np.random.default_rng(0)
    offsets = np.rint(np.r_[rng.normal(0, 50, 500), rng.normal(1000, 50, 500)]).astype(np.int64)[:, np.newaxis]
    times = TIME + offsets
    with pytest.raises(ValueError, match="float64 does not hold"):
        GaussianMixture(2, random_state=0).fit(times)
    origin = times.min(axis=0)
    ours = GaussianMixture(2, random_state=0).fit(times - origin)
    right = GaussianMixture(2, random_state=0).fit(offsets.astype(float))
    np.testing.assert_allclose(np.sort(ours.covariances_.ravel()), np.sort(right.covariances_.ravel()), rtol=1e-9)
    assert np.sqrt(right.covariances_.ravel()) == pytest.approx([50, 50], rel=0.1)


@pytest.mark.parametrize("dtype", [np.int64, np.uint64, object])
@pytest.mark.parametrize("row", [0, 6, 7, 999])
def test_it_is_found_in_any_piece(monkeypatch, dtype, row):
    monkeypatch.setattr(fastgmm.machine.pieces, "_PIECE_BYTES", 7 * 8)
    numbers = np.full(1000, 2**60, dtype)
    assert first_rounded(numbers) is None
    numbers[row:] = 2**60 + 1
    assert first_rounded(numbers) == row
    with pytest.raises(ValueError, match=f"at row {row}, column 0"):
        check_rows(numbers[:, np.newaxis], "GaussianMixture")


def test_weights_may_be_any_integers():
    """Only their ratios matter, which rounding leaves alone."""
    data = np.random.default_rng(0).normal(size=(50, 2))
    weights = np.full(50, TIME)
    assert GaussianMixture(1).fit(data, sample_weight=weights).means_ == pytest.approx(
        GaussianMixture(1).fit(data).means_
    )


def test_an_array_of_floats_is_not_looked_through(monkeypatch):
    def looked(*_):
        raise AssertionError

    monkeypatch.setattr("fastgmm.data.whole_numbers.is_any_large", looked)
    check_rows(np.ones((5, 2)), "GaussianMixture")
    check_rows(np.asfortranarray(np.ones((5, 2), ">f4")), "GaussianMixture")
    with pytest.raises(AssertionError):
        check_rows(np.ones((5, 2), int), "GaussianMixture")


def test_a_decimal_infinity_is_an_infinity():
    with pytest.raises(ValueError, match="infinity"):
        GaussianMixture().fit([[Decimal("Infinity"), 1], [1, 2]])
