"""How kernels are compiled, and where the compiled code is kept: the only place that decides either.

Numba's own ``cache=True`` looks only at the file that holds the function, so that a change in ``vector.py``
would leave stale kernels behind, and it raises at import where no directory is writable. Here the
directory is named by a digest of every kernel source and of Numba's version, and a cache that cannot be read or
written costs a compilation, never an error.
"""

import functools
import hashlib
import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import llvmlite
import numba
from numba.core import caching
from numba.core.compiler_lock import global_compiler_lock

from fastgmm import parameters
from fastgmm.forks import hold_across_forks
from fastgmm.kernels import contract

logger = logging.getLogger("fastgmm")

hold_across_forks(global_compiler_lock)


@functools.cache
def _source_digest() -> str:
    """A digest of all kernel sources and of the compiler: what the compiled code depends on besides the CPU."""
    digest = hashlib.sha256(f"{numba.__version__} {llvmlite.__version__}".encode())
    # Kernels read the records of the other two by position.
    records = [Path(contract.__file__), Path(parameters.__file__)]
    for path in sorted(Path(__file__).parent.glob("*.py")) + records:
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def cache_directory() -> Path:
    """The per-user directory of compiled kernels: ``NUMBA_CACHE_DIR``, or ``fastgmm`` in the user's cache directory."""
    if numba.config.CACHE_DIR:
        base = Path(numba.config.CACHE_DIR)
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "fastgmm" / _source_digest()


class _Locator(caching._CacheLocator):
    """Numba's hook for a cache's place; the base class only states the interface."""

    @classmethod
    def from_function(cls, function: Any, source: str) -> Any:
        locator = cls()
        cache_directory().mkdir(parents=True, exist_ok=True, mode=0o700)
        locator.ensure_cache_path()
        return locator

    def get_cache_path(self) -> str:
        return str(cache_directory())

    def get_source_stamp(self) -> str:
        return _source_digest()

    def get_disambiguator(self) -> str:
        return "kernel"


class _CacheFiles(caching.CompileResultCacheImpl):
    _locator_classes: ClassVar = [_Locator]


class _Cache(caching.FunctionCache):
    """Numba's function cache, whose failures are logged and then cost a compilation in memory."""

    _impl_class = _CacheFiles

    def load_overload(self, signature: Any, target_context: Any) -> Any:
        try:
            return super().load_overload(signature, target_context)
        except Exception as error:  # a damaged cache file can raise whatever unpickling can
            logger.warning("ignoring an unreadable kernel cache in %s: %r", self.cache_path, error)
            return None

    def save_overload(self, signature: Any, data: Any) -> None:
        try:
            super().save_overload(signature, data)
        except Exception as error:  # a full disk, or an index file too damaged to extend
            logger.warning("compiled kernels could not be kept in %s: %r", self.cache_path, error)


def inner(function: Callable[..., Any]) -> Any:
    """Compile a function that only kernels call."""
    return numba.njit(nogil=True, error_model="numpy")(function)


def inline(function: Callable[..., Any]) -> Any:
    """Compile a function whose body must stand in its caller: vectors are cheap in registers, not across calls."""
    return numba.njit(nogil=True, error_model="numpy", forceinline=True)(function)


def entry(parallel: bool) -> Callable[[Callable[..., Any]], Any]:
    """Compile a function that Python calls, and keep the result on disk."""

    def decorate(function: Callable[..., Any]) -> Any:
        dispatcher = numba.njit(nogil=True, error_model="numpy", parallel=parallel)(function)
        if numba.config.DISABLE_JIT:
            return dispatcher
        try:
            dispatcher._cache = _Cache(function)
        except (OSError, RuntimeError) as error:
            logger.warning("compiled kernels will not be kept on disk: %s", error)
        return dispatcher

    return decorate


def describe() -> list[str]:
    """Lines about the compiler, for ``show_backend``."""
    try:
        place = f"in {cache_directory()}"
    except RuntimeError as error:  # no home directory
        place = f"nowhere: {error}"
    return [
        f"numba {numba.__version__}, llvmlite {llvmlite.__version__}, CPU {llvmlite.binding.get_host_cpu_name()}",
        f"compiled kernels are kept {place}",
    ]
