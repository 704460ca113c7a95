"""Blocks come out of a part's file as they were written into it."""

from pathlib import Path

import numpy as np
import pytest

from fastgmm.data.blocks.block import Block, Form, Place
from fastgmm.data.blocks.partition_files import Part, block_of_part, write_part
from fastgmm.parameters import Array

RNG = np.random.default_rng(0)


def blocks_of_lengths(lengths: list[int], dtype: type, weighted: bool, labelled: bool) -> list[Block]:
    def numbers(length: int) -> Array:
        return RNG.standard_normal(length)

    return [
        Block(
            number,
            0,
            RNG.standard_normal((length, 3)).astype(dtype),
            numbers(length) if weighted else None,
            numbers(length) if labelled else None,
            (Place("", 0, length),),
        )
        for number, length in enumerate(lengths)
    ]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("weighted", "labelled"), [(False, False), (True, False), (False, True), (True, True)])
def test_blocks_are_read_as_they_were_written(tmp_path: Path, dtype: type, weighted: bool, labelled: bool) -> None:
    written = blocks_of_lengths([7, 7, 2], dtype, weighted, labelled)
    lengths = write_part(tmp_path / "part", written)
    assert lengths == (7, 7, 2)
    form = Form("rows", None, 3, np.dtype(dtype), weighted, labelled)
    part = Part(4, first_block=10, begin=100, lengths=lengths)
    for which, block in enumerate(written):
        read = block_of_part(tmp_path / "part", part, "part 4", form, which)
        np.testing.assert_array_equal(read.values, block.values)
        assert read.values.dtype == dtype
        assert (read.weights is None, read.labels is None) == (not weighted, not labelled)
        for one, other in ((read.weights, block.weights), (read.labels, block.labels)):
            np.testing.assert_array_equal(np.array(one, float), np.array(other, float))
        assert (read.number, read.begin) == (10 + which, 100 + 7 * which)
        assert read.where(1) == f"part 4, row {7 * which + 1}"


def test_arrays_lie_where_vectors_of_processors_like_them(tmp_path: Path) -> None:
    lengths = write_part(tmp_path / "part", blocks_of_lengths([5, 3], np.float32, True, True))
    form = Form("rows", None, 3, np.dtype(np.float32), True, True)
    for which in range(2):
        read = block_of_part(tmp_path / "part", Part(0, 0, 0, lengths), "", form, which)
        for array in (read.values, read.weights, read.labels):
            assert array is not None
            assert array.ctypes.data % 64 == 0


def test_there_is_no_file_of_no_rows(tmp_path: Path) -> None:
    assert write_part(tmp_path / "part", []) == ()
    assert not list(tmp_path.iterdir())
