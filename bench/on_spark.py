"""Iterations over a DataFrame of Spark beside the loop over blocks in this process: ``python -m bench.on_spark``.

All forms of a sweep take turns, on the same blocks with the same kernels, two threads here and two tasks there: the
loop, the files of executors (``fastgmm/sweeps/on_spark.py``), the forms that were tried instead of these, and a job
that does nothing. ``--rival`` has MLlib's GaussianMixture fit the same rows, with as many iterations as ours. It needs
``pip install 'fastgmm[spark]'`` and Java.
"""

import argparse
import os
import pickle
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

import fastgmm
from bench.problems import Problem, generate
from fastgmm import GaussianMixture, blocks_of
from fastgmm.data.blocks.block import Block
from fastgmm.data.facts import Facts
from fastgmm.families import FAMILIES
from fastgmm.kernels import get_backend
from fastgmm.moments import Moments
from fastgmm.parameters import Array, Model
from fastgmm.rows import Rows
from fastgmm.sweeps.in_memory import InMemory

Sweep = Callable[[], list[Any]]
N_TASKS = 2


@dataclass(frozen=True)
class OfModel:
    """The work of an iteration on a block."""

    model: Model
    backend: str

    def __call__(self, block: Block, n_threads: int) -> Moments:
        return self.of_values(block.values, n_threads)

    def of_values(self, values: Array, n_threads: int = 1) -> Moments:
        family = FAMILIES[self.model.parameters.covariance_type]
        return InMemory(Facts(Rows(values)), family, get_backend(self.backend), n_threads)([self.model])[0]


