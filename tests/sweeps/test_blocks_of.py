"""What ``blocks_of`` takes, and what it refuses."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fastgmm import GaussianMixture, GaussianMixtureImputer, Visit, blocks_of
from fastgmm.data.blocks.watched import WatchedBlocks

ROWS = np.random.RandomState(0).standard_normal((300, 4))


def means(blocks: Any) -> np.ndarray:
    return GaussianMixture().fit(blocks).means_


def test_a_mapped_file_is_the_array(tmp_path: Path) -> None:
    np.save(tmp_path / "rows.npy", ROWS)
    np.testing.assert_array_equal(means(blocks_of(tmp_path / "rows.npy")), means(blocks_of([ROWS])))
    np.testing.assert_array_equal(means(blocks_of(str(tmp_path / "rows.npy"))), means(blocks_of([ROWS])))


def test_whole_numbers_of_a_file_are_read(tmp_path: Path) -> None:
    numbers = np.arange(100).reshape(50, 2) ** [1, 2]
    np.save(tmp_path / "rows.npy", numbers)
    np.testing.assert_array_equal(means(blocks_of(tmp_path / "rows.npy")), [numbers.mean(axis=0)])
    numbers[7, 1] = 2**53 + 1
    np.save(tmp_path / "rows.npy", numbers)
    with pytest.raises(ValueError, match=r"rows\.npy, row 7, column 1: 9007199254740993 is a whole number"):
        means(blocks_of(tmp_path / "rows.npy"))


def test_columns_are_chosen_by_number() -> None:
    expected = np.average(ROWS[:, [3, 1]], axis=0, weights=ROWS[:, 0] ** 2)
    rows = ROWS.copy()
    rows[:, 0] **= 2
    np.testing.assert_allclose(means(blocks_of([rows], columns=[3, 1], weight=0)), [expected], rtol=1e-12)
    np.testing.assert_allclose(means(blocks_of([rows], weight=0)).shape, (1, 3))


def test_columns_of_frames_are_chosen_by_name() -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(ROWS, columns=["a", "b", "c", "d"]).assign(d=1.0)
    gm = GaussianMixture().fit(blocks_of([frame[:100], frame[100:]], columns=["c", "a"], weight="d"))
    assert list(gm.feature_names_in_) == ["c", "a"]
    np.testing.assert_allclose(gm.means_, [ROWS[:, [2, 0]].mean(axis=0)], rtol=1e-12)
    with pytest.raises(ValueError, match="has the columns a, b, c, d"):
        list(gm.predict(blocks_of([frame])))
    with pytest.raises(ValueError, match=r"array 1: 4 columns \(b, a, c, d\), where the first has 4 columns"):
        means(blocks_of([frame, frame[["b", "a", "c", "d"]]]))


def test_a_number_is_the_position_of_a_column_whatever_columns_are_called() -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(ROWS[:, :2], columns=["1", "0"])
    assert blocks_of([frame], columns=[0]).form.columns == ("1",)
    assert blocks_of([frame], columns=["0"]).form.columns == ("0",)
    with pytest.raises(ValueError, match="no column '7'; there are 7, 0"):
        blocks_of([frame.rename(columns={"1": "7"})], columns=[7])


def test_an_array_of_one_dimension_in_a_file_is_refused_as_others_are(tmp_path: Path) -> None:
    np.save(tmp_path / "rows.npy", ROWS[:, 0])
    for source in (tmp_path / "rows.npy", ROWS[:, 0]):
        with pytest.raises(ValueError, match=r"shape \(300,\), where \(n_samples, n_features\) is expected"):
            blocks_of(source)


def test_a_single_row_is_too_few_to_fit() -> None:
    with pytest.raises(ValueError, match=r"the list: found 1 sample\(s\), while a minimum of 2 is required"):
        means(blocks_of([ROWS[:1]]))


def test_rows_are_float32_where_all_arrays_are() -> None:
    single = ROWS.astype(np.float32)
    assert blocks_of([single, single]).form.dtype == np.float32
    assert blocks_of([single, ROWS]).form.dtype == np.float64
    assert blocks_of(lambda: iter([single])).form.dtype == np.float32


@pytest.mark.parametrize("later", [ROWS, (100 * ROWS).astype(np.int64)])
def test_a_function_whose_first_array_is_float32_yields_no_other(later: np.ndarray) -> None:
    def source() -> list[np.ndarray]:
        return [ROWS.astype(np.float32), later]

    with pytest.raises(ValueError, match=f"source, array 1: {later.dtype}, where the first is float32"):
        means(blocks_of(source))


@pytest.mark.parametrize(
    ("data", "error", "message"),
    [
        (iter([ROWS]), TypeError, "a list_iterator can be read only once, .* lambda"),
        ((part for part in [ROWS]), TypeError, "a generator can be read only once"),
        ([], ValueError, "the list: no arrays"),
        (list, ValueError, "list: no arrays"),
        ([ROWS[0]], ValueError, r"the list, array 0: shape \(4,\)"),
        (7, TypeError, "int is no source of blocks"),
        (object(), TypeError, "object is no source of blocks"),
    ],
)
def test_what_is_no_source_is_refused(data: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        blocks_of(data)


@pytest.mark.parametrize("block_rows", [0, -1, 1.5, "many", True])
def test_blocks_have_rows(block_rows: Any) -> None:
    with pytest.raises(ValueError, match="block_rows must be a positive integer"):
        blocks_of([ROWS], block_rows=block_rows)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"columns": [0, 7]}, "no column '7'"),
        ({"columns": [0, 0]}, "a column is asked for twice"),
        ({"columns": [0, 1], "weight": 1}, "a column is asked for twice"),
        ({"columns": []}, "no columns of features"),
        ({"weight": "w"}, "no column 'w'"),
    ],
)
def test_columns_that_do_not_exist_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        blocks_of([ROWS], **options)


def test_columns_of_later_arrays_must_be_the_same() -> None:
    with pytest.raises(ValueError, match="array 1: 3 columns, where the first has 4 columns"):
        means(blocks_of([ROWS, ROWS[:, :3]]))


def test_empty_arrays_have_no_effect() -> None:
    np.testing.assert_array_equal(means(blocks_of([ROWS[:0], ROWS, ROWS[:0]])), means(blocks_of([ROWS])))
    with pytest.raises(ValueError, match="the list: no rows"):
        means(blocks_of([ROWS[:0]]))


def test_a_watcher_is_told_of_passes_and_rows() -> None:
    visits: list[Visit] = []
    gm = GaussianMixture().fit(blocks_of([ROWS], block_rows=128, on_block=visits.append))
    assert visits[:3] == [Visit(1, 128, None), Visit(1, 256, None), Visit(1, 300, None)]
    assert visits[3:6] == [Visit(2, 128, 300), Visit(2, 256, 300), Visit(2, 300, 300)]
    assert len(visits) == 3 * (1 + gm.n_iter_)


def test_a_watcher_may_end_a_fit_by_an_exception() -> None:
    def stop(visit: Visit) -> None:
        raise KeyError(visit.n_rows)

    gm = GaussianMixture()
    with pytest.raises(KeyError, match="128"):
        gm.fit(blocks_of([ROWS], block_rows=128, on_block=stop))
    assert not hasattr(gm, "means_")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (GaussianMixture().partial_fit, "partial_fit takes rows in memory, not blocks: call it with one array after"),
        (GaussianMixture().fit(ROWS).partial_fit, "or give the blocks to fit. Blocks are taken by fit, fit_predict"),
        (GaussianMixture().fit(ROWS).impute, "impute takes rows in memory, not blocks: call it with one array of rows"),
        (
            GaussianMixtureImputer().fit,
            "GaussianMixtureImputer takes rows in memory, not blocks: fit a GaussianMixture",
        ),
        (GaussianMixtureImputer().fit(ROWS).transform, "not blocks: call transform with one array of rows after"),
        (GaussianMixtureImputer().fit_transform, "whose impute takes one array after another. Blocks are taken by"),
    ],
)
def test_who_takes_arrays_alone_says_what_takes_blocks(call: Callable[[Any], Any], message: str) -> None:
    with pytest.raises(TypeError, match=message):
        call(blocks_of([ROWS]))


def test_passes_are_counted_over_the_life_of_a_source() -> None:
    visits: list[Visit] = []
    blocks = blocks_of([ROWS], on_block=visits.append)
    gm = GaussianMixture().fit(blocks).fit(blocks)
    assert [visit.number for visit in visits] == list(range(1, len(visits) + 1))
    assert [visit.n_rows_of_all for visit in visits] == [None] + [300] * (2 * gm.n_iter_ + 1)


def test_a_watcher_that_raises_stop_iteration_is_told_who_may() -> None:
    def stop(visit: Visit) -> None:
        raise StopIteration

    blocks = blocks_of([ROWS], on_block=stop)
    for use in (GaussianMixture().fit, GaussianMixture().fit(ROWS).score):
        with pytest.raises(RuntimeError, match=r"on_block raised StopIteration.* callbacks="):
            use(blocks)


def test_watched_blocks_are_closed_as_others_are() -> None:
    class Closed:
        form = blocks_of([ROWS]).form
        n_times = 0

        def close(self) -> None:
            self.n_times += 1

        def with_scores(self, model: str, label: str) -> tuple[str, str]:
            return model, label

    source: Any = Closed()
    with WatchedBlocks(source, print) as blocks:
        assert blocks.with_scores("model", label="label") == ("model", "label")
    assert source.n_times == 1
    with WatchedBlocks(blocks_of([ROWS]), print) as local:  # which has nothing to close
        local.close()


@pytest.mark.parametrize("library", ["pandas", "polars", "pyarrow"])
def test_columns_that_are_not_chosen_may_hold_anything(library: str) -> None:
    module = pytest.importorskip(library)
    columns = {"name": ["a"] * 300, **{letter: ROWS[:, j] for j, letter in enumerate("wxyz")}}
    frame = {"pandas": "DataFrame", "polars": "DataFrame", "pyarrow": "table"}[library]
    expected = np.average(ROWS[:, [3, 1]], axis=0, weights=np.square(ROWS[:, 0]))
    columns["w"] = np.square(ROWS[:, 0])
    table = getattr(module, frame)(columns)
    parts = [table[:100], table[100:]]
    gm = GaussianMixture().fit(blocks_of(parts, columns=["z", "x"], weight="w"))
    np.testing.assert_allclose(gm.means_, [expected], rtol=1e-12)
    with pytest.raises((TypeError, ValueError), match="the list, array 0"):
        means(blocks_of(parts))
