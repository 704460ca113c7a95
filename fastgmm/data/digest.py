"""Digests of arrays, by which data are known again."""

import hashlib

import numpy as np

from fastgmm.machine.pieces import pieces
from fastgmm.parameters import Array


def digest_of(*arrays: Array | None) -> bytes:
    """SHA-256 of dtypes, shapes, and numbers in C order, however they are stored; of None that it is none."""
    sha = hashlib.sha256()
    for array in arrays:
        if array is None:
            sha.update(b"none;")
            continue
        sha.update(f"{array.dtype.str}{array.shape};".encode())
        numbers = np.atleast_1d(array)
        for part in pieces(len(numbers), numbers[:1].nbytes):
            sha.update(np.ascontiguousarray(numbers[part]).reshape(-1).view(np.uint8).data)
    return sha.digest()
