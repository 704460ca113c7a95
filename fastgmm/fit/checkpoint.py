"""A fit that goes on where it was killed: all that the next iteration depends on is kept after each one.

A fit is a sequence of runs of EM. Of those that have ended the outcome is kept, and of the one under way where it
stands. A fit that begins anew, of the same rows with the same options, goes through the same sequence: it takes the
outcomes that are kept, and the run that was broken off goes on from where it stood, to the same bits.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

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
    random_state : ndarray
        The state of the generator of random numbers when the fit began.
    finished : tuple of Fit or None
        The outcomes of the runs that have ended; None where one ended in an error, which it would again.
    run : SavedRun or None
        Of the run after these.
    """

    digest: str
    random_state: FloatArray
    finished: tuple[Fit | None, ...] = ()
    run: SavedRun | None = None


class CheckpointStore(Protocol):
    """Where a fit is saved, such as a file."""

    def load(self) -> SavedFit | None:
        """What an earlier process has saved, if anything."""

    def save(self, saved: SavedFit) -> None:
        """In place of what was saved before, whole or not at all."""


@dataclass(eq=False)
class Checkpoint:
    """Saves what a fit has found, and knows what an earlier process has saved."""

    save: Callable[[SavedFit], None]
    saved: SavedFit
    earlier: SavedFit | None
    _n_runs: int = field(default=0, init=False)

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

    def keep(self, run: SavedRun) -> None:
        self._save(replace(self.saved, run=run))

    def finish(self, fit: Fit | None) -> None:
        """The run has ended; where it was cut short it may go on another time."""
        if fit is None or not fit.was_cut_short:
            self._save(replace(self.saved, finished=(*self.saved.finished, fit), run=None))

    def _save(self, saved: SavedFit) -> None:
        """Unless an earlier process has kept more: a run that had failed fails again on the way there."""
        self.saved = saved
        if self.earlier is None or self._n_runs > len(self.earlier.finished):
            self.save(saved)

    def random_state(self) -> np.random.RandomState:
        """Random numbers from where the fit began to draw them, be it in another process."""
        return _generator_of(self.saved.random_state)


def checkpoint_of(store: CheckpointStore, digest: str, generator: Callable[[], np.random.RandomState]) -> Checkpoint:
    """That of a fit; ``ValueError`` where what an earlier process has kept is of another one."""
    earlier = store.load()
    if earlier is None:
        return Checkpoint(store.save, SavedFit(digest, _state_of(generator())), None)
    if earlier.digest != digest:
        raise ValueError(
            "the checkpoint is of a fit of other rows, or with other options or another backend: remove the file, or "
            "name another"
        )
    return Checkpoint(store.save, replace(earlier, finished=(), run=None), earlier)


# The state of NumPy's generator as numbers: 624 words, the position among them, and a normal number in hand.


def _state_of(generator: np.random.RandomState) -> FloatArray:
    state: dict[str, Any] = generator.get_state(legacy=False)
    words, position = state["state"]["key"], state["state"]["pos"]
    return np.concatenate([words, [position, state["has_gauss"], state["gauss"]]]).astype(np.float64)


def _generator_of(state: FloatArray) -> np.random.RandomState:
    generator = np.random.RandomState(0)
    words, (position, has_gauss, gauss) = state[:-3].astype(np.uint32), state[-3:]
    generator.set_state(("MT19937", words, int(position), int(has_gauss), float(gauss)))
    return generator
