"""What a figure was measured on."""

import datetime
import os
import platform
import re
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_info

PACKAGES = ("fastgmm", "numpy", "scipy", "numba")
# Of the many flags of a CPU, those that decide which kernels run.
VECTORS = ("avx512f", "avx2", "asimd", "sve")
_CPU_INFORMATION = Path("/proc/cpuinfo")
_CPU_TIMES = Path("/proc/stat")


def describe(n_threads: int) -> dict[str, Any]:
    """Everything that a reader of the figures needs to know of the machine and of what is installed."""
    return {
        "cpu": cpu_name(),
        "threads": n_threads,
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "versions": {package: _version(package) for package in PACKAGES},
        "blas": blas(),
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
    }


def cpu_name(text: str | None = None) -> str:
    """Model, family and widest vectors of the CPU: ``text`` is what Linux says of it."""
    if text is None:
        try:
            text = _CPU_INFORMATION.read_text()
        except OSError:
            return f"{platform.processor() or 'unknown CPU'} {platform.machine()}"
    fields = dict(re.findall(r"^([^\t:]+?)\s*: *(.*)$", text, flags=re.MULTILINE))
    flags = fields.get("flags", fields.get("Features", "")).split()
    vectors = next((name for name in VECTORS if name in flags), "no vectors known")
    # Clouds hide the name of the model, but not its numbers.
    numbers = f"family {fields.get('cpu family', '?')}, model {fields.get('model', '?')}"
    return f"{fields.get('model name', platform.machine())} ({numbers}, {vectors})"


def blas() -> str:
    """The library of NumPy's matrix product, as threadpoolctl sees it."""
    np.ones((2, 2)) @ np.ones((2, 2))
    found = [each for each in threadpool_info() if each["user_api"] == "blas" and "numpy" in each["filepath"]]
    return (
        f"{found[0]['internal_api']} {found[0]['version']} {found[0].get('architecture', '')}" if found else "unknown"
    )


def cpu_seconds_of_others() -> float:
    """CPU time that processes other than this one and its children have used so far; 0 where Linux does not say.

    On a busy machine the threads of a rival wait for each other, and figures become several times too large.
    """
    try:
        user, nice, system = _CPU_TIMES.read_text().split()[1:4]
    except OSError:
        return 0.0
    own = sum(os.times()[:4])
    return (int(user) + int(nice) + int(system)) / os.sysconf("SC_CLK_TCK") - own


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
