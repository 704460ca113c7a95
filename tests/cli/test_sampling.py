"""``fastgmm sample``: points as the estimator draws them, in random order, in every kind of file."""

import io
import json
import sys

import numpy as np
import pytest

import fastgmm
from fastgmm.cli.command_line import main
from fastgmm.data.tables import Table, read_points


@pytest.fixture(autouse=True)
def model(tmp_path, monkeypatch):
    """Three components apart, in ``model.npz`` with the names a and b."""
    monkeypatch.chdir(tmp_path)
    rows = np.repeat([[0.0, 0.0], [50.0, 0.0], [0.0, 80.0]], 40, axis=0) + np.random.default_rng(0).normal(
        size=(120, 2)
    )
    mixture = fastgmm.GaussianMixture(3, random_state=0, backend="numpy").fit(Table(rows, ("a", "b")))
    mixture.save("model.npz")
    return mixture


def sorted_rows(rows):
    return rows[np.lexsort(rows.T)]


@pytest.mark.parametrize("name", ["points.csv", "points.npy", "points.parquet"])
def test_the_points_of_a_file_are_those_of_the_estimator(model, name, capsys):
    if name.endswith(".parquet"):
        pytest.importorskip("pyarrow")
    assert main(["sample", "model.npz", "-n", "500", "--seed", "7", "-o", name]) == 0
    assert capsys.readouterr().out == f"500 points written to {name}\n"
    expected, _ = model.set_params(random_state=7).sample(500)
    table = read_points(name)
    assert table.columns == (None if name.endswith(".npy") else ("a", "b"))
    np.testing.assert_array_equal(sorted_rows(table.values), sorted_rows(expected))


def test_points_come_in_random_order(model, capsys):
    assert main(["sample", "model.npz", "-n", "300", "-o", "points.npy", "--quiet"]) == 0
    capsys.readouterr()
    assert len(set(model.predict(Table(np.load("points.npy")[:20], ("a", "b"))).tolist())) == 3


@pytest.mark.parametrize("name", ["points.csv", "points.npy", "points.parquet"])
def test_the_component_of_each_point_is_a_last_column(model, name, capsys):
    if name.endswith(".parquet"):
        pytest.importorskip("pyarrow")
    assert main(["sample", "model.npz", "-n", "200", "--label-column", "component", "-o", name]) == 0
    capsys.readouterr()
    values = read_points(name).values
    np.testing.assert_array_equal(model.predict(Table(values[:, :2], ("a", "b"))), values[:, 2])
    if name == "points.csv":
        with open(name) as file:
            header, first, *_ = file.read().splitlines()
        assert header == "a,b,component"
        assert first.split(",")[2] in ("0", "1", "2")


def test_standard_output_can_be_fitted(capsys, monkeypatch):
    assert main(["sample", "model.npz", "-n", "400"]) == 0
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(capsys.readouterr().out.encode())))
    assert main(["fit", "-", "-k", "3", "-o", "again.npz", "--backend", "numpy"]) == 0
    capsys.readouterr()
    assert list(fastgmm.load("again.npz").feature_names_in_) == ["a", "b"]


def test_the_same_seed_draws_the_same_points_and_another_others(capsys):
    drawn = []
    for seed in ("1", "1", "2"):
        assert main(["sample", "model.npz", "-n", "3", "--seed", seed, "--json", "--label-column", "k"]) == 0
        drawn.append(json.loads(capsys.readouterr().out))
    assert drawn[0] == drawn[1] != drawn[2]
    assert drawn[0]["columns"] == ["a", "b", "k"]
    assert np.shape(drawn[0]["sample"]) == (3, 2)
    assert len(drawn[0]["labels"]) == 3


def test_a_model_without_names_has_numbered_columns(capsys):
    fastgmm.GaussianMixture.from_parameters([1.0], [[0.0, 0.0]], [1.0], "spherical").save("bare.npz")
    assert main(["sample", "bare.npz", "-n", "1"]) == 0
    assert capsys.readouterr().out.splitlines()[0] == "x0,x1"


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["-n", "0"], 2, "must be an int in the range [1, inf); got '0'"),
        (["-n", "5", "--label-column", "a"], 1, "--label-column a: a feature has that name"),
        (["-n", "5", "-o", "missing/points.csv"], 1, "missing/points.csv: No such file"),
        (["-n", "5", "-o", "model.txt"], 2, "expected a file name that ends in .npy or .csv or .parquet"),
    ],
)
def test_what_is_refused(capsys, arguments, status, message):
    assert main(["sample", "model.npz", *arguments]) == status
    assert message in capsys.readouterr().err
