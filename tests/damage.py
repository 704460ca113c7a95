"""What may happen to a model file: bytes change, and somebody changes what is inside and makes all checksums fit."""

import json
import random
import struct
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from tests.model_files import members_of, sealed

INTERESTING_JSON: list[Any] = [
    None, True, False, 0, 1, -1, 3, 2**31, 2**63, 10**400, 0.5, -0.0, 1e308, 1e-320, "", "full", "tied", "diag",
    "spherical", "float32", "inf", "converged", "\u0000", "\ud800", "../../x", "x" * 300, [], [1], [[]], ["a", "b"], {},
    {"$float": "nan"}, {"$float": "inf"}, {"$float": 1}, {"$float": []}, {"a": 1},
]  # fmt: skip
INTERESTING_FLOATS = [0.0, -0.0, 1.0, -1.0, 0.5, 1e-8, 1e-300, 5e-324, 1e300, 1.7e308, float("inf"), float("nan")]
INTERESTING_SHAPES = [
    "()",
    "(0,)",
    "(3,)",
    "(2, 3)",
    "(3, 2)",
    "(1, 6)",
    "(6, 1)",
    "(3, 0)",
    "(9999, 9999)",
    "(0, 99999999999999999999)",
]
START = 128  # of the numbers in a small .npy member


def flip(content: bytearray, rng: random.Random) -> None:
    for _ in range(rng.choice([1, 1, 2, 8])):
        content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)


def overwrite(content: bytearray, rng: random.Random) -> None:
    position = rng.randrange(len(content))
    new = rng.choice([rng.randbytes(rng.randint(1, 40)), bytes(rng.randint(1, 40)), b"\xff" * rng.randint(1, 8)])
    content[position : position + len(new)] = new


def insert(content: bytearray, rng: random.Random) -> None:
    position = rng.randrange(len(content) + 1)
    content[position:position] = rng.randbytes(rng.randint(1, 40))


def delete(content: bytearray, rng: random.Random) -> None:
    position = rng.randrange(len(content))
    del content[position : position + rng.randint(1, 40)]


def truncate(content: bytearray, rng: random.Random) -> None:
    del content[rng.randrange(len(content)) :]


def repeat(content: bytearray, rng: random.Random) -> None:
    """A part of it once more, somewhere else."""
    position, target = rng.randrange(len(content)), rng.randrange(len(content))
    piece = content[position : position + rng.randint(1, 200)]
    content[target : target + rng.choice([0, len(piece)])] = piece


BYTE_DAMAGES = [flip, overwrite, insert, delete, truncate, repeat]


def splice(content: bytes, other: bytes, rng: random.Random) -> bytes:
    """The beginning of one file and the end of another: cut at the same place, or anywhere."""
    position = rng.randrange(len(content))
    return content[:position] + other[rng.choice([position, rng.randrange(len(other))]) :]


def damaged(contents: list[bytes], rng: random.Random) -> bytes:
    """One of the files, damaged by accident."""
    kind = rng.randrange(len(BYTE_DAMAGES) + 1)
    if kind == len(BYTE_DAMAGES):
        return splice(*rng.sample(contents, 2), rng)
    content = bytearray(rng.choice(contents))
    BYTE_DAMAGES[kind](content, rng)
    return bytes(content)


# --- on purpose ------------------------------------------------------------------------------------------------------


def change_the_header(members: dict[str, bytes], rng: random.Random) -> None:
    header = json.loads(members["header"][START:])
    inside = rng.choice([header, header, header["options"], header["fit"]])
    if not isinstance(inside, dict):
        inside = header
    name = rng.choice([*inside, "tol", "n_iter", "lower_bounds", "random_state", "x"])
    if rng.random() < 0.2:
        inside.pop(name, None)
    else:
        inside[name] = rng.choice(INTERESTING_JSON)
    members["header"] = npy(json.dumps(header).encode(), "|u1")


def change_numbers(members: dict[str, bytes], rng: random.Random) -> None:
    name = rng.choice(["weights", "means", "covariances"])
    content = bytearray(members[name])
    for _ in range(rng.choice([1, 2, 100])):
        if len(content) >= START + 8:
            struct.pack_into("<d", content, rng.randrange(START, len(content) - 7, 8), rng.choice(INTERESTING_FLOATS))
    members[name] = bytes(content)


def change_a_shape(members: dict[str, bytes], rng: random.Random) -> None:
    name = rng.choice(["weights", "means", "covariances", "header"])
    dtype = rng.choice(["<f8", "<f8", ">f8", "<f4", "|O", "|u1"])
    members[name] = npy(members[name][START:], dtype, rng.choice(INTERESTING_SHAPES))


def change_bytes(members: dict[str, bytes], rng: random.Random) -> None:
    name = rng.choice(list(members))
    start = rng.choice([0, START])
    content = bytearray(members[name][start:]) or bytearray(b"0")
    rng.choice(BYTE_DAMAGES)(content, rng)
    members[name] = members[name][:start] + bytes(content)


def change_members(members: dict[str, bytes], rng: random.Random) -> None:
    name = rng.choice(list(members))
    content = members.pop(name)
    if rng.random() < 0.7:
        members[rng.choice(["extra", "../../x", "weights", "digest", name, "\x1b[2J"])] = content


INSIDE: list[Callable[[dict[str, bytes], random.Random], None]] = [
    change_the_header,
    change_numbers,
    change_a_shape,
    change_bytes,
    change_members,
]


def npy(numbers: bytes, dtype: str, shape: str | None = None) -> bytes:
    """A ``.npy`` member as NumPy writes it, of any dtype and shape, fitting or not."""
    shape = f"({len(numbers)},)" if shape is None else shape
    text = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}, }}".ljust(START - 11) + "\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode() + numbers


def forged(content: bytes, rng: random.Random) -> bytes:
    """A model file changed on purpose, with a digest and checksums that fit what it now holds."""
    members = members_of(content)
    for _ in range(rng.choice([1, 1, 1, 2, 3])):
        with suppress(ValueError, KeyError, TypeError, IndexError):  # an earlier change left nothing to change there
            rng.choice(INSIDE)(members, rng)
    return sealed(members)
