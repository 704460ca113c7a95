"""Which files are a source, and that they must not change."""

import os

import numpy as np
import pytest

from fastgmm import blocks_of
from tests.data.blocks.sources import assert_same_bits, fit_of, rows_of, values_in, write_text


def npy_file(path, X):
    np.save(path, X)
    return path


def test_mapped_files_one_after_the_other(tmp_path):
    X = rows_of()
    npy_file(tmp_path / "b.npy", np.asfortranarray(X[100:]))
    files = [npy_file(tmp_path / "a.npy", X[:100]), npy_file(tmp_path / "aa.npy", X[:0]), tmp_path / "b.npy"]
    assert_same_bits(blocks_of(files, block_rows=1_000), X)
    assert_same_bits(blocks_of(str(tmp_path), block_rows=1_000), X)


def test_a_directory_is_its_files_in_the_order_of_their_bytes(tmp_path):
    for number, name in enumerate(["B.npy", "a.npy", "a10.npy", "a9.npy", "ä.npy"]):
        npy_file(tmp_path / name, np.full((1, 1), number))
    for name in (".hidden.npy", "_SUCCESS", ".a.npy.crc"):
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "_temporary").mkdir()
    np.testing.assert_array_equal(values_in(blocks_of(tmp_path)), [[0], [1], [2], [3], [4]])


def test_directories_that_say_more_than_their_files_are_refused(tmp_path):
    with pytest.raises(ValueError, match="no files"):
        blocks_of(tmp_path)
    npy_file(tmp_path / "a.npy", np.ones((3, 1)))
    (tmp_path / "year=2020").mkdir()
    with pytest.raises(ValueError, match=r"has a directory in it, year=2020: .*pyarrow\.dataset"):
        blocks_of(tmp_path)
    (tmp_path / "_delta_log").mkdir()
    with pytest.raises(ValueError, match="is a Delta table"):
        blocks_of(tmp_path)
    with pytest.raises(ValueError, match="is a directory: pass it alone"):
        blocks_of([tmp_path, tmp_path / "a.npy"])


def test_files_are_of_one_kind(tmp_path):
    npy_file(tmp_path / "a.npy", np.ones((3, 1)))
    write_text(tmp_path / "b.csv", np.ones((3, 1)))
    with pytest.raises(ValueError, match=r"b\.csv is of another kind than .*a\.npy"):
        blocks_of(tmp_path)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("x.xlsx", "unknown kind of file: save the sheet as CSV"),
        ("x.parquet.gz", "unknown kind of file: decompress it first"),
        ("x", "unknown kind of file"),
        ("x.npz", r"numpy\.save"),
        ("-", "standard input can be read only once"),
    ],
)
def test_other_kinds_are_refused_with_a_way_out(name, message):
    with pytest.raises(ValueError, match=message):
        blocks_of(name)


def test_header_and_delimiter_are_of_text(tmp_path):
    X = np.ones((3, 1))
    for data in (npy_file(tmp_path / "a.npy", X), [X], lambda: iter([X])):
        with pytest.raises(ValueError, match=r"can be told of .*text only"):
            blocks_of(data, header="yes")


def test_a_file_that_does_not_exist(tmp_path):
    for name in ("x.npy", "x.csv", "x.parquet"):
        with pytest.raises(FileNotFoundError, match=name):
            blocks_of(tmp_path / name)


def test_files_of_other_widths_are_refused(tmp_path):
    files = [npy_file(tmp_path / f"{d}.npy", np.ones((3, d))) for d in (2, 3)]
    with pytest.raises(ValueError, match=r"3\.npy: 3 columns, where .*2\.npy has 2"):
        blocks_of(files)


@pytest.mark.parametrize("kind", ["npy", "csv"])
def test_a_file_that_has_changed_between_passes_is_named(tmp_path, kind):
    X = np.random.default_rng(0).normal(size=(50, 2))
    write = npy_file if kind == "npy" else write_text
    files = [write(tmp_path / f"{name}.{kind}", X) for name in "ab"]
    source = blocks_of(files)
    fit_of(source)
    write(files[1], X[::-1])
    os.utime(files[1], (1, 1))
    with pytest.raises(ValueError, match=rf"b\.{kind} has changed since"):
        fit_of(source)
    files[1].unlink()
    with pytest.raises(FileNotFoundError, match=rf"b\.{kind}"):
        fit_of(source)


def test_a_file_that_changes_in_a_pass_is_named(tmp_path):
    X = np.random.default_rng(0).normal(size=(50, 2))
    path = write_text(tmp_path / "a.csv", X)
    blocks = blocks_of([path, write_text(tmp_path / "b.csv", X)], block_rows=10).map(lambda block, n_threads: 0, 1)
    next(blocks)
    write_text(path, X[::-1])
    os.utime(path, (1, 1))
    with pytest.raises(ValueError, match=r"a\.csv has changed since"):
        list(blocks)
