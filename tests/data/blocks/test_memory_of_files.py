"""Memory does not grow with files, nor with the groups of rows in them."""

import subprocess
import sys

import numpy as np
import pytest

from tests.data.blocks.sources import write_text

MEASURE = r"""
import re, sys
from fastgmm import blocks_of

small, large, cache = sys.argv[1:]

def read(path):
    source = blocks_of(path, block_rows=4_096, cache=cache or None)
    return sum(source.map(lambda block, n_threads: len(block.values), 1))

def peak():  # not ru_maxrss, which a process inherits from the one that has started it
    return int(re.search(r"VmHWM:\s*(\d+) kB", open("/proc/self/status").read())[1])

read(small)
before = peak()
n_rows = read(large)
print(n_rows, (peak() - before) // 1024)
"""
N_SMALL = 30_000

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")


def megabytes_above_a_small_file(small, large, n_rows, cache=""):
    command = [sys.executable, "-c", MEASURE, small, large, cache]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found, megabytes = map(int, done.stdout.split())
    assert found == n_rows
    return megabytes


@pytest.mark.parametrize("is_kept", [False, True])
def test_parquet_of_a_single_group_of_rows(tmp_path, is_kept):
    """80 MB."""
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    n_rows = 1_000_000
    numbers = np.random.default_rng(0).normal(size=(10, n_rows))
    for name, n in (("small", N_SMALL), ("large", n_rows)):
        table = pyarrow.table({f"x{i}": column[:n] for i, column in enumerate(numbers)})
        parquet.write_table(table, tmp_path / f"{name}.parquet", row_group_size=n)
    (tmp_path / "cache").mkdir()
    paths = tmp_path / "small.parquet", tmp_path / "large.parquet"
    assert megabytes_above_a_small_file(*paths, n_rows, tmp_path / "cache" if is_kept else "") <= 24


@pytest.mark.parametrize("kind", ["complete", "missing"])
def test_text(tmp_path, kind):
    """24 MB of numbers, and as many of characters."""
    n_rows = 300_000
    numbers = np.round(np.random.default_rng(0).normal(size=(N_SMALL, 10)), 1)
    if kind == "missing":
        numbers[::7, 3] = np.nan
    small = write_text(tmp_path / "small.csv", numbers)
    (tmp_path / "large.csv").write_text(small.read_text() * (n_rows // N_SMALL))
    assert megabytes_above_a_small_file(small, tmp_path / "large.csv", n_rows) <= 8
