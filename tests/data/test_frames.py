"""Frames of pandas, Polars and Arrow: names of columns, and columns that hold no numbers."""

import datetime
import warnings
from decimal import Decimal

import numpy as np
import pytest

import fastgmm
from fastgmm import GaussianMixture, numeric_columns
from fastgmm.data.frames import names_of, times_in
from fastgmm.data.table import Table
from fastgmm.errors import ColumnsLeftOutWarning

COLUMNS = {
    "carrier": ["UA", "AA", None, "UA", "DL", "B6"],
    "air_time": [227, 230, None, 183, 116, 150],
    "time_hour": [datetime.datetime(2013, 1, 1, hour) for hour in range(6)],
    "distance": [1400.0, 1416.0, 1089.0, 1576.0, 762.0, 719.0],
    "delayed": [True, False, True, True, False, False],
}
NUMERIC = ["air_time", "distance", "delayed"]


def pandas_frame(names):
    pandas = pytest.importorskip("pandas")
    return pandas.DataFrame(COLUMNS)[names].astype({"air_time": "Int64"} if "air_time" in names else {})


def polars_frame(names):
    return pytest.importorskip("polars").DataFrame(COLUMNS).select(names)


def arrow_table(names):
    return pytest.importorskip("pyarrow").table(COLUMNS).select(names)


def arrow_batch(names):
    return arrow_table(names).to_batches()[0]


def narwhals_frame(names):
    return pytest.importorskip("narwhals").from_native(pandas_frame(names))


MAKERS = [pandas_frame, polars_frame, arrow_table, arrow_batch, narwhals_frame]
of_every_library = pytest.mark.parametrize("frame", MAKERS, ids=lambda make: make.__name__)


def mixture():
    return GaussianMixture(1, covariance_type="diag", backend="numpy")


@of_every_library
def test_names_are_kept_and_the_order_of_columns_is_checked(frame):
    fitted = mixture().fit(frame(["air_time", "distance"]))
    assert list(fitted.feature_names_in_) == ["air_time", "distance"]
    assert len(fitted.score_samples(frame(["air_time", "distance"]))) == 6
    with pytest.raises(ValueError, match="Feature names must be in the same order as they were in fit"):
        fitted.predict(frame(["distance", "air_time"]))


@of_every_library
def test_rows_are_those_of_an_array(frame):
    fitted = mixture().fit(frame(NUMERIC))
    rows = np.array([COLUMNS[name] for name in NUMERIC], dtype=float).T
    np.testing.assert_array_equal(fitted.means_, mixture().fit(rows).means_)


@of_every_library
@pytest.mark.parametrize("beside", [[], ["distance"], ["carrier", "air_time"]])
def test_times_are_refused_by_the_name_of_their_column(frame, beside):
    with pytest.raises(TypeError, match=r"^X must be numbers; got .* in column 'time_hour'\."):
        mixture().fit(frame([*beside, "time_hour"]))


@of_every_library
def test_text_is_refused_by_name_beside_the_columns_that_hold_numbers(frame):
    with pytest.raises(ValueError, match=r"Columns without numbers: 'carrier' \(") as caught:
        mixture().fit(frame(["carrier", "air_time", "distance"]))
    told = "Columns with numbers: 'air_time', 'distance'; fastgmm.numeric_columns(X) has these alone."
    assert str(caught.value).endswith(told)


@of_every_library
def test_where_no_column_holds_numbers_none_is_proposed(frame):
    with pytest.raises(ValueError, match="Columns without numbers: 'carrier'") as caught:
        mixture().fit(frame(["carrier"]))
    assert "numeric_columns" not in str(caught.value)


@of_every_library
def test_numeric_columns_are_fitted_and_it_is_said_what_was_left_out(frame):
    with pytest.warns(ColumnsLeftOutWarning, match="X: left out are columns without numbers: 'carrier' ") as caught:
        kept = numeric_columns(frame(list(COLUMNS)))
    assert list(caught[0].message.columns) == ["carrier", "time_hour"]
    assert caught[0].filename == __file__
    assert type(kept) is type(frame(NUMERIC))
    assert list(names_of(kept)) == NUMERIC
    np.testing.assert_array_equal(mixture().fit(kept).means_, mixture().fit(frame(NUMERIC)).means_)


