"""Labels out of files."""

import gzip

import numpy as np
import pytest

from fastgmm.data.tables.label_files import read_labels
from fastgmm.data.tables.text_rows import TextForm


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        ("0\n1\n-1\n", [0, 1, -1]),
        ("known\n0\n\n1\n", [0, -1, 1]),
        ("\n2\n\n", [-1, 2, -1]),
        ("NA\n2\nNaN\nnull\n", [-1, 2, -1, -1]),
        ("0,1\n0.5,2\n", [[0, 1], [0.5, 2]]),
        ("a,b\n0,1\n", [[0, 1]]),
    ],
)
@pytest.mark.parametrize("suffix", [".csv", ".csv.gz"])
def test_labels_are_read_from_text(tmp_path, text, labels, suffix):
    path = tmp_path / f"labels{suffix}"
    path.write_bytes(gzip.compress(text.encode()) if suffix.endswith(".gz") else text.encode())
    assert read_labels(path).values.tolist() == labels


@pytest.mark.parametrize("labels", [[0, 1, -1], [[0.5, 1.0], [1.0, 0.0]]])
def test_labels_are_read_from_arrays(tmp_path, labels):
    path = tmp_path / "labels.npy"
    np.save(path, np.array(labels))
    assert read_labels(path).values.tolist() == labels


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("0\nsetosa\n", "line 2, column 1: 'setosa' is not a number"),
        ("0,1\n0\n", "line 2: 1 columns, where the first row has 2"),
        ("0,1\n\n1,0\n", "line 2: an empty row"),
        ("", "the file is empty"),
        ("known\n", "no rows of labels"),
    ],
)
def test_what_is_no_table_of_numbers_is_refused(tmp_path, text, words):
    path = tmp_path / "labels.csv"
    path.write_text(text)
    with pytest.raises(ValueError, match=words):
        read_labels(path)


def test_rows_are_found_again_in_their_file(tmp_path):
    path = tmp_path / "labels.csv"
    path.write_text('"known,\nof some"\n0\n\n1\n')
    labels = read_labels(path)
    assert labels.values.tolist() == [0, -1, 1]
    assert [labels.place(row) for row in range(3)] == [f"{path}, line {line}" for line in (3, 4, 5)]
    np.save(tmp_path / "labels.npy", labels.values)
    assert read_labels(tmp_path / "labels.npy").place(1) == f"{tmp_path}/labels.npy, row 1"


@pytest.mark.parametrize(
    ("text", "form", "labels"),
    [
        ("0;1\n1;0\n", {"delimiter": ";"}, [[0, 1], [1, 0]]),
        ("0  1\n1 0\n", {"delimiter": " "}, [[0, 1], [1, 0]]),
        ("2019\n1\n", {"header": "yes"}, [1]),
        ("\n1\n", {"header": "yes"}, [1]),
        ("0\n1\n", {"header": "no"}, [0, 1]),
    ],
)
def test_it_can_be_told_how_text_is_to_be_read(tmp_path, text, form, labels):
    path = tmp_path / "labels.csv"
    path.write_text(text)
    assert read_labels(path, TextForm(**form)).values.tolist() == labels


def test_a_name_is_no_label_where_there_is_to_be_no_header(tmp_path):
    path = tmp_path / "labels.csv"
    path.write_text("known\n1\n")
    with pytest.raises(ValueError, match="line 1, column 1: 'known' is not a number"):
        read_labels(path, TextForm("no"))


def test_truth_values_are_no_component_numbers(tmp_path):
    path = tmp_path / "labels.npy"
    np.save(path, np.array([True, False]))
    with pytest.raises(ValueError, match=r"labels\.npy: holds one truth value a row"):
        read_labels(path)
    np.save(path, np.eye(2, dtype=bool))
    assert read_labels(path).values.tolist() == [[True, False], [False, True]]


def test_it_is_not_said_how_to_leave_out_a_column_of_labels(tmp_path):
    arrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "labels.parquet"
    parquet.write_table(arrow.table({"known": [0, 1], "name": ["a", "b"]}), path)
    with pytest.raises(ValueError, match=r"labels\.parquet, column 'name': holds .*string, not numbers$"):
        read_labels(path)
