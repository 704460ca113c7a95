"""A fit that goes on where it was killed: all that the next iteration depends on is saved now and then.

A fit is a sequence of runs of EM. Of those that have ended the outcome is kept, and of the one under way where it
stands. A fit that begins anew, of the same rows with the same options, goes through the same sequence: it takes the
outcomes that are kept, and the run that was broken off goes on from where it stood, to the same bits. To save all of a
fit's history takes longer than a short iteration. So it is done no sooner than some time after the last, and when the
fit ends, be it by an exception; a process that is killed loses the iterations of that time.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np

from fastgmm.fit.acceleration import Memory
from fastgmm.fit.em import Iterate
from fastgmm.fit.steps import Fit, Step
from fastgmm.fit.update import Update
from fastgmm.parameters import FloatArray, Parameters


@dataclass(frozen=True, eq=False)
class SavedRun:
    """A run of EM where it stands: its iterate, as parameters, and what the run has counted."""

    parameters: Parameters
    asked: Parameters
    lower_bound: float
    change: float
    accepted: bool
    is_jump: bool
    has_jumped: bool
    memory: Memory | None
    steps: tuple[Step, ...]
    counts: FloatArray
    quiet_steps: int

    def iterate(self, update: Update) -> Iterate:
        """The iterate again; what is prepared of parameters has the same bits each time."""
        model = update.prepare(self.parameters)
        asked = model if self.memory is None or self.memory.step is None else update.prepare(self.asked)
        marks = self.change, self.accepted, self.is_jump, self.has_jumped
        return Iterate(model, self.lower_bound, asked, *marks, self.memory)


@dataclass(frozen=True, eq=False)
class SavedFit:
    """What a checkpoint keeps of a fit.

    Attributes
    ----------
    digest : str
        Of the rows and the options.
    seed : int
        Of its random numbers.
    finished : tuple of Fit or None
        The outcomes of the runs that have ended; None where one ended in an error, which it would again.
    run : SavedRun or None
        Of the run after these.
    """

    digest: str
    seed: int
    finished: tuple[Fit | None, ...] = ()
    run: SavedRun | None = None


class CheckpointStore(Protocol):
    """Where a fit is saved, such as a file."""

    @property
    def seconds_between(self) -> float:
        """No sooner after it was saved is a fit that goes on saved again."""

    def load(self) -> SavedFit | None:
        """What an earlier process has saved, if anything."""

    def save(self, fit: SavedFit) -> None:
        """In place of what was saved before, whole or not at all."""


@dataclass(eq=False)
class Checkpoint:
    """Saves what a fit has found now and then, and knows what an earlier process has saved.

    What is not saved yet is one attribute, so that a signal between two instructions finds it whole.
    """

    store: CheckpointStore
    saved: SavedFit
    earlier: SavedFit | None
    _n_runs: int = field(default=0, init=False)
    _pending: Callable[[], SavedFit] | None = field(default=None, init=False)
    _saved_at: float = field(default_factory=time.perf_counter, init=False)

    def outcome_of_next_run(self) -> Fit | None:
        """That of the run which now begins, where an earlier process has ended it."""
        self._n_runs += 1
        if self.earlier is None or self._n_runs > len(self.earlier.finished):
            return None
        fit = self.earlier.finished[self._n_runs - 1]
        if fit is not None:
            self.saved = replace(self.saved, finished=(*self.saved.finished, fit))
        return fit

    def saved_run(self) -> SavedRun | None:
        """Where an earlier process has left the run that now begins."""
        is_under_way = self.earlier is not None and self._n_runs == len(self.earlier.finished) + 1
        return self.earlier.run if self.earlier is not None and is_under_way else None

    def keep(self, run: Callable[[], SavedRun]) -> None:
        """Where the run stands, which is asked for only where it is saved."""
        before = self.saved
        self._put(lambda: replace(before, run=run()))

    def finish(self, fit: Fit | None) -> None:
        """The run has ended; where it was cut short it may go on another time."""
        if fit is None or not fit.was_cut_short:
            saved = self.saved = replace(self.saved, finished=(*self.saved.finished, fit))
            self._put(lambda: saved)

    @contextmanager
    def saved_at_the_end(self) -> Iterator[None]:
        """Whatever ends the block, what was found last is saved then."""
        try:
            yield
        except BaseException:
            with suppress(OSError):  # what has ended the fit matters more than a disk that is full
                self._save_pending()
            raise
        self._save_pending()

    def _put(self, pending: Callable[[], SavedFit]) -> None:
        """Unless an earlier process has saved more: a run that had failed fails again on the way there."""
        if self.earlier is not None and self._n_runs <= len(self.earlier.finished):
            return
        self._pending = pending
        if time.perf_counter() - self._saved_at >= self.store.seconds_between:
            self._save_pending()

    def _save_pending(self) -> None:
        if self._pending is not None:
            self.store.save(self._pending())
            self._pending, self._saved_at = None, time.perf_counter()

    def random_state(self) -> np.random.RandomState:
        """Random numbers from where the fit began to draw them, be it in another process."""
        return np.random.RandomState(self.saved.seed)


def checkpoint_of(store: CheckpointStore, digest: str, draw_seed: Callable[[], int]) -> Checkpoint:
    """That of a fit; ``ValueError`` where what an earlier process has saved is of another one.

    A seed is drawn also where one was saved: so what a program draws next is the same, whether its fit goes on or not.
    """
    earlier = store.load()
    if earlier is not None and earlier.digest != digest:
        raise ValueError(
            "the checkpoint is of a fit of other rows, with other options or another backend, or from another start: "
            "remove the file, or name another"
        )
    seed = draw_seed()
    saved = SavedFit(digest, seed) if earlier is None else replace(earlier, finished=(), run=None)
    return Checkpoint(store, saved, earlier)
