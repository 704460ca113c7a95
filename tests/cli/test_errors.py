"""``fastgmm fit --errors``: variances of the errors of points."""

import json

import numpy as np
import pytest

import fastgmm
from fastgmm.cli.command_line import main

FIT = ["fit", "points.csv", "-k", "2", "-o", "model.npz", "--quiet"]
RNG = np.random.default_rng(0)
ERRORS = RNG.uniform(0.1, 2.0, (300, 2))
POINTS = np.repeat([[0.0, 0.0], [7.0, 0.0]], 150, axis=0) + RNG.normal(size=(300, 2)) * np.sqrt(1 + ERRORS)


@pytest.fixture(autouse=True)
def _files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.savetxt("points.csv", POINTS, delimiter=",", header="x,y", comments="")
    np.savetxt("errors.csv", ERRORS, delimiter=",", header="x,y", comments="")
    np.save("errors.npy", ERRORS)


@pytest.mark.parametrize("name", ["errors.csv", "errors.npy"])
def test_a_fit_takes_variances(name, capsys):
    assert main([*FIT, "--errors", name, "--json"]) == 0
    expected = fastgmm.GaussianMixture(2, random_state=0).fit(POINTS, errors=ERRORS)
    np.testing.assert_allclose(fastgmm.load("model.npz").covariances_, expected.covariances_, rtol=1e-9)
    score = json.loads(capsys.readouterr().out)["log_likelihood_per_point"]
    assert score == pytest.approx(expected.score(POINTS, errors=ERRORS), rel=1e-9)


@pytest.mark.parametrize(
    ("errors", "message"),
    [
        (ERRORS[:200], "errors.npy has 200 rows, of points.csv there are 300"),
        (ERRORS[:, :1], "errors.npy has 1 columns, of points.csv there are 2"),
        (np.where(np.arange(300)[:, np.newaxis] == 5, -1.0, ERRORS), "row 5, feature 0 has -1.0"),
    ],
    ids=["rows", "columns", "negative"],
)
def test_what_is_wrong_with_variances_is_said(errors, message, capsys):
    np.save("errors.npy", errors)
    assert main([*FIT, "--errors", "errors.npy"]) == 1
    assert message in capsys.readouterr().err


def test_the_model_may_not_replace_the_errors(capsys):
    np.savez("model.npz", ERRORS)
    assert main([*FIT, "--errors", "model.npz"]) != 0
    capsys.readouterr()


def test_points_in_blocks_have_none(capsys):
    assert main([*FIT, "--errors", "errors.npy", "--in-blocks"]) == 2
    assert "--errors is for points in memory" in capsys.readouterr().err


def test_standard_input_is_one_of_both(capsys):
    assert main(["fit", "-", "-k", "2", "--errors", "-"]) == 1
    assert "standard input cannot be both points and errors" in capsys.readouterr().err
