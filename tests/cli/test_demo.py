"""The demo, with few points."""

import json
import sys

import pytest

from fastgmm.cli.command_line import main


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments):
    return main(["demo", "--rows", "5000", "--backend", "numpy", *arguments])


def test_demo_prints_the_mixture_and_draws_it(elsewhere, capsys):
    pytest.importorskip("matplotlib")
    assert run() == 0
    out, err = capsys.readouterr()
    for word in ("component", "weight", "mean eruptions", "std waiting", "correlation", "points/s", "an iteration"):
        assert word in out
    assert "5,000 x 2" in out
    assert "drawing 5,000 points" in err
    assert (elsewhere / "fastgmm-demo.png").read_bytes().startswith(b"\x89PNG")


def test_demo_recovers_old_faithful(capsys):
    assert run("--json", "--quiet", "--picture", "a.png") == 0
    out, err = capsys.readouterr()
    facts = json.loads(out)
    assert err == ""
    assert facts["converged"]
    assert facts["weights"] == pytest.approx([0.356, 0.644], abs=0.03)
    assert facts["means"][0] == pytest.approx([2.036, 54.48], rel=0.02)
    assert facts["means"][1] == pytest.approx([4.290, 79.97], rel=0.02)


def test_same_seed_same_mixture(capsys):
    results = []
    for seed in ("1", "1", "2"):
        assert run("--json", "--quiet", "--seed", seed) == 0
        results.append(json.loads(capsys.readouterr().out)["means"])
    assert results[0] == results[1] != results[2]


def test_without_matplotlib_it_says_how_to_get_it(elsewhere, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    assert run("-k", "3") == 0
    assert "pip install 'fastgmm[plot]'" in capsys.readouterr().out
    assert list(elsewhere.iterdir()) == []


def test_picture_that_cannot_be_written_is_noticed_first(capsys):
    assert run("--picture", "missing/a.png") == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert "missing/a.png: No such file" in err
