"""Uncompressed zip archives in one exact form, that in which Python's ``zipfile`` writes them.

What is read must be, byte for byte, what would be written of the members found. So nothing in a file can say two
things: there is no second directory, no overlap, no compression, no comment and no checksum that does not fit. Nothing
is copied, and nothing is allocated by what the file says about itself.
"""

import struct
import zlib
from collections.abc import Iterator, Mapping
from typing import TypeAlias

from fastgmm.errors import ModelFormatError
from fastgmm.machine.pieces import pieces

Bytes: TypeAlias = bytes | memoryview

# The records of a zip archive; the version needed, flags, method, time and date, CRC, two sizes and two lengths are
# the same in the first two.
_ENTRY = struct.Struct("<4s5H3L2H")
_DIRECTORY_ENTRY = struct.Struct("<4s6H3L5H2L")
_END = struct.Struct("<4s4H2LH")
_LARGE_END = struct.Struct("<4sQ2H2L4Q")
_LARGE_END_PLACE = struct.Struct("<4sLQL")

ENTRY_SIGNATURE = b"PK\x03\x04"
NAME_OFFSET = _ENTRY.size
_UNIX = 3
_MODE = 0o600 << 16
_EARLIEST_DATE = 1 << 5 | 1  # the first of January 1980: the same members always give the same bytes
_LARGEST_OF_32_BITS = 0xFFFFFFFF
_LARGE = 2**32 - 2**24  # so many bytes of members, and with their names they may not be counted in 32 bits
_MOST_MEMBERS = 64  # far more than any version of a model file has


def pack(members: Mapping[str, Bytes]) -> Iterator[Bytes]:
    """The pieces of an archive, in order; a member's content is one of them, as it is."""
    directory: list[bytes] = []
    position = 0
    large = sum(map(len, members.values())) >= _LARGE
    version = 45 if large else 20
    for name, content in members.items():
        encoded, size = name.encode("ascii"), len(content)
        extra = struct.pack("<2H2Q", 1, 16, size, size) if large else b""
        sizes = [_LARGEST_OF_32_BITS if large else size] * 2
        shared = (version, 0, 0, 0, _EARLIEST_DATE, zlib.crc32(content), *sizes, len(encoded))
        directory_extra = struct.pack("<2H3Q", 1, 24, size, size, position) if large else b""
        offset = _LARGEST_OF_32_BITS if large else position
        made_by = _UNIX << 8 | version
        directory += [
            _DIRECTORY_ENTRY.pack(b"PK\x01\x02", made_by, *shared, len(directory_extra), 0, 0, 0, _MODE, offset),
            encoded,
            directory_extra,
        ]
        start = _ENTRY.pack(ENTRY_SIGNATURE, *shared, len(extra)) + encoded + extra
        yield start
        yield content
        position += len(start) + size
    yield b"".join(directory)
    yield _end(len(members), sum(map(len, directory)), position, large)


def _end(n_members: int, size: int, position: int, large: bool) -> bytes:
    """What follows the directory, which lies at ``position``."""
    if not large:
        return _END.pack(b"PK\x05\x06", 0, 0, n_members, n_members, size, position, 0)
    return (
        _LARGE_END.pack(b"PK\x06\x06", 44, 45, 45, 0, 0, n_members, n_members, size, position)
        + _LARGE_END_PLACE.pack(b"PK\x06\x07", 0, position + size, 1)
        + _END.pack(b"PK\x05\x06", 0, 0, n_members, n_members, _LARGEST_OF_32_BITS, _LARGEST_OF_32_BITS, 0)
    )


def unpack(archive: Bytes) -> dict[str, memoryview]:
    """The members by name, in order: views of the archive.

    Raises
    ------
    ModelFormatError
        Where these are not the bytes that ``pack`` makes of them.
    """
    view = memoryview(archive)
    members: dict[str, memoryview] = {}
    position = 0
    while view[position : position + 4] == ENTRY_SIGNATURE and len(members) < _MOST_MEMBERS:
        name, start, size = _entry(view, position)
        members[name] = view[start : start + size]
        position = start + size
    position = 0
    for piece in pack(members):
        if not _are_equal(view[position : position + len(piece)], piece):
            what = "damaged or truncated" if position else "not a fastgmm model, or damaged"
            raise ModelFormatError(f"{what}: byte {position} and on are not as fastgmm writes them")
        position += len(piece)
    if position != len(view):
        raise ModelFormatError(f"damaged: {len(view) - position} bytes after the end")
    return members


def _are_equal(one: memoryview, other: Bytes) -> bool:
    return len(one) == len(other) and all(one[part] == other[part] for part in pieces(len(one), 1))


def _entry(view: memoryview, position: int) -> tuple[str, int, int]:
    """The name of the member at ``position``, and where its content begins and how long it says that this is."""
    try:
        *_, size, name_length, extra_length = _ENTRY.unpack_from(view, position)
        name = str(view[position + NAME_OFFSET :][:name_length], "ascii")
        start = position + NAME_OFFSET + name_length + extra_length
        if size == _LARGEST_OF_32_BITS:
            _, _, size, _ = struct.unpack_from("<2H2Q", view, start - extra_length)
    except (struct.error, ValueError) as error:
        raise ModelFormatError(f"damaged or truncated: no member at byte {position}") from error
    return name, start, size
