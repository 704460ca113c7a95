"""Blocks are cut by row number alone."""

import numpy as np
import pytest

from fastgmm.data.blocks.block import Place
from fastgmm.data.blocks.cutting import Piece, cut, default_block_rows

ROWS = np.arange(60.0).reshape(20, 3)


def pieces(*lengths: int, as_columns: bool = False, dtype: type = np.float64) -> list[Piece]:
    ends = np.cumsum(lengths)
    parts = [ROWS[end - n : end].astype(dtype) for end, n in zip(ends, lengths, strict=True)]
    return [
        Piece(list(part.T) if as_columns else part, part[:, 0], None, Place(f"file {number}", 0, len(part)))
        for number, part in enumerate(parts)
    ]


@pytest.mark.parametrize("lengths", [(20,), (7, 13), (1,) * 20, (0, 20, 0), (3, 0, 0, 17)])
@pytest.mark.parametrize("as_columns", [False, True])
@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.int16])
def test_the_same_rows_are_in_the_same_blocks(lengths: tuple[int, ...], as_columns: bool, dtype: type) -> None:
    blocks = list(cut(pieces(*lengths, as_columns=as_columns, dtype=dtype), 6, np.dtype(np.float64)))
    assert [(block.number, block.begin, len(block.values)) for block in blocks] == [
        (0, 0, 6),
        (1, 6, 6),
        (2, 12, 6),
        (3, 18, 2),
    ]
    np.testing.assert_array_equal(np.concatenate([block.values for block in blocks]), ROWS)
    np.testing.assert_array_equal(np.concatenate([block.weights for block in blocks]), ROWS[:, 0])
    assert all(block.values.dtype == np.float64 for block in blocks)


def test_blocks_of_one_array_are_parts_of_it() -> None:
    (piece,) = pieces(20)
    piece = Piece(ROWS, None, None, piece.place)
    assert all(np.may_share_memory(block.values, ROWS) for block in cut([piece], 6, np.dtype(np.float64)))


@pytest.mark.parametrize("rows", [ROWS[:, ::-1], np.frombuffer(b"\0" + ROWS.tobytes(), offset=1).reshape(20, 3)])
def test_what_kernels_cannot_step_through_is_copied(rows: np.ndarray) -> None:
    (block,) = cut([Piece(rows, None, None, Place("", 0, 20))], 20, np.dtype(np.float64))
    assert block.values.flags.aligned
    assert min(block.values.strides) > 0
    np.testing.assert_array_equal(block.values, rows)


def test_a_row_of_a_block_knows_where_it_was_read() -> None:
    blocks = list(cut(pieces(7, 13), 6, np.dtype(np.float64)))
    assert blocks[1].where(0) == "file 0, row 6"
    assert blocks[1].where(1) == "file 1, row 0"
    assert blocks[3].where(1) == "file 1, row 12"


@pytest.mark.parametrize("n_features", [1, 3, 8, 100, 5000])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_block_is_some_megabytes(n_features: int, dtype: type) -> None:
    n_bytes = default_block_rows(n_features, np.dtype(dtype)) * n_features * np.dtype(dtype).itemsize
    assert 2**23 < n_bytes <= 2**24 or default_block_rows(n_features, np.dtype(dtype)) == 1024
