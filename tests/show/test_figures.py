"""Figures and files of them, without asking for a window."""

import sys
from pathlib import Path

import numpy as np
import pytest

from fastgmm.show.figures import colors_of, new_figure, save_figure

pytest.importorskip("matplotlib")


@pytest.mark.parametrize("n_components", [1, 10, 11, 40])
def test_colors_of_components_differ(n_components: int) -> None:
    colors = colors_of(n_components)
    assert colors.shape == (n_components, 3)
    distances = np.abs(colors[:, np.newaxis] - colors).max(axis=2) + np.eye(n_components)
    assert distances.min() > 0.02


@pytest.mark.parametrize(("name", "beginning"), [("a.png", b"\x89PNG"), ("a.svg", b"<?xml"), ("a.pdf", b"%PDF")])
def test_the_suffix_says_the_format(tmp_path: Path, name: str, beginning: bytes) -> None:
    save_figure(new_figure(), tmp_path / name)
    assert (tmp_path / name).read_bytes().startswith(beginning)


def test_a_picture_that_failed_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="supported"):
        save_figure(new_figure(), tmp_path / "a.unknown")
    assert list(tmp_path.iterdir()) == []


def test_without_matplotlib_the_error_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ImportError, match=r"pip install 'fastgmm\[plot\]'"):
        new_figure()
