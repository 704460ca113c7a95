"""Threads: what was asked for, else the environment's wish, else what the process is allowed."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fastgmm import GaussianMixture
from fastgmm.machine.threads import resolve_n_threads, usable_cpus
from fastgmm.sweeps.in_memory import make_sweep

V2, V1 = "0::{}\n", "5:memory:/elsewhere\n4:cpu,cpuacct:{}\n0::/\n"


@pytest.fixture(autouse=True)
def sixteen_cpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FASTGMM_NUM_THREADS", raising=False)
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(16)), raising=False)


def cgroup_v2(root: Path, path: str, limit: str) -> None:
    (root / path).mkdir(parents=True, exist_ok=True)
    (root / path / "cpu.max").write_text(limit, errors="surrogateescape")


def cgroup_v1(root: Path, path: str, quota: str, period: str) -> None:
    (root / "cpu" / path).mkdir(parents=True, exist_ok=True)
    (root / "cpu" / path / "cpu.cfs_quota_us").write_text(quota)
    (root / "cpu" / path / "cpu.cfs_period_us").write_text(period)


def cpus(root: Path, memberships: str = "0::/\n") -> int:
    (root / "memberships").write_text(memberships)
    return usable_cpus(root, root / "memberships")


def test_without_a_quota_the_affinity_mask_counts(tmp_path: Path) -> None:
    assert cpus(tmp_path) == 16
    assert usable_cpus(tmp_path / "none", tmp_path / "none") == 16


def test_where_there_is_no_affinity_all_cpus_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: 6)
    assert cpus(tmp_path) == 6
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert cpus(tmp_path) == 1


@pytest.mark.parametrize(
    ("limit", "expected"),
    [
        ("200000 100000\n", 2),
        ("150000 100000\n", 2),
        ("250000 100000\n", 3),
        ("10000 100000\n", 1),
        ("max 100000\n", 16),
        ("9900000 100000\n", 16),
        ("200000 0\n", 16),
        ("9" * 400 + " 100000\n", 16),
        ("nonsense\n", 16),
        ("200000\n", 16),
        ("200000 100000 1\n", 16),
        ("-200000 100000\n", 16),
        ("\udcff 100000\n", 16),
        ("", 16),
    ],
)
def test_a_quota_of_cgroup_v2_is_rounded_up(tmp_path: Path, limit: str, expected: int) -> None:
    cgroup_v2(tmp_path, ".", limit)
    assert cpus(tmp_path) == expected


@pytest.mark.parametrize(
    ("quota", "expected"), [("200000\n", 2), ("150000\n", 2), ("10000\n", 1), ("-1\n", 16), ("\n", 16), ("max\n", 16)]
)
def test_a_quota_of_cgroup_v1_is_rounded_up(tmp_path: Path, quota: str, expected: int) -> None:
    cgroup_v1(tmp_path, ".", quota, "100000\n")
    assert cpus(tmp_path) == expected


@pytest.mark.parametrize("period", ["0\n", "\n", "nonsense\n"])
def test_a_quota_of_cgroup_v1_without_a_period_does_not_count(tmp_path: Path, period: str) -> None:
    cgroup_v1(tmp_path, ".", "200000\n", period)
    assert cpus(tmp_path) == 16
    (tmp_path / "cpu/cpu.cfs_period_us").unlink()
    assert cpus(tmp_path) == 16


@pytest.mark.parametrize("path", ["/", "/machine/job", "/not/visible/from/here"])
def test_a_quota_counts_on_every_level_from_the_process_up(tmp_path: Path, path: str) -> None:
    cgroup_v2(tmp_path, ".", "700000 100000")
    cgroup_v2(tmp_path, "machine", "300000 100000")
    cgroup_v2(tmp_path, "machine/job", "500000 100000")
    cgroup_v2(tmp_path, "machine/other", "100000 100000")
    assert cpus(tmp_path, V2.format(path)) == (3 if path == "/machine/job" else 7)


@pytest.mark.parametrize("path", ["/", "/docker/a"])
def test_a_quota_of_cgroup_v1_counts_on_every_level_too(tmp_path: Path, path: str) -> None:
    cgroup_v1(tmp_path, ".", "-1", "100000")
    cgroup_v1(tmp_path, "docker", "400000", "100000")
    assert cpus(tmp_path, V1.format(path)) == (4 if path == "/docker/a" else 16)


def test_the_directory_of_cgroup_v1_may_have_the_names_of_all_its_controllers(tmp_path: Path) -> None:
    cgroup_v1(tmp_path, "docker/a", "300000", "100000")
    assert cpus(tmp_path, V1.format("/docker/a")) == 3
    (tmp_path / "cpu").rename(tmp_path / "cpu,cpuacct")
    assert cpus(tmp_path, V1.format("/docker/a")) == 3


def test_of_quotas_of_both_versions_the_smaller_one_counts(tmp_path: Path) -> None:
    cgroup_v1(tmp_path, "job", "500000", "100000")
    cgroup_v2(tmp_path, "job", "300000 100000")
    both = "4:cpu,cpuacct:/job\n0::/job\n"
    assert cpus(tmp_path, both) == 3
    cgroup_v1(tmp_path, "job", "200000", "100000")
    assert cpus(tmp_path, both) == 2


@pytest.mark.parametrize("line", ["", "\n\n", "nonsense", "0:", "0::", "::::", "0::/../outside", "0::/\udcff", "1:cpu"])
def test_a_membership_that_cannot_be_read_leaves_the_quota_of_the_root(tmp_path: Path, line: str) -> None:
    cgroup_v2(tmp_path, ".", "400000 100000")
    (tmp_path / "memberships").write_text(line, errors="surrogateescape")
    assert usable_cpus(tmp_path, tmp_path / "memberships") == 4


def test_a_directory_in_place_of_a_file_is_no_quota(tmp_path: Path) -> None:
    (tmp_path / "cpu.max").mkdir()
    (tmp_path / "memberships").mkdir()
    assert usable_cpus(tmp_path, tmp_path / "memberships") == 16


def test_a_change_of_affinity_or_quota_counts_from_the_next_fit_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    used = []

    def record(*arguments: Any) -> Any:
        used.append(arguments[3])
        return make_sweep(*arguments)

    monkeypatch.setattr("fastgmm.fit.fitting.suited_to_missing", record)
    monkeypatch.setattr(usable_cpus, "__defaults__", (tmp_path, tmp_path / "memberships"))
    model, rows = GaussianMixture(random_state=0), np.arange(3000.0)[:, np.newaxis]
    model.fit(rows)
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {1, 3, 5})
    model.fit(rows)
    cgroup_v2(tmp_path, ".", "150000 100000")
    model.fit(rows)
    model.fit(rows[:6])
    assert used == [16, 3, 2, 1], "few rows are one thread's"


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="needs affinity")
def test_the_affinity_of_the_process_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()  # the sixteen
    allowed = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(allowed)})
        assert usable_cpus() == 1
    finally:
        os.sched_setaffinity(0, allowed)
    assert 1 <= usable_cpus() <= len(allowed)


def test_the_environment_is_asked_before_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FASTGMM_NUM_THREADS", "5")
    assert resolve_n_threads(None) == 5
    assert resolve_n_threads(3) == 3
    monkeypatch.setenv("FASTGMM_NUM_THREADS", "")
    assert 1 <= resolve_n_threads(None) <= 16


@pytest.mark.parametrize("wish", ["0", "-1", "two", "1.5"])
def test_a_wish_that_is_no_number_is_refused(monkeypatch: pytest.MonkeyPatch, wish: str) -> None:
    monkeypatch.setenv("FASTGMM_NUM_THREADS", wish)
    with pytest.raises(ValueError, match=f"FASTGMM_NUM_THREADS must be a positive integer; got '{wish}'"):
        GaussianMixture().fit(np.arange(6.0)[:, np.newaxis])


@pytest.mark.parametrize("n_threads", [2, 3, 8])
def test_more_threads_change_no_bit_of_a_fit(n_threads: int) -> None:
    X = np.random.RandomState(0).normal(size=(10_000, 3))
    X[3000:] += 3.0
    one = GaussianMixture(3, random_state=0, max_iter=500, tol=1e-2, n_threads=1).fit(X)
    many = GaussianMixture(3, random_state=0, max_iter=500, tol=1e-2, n_threads=n_threads).fit(X)
    assert one.lower_bounds_ == many.lower_bounds_
    assert np.array_equal(one.covariances_, many.covariances_)
    assert np.array_equal(one.score_samples(X), many.score_samples(X))
