"""Locks that are held while the process forks.

A forked child has the thread that forked and no other; a lock in the hands of another thread at that moment would
stay locked in the child for ever. Forking therefore waits until these are free, and both processes go on with them
free.
"""

import _thread
import concurrent.futures.thread  # noqa: F401 - has fork hooks of its own, and must not register them during a fork
import os
import threading
from typing import Protocol

import numpy as np


class Lock(Protocol):
    """What ``threading.Lock`` and Numba's compiler lock have in common."""

    def acquire(self) -> object: ...

    def release(self) -> object: ...


class _Forking:
    """The hooks of ``os.fork``. Locks may be added by another thread while a fork waits, so what it took is noted."""

    def __init__(self, first: Lock) -> None:
        self.locks = [first]
        self.held: list[Lock] = []
        self.interruption: BaseException | None = None

    def before(self) -> None:
        # The first lock also keeps two forking threads apart, and lock-adding imports from running meanwhile.
        self._take(self.locks[0])
        for lock in self.locks[1:]:
            self._take(lock)

    def _take(self, lock: Lock) -> None:
        """Wait for the lock. A fork cannot be called off by an exception, so what a signal raises waits until after."""
        while lock not in self.held:
            try:
                lock.acquire()
                self.held.append(lock)
            except BaseException as error:
                self.interruption = error

    def release(self) -> None:
        while self.held:
            self.held.pop().release()

    def after_in_parent(self) -> None:
        interruption, self.interruption = self.interruption, None
        self.release()
        if isinstance(interruption, KeyboardInterrupt):
            # By another thread, which comes when this hook has ended: what is raised in a hook is lost.
            _thread.start_new_thread(_thread.interrupt_main, ())
        elif interruption is not None:
            raise interruption  # lost but for `sys.unraisablehook`, as what a handler raises in a hook always is

    def after_in_child(self) -> None:
        self.interruption = None
        self.release()


# Held by whoever imports a module in the middle of a fit: Python's own lock of a half-imported module does not survive
# a fork.
IMPORTING = threading.RLock()

_forking = _Forking(IMPORTING)


def hold_across_forks(lock: Lock) -> None:
    """Take the lock before every fork from now on, and release it on both sides afterwards."""
    _forking.locks.append(lock)


# NumPy's global generator is drawn from without the GIL, under a lock.
hold_across_forks(np.random.mtrand._rand._bit_generator.lock)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_forking.before, after_in_parent=_forking.after_in_parent, after_in_child=_forking.after_in_child
    )
