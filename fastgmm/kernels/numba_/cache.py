"""Compiled kernels on disk: one checked file for each kernel, signature and machine, in a directory of the user's own.

Numba's own ``cache=True`` looks only at the file that holds the function, so that a change in ``vector.py`` would leave
stale kernels behind; it raises at import where no directory is writable; it loads whatever bytes it finds; and where
two processes compile at once, its index may name the one's code for the other's signature. Here the directory is named
by a digest of every kernel source and of Numba's version, a file by all that its code depends on besides, and it begins
with a digest of the rest. A cache that cannot be read or written costs a compilation and a warning in the log, never an
error.
"""

import functools
import hashlib
import logging
import os
import pickle
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import llvmlite
import numba
from numba.core import caching
from numba.core.compiler import CompileResult
from numba.core.serialize import dumps

from fastgmm import parameters
from fastgmm.kernels import contract, incomplete
from fastgmm.machine.whole_file import whole_file

logger = logging.getLogger("fastgmm")

_DIGEST_BYTES = hashlib.sha256().digest_size


@functools.cache
def _source_digest() -> str:
    """A digest of all kernel sources and of the compiler."""
    digest = hashlib.sha256(f"{numba.__version__} {llvmlite.__version__}".encode())
    # Kernels read the records of the others by position.
    records = [Path(contract.__file__), Path(incomplete.__file__), Path(parameters.__file__)]
    for path in sorted(Path(__file__).parent.glob("*.py")) + records:
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def cache_directory() -> Path:
    """The directory of compiled kernels: in ``NUMBA_CACHE_DIR`` where that is set, else in the user's cache directory.

    Raises
    ------
    OSError
        Where it cannot be created, or anybody but this user and root may write to it: whoever may can have this process
        run code of their own.
    RuntimeError
        Where the user has no home.
    """
    base = Path(numba.config.CACHE_DIR or os.environ.get("XDG_CACHE_HOME", ""))
    if not numba.config.CACHE_DIR and not base.is_absolute():
        base = Path.home() / ".cache"
    directory = base.absolute() / "fastgmm" / _source_digest()
    # `parents=True` would give the mode to the last of them alone.
    for level in (*reversed(directory.parents), directory):
        level.mkdir(mode=0o700, exist_ok=True)
    for level in (directory.parent, directory):
        _require_trust(level)
    return directory


def _require_trust(directory: Path) -> None:
    if not hasattr(os, "geteuid"):  # not POSIX
        return
    state = directory.stat()
    if state.st_uid not in (0, os.geteuid()):
        raise PermissionError(f"{directory} belongs to another user")
    if state.st_mode & 0o022:
        raise PermissionError(f"others may write to {directory}")


@functools.cache
def _directory_in_use() -> Path | None:
    """Looked for once in a process, so that it warns once."""
    try:
        return cache_directory()
    except (OSError, RuntimeError) as error:
        logger.warning("compiled kernels will not be kept on disk: %s", error)
        return None


class KernelCache(caching._Cache):
    """What is kept of one kernel; Numba's dispatcher asks it before it compiles."""

    def __init__(self, function: Callable[..., Any], directory: Path) -> None:
        self._function, self._directory = function, directory

    @property
    def cache_path(self) -> str:
        return str(self._directory)

    def _path(self, signature: Any, codegen: Any) -> Path:
        # The compiler's triple, CPU and features stand in its magic tuple.
        key = (self._function.__module__, signature, codegen.magic_tuple(), sys.implementation.cache_tag)
        return self._directory / f"{self._function.__name__}-{hashlib.sha256(repr(key).encode()).hexdigest()}"

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        try:
            target_context.refresh()
            content = self._path(sig, target_context.codegen()).read_bytes()
            if hashlib.sha256(content[_DIGEST_BYTES:]).digest() != content[:_DIGEST_BYTES]:
                raise ValueError("the file is damaged")
            return CompileResult._rebuild(target_context, *pickle.loads(content[_DIGEST_BYTES:]))
        except FileNotFoundError:
            return None
        except Exception as error:
            logger.warning("ignoring an unreadable kernel cache in %s: %r", self._directory, error)
            return None

    def save_overload(self, sig: Any, data: Any) -> None:
        if data.library.has_dynamic_globals:  # addresses in this process
            return
        try:
            content = dumps(data._reduce())
            with whole_file(self._path(sig, data.codegen)) as file:
                file.write(hashlib.sha256(content).digest() + content)
        except Exception as error:  # a full disk above all
            logger.warning("a compiled kernel could not be kept in %s: %r", self._directory, error)

    def enable(self) -> None:
        """Always: Numba's interface wants the method."""

    def disable(self) -> None:
        """Never."""

    def flush(self) -> None:
        for path in self._directory.glob(f"{self._function.__name__}-*"):
            path.unlink(missing_ok=True)


def keep_on_disk(dispatcher: Any) -> None:
    """Have Numba look for a function's compiled code on disk, and keep it there."""
    directory = _directory_in_use()
    if directory is not None:
        dispatcher._cache = KernelCache(dispatcher.py_func, directory)
