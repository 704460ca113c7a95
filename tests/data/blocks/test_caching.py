"""Decoded rows are kept for later passes, whole or not at all, and never believed blindly."""

import os
import subprocess
import sys

import numpy as np
import pytest

from fastgmm import blocks_of
from tests.data.blocks.sources import assert_same_bits, blocks_in, fit_of, rows_of, values_in, write_text


@pytest.fixture
def cache(tmp_path):
    (tmp_path / "cache").mkdir()
    return tmp_path / "cache"


@pytest.fixture(name="X")
def rows():
    return rows_of()


@pytest.fixture
def files(tmp_path, X):
    cuts = [0, 100, 100, 1_234, len(X)]
    parts = [write_text(tmp_path / f"{i}.csv", X[cuts[i] : cuts[i + 1]], "a,b,c") for i in range(4)]
    return parts


def kept(cache):
    return sorted(path.name.rsplit("-", 1)[1] for path in cache.iterdir())


def forbid_decoding(monkeypatch):
    def decode(layout):
        raise AssertionError("decoded though it was kept")

    monkeypatch.setattr("fastgmm.data.blocks.text.values_of", decode)


def test_later_passes_map_what_the_first_has_kept(files, cache, X, monkeypatch):
    assert_same_bits(blocks_of(files, cache=cache, block_rows=1_000), X)
    assert kept(cache) == ["places.npy", "rows.npy"]
    forbid_decoding(monkeypatch)
    assert_same_bits(blocks_of(files, cache=str(cache), block_rows=1_000), X)
    (block,) = blocks_in(blocks_of(files, cache=cache))
    assert [(place.name, place.first, place.n_rows) for place in block.places] == [
        (str(files[0]), 0, 100),
        (str(files[2]), 0, 1_134),
        (str(files[3]), 0, 1_766),
    ]


def test_blocks_of_one_file_lie_in_the_mapped_memory(tmp_path, cache, X):
    source = blocks_of(write_text(tmp_path / "x.csv", X), cache=cache, block_rows=1_000)
    list(source.map(lambda block, n_threads: None, 1))
    for flags in source.map(lambda block, n_threads: block.values.flags, 1):
        assert not flags.owndata
        assert not flags.writeable
        assert flags.c_contiguous


def test_another_process_finds_what_was_kept(files, cache):
    values_in(blocks_of(files, cache=cache))
    before = {path: path.stat().st_mtime_ns for path in cache.iterdir()}
    script = """
import sys
from fastgmm import blocks_of
import fastgmm.data.blocks.text
fastgmm.data.blocks.text.values_of = None
print(sum(blocks_of(sys.argv[2:], cache=sys.argv[1]).map(lambda block, n_threads: len(block.values), 1)))
"""
    done = subprocess.run([sys.executable, "-c", script, cache, *files], capture_output=True, text=True, check=True)
    assert int(done.stdout) == 3_000
    assert {path: path.stat().st_mtime_ns for path in cache.iterdir()} == before


def test_weights_and_labels_are_kept_beside(tmp_path, cache, monkeypatch):
    path = tmp_path / "x.csv"
    path.write_text("w,x,y\n" + "1,5,0\n2,,1\n3,4,\n" * 10)
    source = blocks_of(path, weight="w", labels="y", cache=cache)
    (first,) = blocks_in(source)
    assert kept(cache) == ["labels.npy", "places.npy", "rows.npy", "weights.npy"]
    forbid_decoding(monkeypatch)
    (second,) = blocks_in(source)
    for name in ("values", "weights", "labels"):
        assert getattr(first, name).dtype == getattr(second, name).dtype
        np.testing.assert_array_equal(getattr(first, name), getattr(second, name))


def test_other_columns_or_another_meaning_are_kept_apart(tmp_path, cache):
    path = tmp_path / "x.csv"
    path.write_text("1,2\n3,4\n5,6\n")
    for n_kept, options in enumerate([{}, {"columns": [1]}, {"columns": [1], "weight": 0}, {"header": "yes"}], 1):
        np.testing.assert_array_equal(
            values_in(blocks_of(path, cache=cache, **options)), values_in(blocks_of(path, **options))
        )
        assert kept(cache).count("rows.npy") == n_kept


def test_a_pass_that_is_broken_off_keeps_nothing(files, cache, X):
    source = blocks_of(files, cache=cache, block_rows=10)
    blocks = source.map(lambda block, n_threads: None, 1)
    next(blocks)
    blocks.close()
    assert not list(cache.iterdir())
    files[3].write_text(files[3].read_text() + "1,2,x\n")
    with pytest.raises(ValueError, match=r"3\.csv, line 1768"):
        values_in(blocks_of(files, cache=cache))
    assert not list(cache.iterdir())


def test_files_that_changed_are_decoded_anew(files, cache, X, monkeypatch):
    source = blocks_of(files, cache=cache)
    values_in(source)
    write_text(files[0], X[:100] + 1, "a,b,c")
    os.utime(files[0], (1, 1))
    with pytest.raises(ValueError, match=r"0\.csv has changed since"):
        values_in(source)
    found = values_in(blocks_of(files, cache=cache))
    np.testing.assert_array_equal(found, np.concatenate([X[:100] + 1, X[100:]]))


