"""What users know of the components of rows: the forms it comes in, and what is refused."""

import tracemalloc

import numpy as np
import pytest

from fastgmm.data.labels import with_labels
from fastgmm.rows import Rows

ROWS = Rows(np.zeros((8, 1)))
KNOWN = [0, 1, 2, -1, 0, 1, 2, -1]


def beliefs(labels, n_components=3, rows=ROWS):
    return np.exp(with_labels(rows, labels, n_components).log_beliefs())


@pytest.mark.parametrize("kind", [list, np.int8, np.int64, np.float32, object])
def test_a_known_component_is_the_only_one_that_is_believed_in(kind):
    labels = KNOWN if kind is list else np.array(KNOWN, kind)
    expected = [[1.0] * 3 if known < 0 else [float(k == known) for k in range(3)] for known in KNOWN]
    assert beliefs(labels).tolist() == expected


def test_labels_of_a_frame_are_read(rng):
    pandas = pytest.importorskip("pandas")
    for unknown in (-1, pandas.NA):
        labels = pandas.Series([unknown if known < 0 else known for known in KNOWN], dtype="Int64")
        assert np.array_equal(beliefs(labels), beliefs(KNOWN))
        assert np.array_equal(beliefs(labels.to_frame()), beliefs(KNOWN))


@pytest.mark.parametrize(
    "labels",
    [
        [np.nan if known < 0 else known for known in KNOWN],
        np.array([None if known < 0 else known for known in KNOWN], object),
        np.ma.masked_equal([9 if known < 0 else known for known in KNOWN], 9),
        np.ma.array(KNOWN),
    ],
    ids=["NaN", "None", "masked", "nothing masked"],
)
def test_what_is_missing_is_unknown(labels):
    assert np.array_equal(beliefs(labels), beliefs(KNOWN))


def test_one_bool_a_row_is_no_label():
    with pytest.raises(TypeError, match="got one bool a row"):
        with_labels(ROWS, [True, False] * 4, 2)


@pytest.mark.parametrize("repeat", [1, 500])
@pytest.mark.parametrize("order", ["C", "F"])
def test_tables_are_read_as_they_are(rng, repeat, order):
    some = np.array([[1, 1, 0], [1, 1, 1], [0, 0, 1]], bool)[rng.integers(3, size=8)]
    rows = Rows(np.zeros((8 * repeat, 1)))
    some[0] = True
    allowed = np.asarray(np.tile(some, (repeat, 1)), order=order)
    assert np.array_equal(beliefs(allowed, rows=rows), allowed)
    for dtype in (np.float64, np.float32, np.int64):
        assert np.array_equal(beliefs(allowed.astype(dtype), rows=rows), allowed)
    soft = rng.uniform(size=allowed.shape)
    soft[:, 0] = 1.0
    assert np.allclose(beliefs(soft, rows=rows), soft, rtol=1e-15)


def test_the_largest_belief_of_a_row_counts_as_1(rng):
    soft, units = rng.uniform(size=(8, 3)), 10.0 ** rng.integers(-300, 300, (8, 1))
    soft[0, 1] = 0.0
    assert np.allclose(beliefs(soft * units), soft / soft.max(axis=1, keepdims=True), rtol=1e-12)


def test_a_ratio_beyond_the_range_of_numbers_is_no_certainty():
    (row,) = with_labels(ROWS, np.tile([1e300, 1.0, 1e-300], (8, 1)), 3).log_beliefs()[:1]
    assert np.allclose(row, np.log(10) * np.array([0.0, -300.0, -600.0]), rtol=1e-12)


def test_few_distinct_rows_make_a_small_table(rng):
    allowed = np.array([[1, 1, 0], [1, 1, 1], [0, 0, 1]], bool)[rng.integers(3, size=5000)]
    for labels in (allowed, np.where(allowed, 0.7, 0.1)):
        assert len(with_labels(Rows(np.zeros((5000, 1))), labels, 3).group_prior) == 3


@pytest.mark.parametrize("dtype", [bool, float])
def test_few_rows_are_sorted_at_a_time(rng, dtype, monkeypatch):
    """Which NumPy holds Python's lock for; what is distinct is so among all rows."""
    allowed, sort, numbers = np.array([[1, 1, 0], [1, 1, 1], [0, 0, 1]], dtype), np.unique, []

    def counted(keys, **options):
        numbers.append(len(keys))
        return sort(keys, **options)

    monkeypatch.setattr(np, "unique", counted)
    labels = allowed[np.sort(rng.integers(3, size=200_000))]
    rows = with_labels(Rows(np.zeros((len(labels), 1))), labels, 3)
    assert max(numbers) <= 2**15
    assert len(rows.group_prior) == 3
    assert np.array_equal(np.exp(rows.log_beliefs()), labels)


