"""Arrays come out of NumPy's files as they went in, and nothing is unpickled."""

import io
import sys

import numpy as np
import pytest

from fastgmm.data.tables import read_points
from tests.model_files import encoded, make_model


@pytest.fixture
def points():
    return np.random.default_rng(0).normal(size=(50, 3))


def test_npy_is_memory_mapped(tmp_path, points):
    np.save(tmp_path / "x.npy", points)
    table = read_points(tmp_path / "x.npy")
    assert isinstance(table.values, np.memmap)
    assert table.columns is None
    np.testing.assert_array_equal(table.values, points)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_the_only_array_of_npz_is_read_whatever_its_name(tmp_path, points, save):
    save(tmp_path / "x.npz", anything=points.astype("f4"))
    table = read_points(tmp_path / "x.npz")
    assert table.values.dtype == np.float32
    assert table.columns is None
    np.testing.assert_array_equal(table.values, points.astype("f4"))


@pytest.mark.parametrize("suffix", ["npy", "npz"])
@pytest.mark.parametrize("dtype", ["<f4", ">f8", "i8", "u1", "?"])
def test_a_file_keeps_its_dtype(tmp_path, suffix, dtype):
    save = {"npy": np.save, "npz": np.savez}[suffix]
    save(tmp_path / f"x.{suffix}", np.zeros((4, 2), dtype))
    assert read_points(tmp_path / f"x.{suffix}").values.dtype == np.dtype(dtype)


def test_one_dimension_is_one_feature(tmp_path):
    np.save(tmp_path / "x.npy", np.arange(4.0))
    assert read_points(tmp_path / "x.npy").values.shape == (4, 1)


def test_columns_are_chosen_by_number(tmp_path, points):
    np.save(tmp_path / "x.npy", points)
    np.testing.assert_array_equal(read_points(tmp_path / "x.npy", ["2", "0"]).values, points[:, [2, 0]])


def test_names_of_a_model_do_not_matter_where_a_file_has_none(tmp_path, points):
    np.save(tmp_path / "x.npy", points)
    np.testing.assert_array_equal(read_points(tmp_path / "x.npy", if_named=["a", "b", "c"]).values, points)


@pytest.mark.parametrize("suffix", ["npy", "npz"])
@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.array([{}]), r"not a \.npy or \.npz file of numbers"),
        (np.zeros(3, complex), "holds complex128"),
        (np.array(["a"]), "holds <U1"),
        (np.zeros((2, 2, 2)), r"shape \(2, 2, 2\)"),
        (np.array(1.0), r"shape \(\)"),
        (np.zeros((2, 1), "M8[ns]"), r"holds datetime64\[ns\], not numbers\. Times as numbers are"),
        (np.zeros((2, 1), "m8[s]"), r"holds timedelta64\[s\], not numbers\. .*t / np\.timedelta64\(1, 's'\)"),
    ],
)
def test_arrays_of_other_things_are_refused(tmp_path, suffix, array, message):
    path = tmp_path / f"x.{suffix}"
    if suffix == "npy":
        np.save(path, array, allow_pickle=True)
    else:
        np.savez(path, array)
    with pytest.raises(ValueError, match=message):
        read_points(path)


@pytest.mark.parametrize("save", [np.save, np.savez, np.savez_compressed])
def test_a_damaged_file_is_refused(tmp_path, points, save):
    path = tmp_path / ("x.npy" if save is np.save else "x.npz")
    save(path, points)
    content = path.read_bytes()
    middle = len(content) // 2
    # Flipped bits of the numbers themselves can be seen in an archive only, which has a checksum.
    flipped = [] if save is np.save else [content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]]
    # A header that is no literal of Python's.
    flipped += [content.replace(b"'descr'", replacement) for replacement in (b"'descr,", b"('descr") if save is np.save]
    for damaged in (b"", b"junk", content[:20], content[:-1], *flipped):
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match=rf"{path.name}: "):
            read_points(path)


def test_several_arrays_are_refused_by_name(tmp_path, points):
    np.savez(tmp_path / "x.npz", data=points, labels=np.arange(50))
    with pytest.raises(
        ValueError, match=r"x\.npz: holds 2 arrays \(data, labels\), where one is expected.*numpy\.save"
    ):
        read_points(tmp_path / "x.npz")
    np.savez(tmp_path / "x.npz", **{f"a{k}": points for k in range(100)})
    with pytest.raises(ValueError, match=r"holds 100 arrays \(a0, a1, a2, a3, a4, a5, a6, a7, \.\.\.\)"):
        read_points(tmp_path / "x.npz")
    np.savez(tmp_path / "x.npz")
    with pytest.raises(ValueError, match="holds 0 arrays"):
        read_points(tmp_path / "x.npz")


def test_an_archive_of_something_else_is_refused(tmp_path):
    zipfile = pytest.importorskip("zipfile")
    with zipfile.ZipFile(tmp_path / "x.npz", "w") as archive:
        archive.writestr("sheet.xml", "<xml/>")
    with pytest.raises(ValueError, match=r"sheet\.xml is no array"):
        read_points(tmp_path / "x.npz")


def test_a_model_is_no_points(tmp_path):
    (tmp_path / "model.npz").write_bytes(encoded(make_model()))
    with pytest.raises(ValueError, match=r"model\.npz: a fastgmm model, where points are expected"):
        read_points(tmp_path / "model.npz")


@pytest.mark.parametrize("save", [np.save, np.savez_compressed])
def test_the_bytes_of_a_file_are_read_from_standard_input(monkeypatch, points, save):
    content = io.BytesIO()
    save(content, points)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content.getvalue())))
    np.testing.assert_array_equal(read_points("-").values, points)
