"""An iteration on a Dask cluster, beside a loop over the same blocks in one process: ``python -m bench.on_dask``.

Two workers of one thread each, and two threads: both have the same cores. Runs alternate, since other work may share
the machine; what is shown are medians.
"""

import argparse
import os
import statistics
import time
import warnings
from contextlib import closing

import dask.array as da
from distributed import Client, LocalCluster

from bench.problems import Problem, generate
from fastgmm import GaussianMixture, blocks_of
from fastgmm.data.blocks.block import Block, Blocks

N_WORKERS = 2


def nothing(block: Block, n_threads: int) -> None:
    """The work of an empty pass."""


def seconds_of_iterations(estimator: GaussianMixture, blocks: Blocks) -> list[float]:
    return [step.seconds for step in estimator.fit(blocks).history_]


def seconds_of_an_empty_pass(blocks: Blocks) -> float:
    began = time.perf_counter()
    with closing(blocks.map(nothing, None)) as answers:
        list(answers)
    return time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.on_dask", description=__doc__)
    parser.add_argument("--rows", type=int, default=4_000_000)
    parser.add_argument("--block-rows", type=int, default=250_000)
    parser.add_argument("--rounds", type=int, default=7)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    problem = Problem("full", arguments.rows, 8, 16)
    data, start = generate(problem)
    given = {"weights_init": start.weights, "means_init": start.means, "tol": 0.0, "max_iter": 5}
    local = blocks_of([data], block_rows=arguments.block_rows)
    cluster = LocalCluster(n_workers=N_WORKERS, threads_per_worker=1, dashboard_address=":0")
    here, there, empty = list[float](), list[float](), list[float]()
    with (
        cluster,
        Client(cluster),
        blocks_of(da.from_array(data, chunks=(arguments.block_rows, -1)), block_rows=arguments.block_rows) as remote,
    ):
        began = time.perf_counter()
        seconds_of_an_empty_pass(remote)
        loading = time.perf_counter() - began
        for _ in range(arguments.rounds):
            here += seconds_of_iterations(GaussianMixture(16, n_threads=N_WORKERS, **given), local)
            there += seconds_of_iterations(GaussianMixture(16, **given), remote)
            empty += [seconds_of_an_empty_pass(remote) for _ in range(5)]
    loop, on_dask, overhead = (1e3 * statistics.median(some) for some in (here, there, empty))
    print(
        f"{problem.name}, blocks of {arguments.block_rows:,}, load {os.getloadavg()[0]:.1f}: loop over blocks "
        f"{loop:.0f} ms, {N_WORKERS} Dask workers {on_dask:.0f} ms ({on_dask / loop:.2f} ×), "
        f"an empty pass {overhead:.1f} ms, loaded in {loading:.1f} s"
    )


if __name__ == "__main__":  # workers import this module too
    main()
