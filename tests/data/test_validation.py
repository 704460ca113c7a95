"""Input arrays: whatever holds the same numbers gives the same bits, and what cannot be read is refused in words."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fastgmm import GaussianMixture
from fastgmm.data.validation import check_feature_names, check_rows, feature_names
from fastgmm.data.weights import check_sample_weight
from fastgmm.parameters import Array

# Numbers that float16, integers and every float hold exactly.
WHOLE = np.random.RandomState(0).randint(-50, 50, size=(301, 3)).astype(np.float64)


def with_gaps(values: Array) -> Array:
    wide = np.full((2 * len(values), 2 * values.shape[1] + 1), 7.0)
    wide[::2, 1::2] = values
    return wide[::2, 1::2]


def unaligned(values: Array) -> Array:
    raw = bytearray(values.nbytes + 1)
    view = np.frombuffer(raw, np.uint8)[1:].view(values.dtype).reshape(values.shape)
    view[...] = values
    return view


def read_only(values: Array) -> Array:
    copy = values.copy()
    copy.flags.writeable = False
    return copy


SAME_NUMBERS: dict[str, Callable[[Array], object]] = {
    "read-only": read_only,
    "Fortran order": np.asfortranarray,
    "every other row and column": with_gaps,
    "negative strides": lambda values: values[::-1, ::-1].copy()[::-1, ::-1],
    "big-endian": lambda values: values.astype(">f8"),
    "not aligned": unaligned,
    "int64": lambda values: values.astype(np.int64),
    "int8": lambda values: values.astype(np.int8),
    "big-endian integers": lambda values: values.astype(">i4"),
    "float16": lambda values: values.astype(np.float16),
    "long double": lambda values: values.astype(np.longdouble),
    "objects": lambda values: values.astype(object),
    "lists": lambda values: values.tolist(),
    "numbers as strings": lambda values: values.astype(str),
    "a subclass of ndarray": lambda values: values.view(type("Tagged", (np.ndarray,), {})),
}


def fitted_bits(data: object) -> tuple[bytes, ...]:
    estimator = GaussianMixture(3, random_state=0, tol=0.1, max_iter=500)
    labels = estimator.fit_predict(data)
    scores = estimator.score_samples(data)
    return estimator.means_.tobytes(), estimator.covariances_.tobytes(), labels.tobytes(), scores.tobytes()


@pytest.mark.parametrize("same", SAME_NUMBERS.values(), ids=SAME_NUMBERS)
def test_the_same_numbers_give_the_same_bits(same: Callable[[Array], object]) -> None:
    assert fitted_bits(same(WHOLE)) == fitted_bits(WHOLE)


@pytest.mark.parametrize("same", ["Fortran order", "every other row and column", "negative strides", "read-only"])
def test_the_same_single_numbers_give_the_same_bits(same: str) -> None:
    single = WHOLE.astype(np.float32)
    assert fitted_bits(SAME_NUMBERS[same](single).astype(np.float32, copy=False)) == fitted_bits(single)


def test_a_big_endian_single_array_stays_single() -> None:
    assert fitted_bits(WHOLE.astype(">f4")) == fitted_bits(WHOLE.astype(np.float32))


@pytest.mark.filterwarnings("ignore::fastgmm.errors.DegenerateComponentWarning")
def test_booleans_are_zeros_and_ones() -> None:
    assert fitted_bits(WHOLE > 0) == fitted_bits((WHOLE > 0).astype(np.float64))


@pytest.mark.parametrize("order", ["C", "F"])
def test_a_memory_mapped_file_gives_the_same_bits(tmp_path: Path, order: str) -> None:
    np.save(tmp_path / "points.npy", np.asarray(WHOLE, order=order))
    assert fitted_bits(np.load(tmp_path / "points.npy", mmap_mode="r")) == fitted_bits(WHOLE)


@pytest.mark.parametrize("dtype", ["float64", "Float64", "Int64", "int16"])
def test_a_data_frame_gives_the_same_bits(dtype: str) -> None:
    pandas = pytest.importorskip("pandas")
    assert fitted_bits(pandas.DataFrame(WHOLE, columns=list("abc")).astype(dtype)) == fitted_bits(WHOLE)


def test_a_data_frame_with_columns_of_several_types_gives_the_same_bits() -> None:
    pandas = pytest.importorskip("pandas")
    mixed = pandas.DataFrame(WHOLE, columns=list("abc")).astype({"a": "Int64", "b": "int8"})
    assert fitted_bits(mixed) == fitted_bits(WHOLE)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("layout", [np.ascontiguousarray, np.asfortranarray, with_gaps, read_only])
def test_floats_are_not_copied(dtype: type, layout: Callable[[Array], Array]) -> None:
    values = layout(WHOLE.astype(dtype)).astype(dtype, copy=False)
    assert np.shares_memory(check_rows(values, "GaussianMixture").values, values)


def test_the_data_are_not_changed() -> None:
    before = WHOLE.copy()
    GaussianMixture(2, random_state=0).fit(WHOLE, sample_weight=np.arange(301.0)).predict(WHOLE)
    assert np.array_equal(WHOLE, before)


@pytest.mark.parametrize("value", [np.inf, -np.inf])
@pytest.mark.parametrize("row", [0, 299, 70_000, 99_999])
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_first_infinite_value_is_named_whatever_is_missing(value: float, row: int, order: str, dtype: str) -> None:
    values = np.full((100_000, 3), np.nan, dtype, order=order)
    values[row, 2] = value
    values[row + 1 :, 0] = value
    words = (
        rf"^Input X contains infinity or a value too large for dtype\('{dtype}'\)\. The first is at row {row}, column 2"
    )
    with pytest.raises(ValueError, match=words):
        check_rows(values, "GaussianMixture")


def test_a_row_of_weight_zero_must_be_finite_too() -> None:
    values = np.vstack([WHOLE, [np.inf, 0, 0]])
    with pytest.raises(ValueError, match="row 301, column 0"):
        GaussianMixture().fit(values, sample_weight=np.repeat([1.0, 0.0], [301, 1]))


@pytest.mark.parametrize("row", [0, 299, 70_000, 99_999])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_rows_say_whether_a_value_is_missing_and_are_read_in_place(row: int, dtype: str) -> None:
    values = np.zeros((100_000, 3), dtype)
    assert not check_rows(values, "GaussianMixture").has_missing
    values[row, 1] = np.nan
    rows = check_rows(values, "GaussianMixture")
    assert rows.has_missing
    assert rows.values is values or np.shares_memory(rows.values, values)


HOLES = np.random.RandomState(1).uniform(size=WHOLE.shape) < 0.2
WITH_HOLES = np.where(HOLES, np.nan, WHOLE)


def masked(data: Array) -> np.ma.MaskedArray:
    return np.ma.masked_array(data, HOLES)


def nullable(dtype: str) -> Any:
    return pytest.importorskip("pandas").DataFrame(WITH_HOLES, columns=list("abc")).astype(dtype)


def objects_with(missing: Any) -> Array:
    return np.where(HOLES, missing, WHOLE.astype(object))


def arrow_table() -> Any:
    pyarrow = pytest.importorskip("pyarrow")
    columns = zip("abc", objects_with(None).T, strict=True)
    return pyarrow.table({name: pyarrow.array(column.tolist(), pyarrow.int64()) for name, column in columns})


def polars_frame() -> Any:
    polars = pytest.importorskip("polars")
    return polars.DataFrame({name: column.tolist() for name, column in zip("abc", objects_with(None).T, strict=True)})


SAME_HOLES: dict[str, Callable[[], Any]] = {
    "a mask over numbers": lambda: masked(WHOLE),
    "a mask over integers": lambda: masked(WHOLE.astype(np.int64)),
    "a mask over infinity": lambda: masked(np.where(HOLES, np.inf, WHOLE)),
    "a mask over what float64 does not hold": lambda: masked(np.where(HOLES, 2**53 + 1, WHOLE.astype(np.int64))),
    "a mask over words": lambda: masked(objects_with("no number")),
    "None among objects": lambda: objects_with(None),
    "None in lists": lambda: objects_with(None).tolist(),
    "NA among objects": lambda: objects_with(pytest.importorskip("pandas").NA),
    "NaN as text": lambda: WITH_HOLES.astype(str),
    "Float64": lambda: nullable("Float64"),
    "Int64": lambda: nullable("Int64"),
    "objects in a frame": lambda: pytest.importorskip("pandas").DataFrame(objects_with(None), columns=list("abc")),
    "an Arrow table": arrow_table,
    "a Polars frame": polars_frame,
}


@pytest.mark.parametrize("data", SAME_HOLES.values(), ids=SAME_HOLES)
def test_whatever_says_that_a_value_is_missing_becomes_nan(data: Callable[[], Any]) -> None:
    rows = check_rows(data(), "GaussianMixture")
    assert rows.has_missing
    assert np.array_equal(rows.values, WITH_HOLES, equal_nan=True)


def test_objects_are_read_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """NumPy holds Python's lock while it makes numbers of them."""
    whole, lengths = np.asfortranarray(np.tile(objects_with(None), (5, 1))), list[int]()

    def counted(objects: Array) -> Array:
        lengths.append(objects.size)
        return objects

    monkeypatch.setattr("fastgmm.machine.pieces._PIECE_BYTES", 1000)
    monkeypatch.setattr("fastgmm.data.validation._with_none", counted)
    assert np.array_equal(check_rows(whole, "GaussianMixture").values, np.tile(WITH_HOLES, (5, 1)), equal_nan=True)
    assert max(lengths) < whole.size / 2


