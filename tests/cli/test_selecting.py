"""``fastgmm select``."""

import csv
import json

import numpy as np
import pytest

import fastgmm
from fastgmm.cli import main
from fastgmm.data.datasets import load_old_faithful


@pytest.fixture
def points(tmp_path):
    path = tmp_path / "points.csv"
    np.savetxt(path, load_old_faithful(), delimiter=",", header="eruptions,waiting", comments="")
    return path


def test_the_best_model_is_told_and_written(points, tmp_path, capsys):
    model, table = tmp_path / "best.npz", tmp_path / "table.csv"
    assert main(["select", str(points), "-k", "1..5", "-o", str(model), "--table", str(table)]) == 0
    out = capsys.readouterr().out
    assert out.startswith("Best of 20 models by BIC: 3 tied components\n")
    assert fastgmm.load(model).get_params()["n_components"] == 3
    lines = list(csv.DictReader(table.read_text().splitlines()))
    assert len(lines) == 20
    assert float(lines[0]["bic"]) == pytest.approx(2314.30, abs=0.02)


def test_json_has_every_candidate(points, capsys):
    assert main(["select", str(points), "-k", "1,2,3", "--covariance-type", "tied,full", "--json"]) == 3
    told = json.loads(capsys.readouterr().out)
    assert told["at_edge"] is True
    assert (told["n_components"], told["covariance_type"], len(told["candidates"])) == (3, "tied", 6)
    assert told["candidates"][0]["cv"] is None


def test_a_picture_is_drawn(points, tmp_path, capsys):
    pytest.importorskip("matplotlib")
    picture = tmp_path / "criterion.png"
    assert main(["select", str(points), "-k", "1..4", "--criterion", "icl", "--plot", str(picture), "--quiet"]) == 0
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert f"picture written to {picture}" in capsys.readouterr().out


@pytest.mark.prints
def test_points_in_blocks_are_chosen_for_too(points, capsys):
    assert main(["select", str(points), "-k", "1..4", "--in-blocks"]) == 0


@pytest.mark.parametrize("numbers", ["0..3", "5..2", "a", "1,,2", ""])
def test_what_is_no_range_is_wrong_usage(points, numbers, capsys):
    assert main(["select", str(points), "-k", numbers]) == 2
    assert "is neither a range such as 1..20 nor a list such as 2,4,8" in capsys.readouterr().err
