"""How long iterations take whose rows lie in files: ``python -m bench.files``.

12,000,000 x 10 rows of overlapping clusters, K = 16, full covariances, are read from an array, from a mapped ``.npy``
file, and from Parquet compressed by snappy, decoded in each pass or kept in a cache. Seconds are those between two
iterations of fits that alternate, and ratios medians of those within a round, since others work on the machine, too.
Memory is what no file backs, at its peak in a fit, above what a small one has left.
"""

import argparse
import itertools
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

import fastgmm
from fastgmm.parameters import Array

N_FEATURES, N_COMPONENTS = 10, 16
ROWS_OF_A_GROUP = 1_000_000
ROWS_OF_A_SMALL_FIT = 20_000
BYTES_OF_A_ROW = 8 * N_FEATURES
N_CORES = len(os.sched_getaffinity(0))
# The .npy file, Parquet, which is hardly smaller, and the cache.
FILES_OF_A_RUN = 3.2
BYTES_BESIDE_BLOCKS = 64 * 2**20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=12_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--folder", help="where a temporary directory is made")
    parser.add_argument("--memory-of", help=argparse.SUPPRESS)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    if options.memory_of is not None:
        print(peak_of_a_fit(options.memory_of))
        return
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        needed = FILES_OF_A_RUN * options.rows * BYTES_OF_A_ROW
        if shutil.disk_usage(folder).free < needed:
            sys.exit(f"{needed / 1e9:.1f} GB are needed in {folder}")
        print(f"{options.rows:,} x {N_FEATURES}, K = {N_COMPONENTS}, {N_CORES} cores, load {os.getloadavg()[0]:.1f}")
        write_files(Path(folder), options.rows)
        report_times(Path(folder), options.rounds)
        report_memory(Path(folder))
        print(f"load {os.getloadavg()[0]:.1f}")


def report_times(folder: Path, rounds: int) -> None:
    in_memory = np.load(folder / "rows.npy")
    (folder / "cache").mkdir()
    sources: dict[str, Any] = {
        "array": in_memory,
        "array in blocks": fastgmm.blocks_of(in_memory),
        ".npy, mapped": fastgmm.blocks_of(folder / "rows.npy"),
        "Parquet": fastgmm.blocks_of(folder / "rows.parquet"),
        "Parquet, kept": fastgmm.blocks_of(folder / "rows.parquet", cache=folder / "cache"),
    }
    began = time.perf_counter()
    iterations_of(sources["Parquet, kept"], 1)
    keeping = time.perf_counter() - began
    found = {name: list[tuple[float, float]]() for name in sources}
    decoder = list[float]()
    for _ in range(rounds):
        for name, source in sources.items():
            found[name].append(iterations_of(source, 3))
        decoder.append(processor_seconds_of_decoding(sources["Parquet"]))
    base = [seconds for seconds, _ in found["array"]]
    for name, runs in found.items():
        ratio = statistics.median(seconds / other for (seconds, _), other in zip(runs, base, strict=True))
        seconds, processor = (statistics.median(column) for column in zip(*runs, strict=True))
        print(f"  {name:<16} {seconds:6.2f} s an iteration, {ratio:.2f} x array; {processor:.2f} s of the processor")
    bounds = [(one + kernel) / N_CORES for one, (_, kernel) in zip(decoder, found["array in blocks"], strict=True)]
    shared = statistics.median(seconds / bound for (seconds, _), bound in zip(found["Parquet"], bounds, strict=True))
    print(f"  Parquet takes {shared:.2f} x (decoder {statistics.median(decoder):.2f} s + kernel) / cores")
    both = statistics.median(
        processor / (one + kernel)
        for (_, processor), one, (_, kernel) in zip(found["Parquet"], decoder, found["array in blocks"], strict=True)
    )
    print(f"  and {both:.2f} x their seconds of the processor, which is what counts where others take the cores")
    print(f"  the first pass that keeps them, and an iteration: {keeping:.2f} s")


