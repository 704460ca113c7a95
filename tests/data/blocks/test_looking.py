"""The one look at all rows of a source."""

from functools import partial

import numpy as np
import pytest

from fastgmm import blocks_of
from fastgmm.data.blocks.facts import overview_of
from fastgmm.data.blocks.looking import look
from fastgmm.data.facts import Facts
from fastgmm.rows import Rows

N, D = 5000, 3


def problem(has_missing: bool = True) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.RandomState(0)
    values, weights = rng.standard_normal((N, D)) * [1, 10, 0.1] + 5, rng.randint(0, 3, N).astype(float)
    labels = np.where(rng.uniform(size=N) < 0.1, rng.randint(0, 4, N), -1).astype(float)
    if has_missing:
        values[rng.uniform(size=values.shape) < 0.3] = np.nan
    return values, weights, labels


def table(values: np.ndarray, weights: np.ndarray, labels: np.ndarray) -> np.ndarray:
    return np.column_stack([values, weights, labels])


@pytest.mark.parametrize("has_missing", [False, True])
@pytest.mark.parametrize("block_rows", [700, 5000])
def test_blocks_say_of_all_rows_what_the_rows_say(has_missing: bool, block_rows: int) -> None:
    values, weights, labels = problem(has_missing)
    blocks = blocks_of([table(values, weights, labels)], weight=D, labels=D + 1, block_rows=block_rows)
    found = overview_of(blocks, 4, 1000, 20, 1).facts
    eye = np.where(np.eye(4, dtype=bool), 0.0, -np.inf)
    known = Facts(Rows(values, weights, None, labels.astype(np.int32), eye, has_missing))
    for name in ("n_rows", "n_counted", "total_weight", "n_missing", "n_complete"):
        assert getattr(found, name) == getattr(known, name), name
    for name in ("observed_together", "counts_of_groups", "weights_of_unobserved", "ranges"):
        np.testing.assert_array_equal(getattr(found, name), getattr(known, name), name)
    for one, other in zip(found.summary, known.summary, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12)


def test_the_sample_does_not_depend_on_blocks() -> None:
    values, weights, labels = problem()
    seen = [
        look(blocks_of([table(values, weights, labels)], weight=D, labels=D + 1, block_rows=rows), 4, 500, 10, 1)[0]
        for rows in (300, 1234, N)
    ]
    for name in ("sample", "extremes", "labelled"):
        numbers = [getattr(each, name).numbers for each in seen]
        np.testing.assert_array_equal(numbers[0], numbers[1])
        np.testing.assert_array_equal(numbers[0], numbers[2])
    sample = seen[0].sample
    assert len(sample.numbers) == 500
    np.testing.assert_array_equal(sample.values, values[sample.numbers])
    assert (sample.weights > 0).all()
    assert seen[0].labelled.labels is not None
    assert (np.bincount(seen[0].labelled.labels.astype(int)) == 10).all()


def test_the_sample_is_spread_over_all_rows() -> None:
    values = np.arange(100_000.0)[:, np.newaxis]
    seen, _ = look(blocks_of([values], block_rows=1000), 1, 2000, 10, 1)
    counts, _ = np.histogram(seen.sample.values, bins=10, range=(0, 100_000))
    assert np.abs(counts - 200).max() < 5 * np.sqrt(200)


def test_weights_in_an_absurd_unit_are_read_in_another() -> None:
    values, weights, labels = problem(has_missing=False)
    blocks = partial(blocks_of, weight=D, block_rows=900)
    plain = overview_of(blocks([table(values, weights, labels)]), 2, 100, 10, 1)
    tiny = overview_of(blocks([table(values, weights * 2.0**-400, labels)]), 2, 100, 10, 1)
    assert tiny.reading.power == 398
    assert tiny.facts.total_weight == plain.facts.total_weight / 4
    np.testing.assert_array_equal(tiny.for_starts.weights, plain.for_starts.weights / 4)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.__setitem__((3100, 1), np.inf), "the list, array 1, row 600: infinity .* in column 1 "),
        (lambda t: t.__setitem__((7, D), -1.0), "the list, array 0, row 7: the weight is -1.0, negative"),
        (lambda t: t.__setitem__((7, D), np.nan), "the list, array 0, row 7: the weight is nan"),
        (lambda t: t.__setitem__((2600, D + 1), 4.0), "array 1, row 100: the label is 4.0, but with n_components=4"),
        (lambda t: t.__setitem__((2600, D + 1), 0.5), "array 1, row 100: the label is 0.5, but"),
        (lambda t: t.__setitem__((slice(None), D), 0.0), "the list: all weights are zero"),
        (lambda t: t.__setitem__((slice(None), 2), np.nan), "Feature 2 has no observed value"),
        (lambda t: t.__setitem__((slice(None), slice(0, 3)), np.nan), "Found 0 row\\(s\\) with an observed value"),
        (lambda t: t.__setitem__((slice(None), D + 1), 1.0), "No row may belong to component 0"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(change: object, message: str) -> None:
    rows = table(*problem())
    change(rows)  # type: ignore[operator]
    blocks = blocks_of([rows[:2500], rows[2500:]], weight=D, labels=D + 1, block_rows=900)
    with pytest.raises(ValueError, match=message):
        overview_of(blocks, 4, 100, 10, 1)


def test_a_digest_of_blocks_is_that_of_all_numbers_in_their_blocks() -> None:
    def digest(array: np.ndarray, block_rows: int = 900, **columns: int) -> bytes:
        return overview_of(
            blocks_of([array], block_rows=block_rows, **columns), 4, 100, 10, 1, with_digest=True
        ).facts.digest

    array, columns = table(*problem()), {"weight": D, "labels": D + 1}
    assert digest(array, **columns) == digest(array.copy(), **columns)
    swapped = array.copy()
    swapped[:1800] = np.concatenate([array[900:1800], array[:900]])
    others = [digest(swapped, **columns), digest(array, 901, **columns), digest(array[:, : D + 1], weight=D)]
    for column in range(D + 2):
        other = array.copy()
        other[np.flatnonzero(array[:, column] == 0 if column == D else ~np.isnan(array[:, column]))[-1], column] = 1
        others.append(digest(other, **columns))
    assert len({digest(array, **columns), *others}) == 1 + len(others)
