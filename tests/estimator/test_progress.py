"""``progress=True``: a fit shows how far it has come, and nothing else changes."""

import sys

import numpy as np
import pytest

from fastgmm import GaussianMixture, blocks_of
from fastgmm.data.datasets import load_old_faithful
from fastgmm.show import progress

Captured = pytest.CaptureFixture[str]


def mixture(**options: object) -> GaussianMixture:
    return GaussianMixture(**{"n_components": 2, "random_state": 0, "backend": "numpy", "progress": True} | options)


def test_a_bar_is_shown_though_standard_error_is_no_terminal(capsys: Captured) -> None:
    pytest.importorskip("tqdm")
    gm = mixture().fit(load_old_faithful())
    out, err = capsys.readouterr()
    assert out == ""
    assert f"fit: 100%|██████████| {gm.n_iter_}/{gm.n_iter_}" in err
    assert f"log-likelihood {gm.lower_bound_:.6g}" in err


def test_it_says_what_the_fit_makes_rise(capsys: Captured) -> None:
    pytest.importorskip("tqdm")
    X = load_old_faithful()
    mixture(assignment="hard").fit(X)
    mixture().fit(X, labels=np.where(X[:, 1] < 50, 0, -1))
    err = capsys.readouterr().err
    assert "objective -" in err
    assert "log-likelihood" not in err


def test_passes_over_blocks_are_shown_too(capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("tqdm")
    monkeypatch.setattr(progress, "_SECONDS_BETWEEN_VISITS", 0.0)
    X = load_old_faithful()
    mixture(max_iter=3, tol=10.0).fit(blocks_of([X[:100], X[100:]]))
    err = capsys.readouterr().err
    assert "pass 1: 272 rows" in err
    assert "100% of 272 rows" in err


def test_without_tqdm_lines_are_shown(capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tqdm", None)
    monkeypatch.setattr(progress, "_SECONDS_BETWEEN_LINES", 0.0)
    mixture().fit(load_old_faithful())
    assert capsys.readouterr().err.startswith("fit: iteration 1 of at most 100, log-likelihood ")


def test_callbacks_are_called_beside_it_and_end_a_fit(capsys: Captured) -> None:
    def stop(step: object) -> None:
        raise StopIteration

    pytest.importorskip("tqdm")  # a bar is there from the beginning, a line after some seconds
    gm = mixture(callbacks=[stop]).fit(load_old_faithful())
    assert gm.stop_reason_ == "callback"
    assert capsys.readouterr().err


def test_the_fit_is_the_same(capsys: Captured) -> None:
    pytest.importorskip("tqdm")
    X = load_old_faithful()
    shown, silent = mixture().fit(X), mixture(progress=False).fit(X)
    assert capsys.readouterr().err
    assert np.array_equal(shown.means_, silent.means_)