@contextmanager
def session() -> Iterator[Any]:
    """Of two cores in one process of Java, where a file is a partition."""
    from pyspark.sql import SparkSession

    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    os.environ["PYTHONPATH"] = os.pathsep.join([str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")])
    builder = SparkSession.builder.master(f"local[{N_TASKS}]").config("spark.driver.memory", "4g")
    for name in ("spark.ui.enabled", "spark.ui.showConsoleProgress"):
        builder = builder.config(name, "false")
    spark = builder.config("spark.sql.files.openCostInBytes", str(2**27)).getOrCreate()
    spark.sparkContext.setLogLevel("ERROR")
    yield spark
    spark.stop()


def frame_of(spark: Any, values: Array, n_partitions: int, folder: str) -> Any:
    """Of Parquet files, which hold a partition each."""
    from pyarrow import parquet, table

    for number, part in enumerate(np.array_split(values, n_partitions)):
        columns = {f"x{feature}": column for feature, column in enumerate(part.T)}
        parquet.write_table(table(columns), Path(folder, f"{number:04}.parquet"))
    return spark.read.parquet(folder)


def forms_of(spark: Any, frame: Any, values: Array, work: OfModel, block_rows: int) -> dict[str, Sweep]:
    """Sweeps by the name of their form."""
    here, there = blocks_of(values, block_rows=block_rows), blocks_of(frame, block_rows=block_rows)
    numbers = spark.sparkContext.parallelize(range(N_TASKS), N_TASKS)
    return {
        "loop over blocks, two threads": lambda: list(here.map(work, N_TASKS)),
        "Spark, files of executors": lambda: list(there.map(work, None)),
        "Spark, a job that does nothing": lambda: numbers.map(lambda number: number).collect(),
    }


def other_forms_of(spark: Any, frame: Any, values: Array, work: OfModel, block_rows: int) -> dict[str, Sweep]:
    """Those that were tried and left: rows that Spark keeps, or that Python processes remember."""
    context, n_partitions = spark.sparkContext, frame.rdd.getNumPartitions()
    parts = np.array_split(values, n_partitions)
    blocks = [[part[i : i + block_rows] for i in range(0, len(part), block_rows)] for part in parts]
    persisted = context.parallelize(blocks, n_partitions).flatMap(list).persist()
    numbers, key = context.parallelize(range(n_partitions), n_partitions), f"bench-{time.time_ns()}"
    distributed, cached = context.broadcast(blocks), frame.cache()

    def remembered(partition: int) -> list[Moments]:
        """A process keeps the blocks that it has had, and reads those that it has not."""
        kept = fastgmm.__dict__.setdefault("_of_bench", {}).setdefault(key, {})
        if partition not in kept:
            kept[partition] = [np.array(block) for block in distributed.value[partition]]
        return [work.of_values(block) for block in kept[partition]]

    def of_batches(batches: Iterator[Any]) -> Iterator[Any]:
        from pyarrow import RecordBatch, Table, array

        table = Table.from_batches(list(batches))
        columns = np.empty((table.num_columns, table.num_rows))
        for line, column in zip(columns, table.columns, strict=True):
            line[:] = column.to_numpy()
        found = [work.of_values(columns.T[i : i + block_rows]) for i in range(0, table.num_rows, block_rows)]
        yield RecordBatch.from_arrays([array([pickle.dumps(found)])], ["moments"])

    return {
        "Spark, blocks in Python processes": lambda: numbers.flatMap(remembered).collect(),
        "Spark, an RDD of NumPy blocks": lambda: persisted.map(work.of_values).collect(),
        "Spark, mapInArrow of a cached frame": lambda: cached.mapInArrow(of_batches, "moments binary").collect(),
    }


def show_forms(forms: dict[str, Sweep], rounds: int) -> None:
    """Medians and best of turns."""
    times: dict[str, list[float]] = {name: [] for name in forms}
    for name, sweep in forms.items():
        for _ in range(2):
            began = time.perf_counter()
            sweep()
        print(f"  warmed up in {time.perf_counter() - began:.2f} s: {name}", flush=True)
    for _ in range(rounds):
        for name, sweep in forms.items():
            began = time.perf_counter()
            sweep()
            times[name].append(time.perf_counter() - began)
    first = next(iter(times.values()))
    for name, found in times.items():
        ratio = np.median(np.divide(found, first))
        print(f"{name:38} {np.median(found):7.3f} s, best {min(found):.3f}; {ratio:.2f} times the loop", flush=True)


def show_rival(frame: Any, n_components: int, iterations: int) -> None:
    """MLlib's fits of few and of many iterations beside ours, each from its own start."""
    from pyspark.ml.clustering import GaussianMixture as Rival
    from pyspark.ml.feature import VectorAssembler

    vectors = VectorAssembler(inputCols=frame.columns, outputCol="features").transform(frame).select("features").cache()
    n_rows, blocks = vectors.count(), blocks_of(frame)

    def of_rival(n: int) -> Any:
        return Rival(k=n_components, maxIter=n, tol=0.0, seed=0).fit(vectors)

    def of_ours(n: int) -> GaussianMixture:
        return GaussianMixture(n_components, tol=0.0, max_iter=n, random_state=0).fit(blocks)

    likelihoods = {
        "ours": (of_ours, lambda: of_ours(1 + iterations).lower_bound_),
        "MLlib": (of_rival, lambda: of_rival(1 + iterations).summary.logLikelihood / n_rows),
    }
    for name, (fit, likelihood) in likelihoods.items():
        fit(1)
        # Enough iterations of either that a job more or less does not matter.
        many = 1 + iterations * (1 if name == "MLlib" else 10)
        (wall, cpu), (more_wall, more_cpu) = _seconds(partial(fit, 1)), _seconds(partial(fit, many))
        wall, cpu = (more_wall - wall) / (many - 1), (more_cpu - cpu) / (many - 1)
        print(f"{name}: {wall:.3f} s an iteration, {cpu:.3f} s of processors", end="; ")
        print(f"after {1 + iterations} iterations a mean log-likelihood of {likelihood():.4f}", flush=True)
    vectors.unpersist()


def _seconds(function: Callable[[], object]) -> tuple[float, float]:
    """By the clock, and of processors by this process and all that it has started, which others' work changes less.

    Processes that have ended meanwhile, as idle ones of Spark's do, are left out.
    """
    began, before = time.perf_counter(), dict(_processor_seconds(os.getpid()))
    function()
    wall, after = time.perf_counter() - began, dict(_processor_seconds(os.getpid()))
    return wall, sum(seconds - before.get(process, 0.0) for process, seconds in after.items())


def _processor_seconds(process: int) -> Iterator[tuple[int, float]]:
    fields = Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()
    yield process, (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    for path in Path(f"/proc/{process}/task").glob("*/children"):
        for child in path.read_text().split():
            yield from _processor_seconds(int(child))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--features", type=int, default=8)
    parser.add_argument("--components", type=int, default=16)
    parser.add_argument("--partitions", type=int, default=2)
    parser.add_argument("--block-rows", type=int, default=125_000)
    parser.add_argument("--backend", default="c")
    parser.add_argument("--rounds", type=int, default=15, help="0 leaves the forms out")
    parser.add_argument("--few", action="store_true", help="leave out the forms that were tried")
    parser.add_argument("--rival", type=int, default=0, help="so many iterations of MLlib, and one more")
    choice = parser.parse_args()
    values, start = generate(Problem("full", choice.rows, choice.features, choice.components))
    work = OfModel(FAMILIES["full"].model_of(start, values.dtype), choice.backend)
    with session() as spark, tempfile.TemporaryDirectory() as folder:
        frame = frame_of(spark, values, choice.partitions, folder)
        print(
            f"{choice.rows:,} x {choice.features}, K = {choice.components}, {frame.rdd.getNumPartitions()} partitions"
        )
        print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
        if choice.rounds:
            what = spark, frame, values, work, choice.block_rows
            forms = forms_of(*what) | ({} if choice.few else other_forms_of(*what))
            show_forms(forms, choice.rounds)
        if choice.rival:
            show_rival(frame, choice.components, choice.rival)
        print(f"load {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
