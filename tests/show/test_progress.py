"""Progress is shown where somebody looks, and nowhere else."""

import io
import select
import sys

import pytest

from fastgmm.data.blocks.watched import Visit
from fastgmm.fit.steps import Step
from fastgmm.show import progress
from fastgmm.show.progress import describe, describe_visit, show_progress


def step(iteration, restart=0, change=1e-3):
    return Step(restart, iteration, -4.155, change, False, 0.01, None)


def test_description():
    assert describe(step(2)) == "log-likelihood -4.155, change 1.0e-03"
    assert describe(step(1, change=float("inf"))) == "log-likelihood -4.155"
    assert describe(step(2), "objective") == "objective -4.155, change 1.0e-03"


def test_description_of_a_pass():
    assert describe_visit(Visit(1, 524_288, None)) == "pass 1: 524,288 rows"
    assert describe_visit(Visit(3, 524_288, 2_000_000)) == "pass 3: 26% of 2,000,000 rows"


def test_nothing_is_shown_where_there_is_no_terminal():
    file = io.StringIO()
    with show_progress(10, file=file) as callbacks:
        assert callbacks == []
    assert file.getvalue() == ""


def test_bar_shows_likelihood_and_restarts_and_ends_full():
    pytest.importorskip("tqdm")
    file = io.StringIO()
    with show_progress(50, title="demo", file=file, force=True) as (callback,):
        assert "0/50" in file.getvalue(), "shown before the first iteration"
        for iteration in (1, 2, 3):
            callback(step(iteration))
        callback(step(1, restart=1))
    shown = file.getvalue()
    assert "demo: 100%" in shown
    assert "3/3" in shown
    assert "demo, restart 1: 100%" in shown
    assert "log-likelihood -4.155, change 1.0e-03" in shown
    assert shown.endswith("\n")


def test_widget_of_a_notebook_ends_full(capsys):
    pytest.importorskip("ipywidgets")
    notebook = pytest.importorskip("tqdm.notebook")
    bar = progress.ProgressBar(notebook.tqdm, 50, "fit", sys.stderr, "log-likelihood")
    bar(step(1))
    bar.close()
    capsys.readouterr()
    _, length, text = bar._bar.container.children
    assert (length.value, length.max, length.bar_style) == (1, 1, "success")
    assert "log-likelihood" in text.value


def test_bar_is_closed_by_an_exception():
    pytest.importorskip("tqdm")
    file = io.StringIO()

    def interrupted():
        with show_progress(50, file=file, force=True) as (callback,):
            callback(step(1))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert file.getvalue().endswith("\n")


def test_lines_where_tqdm_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "tqdm", None)
    times = iter([0.0, 1.0, 6.0, 7.0, 12.0])
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(times))
    file = io.StringIO()
    with show_progress(50, file=file, force=True) as (callback,):
        for iteration in (1, 2, 3):
            callback(step(iteration))
        callback(step(1, restart=1))
    assert file.getvalue().splitlines() == [
        "fit: iteration 2 of at most 50, log-likelihood -4.155, change 1.0e-03",
        "fit: restart 1, iteration 1 of at most 50, log-likelihood -4.155, change 1.0e-03",
    ]


def test_bar_shows_how_far_a_pass_has_come_but_not_every_block(monkeypatch):
    pytest.importorskip("tqdm")
    times = iter([1.0, 1.01, 2.0])
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(times))
    file = io.StringIO()
    with show_progress(50, file=file, force=True) as (callback,):
        callback.visited(Visit(1, 100, None))
        callback.visited(Visit(1, 200, None))
        callback(step(1, change=float("inf")))
        callback.visited(Visit(3, 100, 400))
    shown = file.getvalue()
    assert "pass 1: 100 rows" in shown
    assert "200 rows" not in shown
    assert "log-likelihood -4.155, pass 3: 25% of 400 rows" in shown


def test_lines_say_how_far_a_pass_has_come(monkeypatch):
    monkeypatch.setitem(sys.modules, "tqdm", None)
    times = iter([0.0, 6.0, 7.0, 12.0])
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(times))
    file = io.StringIO()
    with show_progress(50, file=file, force=True) as (callback,):
        callback.visited(Visit(1, 100, None))
        callback(step(1, change=float("inf")))
        callback.visited(Visit(3, 100, 400))
    assert file.getvalue().splitlines() == [
        "fit: pass 1: 100 rows",
        "fit: iteration 1 of at most 50, log-likelihood -4.155, pass 3: 25% of 400 rows",
    ]


@pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals")
def test_bar_in_a_terminal_without_a_size():
    pytest.importorskip("tqdm")
    os = pytest.importorskip("os")
    primary, secondary = pytest.importorskip("pty").openpty()
    with os.fdopen(secondary, "w") as file:
        with show_progress(5, file=file) as (callback,):
            callback(step(1))
        # A terminal hands on what was written when it finds the time, and not at once.
        shown = ""
        while "log-likelihood -4.155" not in shown and select.select([primary], [], [], 30)[0]:
            shown += os.read(primary, 10_000).decode()
    os.close(primary)
    assert "0/5" in shown
    assert "log-likelihood -4.155" in shown
