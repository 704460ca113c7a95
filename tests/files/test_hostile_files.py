"""No claim of a file makes ``load`` allocate: no more than twice the file's bytes and 1 MB, all together."""

import json
import os
import struct
import subprocess
import sys
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fastgmm
from fastgmm.errors import ModelFormatError
from fastgmm.families import FOUR
from fastgmm.files.model_file import SavedModel, load_model, save_model
from fastgmm.files.strict_json import to_json
from fastgmm.parameters import Parameters
from tests.damage import START, npy
from tests.model_files import archived, encoded, make_model, members_of, sealed
from tests.problems import draw_parameters

BIG = 2**20
GOOD = members_of(encoded(make_model()))


def with_array(name: str, numbers: bytes, dtype: str = "<f8", shape: str | None = None) -> bytes:
    return sealed(GOOD | {name: npy(numbers, dtype, shape)})


def with_header(text: bytes) -> bytes:
    return sealed(GOOD | {"header": npy(text, "|u1")})


def with_json(changes: dict[str, Any]) -> bytes:
    return with_header(to_json(json.loads(GOOD["header"][START:]) | changes))


def compressed(path: Path) -> bytes:
    """One kilobyte that says it is a megabyte."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("header.npy", bytes(BIG))
    return path.read_bytes()


def a_directory_of_nothing_else(path: Path) -> bytes:
    """Sixty thousand entries of 56 bytes each, for which ``zipfile`` makes objects of 600 bytes each."""
    content = archived({"header": b""})
    start, end, n_entries = content.index(b"PK\x01\x02"), content.index(b"PK\x05\x06"), 60_000
    directory = content[start:end] * n_entries
    return (
        content[:start]
        + directory
        + struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, n_entries, n_entries, len(directory), start, 0)
    )


HOSTILE: dict[str, Callable[[Path], bytes]] = {
    "a shape of 8 terabytes": lambda path: with_array("means", bytes(48), shape=f"({2**20}, {2**20})"),
    "a shape beyond all integers": lambda path: with_array("means", bytes(48), shape=f"({10**40}, {10**40})"),
    "a shape of thousands of digits": lambda path: with_array("means", bytes(48), shape=f"({'9' * 20_000},)"),
    "a shape of thousands of numbers": lambda path: with_array("means", bytes(48), shape=f"({'1, ' * 9_000})"),
    "a shape of nothing": lambda path: with_array("means", b"", shape=f"(0, {2**62})"),
    "objects": lambda path: with_array("means", bytes(48), dtype="|O", shape="(3, 2)"),
    "a header of 2^62 bytes": lambda path: with_array("header", b"{}", dtype="|u1", shape=f"({2**62},)"),
    "a zip bomb": compressed,
    "a directory of nothing else": a_directory_of_nothing_else,
    "members in one another": lambda path: encoded(make_model())[:40] * 1000 + encoded(make_model()),
    "a megabyte behind the end": lambda path: encoded(make_model()) + bytes(BIG),
    "a name of 60 KB": lambda path: sealed(GOOD | {"x" * 60_000: b""}),
    "names that are paths": lambda path: sealed(GOOD | {"../../../etc/passwd": b"", "/etc/passwd": b"", "C:\\x": b""}),
    "JSON a million deep": lambda path: with_header(b"[" * 2**20 + b"]" * 2**20),
    "JSON a million deep, of objects": lambda path: with_header(b'{"a":' * 2**20),
    "JSON a thousand deep": lambda path: with_header(b"[" * 900 + b"]" * 900),
    "JSON of empty arrays": lambda path: with_header(b"[" + b"[]," * (BIG // 3) + b"0]"),
    "JSON of empty objects": lambda path: with_header(b"[" + b"{}," * (BIG // 3) + b"0]"),
    "JSON of many keys": lambda path: with_header(json.dumps({f"{key:x}": 0 for key in range(300_000)}).encode()),
    "JSON of small numbers": lambda path: with_header(b"[" + b"0," * (BIG // 2) + b"0]"),
    "JSON of short texts": lambda path: with_header(b"[" + b'"",' * (BIG // 3) + b"0]"),
    "JSON of escaped quotes": lambda path: with_header(b'"' + b'\\"' * (BIG // 2)),
    "JSON of quotes": lambda path: with_header(b'"' * BIG),
    "a number of a million digits": lambda path: with_header(
        b'{"format": "fastgmm.model", "version": ' + b"9" * 2**20 + b"}"
    ),
    "one character of four bytes among millions of one": lambda path: with_header(
        b'{"format": "' + b"x" * BIG + "\U0001f600".encode() + b'"}'
    ),
    "an option of a megabyte": lambda path: with_json({"options": {"tol": "x" * BIG}}),
    "a newer version that quotes a megabyte": lambda path: with_json({"version": 2, "fastgmm": "x" * BIG}),
}  # fmt: skip


@pytest.mark.parametrize("make", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_file_is_refused_in_twice_its_size_and_a_megabyte(
    make: Callable[[Path], bytes], tmp_path: Path
) -> None:
    path = tmp_path / "model.npz"
    content = make(tmp_path / "other")
    path.write_bytes(content)
    size = len(content)
    del content
    with pytest.raises(ModelFormatError) as caught:
        load_model(path)  # what is imported and compiled only once
    assert len(str(caught.value)) < 1000
    del caught
    tracemalloc.start()
    try:
        with pytest.raises(ModelFormatError):
            load_model(path)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak <= 2 * size + 2**20


IN_LITTLE_SPACE = """
import resource, sys
from pathlib import Path
from fastgmm.errors import ModelFormatError
from fastgmm.files.model_file import load_model
from tests.files.test_hostile_files import HOSTILE

