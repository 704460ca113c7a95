"""How many threads a fit may use: what the process is allowed, not what the machine has."""

import math
import os
from pathlib import Path


def resolve_n_threads(n_threads: int | None) -> int:
    """The number asked for; else ``FASTGMM_NUM_THREADS``; else every CPU this process may use."""
    if n_threads is not None:
        return int(n_threads)
    wish = os.environ.get("FASTGMM_NUM_THREADS")
    if wish:
        if not wish.isdigit() or int(wish) < 1:
            raise ValueError(f"FASTGMM_NUM_THREADS must be a positive integer; got {wish!r}")
        return int(wish)
    return usable_cpus()


def usable_cpus(cgroup_root: Path = Path("/sys/fs/cgroup")) -> int:
    """CPUs of the process's affinity mask, or fewer where a cgroup quota allows fewer."""
    has_affinity = hasattr(os, "sched_getaffinity")
    allowed = len(os.sched_getaffinity(0)) if has_affinity else os.cpu_count() or 1
    quota = _cgroup_quota(cgroup_root)
    return allowed if quota is None else max(1, min(allowed, math.ceil(quota)))


def _cgroup_quota(root: Path) -> float | None:
    """CPUs' worth of time per period, from cgroup v2 (``cpu.max``) or v1 (``cpu.cfs_*_us``); None without a limit."""
    try:
        quota, period = (root / "cpu.max").read_text().split()
    except (OSError, ValueError):
        try:
            quota = (root / "cpu" / "cpu.cfs_quota_us").read_text().strip()
            period = (root / "cpu" / "cpu.cfs_period_us").read_text().strip()
        except OSError:
            return None
    if not (quota.isdigit() and period.isdigit()) or int(period) == 0:  # "max", or -1: no limit
        return None
    return int(quota) / int(period)
