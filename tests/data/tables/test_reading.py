"""Every kind of file is read, or refused with what to do instead."""

from pathlib import Path

import pytest

from fastgmm.data.tables import TextForm, read_points, require_known_kind


@pytest.mark.parametrize("suffix", ["npy", "npz", "csv", "csv.gz", "tsv", "txt", "parquet", "feather"])
def test_missing_files_stay_file_not_found(tmp_path, suffix):
    if suffix in ("parquet", "feather"):
        pytest.importorskip("pyarrow")
    with pytest.raises(FileNotFoundError):
        read_points(tmp_path / f"x.{suffix}")


@pytest.mark.parametrize(
    "name", ["x.npy", "x.NPZ", "x.y.csv", "x.tsv.gz", "x.Dat", "-", "x.parquet", "x.feather", "x.Arrow", "x.ipc"]
)
def test_known_kinds(name):
    require_known_kind(name)
    require_known_kind(Path(name))


@pytest.mark.parametrize(
    ("name", "way_out"),
    [
        ("x.xlsx", "save the sheet as CSV"),
        ("x.ods", "save the sheet as CSV"),
        ("x.json", "read it in Python, and write it with numpy.save, DataFrame.to_parquet or DataFrame.to_csv"),
        ("x.orc", "read it in Python"),
        ("x.pkl", "read it in Python"),
        ("x.csv.bz2", "decompress it first"),
        ("x.npy.gz", "decompress it first"),
        ("x.gz", "decompress it first"),
        ("x.tar.gz", "decompress it first"),
        ("x.log", "text can be given on standard input, as - < FILE"),
        ("x", "text can be given on standard input, as - < FILE"),
        (".csv", "text can be given on standard input, as - < FILE"),
    ],
)
def test_other_kinds_are_refused_with_what_to_do(tmp_path, name, way_out):
    with pytest.raises(ValueError, match=r"unknown kind of file: ") as caught:
        read_points(tmp_path / name)
    assert f"{name}: unknown kind of file: {way_out}" in str(caught.value)
    assert ". Known are .npy, .npz of one array, .parquet, " in str(caught.value)


@pytest.mark.parametrize("form", [TextForm("no"), TextForm(delimiter=",")])
def test_how_to_read_text_is_refused_for_what_is_none(tmp_path, form):
    with pytest.raises(ValueError, match="can be told of text only"):
        read_points(tmp_path / "x.npy", form=form)
