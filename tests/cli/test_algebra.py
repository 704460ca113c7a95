"""``fastgmm regress`` and ``outliers``: what the estimator's methods say, of files and for people."""

import json
import re

import numpy as np
import pytest

from fastgmm import GaussianMixture
from fastgmm.cli.command_line import main
from fastgmm.parameters import FloatArray
from tests.cli.test_command_line import assert_one_line_error


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """Run in an empty directory, so that file names in arguments are short and nothing is left behind."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def points(rng: np.random.Generator) -> FloatArray:
    return rng.normal(size=(40, 3))


@pytest.fixture
def model(points: FloatArray) -> GaussianMixture:
    """Of the features a, b and c in ``model.npz``, and without names in ``unnamed.npz``; points in ``points.csv``."""
    covariances = [[[1.0, 0.5, 0.3], [0.5, 1.0, 0.2], [0.3, 0.2, 1.0]], np.eye(3)]
    gm = GaussianMixture.from_parameters([0.5, 0.5], [[0.0] * 3, [2.0] * 3], covariances, random_state=0)
    gm.save("unnamed.npz")
    gm.feature_names_in_ = np.array(["a", "b", "c"], object)
    gm.save("model.npz")
    np.save("points.npy", points)
    with open("points.csv", "w") as file:
        file.write("kind,c,b,a\n" + "".join(f"x,{c!r},{b!r},{a!r}\n" for a, b, c in points.tolist()))
    return gm


# --- regress ---------------------------------------------------------------------------------------------------------


def test_regress_finds_columns_by_name(model, points, capsys):
    assert main(["regress", "model.npz", "points.csv", "--given", "c,a"]) == 0
    found = np.loadtxt(capsys.readouterr().out.splitlines(), ndmin=2)
    assert np.array_equal(found, model.regress(points[:, [2, 0]], ["c", "a"]))


def test_regress_writes_the_targets_and_their_deviations(model, points, capsys):
    arguments = ["--given", "b", "--target", "c,a", "--std", "-o", "found.csv"]
    assert main(["regress", "model.npz", "points.csv", *arguments]) == 0
    assert capsys.readouterr().out == "means of 40 points written to found.csv\n"
    mean, std = model.regress(points[:, [1]], ["b"], return_std=True)
    with open("found.csv") as file:
        assert file.readline() == "c,a,c_std,a_std\n"
        found = np.loadtxt(file, delimiter=",")
    np.testing.assert_allclose(found, np.c_[mean[:, ::-1], std[:, ::-1]], rtol=1e-13, atol=1e-14)


@pytest.mark.parametrize("columns", [[0, 1, 2], [2, 0]])
def test_regress_without_names_takes_what_is_given_or_all_columns(model, points, columns, capsys):
    np.save("points.npy", points[:, columns])
    for name in ("unnamed.npz", "model.npz"):
        assert main(["regress", name, "points.npy", "--given", "2,0", "--json"]) == 0
        facts = json.loads(capsys.readouterr().out)
        assert facts["columns"] == (["b"] if name == "model.npz" else ["column_1"])
        np.testing.assert_array_equal(facts["means"], model.regress(points[:, [2, 0]], [2, 0]))


def test_regress_takes_chosen_columns(model, points, capsys):
    assert main(["regress", "unnamed.npz", "points.csv", "--columns", "b,c", "--given", "1,2"]) == 0
    found = np.loadtxt(capsys.readouterr().out.splitlines(), ndmin=2)
    assert np.array_equal(found, model.regress(points[:, [1, 2]], [1, 2]))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["points.csv", "--given", "a,x"], "--given names 'x', which is none of the features: 'a', 'b', 'c'."),
        (["points.csv", "--given", "a,3"], "--given names feature 3, but there are 3, counted from 0."),
        (["points.csv", "--given", "a", "--target", "b,a"], "--target names what is given: a"),
        (["points.csv", "--given", "a,b,c"], "--given names all features of the model: there is none left to be found"),
        (["two.npy", "--given", "a"], "two.npy: 2 columns are neither the 1 that are given nor all 3 of the model"),
        (["points.csv", "--given", "a", "-o", "points.csv"], "the output would replace the input points.csv"),
    ],
)
def test_what_regress_refuses(model, points, capsys, arguments, message):
    np.save("two.npy", points[:, :2])
    assert main(["regress", "model.npz", *arguments]) == 1
    assert_one_line_error(capsys, message)


# --- outliers --------------------------------------------------------------------------------------------------------


def test_outliers_are_listed_the_least_probable_first(model, points, capsys):
    points[[7, 20]] = [[9.0] * 3, [-20.0] * 3]
    np.save("points.npy", points)
    assert main(["outliers", "model.npz", "points.npy", "--alpha", "1e-4", "--seed", "1", "-q"]) == 0
    out = capsys.readouterr().out
    assert re.search(r"^outliers +2 with p-values less than 0\.0001$", out, re.MULTILINE)
    assert [line.split()[0] for line in out.splitlines()[-3:]] == ["row", "7", "20"]
    assert main(["outliers", "model.npz", "points.npy", "--alpha", "1e-4", "--seed", "1", "-q", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts == {"points": 40, "alpha": 1e-4, "outliers": [7, 20], "p_values": [1 / 100_001] * 2}


def test_outliers_writes_all_p_values(model, points, capsys):
    arguments = ["--draws", "5000", "--seed", "1", "-o", "p.npy"]
    assert main(["outliers", "model.npz", "points.csv", *arguments]) == 0
    assert capsys.readouterr().out == "p-values of 40 points written to p.npy\n"
    del model.feature_names_in_
    assert np.array_equal(np.load("p.npy"), model.outlier_p_values(points, n_samples=5000, random_state=1))


def test_outliers_draws_enough_for_alpha(model, points, capsys, monkeypatch):
    drawn = []

    def p_values(self, X, *, n_samples, random_state):
        drawn.append(n_samples)
        return np.ones(len(X))

    monkeypatch.setattr(GaussianMixture, "outlier_p_values", p_values)
    for alpha in ("0.01", "1e-6"):
        assert main(["outliers", "model.npz", "points.csv", "--alpha", alpha]) == 0
    assert drawn == [100_000, 10_000_000]
    assert "0 with p-values less than" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["--alpha", "0"], 2, "must be a float in the range (0.0, 1.0]; got '0'"),
        (["--alpha", "1e-4", "--draws", "9999"], 1, "no p-value is less than 0.0001 of 9999 draws: give more --draws"),
    ],
)
def test_what_outliers_refuses(model, capsys, arguments, status, message):
    assert main(["outliers", "model.npz", "points.csv", *arguments]) == status
    assert message in capsys.readouterr().err