def iterations_of(source: Any, n_iterations: int) -> tuple[float, float]:
    """Seconds from one iteration to the next, and those of the processor: the medians of a fit."""
    times = list[tuple[float, float]]()
    rows = clusters(np.random.default_rng(1), ROWS_OF_A_SMALL_FIT)
    means = rows[:N_COMPONENTS] / 2
    # The same kernels for few rows and many: to load Numba's takes 45 MB once.
    options = {"means_init": means, "tol": 0.0, "max_iter": n_iterations, "backend": "c"}

    def note(step: Any) -> None:
        times.append((time.perf_counter(), time.process_time()))

    fastgmm.GaussianMixture(N_COMPONENTS, callbacks=[note], **options).fit(source)
    return differences(times, 0), differences(times, 1)


def differences(times: Sequence[tuple[float, float]], which: int) -> float:
    between = [after[which] - before[which] for before, after in itertools.pairwise(times)]
    return statistics.median(between) if between else float("nan")


def processor_seconds_of_decoding(source: Any) -> float:
    """Those to make blocks, when nothing else is done."""
    began = time.process_time()
    for _ in source.blocks():
        pass
    return time.process_time() - began


# --- memory ----------------------------------------------------------------------------------------------------------


def report_memory(folder: Path) -> None:
    block = fastgmm.blocks_of(folder / "rows.npy").block_rows * BYTES_OF_A_ROW  # type: ignore[attr-defined]
    most = (4 * block + BYTES_BESIDE_BLOCKS) / 2**20
    for name in ("rows.npy", "rows.parquet"):
        command = [sys.executable, "-m", "bench.files", "--memory-of", str(folder / name)]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        print(f"  {name:<16} {done.stdout.strip()} MB at most above the start; four blocks and 64 MB are {most:.0f}")


def peak_of_a_fit(path: str) -> int:
    """In MB."""
    suffix = Path(path).suffix
    small = Path(path).with_name(f"small{suffix}")
    iterations_of(fastgmm.blocks_of(small), 2)
    before, peak, is_done = anonymous_bytes(), 0, threading.Event()

    def watch() -> None:
        nonlocal peak
        while not is_done.wait(0.002):
            peak = max(peak, anonymous_bytes())

    watcher = threading.Thread(target=watch)
    watcher.start()
    iterations_of(fastgmm.blocks_of(path), 2)
    is_done.set()
    watcher.join()
    return (peak - before) // 2**20


def anonymous_bytes() -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith("RssAnon"))


# --- rows ------------------------------------------------------------------------------------------------------------


def write_files(folder: Path, n_rows: int) -> None:
    """The same rows in a ``.npy`` file and in Parquet, and a few of them, too."""
    rng = np.random.default_rng(0)
    for name, n in (("small", ROWS_OF_A_SMALL_FIT), ("rows", n_rows)):
        mapped = np.lib.format.open_memmap(folder / f"{name}.npy", "w+", np.float64, (n, N_FEATURES))
        for begin in range(0, n, ROWS_OF_A_GROUP):
            mapped[begin : begin + ROWS_OF_A_GROUP] = clusters(rng, min(ROWS_OF_A_GROUP, n - begin))
        mapped.flush()
        write_parquet(folder / f"{name}.parquet", mapped)


def clusters(rng: np.random.Generator, n_rows: int) -> Array:
    """Centers are two deviations apart."""
    centers = 2 / np.sqrt(2 * N_FEATURES) * np.random.default_rng(2).normal(size=(N_COMPONENTS, N_FEATURES))
    return centers[rng.integers(N_COMPONENTS, size=n_rows)] + rng.normal(size=(n_rows, N_FEATURES))


def write_parquet(path: Path, rows: Array) -> None:
    import pyarrow
    from pyarrow import parquet

    names = [f"x{feature}" for feature in range(N_FEATURES)]
    schema = pyarrow.schema([(name, pyarrow.float64()) for name in names])
    with parquet.ParquetWriter(path, schema, compression="snappy") as writer:
        for begin in range(0, len(rows), ROWS_OF_A_GROUP):
            group = rows[begin : begin + ROWS_OF_A_GROUP]
            columns = dict(zip(names, map(np.ascontiguousarray, group.T), strict=True))
            writer.write_table(pyarrow.table(columns), row_group_size=len(group))


if __name__ == "__main__":
    main()
