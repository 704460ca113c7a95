"""The archive of a model file is the one that ``zipfile`` writes, and no other is read."""

import io
import zipfile
from collections.abc import Mapping

import numpy as np
import pytest

from fastgmm.errors import ModelFormatError
from fastgmm.files import archive

MEMBERS = {"header.npy": b"{}" * 20, "empty": b"", "a/b.npy": bytes(range(256)) * 3}


def packed(members: Mapping[str, bytes]) -> bytes:
    return b"".join(archive.pack(members))


def zipped(members: Mapping[str, bytes], **changes: object) -> bytes:
    """The same by Python's ``zipfile``, or with entries that are different."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as opened:
        for name, content in members.items():
            entry = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            entry.create_system = 3
            for field, value in changes.items():
                setattr(entry, field, value)
            opened.writestr(entry, content)
    return buffer.getvalue()


@pytest.mark.parametrize("members", [{}, {"one": b"1"}, MEMBERS], ids=["none", "one", "three"])
def test_the_bytes_are_those_of_zipfile(members: dict[str, bytes]) -> None:
    assert packed(members) == zipped(members)
    assert archive.unpack(packed(members)) == members
    assert list(archive.unpack(packed(members))) == list(members)


def test_what_is_read_is_a_view_of_the_archive() -> None:
    content = packed(MEMBERS)
    for member in archive.unpack(content).values():
        assert member.obj is content


def test_archives_beyond_32_bits_are_read_here_and_by_zipfile(monkeypatch: pytest.MonkeyPatch) -> None:
    small = packed(MEMBERS)
    monkeypatch.setattr(archive, "_LARGE", 1)
    large = packed(MEMBERS)
    assert len(large) > len(small)
    assert archive.unpack(large) == MEMBERS
    with zipfile.ZipFile(io.BytesIO(large)) as opened:
        assert opened.testzip() is None
        assert {name: opened.read(name) for name in opened.namelist()} == MEMBERS
    monkeypatch.undo()
    with pytest.raises(ModelFormatError):
        archive.unpack(large)


def test_an_archive_becomes_large_before_its_sizes_outgrow_32_bits() -> None:
    class Sized(bytes):
        def __len__(self) -> int:
            return 2**32 - 2**24

    *_, end = archive.pack({"weights.npy": Sized()})
    assert end.startswith(b"PK\x06\x06")
    *_, end = archive.pack({"weights.npy": b""})
    assert end.startswith(b"PK\x05\x06")


@pytest.mark.parametrize(
    "changes",
    [
        {"date_time": (1980, 1, 2, 0, 0, 0)},
        {"create_system": 0},
        {"external_attr": 0o644 << 16},
        {"comment": b"hello"},
        {"extra": b"\x99\x99\x00\x00"},
        {"compress_type": zipfile.ZIP_DEFLATED},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_any_other_entry_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(ModelFormatError):
        archive.unpack(zipped(MEMBERS, **changes))


def with_a_comment() -> bytes:
    return packed(MEMBERS)[:-2] + b"\x02\x00hi"


def with_another_directory() -> bytes:
    """A reader that goes by the directory would see the second archive, one that goes by the members the first."""
    one, other = packed({"a": b"11"}), packed({"a": b"22"})
    return one + other


def with_a_hole() -> bytes:
    content = packed(MEMBERS)
    position = content.index(b"PK\x01\x02")
    return content[:position] + b"hidden" + content[position:]


def with_a_name_twice() -> bytes:
    one = packed({"a": b"1", "b": b"2"})
    return one.replace(b"b2", b"a2")


def with_an_overlap() -> bytes:
    """The first member says that it is as long as both."""
    content = packed({"a": b"1" * 8, "b": b"2" * 8})
    size = len(content[: content.index(b"PK\x01\x02")]) - 31
    return content[:18] + np.array([size, size], "<u4").tobytes() + content[26:]


def with_a_size_of_4_gigabytes() -> bytes:
    return packed({"a": b"1" * 8})[:18] + b"\xfe\xff\xff\xff" * 2 + packed({"a": b"1" * 8})[26:]


def with_a_name_that_is_not_ascii() -> bytes:
    return packed({"a": b"1"}).replace(b"a1", b"\xe41")


def with_many_members() -> bytes:
    return packed({str(number): b"" for number in range(65)})


@pytest.mark.parametrize(
    "make",
    [
        with_a_comment,
        with_another_directory,
        with_a_hole,
        with_a_name_twice,
        with_an_overlap,
        with_a_size_of_4_gigabytes,
        with_a_name_that_is_not_ascii,
        with_many_members,
        lambda: packed(MEMBERS) + b"\x00",
        lambda: b"",
        lambda: b"PK\x03\x04",
    ],
)
def test_what_could_say_two_things_is_refused(make) -> None:
    with pytest.raises(ModelFormatError):
        archive.unpack(make())