@of_every_library
def test_where_all_columns_hold_numbers_nothing_is_said(frame):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert list(names_of(numeric_columns(frame(NUMERIC)))) == NUMERIC


@of_every_library
def test_a_frame_without_numbers_has_no_numeric_columns(frame):
    with pytest.raises(ValueError, match=r"^No column of X holds numbers: 'carrier' \("):
        numeric_columns(frame(["carrier", "time_hour"]))


@pytest.mark.parametrize("data", [np.zeros((2, 2)), [[1.0, 2.0]], Table(np.zeros((2, 1)), ("a",)), None])
def test_what_is_no_frame_has_no_numeric_columns(data):
    with pytest.raises(
        TypeError, match=r"^numeric_columns takes a frame of pandas or Polars or a table of Arrow; got "
    ):
        numeric_columns(data)


@pytest.mark.parametrize(
    ("cells", "is_kept"),
    [
        ([1, 2.5, None], True),
        ([Decimal("1.5"), 2, np.float32(3)], True),
        ([True, False, None], True),
        ([1, "2", 3], False),
        ([datetime.date(2024, 1, 31), None, None], False),
        ([1, 2j, 3], False),
    ],
)
def test_objects_of_pandas_are_numbers_where_all_of_them_are(cells, is_kept):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"a": [1, 2, 3], "b": pandas.Series(cells, dtype=object)})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ColumnsLeftOutWarning)
        assert list(numeric_columns(frame).columns) == (["a", "b"] if is_kept else ["a"])


def test_a_missing_object_of_pandas_is_no_text():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"a": pandas.Series([1, pandas.NA], dtype=object)})
    assert list(numeric_columns(frame).columns) == ["a"]


def test_columns_of_the_same_name_are_told_apart():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame([["x", 1.0], ["y", 2.0]], columns=["a", "a"])
    with pytest.warns(ColumnsLeftOutWarning):
        assert numeric_columns(frame).to_numpy().tolist() == [[1.0], [2.0]]


def test_a_series_is_no_frame_but_may_hold_weights_and_labels():
    pandas = pytest.importorskip("pandas")
    frame, ones = pandas_frame(["air_time", "distance"]), pandas.Series([1.0] * 6, name="weight")
    assert times_in(ones) is None
    with pytest.raises(ValueError, match="Expected a 2-dimensional container"):
        mixture().fit(ones)
    with pytest.raises(TypeError, match="numeric_columns takes a frame"):
        numeric_columns(ones)
    fitted = mixture().fit(frame, sample_weight=ones, labels=pandas.Series([0] * 6))
    np.testing.assert_array_equal(fitted.means_, mixture().fit(frame, labels=[0] * 6).means_)


@pytest.mark.parametrize("call", ["fit", "partial_fit", "predict", "score", "impute", "numeric_columns", "imputer"])
def test_a_lazy_frame_is_refused_with_what_to_do(call):
    lazy = polars_frame(NUMERIC).lazy()
    fitted = mixture().fit(polars_frame(NUMERIC))
    calls = {"numeric_columns": numeric_columns, "imputer": fastgmm.GaussianMixtureImputer().fit}
    with pytest.raises(TypeError, match=r"^Got a LazyFrame, .*: call \.collect\(\) on it first\."):
        (calls.get(call) or getattr(fitted, call))(lazy)


@pytest.mark.parametrize("kind", ["datetime64[ns, UTC]", "timedelta64[s]", "period[D]"])
def test_every_kind_of_time_of_pandas_is_known(kind):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"t": pandas.Series([None, None], dtype=kind)})
    assert times_in(frame) == f"{frame.dtypes['t']} in column 't'"


def test_every_kind_of_time_of_arrow_is_known():
    pyarrow = pytest.importorskip("pyarrow")
    for kind in (pyarrow.timestamp("s"), pyarrow.date32(), pyarrow.time64("us"), pyarrow.duration("ms")):
        table = pyarrow.table({"t": pyarrow.array([None], kind)})
        assert times_in(table) == f"{kind} in column 't'"
