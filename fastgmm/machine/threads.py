"""How many threads a fit may use: what the process is allowed, not what the machine has."""

import math
import os
from collections.abc import Iterator
from pathlib import Path

_CGROUPS = Path("/sys/fs/cgroup")
_MEMBERSHIPS = Path("/proc/self/cgroup")


def resolve_n_threads(n_threads: int | None, can_be_shared: bool = True) -> int:
    """The number asked for; else ``FASTGMM_NUM_THREADS``; else every CPU this process may use.

    One where the work cannot be shared: to ask for CPUs takes longer than a small fit.
    """
    if n_threads is not None:
        return int(n_threads)
    wish = os.environ.get("FASTGMM_NUM_THREADS")
    if wish:
        if not wish.isdecimal() or int(wish) < 1:
            raise ValueError(f"FASTGMM_NUM_THREADS must be a positive integer; got {wish!r}")
        return int(wish)
    return usable_cpus() if can_be_shared else 1


def usable_cpus(cgroups: Path = _CGROUPS, memberships: Path = _MEMBERSHIPS) -> int:
    """CPUs of the process's affinity mask, or fewer where a cgroup quota allows fewer."""
    has_affinity = hasattr(os, "sched_getaffinity")
    allowed = len(os.sched_getaffinity(0)) if has_affinity else os.cpu_count() or 1
    quotas = [quota for quota in map(_quota, _own_cgroups(cgroups, memberships)) if quota is not None]
    return max(1, math.ceil(min([allowed, *quotas])))


def _own_cgroups(cgroups: Path, memberships: Path) -> Iterator[Path]:
    """The directories of the cgroups that hold the process, up to the roots: a quota on any of them counts.

    In a container the root is usually the container's own cgroup, and the path from it leads nowhere.
    """
    paths = {Path(), Path("cpu")}
    for line in _text(memberships).splitlines():
        _, controllers, own = [*line.split(":", 2), "", ""][:3]
        if not controllers:  # version 2
            paths.add(Path(own.lstrip("/")))
        elif "cpu" in controllers.split(","):  # version 1, whose directory may have either name
            paths |= {Path(name, own.lstrip("/")) for name in ("cpu", controllers)}
    for path in paths:
        yield from (cgroups / each for each in (path, *path.parents))


def _quota(cgroup: Path) -> float | None:
    """CPUs' worth of time per period, by cgroup v2 (``cpu.max``) or v1 (``cpu.cfs_*_us``); None without a limit."""
    words = _text(cgroup / "cpu.max").split()
    words = words or _text(cgroup / "cpu.cfs_quota_us").split() + _text(cgroup / "cpu.cfs_period_us").split()
    if len(words) != 2 or not all(word.isdecimal() for word in words):  # "max", or -1: no limit
        return None
    quota, period = map(float, words)
    return quota / period if period > 0 else None


def _text(file: Path) -> str:
    """What stands in it, as names of any bytes do; nothing where it cannot be read."""
    try:
        return file.read_text(errors="surrogateescape")
    except OSError:
        return ""
