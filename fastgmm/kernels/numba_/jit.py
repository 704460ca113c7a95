"""How kernels are compiled: the only place that decides it."""

from collections.abc import Callable
from typing import Any

import llvmlite
import numba
from numba.core.compiler_lock import global_compiler_lock

from fastgmm.kernels.numba_.cache import cache_directory, keep_on_disk
from fastgmm.machine.forks import hold_across_forks
from fastgmm.machine.waiting import uninterrupted

# Numba's own methods are Python code around this one.
hold_across_forks(getattr(global_compiler_lock, "_lock", global_compiler_lock))


_OPTIONS = {"nogil": True, "error_model": "numpy"}
# Kernels call them, never Python, so that nothing needs to be compiled by which it could.
_WITHIN = {**_OPTIONS, "no_cpython_wrapper": True, "no_cfunc_wrapper": True}


def inner(function: Callable[..., Any]) -> Any:
    """Compile a function that only kernels call."""
    return numba.njit(**_WITHIN)(function)


def inline(function: Callable[..., Any]) -> Any:
    """Compile a function whose body must stand in its caller: vectors are cheap in registers, not across calls."""
    return numba.njit(**_WITHIN, forceinline=True)(function)


def entry(parallel: bool) -> Callable[[Callable[..., Any]], Any]:
    """Compile a function that Python calls, and keep the result on disk."""

    def decorate(function: Callable[..., Any]) -> Any:
        dispatcher = numba.njit(**_OPTIONS, parallel=parallel)(function)
        if not numba.config.DISABLE_JIT:
            keep_on_disk(dispatcher)
            compile_for = dispatcher._compile_for_args  # what Numba calls for arguments of new types
            dispatcher._compile_for_args = lambda *args, **kw: uninterrupted(lambda: compile_for(*args, **kw))
        return dispatcher

    return decorate


def describe() -> list[str]:
    """Lines about the compiler, for ``show_backend``."""
    try:
        place = f"in {cache_directory()}"
    except (OSError, RuntimeError) as error:
        place = f"nowhere: {error}"
    return [
        f"numba {numba.__version__}, llvmlite {llvmlite.__version__}, CPU {llvmlite.binding.get_host_cpu_name()}",
        f"compiled kernels are kept {place}",
    ]
