"""``plan_chunks``: how rows are cut."""

import inspect

import pytest

from fastgmm.kernels.contract import LARGEST_TILE, plan_chunks

# (rows, features, components, bytes of a number, float64 in a slot)
SHAPES = [
    (n_rows, n_features, n_components, 8, n_components * (1 + n_features + n_features**2) + 2)
    for n_rows in (1, 256, 257, 2049, 100_000, 12_345_678)
    for n_features, n_components in ((1, 1), (2, 7), (16, 3), (200, 50), (2000, 2), (3, 5000))
]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_chunks_cover_every_row_once(shape):
    """Chunks are equally long; the last one ends at the last row and is not empty."""
    plan = plan_chunks(*shape)
    assert (plan.n_chunks - 1) * plan.chunk_rows < shape[0] <= plan.n_chunks * plan.chunk_rows


@pytest.mark.parametrize("n_threads", [1, 7, 64])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_sections_cover_every_row_of_a_chunk_once_for_any_number_of_threads(shape, n_threads):
    plan = plan_chunks(*shape)
    sections = list(plan.sections(n_threads))
    starts, stops = [section.start for section in sections], [section.stop for section in sections]
    assert starts == [0, *stops[:-1]]
    assert stops[-1] == plan.chunk_rows
    assert all(start < stop for start, stop in zip(starts, stops, strict=True))


@pytest.mark.parametrize("n_threads", [1, 7, 64])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_tiles_hold_the_same_rows_wherever_sections_begin(shape, n_threads):
    """Chunks and sections begin at whole tiles, so that their number touches no result."""
    plan = plan_chunks(*shape)
    assert 32 <= plan.tile_rows <= LARGEST_TILE
    assert plan.chunk_rows % plan.tile_rows == 0
    assert all(section.start % plan.tile_rows == 0 for section in plan.sections(n_threads))


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_a_tile_fits_into_half_a_megabyte_or_is_as_short_as_tiles_get(shape):
    _, n_features, n_components, itemsize, _ = shape
    tile_rows = plan_chunks(*shape).tile_rows
    assert tile_rows == 32 or tile_rows * (2 * n_features + n_components) * itemsize <= 512 * 1024


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_slots_take_32_megabytes_or_are_four(shape):
    plan = plan_chunks(*shape)
    assert plan.n_chunks <= 4 or plan.n_chunks * shape[4] * 8 <= 32 * 2**20
    assert plan.n_chunks <= 128


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_no_chunk_is_so_short_that_its_slot_costs_more_than_its_rows(shape):
    plan = plan_chunks(*shape)
    assert plan.n_chunks == 1 or plan.chunk_rows >= 1024


def test_the_number_of_slots_does_not_grow_with_the_rows_forever():
    assert plan_chunks(10**7, 10, 10, 8, 1000).n_chunks == plan_chunks(10**10, 10, 10, 8, 1000).n_chunks


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_every_section_carries_the_plan(shape):
    plan = plan_chunks(*shape)
    carried = {section[:3] for section in plan.sections()}
    assert carried == {(plan.n_chunks, plan.chunk_rows, plan.tile_rows)}


def test_the_number_of_threads_is_no_part_of_the_plan():
    """It comes in only where rows of each chunk are grouped into sections."""
    assert "n_threads" not in inspect.signature(plan_chunks).parameters


# Python answers signals between kernel calls. A call of two billion multiply-adds for each thread takes some 50 ms in
# families with matrices; a tile is the least there is.
MOST_WORK, MOST_BYTES = 2e9, 2**25


@pytest.mark.parametrize("n_threads", [1, 2, 64])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_one_call_of_a_sweep_is_short_at_any_shape(shape, n_threads):
    _, n_features, n_components, itemsize, _ = shape
    plan = plan_chunks(*shape)
    for section in plan.sections(n_threads):
        n_rows = section.n_chunks * (section.stop - section.start)
        is_least = section.stop - section.start == plan.tile_rows
        work = n_rows * n_components * n_features**2 / n_threads
        assert work <= MOST_WORK or (is_least and section.n_chunks <= 4)
        assert n_rows * n_features * itemsize <= MOST_BYTES * n_threads or is_least


@pytest.mark.parametrize("n_threads", [1, 2, 64])
@pytest.mark.parametrize("output_bytes", [8, 16_000])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_one_call_of_scoring_is_short_at_any_shape(shape, output_bytes, n_threads):
    n_rows, n_features, n_components, itemsize, _ = shape
    plan = plan_chunks(*shape[:4], 1)
    work, n_bytes = n_components * n_features**2, n_features * itemsize + output_bytes
    for rows, section in plan.blocks(n_rows, n_threads, work, n_bytes):
        rows_of_a_thread = (rows.stop - rows.start) / n_threads
        is_least = rows_of_a_thread <= plan.tile_rows
        assert rows_of_a_thread * work <= MOST_WORK or is_least
        assert rows_of_a_thread * n_bytes <= MOST_BYTES or is_least
        assert section.n_chunks >= min(n_threads, (rows.stop - rows.start) // plan.tile_rows)


@pytest.mark.parametrize("n_threads", [1, 7, 64])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_blocks_cover_every_row_once(shape, n_threads):
    """And the section of each covers its rows, with whole tiles and no empty chunk."""
    plan = plan_chunks(*shape[:4], 1)
    end = 0
    for rows, section in plan.blocks(shape[0], n_threads, plan.work_per_row, plan.bytes_per_row):
        assert rows.start == end
        end = rows.stop
        assert (section.start, section.stop) == (0, section.chunk_rows)
        assert section.chunk_rows % section.tile_rows == 0
        assert (
            (section.n_chunks - 1) * section.chunk_rows
            < rows.stop - rows.start
            <= (section.n_chunks * section.chunk_rows)
        )
    assert end == shape[0]