def refused(path):
    try:
        load_model(path)
    except ModelFormatError:
        return
    raise AssertionError(f"{path} was read")

for number, make in enumerate(HOSTILE.values()):
    path = Path(sys.argv[1]) / str(number)
    path.write_bytes(make(path.with_suffix(".other")))
    refused(path)  # what is imported and compiled only once
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    space = pages * resource.getpagesize() + 2 * path.stat().st_size + 2**20
    resource.setrlimit(resource.RLIMIT_AS, (space, resource.RLIM_INFINITY))
    refused(path)
    resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
"""


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="needs Linux's count of a process's memory")
def test_a_process_needs_no_more_address_space_than_that_to_refuse_a_file(tmp_path: Path) -> None:
    """Also what Python does not count: an allocation beyond it would be a MemoryError."""
    command = [sys.executable, "-c", IN_LITTLE_SPACE, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr


def a_wide_model() -> SavedModel:
    """Many features with names: the most objects that a sound file may ask for."""
    n_features = 50_000
    parameters = Parameters("spherical", np.ones(1), np.zeros((1, n_features)), np.ones(1))
    return SavedModel(parameters, feature_names=tuple(f"x{feature}" for feature in range(n_features)))


def a_long_fit() -> SavedModel:
    """A hundred thousand iterations, some of which had points of density zero."""
    fit = {"lower_bounds": [-float("inf")] * 1000 + [-1 / 3] * 100_000}
    return make_model(fit=fit)


@pytest.mark.parametrize("make", [a_wide_model, a_long_fit])
def test_a_large_header_that_makes_sense_is_read(make: Callable[[], SavedModel], tmp_path: Path) -> None:
    model = make()
    save_model(tmp_path / "model.npz", model)
    found = load_model(tmp_path / "model.npz")
    assert (found.feature_names, found.fit) == (model.feature_names, model.fit)


@pytest.mark.parametrize("covariance_type", FOUR)
def test_a_sound_file_takes_no_more_than_eight_times_its_size(covariance_type: str, tmp_path: Path) -> None:
    path = tmp_path / "model.npz"
    n_components = 50_000 if covariance_type in ("diag", "spherical") else 500
    save_model(path, SavedModel(draw_parameters(np.random.default_rng(0), covariance_type, 20, n_components)))
    fastgmm.load(path)  # what is imported only once
    tracemalloc.start()
    try:
        fastgmm.load(path)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak <= 8 * path.stat().st_size + 2**20