def damages():
    yield "no bytes", lambda content: b""
    yield "a part", lambda content: content[:-8]
    yield "less than a header", lambda content: content[:20]
    yield "a row more", lambda content: content + bytes(24)
    yield "another header", lambda content: content.replace(b"'fortran_order': False", b"'fortran_order': True ")
    yield "another dtype", lambda content: content.replace(b"<f8", b"|O8").replace(b"<i8", b"|O8")


@pytest.mark.parametrize("damage", [pytest.param(each, id=name) for name, each in damages()])
@pytest.mark.parametrize("what", ["rows", "places", "weights"])
def test_what_is_damaged_is_made_anew(tmp_path, cache, what, damage):
    path = tmp_path / "x.csv"
    path.write_text("w,x,y,z\n" + "1,5,0,4\n2,,1,3\n3,4,,1\n" * 10)
    source = blocks_of(path, weight="w", cache=cache)
    expected = values_in(source)
    (kept,) = cache.glob(f"*-{what}.npy")
    whole = kept.read_bytes()
    kept.write_bytes(damage(whole))
    assert kept.read_bytes() != whole
    np.testing.assert_array_equal(values_in(source), expected)
    assert kept.read_bytes() == whole


def test_places_that_cannot_be_are_made_anew(files, cache):
    source = blocks_of(files, cache=cache)
    values_in(source)
    (places,) = cache.glob("*-places.npy")
    whole = places.read_bytes()
    for wrong in (-1, 4, 10**6):
        places.write_bytes(whole[:-24] + np.array([wrong, 0, 1_766]).tobytes())
        values_in(source)
        assert places.read_bytes() == whole


def test_a_wrong_label_is_named_where_it_was_read_also_from_the_cache(tmp_path, cache):
    paths = [tmp_path / "a.csv", tmp_path / "b.csv"]
    paths[0].write_text("x,y\n" + "1,0\n2,1\n" * 3)
    paths[1].write_text("x,y\n" + "1,0\n2,2\n" * 3)
    source = blocks_of(paths, labels="y", cache=cache)
    values_in(source)
    assert kept(cache)
    with pytest.raises(ValueError, match=r"b\.csv, row 1: the label"):
        fit_of(source)


def test_a_directory_that_does_not_exist_is_refused(files, tmp_path):
    with pytest.raises(NotADirectoryError, match="missing"):
        blocks_of(files, cache=tmp_path / "missing")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits the size of files")
def test_a_full_disk_is_said_to_be_that_of_the_cache(tmp_path, cache):
    path = write_text(tmp_path / "x.csv", np.ones((30_000, 3)))
    script = """
import resource, sys
from fastgmm import blocks_of

resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
    list(blocks_of(sys.argv[1], cache=sys.argv[2]).map(lambda block, n_threads: None, 1))
except OSError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", script, path, cache], capture_output=True, text=True, check=True)
    assert "decoded rows (cache=)" in done.stdout
    assert "-rows.npy" in done.stdout
    assert not list(cache.iterdir())


def test_what_needs_no_decoding_is_not_kept(tmp_path, cache):
    X = np.ones((3, 2))
    np.save(tmp_path / "x.npy", X)
    for data in (tmp_path / "x.npy", [X], X):
        values_in(blocks_of(data, cache=cache))
    assert not list(cache.iterdir())
    with pytest.raises(ValueError, match="what a function returns is not cached"):
        blocks_of(lambda: iter([X]), cache=cache)


@pytest.mark.parametrize("dtype", ["f8", "f4"])
def test_parquet_is_kept_in_its_precision(tmp_path, cache, dtype, monkeypatch):
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    X = rows_of(dtype=dtype)
    parquet.write_table(pyarrow.table({"a": X[:, 0], "b": X[:, 1], "c": X[:, 2]}), tmp_path / "x.parquet")
    assert_same_bits(blocks_of(tmp_path / "x.parquet", cache=cache, block_rows=1_000), X)
    (rows,) = cache.glob("*-rows.npy")
    np.testing.assert_array_equal(np.load(rows), X)
    assert np.load(rows).dtype == dtype


def test_data_sets_of_local_files_are_kept(tmp_path, cache):
    pyarrow = pytest.importorskip("pyarrow")
    dataset = pytest.importorskip("pyarrow.dataset")
    X = rows_of()
    table = pyarrow.table({"a": X[:, 0], "b": X[:, 1], "c": X[:, 2]})
    with pytest.raises(ValueError, match="only where it lies in files"):
        blocks_of(dataset.dataset(table), cache=cache)
    dataset.write_dataset(table, tmp_path / "files", format="parquet")
    assert_same_bits(blocks_of(dataset.dataset(tmp_path / "files"), cache=cache, block_rows=1_000), X)
    assert kept(cache) == ["places.npy", "rows.npy"]