def test_a_missing_truth_is_missing() -> None:
    pandas = pytest.importorskip("pandas")
    rows = check_rows(pandas.DataFrame({"a": pandas.array([True, None, False], dtype="boolean")}), "GaussianMixture")
    assert np.array_equal(rows.values, [[1.0], [np.nan], [0.0]], equal_nan=True)


def test_a_mask_over_single_precision_stays_single_and_changes_nothing() -> None:
    single = WHOLE.astype(np.float32)
    rows = check_rows(masked(single), "GaussianMixture")
    assert rows.values.dtype == np.float32
    assert np.array_equal(rows.values, WITH_HOLES, equal_nan=True)
    assert np.array_equal(single, WHOLE)


def test_a_mask_that_covers_nothing_hides_nothing() -> None:
    rows = check_rows(np.ma.masked_array(WHOLE), "GaussianMixture")
    assert not rows.has_missing
    assert np.array_equal(rows.values, WHOLE)


NONE, SOME = [np.nan, np.nan], [1.0, 2.0]
TOO_FEW = {
    "no value at all": ([NONE, NONE, NONE], 1, r"^All rows of X are without any observed value\.$"),
    "one row": (
        [NONE, SOME, NONE],
        1,
        r"^Found 1 row\(s\) with an observed value, while a minimum of 2 is required\.$",
    ),
    "a feature": (
        [[1.0, np.nan], [2.0, np.nan], NONE],
        1,
        r"^Feature 1 has no observed value in X\. Drop the column, or impute it from elsewhere\.$",
    ),
    "rows for the components": ([SOME, SOME, NONE], 3, "n_components = 3, n_samples = 2$"),
}


