"""Locks that are held while the process forks.

A forked child has the thread that forked and no other; a lock in the hands of another thread at that moment would
stay locked in the child for ever. Forking therefore waits until these are free, and both processes go on with them
free.
"""

import _thread
import collections
import concurrent.futures.thread  # noqa: F401 - has fork hooks of its own, and must not register them during a fork
import itertools
import operator
import os
import threading
from typing import Protocol

import numpy as np


class Lock(Protocol):
    """What ``threading.Lock`` and Numba's compiler lock have in common."""

    def acquire(self) -> object: ...

    def release(self) -> object: ...


_acquire = operator.methodcaller("acquire")
_release = operator.methodcaller("release")
_lock_of = operator.itemgetter(0)


class _Forking(threading.local):
    """The hooks of ``os.fork``, and what the forking thread took, since locks may be added while a fork waits.

    Signals' handlers run between any two instructions of Python, and may raise. So we take a lock and note it in a
    single call of C code, and release all of them in another one. A handler that raises just as a hook begins ends the
    hook before it has done anything. So each hook is registered twice: the second does what the first has left undone.
    """

    def __init__(self, locks: list[Lock]) -> None:
        self.locks = locks
        self.held: list[tuple[Lock, object]] = []
        self.interruption: BaseException | None = None

    def before(self) -> None:
        # The first lock also keeps two forking threads apart, and lock-adding imports from running meanwhile.
        self._take(self.locks[0])
        for lock in self.locks[1:]:
            self._take(lock)

    def _take(self, lock: Lock) -> None:
        """Wait for the lock. No exception can call off a fork, so we keep what a signal raises until it is over."""
        while lock not in map(_lock_of, self.held):
            try:
                self.held.extend(zip((lock,), map(_acquire, (lock,)), strict=True))
            except BaseException as error:
                self.interruption = error

    def release(self) -> None:
        last_first = map(self.held.pop, itertools.repeat(-1, len(self.held)))
        collections.deque(map(_release, map(_lock_of, last_first)), maxlen=0)

    def after_in_parent(self) -> None:
        self.release()
        interruption, self.interruption = self.interruption, None
        if isinstance(interruption, KeyboardInterrupt):
            # What is raised in a hook is lost, so another thread raises it anew when this hook has ended.
            _thread.start_new_thread(_thread.interrupt_main, ())
        elif interruption is not None:
            raise interruption  # lost but for `sys.unraisablehook`, as what a handler raises in a hook always is

    def after_in_child(self) -> None:
        self.release()
        self.interruption = None


# Held by whoever imports a module in the middle of a fit: Python's own lock of a half-imported module does not survive
# a fork.
IMPORTING = threading.RLock()

_forking = _Forking([IMPORTING])


def hold_across_forks(lock: Lock) -> None:
    """Take the lock before every fork from now on, and release it on both sides afterwards."""
    _forking.locks.append(lock)


# NumPy's global generator is drawn from without the GIL, under a lock.
hold_across_forks(np.random.mtrand._rand._bit_generator.lock)
if hasattr(os, "register_at_fork"):
    for _ in range(2):
        os.register_at_fork(
            before=_forking.before, after_in_parent=_forking.after_in_parent, after_in_child=_forking.after_in_child
        )
