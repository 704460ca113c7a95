"""Labels out of files."""

import gzip

import numpy as np
import pytest

from fastgmm.data.tables.label_files import read_labels


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
    assert read_labels(path).tolist() == labels


@pytest.mark.parametrize("labels", [[0, 1, -1], [[0.5, 1.0], [1.0, 0.0]]])
def test_labels_are_read_from_arrays(tmp_path, labels):
    path = tmp_path / "labels.npy"
    np.save(path, np.array(labels))
    assert read_labels(path).tolist() == labels


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