@pytest.mark.parametrize("dtype", [bool, float])
def test_distinct_rows_are_kept_once(rng, dtype):
    labels, rows = rng.integers(2, size=(20_000, 40)).astype(dtype), Rows(np.zeros((20_000, 1)))
    labels[:, 0] = 1
    tracemalloc.start()
    table = with_labels(rows, labels, 40).group_prior
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(table) == 20_000
    assert most < 1.25 * table.nbytes


@pytest.mark.parametrize(
    "labels",
    [
        np.full(8, -1),
        *(np.ones((8, 3), dtype) for dtype in (bool, float, np.float32, int)),
        np.full((8, 3), 0.3),
        np.repeat(np.arange(1.0, 9.0)[:, np.newaxis], 3, axis=1),
    ],
)
def test_where_nothing_is_known_rows_stay_what_they_are(labels):
    assert with_labels(ROWS, labels, 3) is ROWS


def test_a_single_component_needs_no_labels():
    assert with_labels(ROWS, np.zeros(8, int), 1) is ROWS


def changed(position, value, dtype=float):
    table = np.ones((8, 3), dtype)
    table[position] = value
    return table


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        (
            [0, 1, 2, -1, 0, 1, 2, 3],
            r"labels\[7\] is 3, but with n_components=3 a label is 0, 1, 2, or -1 for unknown\.",
        ),
        ([0, 1, -2, -1, 0, 1, 2, 3], r"labels\[2\] is -2, but"),
        ([0, 1.5, 2, -1, 0, 1, 2, 2], r"labels\[1\] is 1.5, but"),
        ([0, np.inf, 2, -1, 0, 1, 2, 2], r"labels\[1\] is inf, but"),
        ([0] * 9, r"labels has 9 rows, X has 8\."),
        (np.ones((8, 2)), r"labels has 2 columns, n_components is 3\."),
        (np.ones((8, 3, 1)), r"shape \(n_samples,\) or \(n_samples, n_components\); got \(8, 3, 1\)"),
        (changed(7, False, bool), r"labels\[7\] allows no component\."),
        (changed(7, 0.0), r"labels\[7\] allows no component\."),
        (changed((7, 2), -0.5), r"labels\[7, 2\] is negative or not finite\."),
        (changed((6, 1), np.nan), r"labels\[6, 1\] is negative or not finite\."),
        (changed((5, 0), np.inf), r"labels\[5, 0\] is negative or not finite\."),
        ([0, 1] * 4, r"No row may belong to component 2: labels allow it nowhere\."),
        (changed((slice(None), 1), 0.0), r"No row may belong to component 1: labels allow it nowhere\."),
        (np.ma.masked_equal(changed((4, 1), 2.0), 2.0), r"labels\[4, 1\] is negative or not finite\."),
    ],
)
def test_what_makes_no_sense_is_refused(labels, words):
    with pytest.raises(ValueError, match=words):
        with_labels(ROWS, labels, 3)


@pytest.mark.parametrize("labels", [["a", "b"] * 4, np.array(["a", "b", None, "c"] * 2, object), np.zeros(8, "M8[s]")])
def test_names_are_no_labels(labels):
    with pytest.raises(TypeError, match="labels are component numbers; map class names to them first"):
        with_labels(ROWS, labels, 3)


def test_a_component_may_be_without_rows_where_these_are_not_all():
    assert with_labels(ROWS, [0, 1] * 4, 3, are_all=False).groups.tolist() == [0, 1] * 4
    with pytest.raises(ValueError, match=r"labels\[7\] is 3"):
        with_labels(ROWS, [0, 1, 0, 1, 0, 1, 0, 3], 3, are_all=False)


def test_rows_of_weight_zero_do_not_count_as_rows_that_may_belong_to_a_component():
    rows = Rows(ROWS.values, np.array([1.0] * 7 + [0.0]))
    with pytest.raises(ValueError, match="No row may belong to component 2"):
        with_labels(rows, [0, 1, 0, 1, 0, 1, 0, -1], 3)


def test_many_components_are_told_by_their_ends():
    with pytest.raises(ValueError, match="with n_components=12 a label is 0 to 11, or -1 for unknown"):
        with_labels(ROWS, np.full(8, 12), 12)
