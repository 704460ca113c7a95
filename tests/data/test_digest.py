"""Digests of arrays, by which data are known again."""

import numpy as np
import pytest

from fastgmm.data.digest import digest_of

ARRAY = np.random.RandomState(0).standard_normal((60_000, 5))  # more than a piece


def test_however_it_is_stored_an_array_has_one_digest() -> None:
    assert digest_of(ARRAY) == digest_of(np.asfortranarray(ARRAY)) == digest_of(np.repeat(ARRAY, 2, axis=0)[::2])


@pytest.mark.parametrize("row", [0, 31_000, 59_999])
def test_any_bit_counts(row: int) -> None:
    other = ARRAY.copy()
    other[row, 4] = np.nextafter(other[row, 4], np.inf)
    assert digest_of(other) != digest_of(ARRAY)


def test_shapes_dtypes_and_places_count() -> None:
    zeros = np.zeros(4)
    digests = {
        digest_of(*arrays)
        for arrays in (
            [zeros],
            [zeros.reshape(2, 2)],
            [zeros.astype(np.int64)],
            [zeros, None],
            [None, zeros],
            [zeros[:2], zeros[2:]],
            [zeros[:0]],
            [zeros[0]],
            [zeros[:1]],
        )
    }
    assert len(digests) == 9
