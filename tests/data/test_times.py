"""Dates, times and durations are refused in every form, with a way to make numbers of them."""

import datetime

import numpy as np
import pytest

from fastgmm import GaussianMixture
from fastgmm.data.times import WAY_OUT, is_time
from fastgmm.data.validation import check_rows


def column(values, **options):
    pandas = pytest.importorskip("pandas")
    return pandas.DataFrame({"x": [0.5, 1.5], "t": pandas.Series(values, **options)})


DAYS = np.array(["2024-01-31", "2024-02-01"], "M8[D]")
TIMES = {
    "datetime64": lambda: DAYS[:, np.newaxis],
    "timedelta64": lambda: (DAYS - DAYS[0])[:, np.newaxis],
    "objects of datetime64 among numbers": lambda: [[0.5, DAYS[0]], [1.5, DAYS[1]]],
    "objects of timedelta64 among numbers": lambda: [[0.5, DAYS[1] - DAYS[0]], [1.5, DAYS[1] - DAYS[0]]],
    "dates": lambda: [[0.5, datetime.date(2024, 1, 31)], [1.5, datetime.date(2024, 2, 1)]],
    "datetimes": lambda: [[datetime.datetime(2024, 1, 31)], [datetime.datetime(2024, 2, 1)]],
    "durations": lambda: [[datetime.timedelta(1)], [datetime.timedelta(2)]],
    "a frame's datetimes": lambda: column(DAYS)[["t"]],
    "a frame's datetimes beside floats": lambda: column(DAYS),
    "a frame's datetimes with a zone": lambda: column(DAYS).assign(t=lambda data: data.t.dt.tz_localize("UTC")),
    "a frame's durations beside floats": lambda: column(DAYS - DAYS[0]),
    "a frame's objects": lambda: column([datetime.date(2024, 1, 31)] * 2, dtype=object),
}


@pytest.mark.parametrize("data", TIMES.values(), ids=TIMES)
def test_times_are_refused_with_a_way_to_numbers(data):
    with pytest.raises(TypeError, match=r"^X must be numbers; got ") as caught:
        GaussianMixture().fit(data())
    assert str(caught.value).endswith(WAY_OUT)


@pytest.mark.parametrize("data", [lambda: [["1", "2024-01-31T12:00"]], lambda: column(["2024-01-31", "2024-02-01"])])
def test_times_in_strings_are_refused_with_a_way_to_numbers(data):
    with pytest.raises(ValueError, match=r"could not convert string to float.*X cannot be read as an array") as caught:
        check_rows(data(), "GaussianMixture")
    assert str(caught.value).endswith(WAY_OUT)


def test_other_strings_are_refused_without_it():
    with pytest.raises(ValueError, match="could not convert string to float") as caught:
        check_rows([["1", "cat"]], "GaussianMixture")
    assert WAY_OUT not in str(caught.value)


def test_the_way_out_is_one():
    """It is Python that runs, on arrays and on columns of frames."""
    for t in (DAYS, column(DAYS).t):
        origin = t.min()
        seconds = (t - origin) / np.timedelta64(1, "s")
        assert list(check_rows(np.array(seconds)[:, np.newaxis], "GaussianMixture").values[:, 0]) == [0, 86_400]


@pytest.mark.parametrize("text", ["2024-01-31", " 2024-1-1 ", "2024/01/31 12:30", "31.12.2024", "12:30", "12:30:01.25"])
def test_text_that_is_a_time(text):
    assert is_time(text)


@pytest.mark.parametrize("text", ["", "2024", "1.5", "1-2", "1.2.3", "2024-01-31x", "12:3", "-12:30", "20240131"])
def test_text_that_is_none(text):
    assert not is_time(text)