@pytest.mark.parametrize(("values", "n_components", "words"), TOO_FEW.values(), ids=TOO_FEW)
def test_a_fit_needs_observed_values(values: list[list[float]], n_components: int, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        GaussianMixture(n_components).fit(values)


def test_a_feature_that_is_never_observed_is_named() -> None:
    pandas = pytest.importorskip("pandas")
    with pytest.raises(ValueError, match=r"^Feature 1 \('petal'\) has no observed value in X"):
        GaussianMixture().fit(pandas.DataFrame({"sepal": [1.0, 2.0, 4.0], "petal": np.nan}))


def test_a_feature_must_be_observed_in_a_row_that_weighs_something() -> None:
    values = np.array([[1.0, np.nan], [3.0, np.nan], [2.0, 5.0]])
    with pytest.raises(ValueError, match=r"^Feature 1 has no observed value in X"):
        GaussianMixture().fit(values, sample_weight=[1, 1, 0])


@pytest.mark.parametrize("dtype", ["M8[D]", "m8[s]", [("a", float), ("b", float)]])
def test_dates_times_and_records_are_refused(dtype: object) -> None:
    with pytest.raises(TypeError, match="X must be numbers"):
        GaussianMixture().fit(np.zeros((5, 2), dtype))


@pytest.mark.parametrize(
    ("weights", "error", "words"),
    [
        (np.ones(300), ValueError, r"sample_weight.shape == \(300,\), expected \(301,\)!"),
        (np.ones((301, 1)), ValueError, "Sample weights must be 1D array or scalar, got 2D array"),
        (np.r_[np.ones(7), np.nan, np.ones(293)], ValueError, "sample_weight contains NaN or infinity.*row 7"),
        (np.r_[np.ones(7), np.inf, np.ones(293)], ValueError, "sample_weight contains NaN or infinity.*row 7"),
        (np.r_[np.ones(9), -1, np.ones(291)], ValueError, "Negative values in data passed to `sample_weight`: row 9"),
        (np.zeros(301), ValueError, "All values of sample_weight are zero"),
        (np.ones(301) * 1j, ValueError, "Complex data not supported"),
        (np.ma.masked_array(np.ones(301), WHOLE[:, 0] > 0), ValueError, "Masked arrays are not supported for sample_w"),
        (["a"] * 301, ValueError, "could not convert string to float.*sample_weight cannot be read"),
    ],
)
@pytest.mark.parametrize("method", ["fit", "fit_predict", "score", "bic", "aic"])
def test_sample_weights_that_cannot_be_meant_are_refused(
    weights: object, error: type[Exception], words: str, method: str
) -> None:
    fitted = GaussianMixture().fit(WHOLE)
    with pytest.raises(error, match=words):
        getattr(fitted, method)(WHOLE, sample_weight=weights)


@pytest.mark.parametrize("weights", [2, [2.0] * 301, np.full(602, 2)[::2], np.full(301, 2, np.float16)])
def test_sample_weights_come_in_any_form(weights: object) -> None:
    expected = np.full(301, 2.0)
    checked = check_sample_weight(weights, 301)
    assert checked is not None
    assert checked.dtype == np.float64
    assert checked.flags.c_contiguous
    assert np.array_equal(checked, expected)


def test_rows_of_weight_zero_do_not_count_as_rows() -> None:
    weights = np.zeros(301)
    weights[:3] = 1.0
    with pytest.raises(ValueError, match=r"got n_components = 4, n_samples = 3$"):
        GaussianMixture(4).fit(WHOLE, sample_weight=weights)


def test_the_weighted_score_is_the_weighted_mean() -> None:
    estimator = GaussianMixture(2, random_state=0).fit(WHOLE)
    weights = np.linspace(0, 1, 301)
    expected = np.average(estimator.score_samples(WHOLE), weights=weights)
    assert estimator.score(WHOLE, sample_weight=weights) == pytest.approx(expected, rel=1e-14)
    assert estimator.score(WHOLE, sample_weight=3.0) == pytest.approx(estimator.score(WHOLE), rel=1e-14)


class _Frame:
    def __init__(self, columns: list[object]) -> None:
        self.columns = columns


def test_only_names_that_are_all_strings_are_feature_names() -> None:
    names = feature_names(_Frame(["a", "b"]))
    assert names is not None
    assert list(names) == ["a", "b"]
    assert feature_names(_Frame([0, 1])) is None
    assert feature_names(np.zeros((2, 2))) is None
    with pytest.raises(TypeError, match=r"\['int', 'str'\] as feature name"):
        feature_names(_Frame(["a", 1]))


def test_long_lists_of_names_are_cut_short() -> None:
    fitted = np.array([f"f{i}" for i in range(9)], dtype=object)
    with pytest.raises(ValueError, match=r"seen at fit time, yet now missing:\n(- f\d\n){5}- \.\.\.\n$"):
        check_feature_names(_Frame(["f0"]), fitted, "GaussianMixture")


@pytest.mark.parametrize("init_params", ["kmeans", "k-means++", "random", "random_from_data"])
@pytest.mark.parametrize("covariance_type", ["full", "tied", "diag", "spherical"])
def test_fortran_order_changes_no_bit_of_a_fit(init_params: str, covariance_type: str) -> None:
    data = np.random.default_rng(0).standard_normal((3000, 5))
    options = {"covariance_type": covariance_type, "init_params": init_params, "tol": 1.0, "random_state": 0}
    one, other = (GaussianMixture(4, **options).fit(each) for each in (data, np.asfortranarray(data)))
    assert np.array_equal(one.means_, other.means_)
    assert np.array_equal(one.covariances_, other.covariances_)


def test_a_row_of_weight_zero_is_removed_from_a_score() -> None:
    estimator = GaussianMixture(1).fit(np.random.default_rng(0).standard_normal((50, 2)))
    assert estimator.score([[0.0, 0.0], [1e200, 0.0]], sample_weight=[1.0, 0.0]) == estimator.score([[0.0, 0.0]])


@pytest.mark.parametrize("criterion", ["aic", "bic"])
def test_information_criteria_complain_about_a_number(criterion: str) -> None:
    estimator = GaussianMixture(1).fit(np.random.default_rng(0).standard_normal((50, 2)))
    with pytest.raises(ValueError, match="Expected 2D array"):
        getattr(estimator, criterion)(5)
