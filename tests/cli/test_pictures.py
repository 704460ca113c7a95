"""``fastgmm plot``: a file with the picture, or a message and none."""

import json
from pathlib import Path

import numpy as np
import pytest

import fastgmm
from fastgmm.cli.command_line import main
from fastgmm.data.datasets import load_old_faithful
from fastgmm.data.table import Table

pytest.importorskip("matplotlib")

Captured = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A model of Old Faithful, and its points, with a missing value and a column that is not the model's."""
    monkeypatch.chdir(tmp_path)
    points = load_old_faithful()
    names = ("eruptions", "waiting")
    fastgmm.GaussianMixture(2, random_state=0, backend="numpy").fit(Table(points, names)).save("model.npz")
    lines = [f"{eruptions},{number},{waiting}" for number, (eruptions, waiting) in enumerate(points.tolist())]
    Path("points.csv").write_text("\n".join(["eruptions,number,waiting", *lines, "3.5,272,NA\n"]))
    return tmp_path


def test_points_and_components_are_drawn(capsys: Captured) -> None:
    assert main(["plot", "model.npz", "points.csv", "-o", "picture.png"]) == 0
    assert capsys.readouterr().out == "classification written to picture.png\n"
    assert Path("picture.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("features", ["waiting", "1"])
def test_features_are_chosen_by_name_and_by_number(features: str, capsys: Captured) -> None:
    assert main(["plot", "model.npz", "points.csv", "-o", "a.svg", "--features", features, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"points": 273, "kind": "histogram", "output": "a.svg"}


def test_a_model_is_drawn_without_points(capsys: Captured) -> None:
    assert main(["plot", "model.npz", "-o", "a.pdf", "--kind", "density", "--features", "waiting,eruptions"]) == 0
    assert capsys.readouterr().out == "density written to a.pdf\n"


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["points.csv", "-o", "a.txt"], 2, "expected a file name that ends in .png or"),
        (["points.csv", "-o", "missing/a.png"], 1, "No such file"),
        (["points.csv", "-o", "a.png", "--kind", "path"], 2, "invalid choice: 'path'"),
        (["points.csv", "-o", "a.png", "--features", "warmth"], 1, "none of the features: 'eruptions', 'waiting'"),
        (["-o", "a.png", "--kind", "uncertainty"], 1, "give X"),
    ],
)
def test_a_mistake_is_told_and_leaves_no_file(
    arguments: list[str], status: int, message: str, elsewhere: Path, capsys: Captured
) -> None:
    before = set(elsewhere.iterdir())
    assert main(["plot", "model.npz", *arguments]) == status
    assert message in capsys.readouterr().err
    assert set(elsewhere.iterdir()) == before


def test_the_input_is_not_replaced(capsys: Captured) -> None:
    np.save("points.npy", load_old_faithful())
    Path("points.npy").rename("points.png")
    Path("points.npy").symlink_to("points.png")
    assert main(["plot", "model.npz", "points.npy", "-o", "points.png"]) == 1
    assert "the output would replace the input" in capsys.readouterr().err
