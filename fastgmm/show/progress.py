"""Showing a fit while it runs: a bar by tqdm, or a line now and then where that is not installed."""

import math
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Protocol, TextIO

from fastgmm.data.blocks.watched import Visit
from fastgmm.fit.steps import Step

_SECONDS_BETWEEN_LINES = 5.0
_SECONDS_BETWEEN_VISITS = 0.1
_SIZE_OF_NO_TERMINAL = (100, 24)


class Progress(Protocol):
    """An observer of EM, and of passes over rows in blocks, that has to be closed."""

    def __call__(self, step: Step) -> None: ...

    def visited(self, visit: Visit) -> None: ...

    def close(self) -> None: ...


@contextmanager
def show_progress(
    max_iter: int,
    *,
    title: str = "fit",
    file: TextIO | None = None,
    force: bool = False,
    objective: str = "log-likelihood",
) -> Iterator[list[Progress]]:
    """Callbacks for ``GaussianMixture(callbacks=...)`` that show its iterations, the log-likelihood and its change.

    What is yielded may also be told of passes, by ``blocks_of(..., on_block=callback.visited)``.

    Parameters
    ----------
    max_iter : int
        The most iterations of a restart: the length of its bar.
    title : str
    file : text file, default ``sys.stderr``
    force : bool
        Show it also where ``file`` is no terminal.
    objective : str
        What the lower bound is called, which is no log-likelihood with a prior or hard assignments.

    Yields
    ------
    callbacks : list
        Empty where nothing is to be shown.

    Examples
    --------
    >>> from fastgmm import GaussianMixture
    >>> from fastgmm.data.datasets import load_old_faithful
    >>> with show_progress(max_iter=100) as callbacks:
    ...     gm = GaussianMixture(2, max_iter=100, callbacks=callbacks).fit(load_old_faithful())
    """
    file = sys.stderr if file is None else file
    if not (force or file.isatty()):
        yield []
        return
    progress = _make_progress(max_iter, title, file, objective)
    try:
        yield [progress]
    finally:
        progress.close()


@contextmanager
def show_candidates(n_candidates: int, *, is_wanted: bool) -> Iterator[Callable[[object], None] | None]:
    """What is told of every candidate of a selection, and shows a bar of them by tqdm, where it is wanted."""
    if not is_wanted:
        yield None
        return
    try:
        from tqdm import auto
    except ImportError:
        sys.stderr.write(f"fastgmm: selecting among {n_candidates} models\n")
        yield None
        return
    with auto.tqdm(total=n_candidates, desc="select", unit="model", file=sys.stderr) as bar:

        def show(candidate: object) -> None:
            bar.update()

        yield show


def _make_progress(max_iter: int, title: str, file: TextIO, objective: str) -> Progress:
    try:
        from tqdm import auto  # whose bar is a widget in notebooks
    except ImportError:
        return ProgressLines(max_iter, title, file, objective)
    return ProgressBar(auto.tqdm, max_iter, title, file, objective)


def describe(step: Step, objective: str = "log-likelihood") -> str:
    """The objective per point and, from the second iteration on, its change."""
    change = f", change {step.change:.1e}" if math.isfinite(step.change) else ""
    return f"{objective} {step.lower_bound:.6g}{change}"


def describe_visit(visit: Visit) -> str:
    """Which pass it is, and how far it has come."""
    how_far = f"{visit.n_rows:,} rows"
    if visit.n_rows_of_all:
        how_far = f"{visit.n_rows / visit.n_rows_of_all:.0%} of {visit.n_rows_of_all:,} rows"
    return f"pass {visit.number}: {how_far}"


class ProgressBar:
    """A bar for each restart, by tqdm.

    Parameters
    ----------
    tqdm : callable
        The class of the bar; given, so that this module does not import it.
    """

    def __init__(self, tqdm: Callable[..., Any], max_iter: int, title: str, file: TextIO, objective: str) -> None:
        self._tqdm, self._max_iter, self._title, self._file, self._objective = tqdm, max_iter, title, file, objective
        self._said, self._last_shown = "", 0.0
        # Shown before the first iteration, since start and compilation take their time too.
        self._restart = 0
        self._bar = self._new_bar()

    def _new_bar(self) -> Any:
        title = self._title if self._restart == 0 else f"{self._title}, restart {self._restart}"
        # A widget has its own width, which columns of text would be taken for.
        columns, lines = _terminal_size(self._file) if self._file.isatty() else (None, None)
        return self._tqdm(
            total=self._max_iter, desc=title, unit="it", file=self._file, ncols=columns, nrows=lines, mininterval=0.05
        )

    def __call__(self, step: Step) -> None:
        if step.restart != self._restart:
            self.close()
            self._restart = step.restart
            self._bar = self._new_bar()
        self._said = describe(step, self._objective)
        self._bar.set_postfix_str(self._said, refresh=False)
        self._bar.update()

    def visited(self, visit: Visit) -> None:
        now = time.monotonic()
        if now - self._last_shown < _SECONDS_BETWEEN_VISITS:
            return
        self._last_shown = now
        self._bar.set_postfix_str(", ".join(filter(None, [self._said, describe_visit(visit)])))

    def close(self) -> None:
        # A fit that converged early has done all its work: the bar ends full.
        self._bar.total = self._bar.n
        widget = getattr(self._bar, "container", None)
        if widget is not None:  # in notebooks the bar between two texts has a length of its own
            widget.children[1].max = self._bar.n
        self._bar.refresh()
        self._bar.close()


def _terminal_size(file: TextIO) -> tuple[int, int]:
    """Columns and lines for a bar; in a terminal without a size, as some containers have, tqdm would show nothing."""
    with suppress(OSError, ValueError):
        columns, lines = os.get_terminal_size(file.fileno())
        if columns > 0 and lines > 0:
            return columns - 1, lines
    return _SIZE_OF_NO_TERMINAL


class ProgressLines:
    """A line every few seconds."""

    def __init__(self, max_iter: int, title: str, file: TextIO, objective: str) -> None:
        self._max_iter, self._title, self._file, self._objective = max_iter, title, file, objective
        self._said, self._last_shown = "", time.monotonic()

    def __call__(self, step: Step) -> None:
        where = f"restart {step.restart}, " if step.restart else ""
        what = describe(step, self._objective)
        self._said = f"{where}iteration {step.iteration} of at most {self._max_iter}, {what}"
        self._show_if_due(self._said)

    def visited(self, visit: Visit) -> None:
        self._show_if_due(", ".join(filter(None, [self._said, describe_visit(visit)])))

    def _show_if_due(self, what: str) -> None:
        now = time.monotonic()
        if now - self._last_shown < _SECONDS_BETWEEN_LINES:
            return
        self._last_shown = now
        self._file.write(f"{self._title}: {what}\n")
        self._file.flush()

    def close(self) -> None:
        self._file.flush()
