"""The README's examples run, and the tests it names exist."""

import doctest
import importlib
import pkgutil
import re
import shlex
from pathlib import Path

import numpy as np
import pytest

import fastgmm
from fastgmm.cli import main

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


def test_the_python_example_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    exec(blocks("python")[0], names)
    assert sorted(np.round(names["gm"].means_[:, 0])) == [0.0, 4.0]
    assert (tmp_path / "model.npz").exists()


def test_the_shell_example_runs(tmp_path, monkeypatch, capsys, rng):
    monkeypatch.chdir(tmp_path)
    np.save("points.npy", np.concatenate([rng.normal(8 * k, 1, (400, 2)) for k in range(16)]))
    for line in blocks("sh")[0].splitlines():
        program, *arguments = shlex.split(line, comments=True)
        assert program == "fastgmm"
        assert main(arguments) == 0, line
    assert np.load("labels.npy").shape == (6400,)


def test_every_test_and_folder_that_is_named_exists():
    named = set(re.findall(r"`((?:tests|fastgmm|bench|ci)/[\w/.]*)`", README))
    assert len(named) > 10
    assert [name for name in named if not (ROOT / name).exists()] == []


@pytest.mark.parametrize(
    "name",
    [
        module.name
        for module in pkgutil.walk_packages(fastgmm.__path__, "fastgmm.")
        if ".numba_" not in module.name and not module.name.endswith("__main__")
    ],
)
def test_the_examples_of_docstrings_run(name):
    assert doctest.testmod(importlib.import_module(name)).failed == 0
