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
