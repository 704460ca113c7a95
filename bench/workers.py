"""A process for each rival: their threads do not disturb each other, and one that hangs or dies costs one figure."""

import multiprocessing
import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import numpy as np

from bench.problems import Problem, generate
from bench.rivals import Missing, Rival, load
from bench.timing import LeftOut, Timing, time_rival
from fastgmm.parameters import Parameters

# XLA has been seen to wait for itself forever on two threads.
# Libraries read these when they are loaded. A limit set later misses what is loaded later still, as SciPy's LAPACK is.
THREAD_VARIABLES = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS", "NPROC")
PATIENCE = 20.0
PATIENCE_TO_LOAD = 120.0


@dataclass(frozen=True)
class Job:
    """One problem for one rival; the rows are in a file, which is read faster than they are generated."""

    problem: Problem
    data: Path
    start: Parameters
    n_threads: int
    budget: float


@dataclass(frozen=True)
class Introduction:
    """What the rest needs to know of a rival without loading it."""

    name: str
    version: str


@dataclass(frozen=True)
class Worker:
    """A rival's process, and the line to it."""

    module: str
    reference: str
    process: BaseProcess
    line: Connection

    def ask(self, job: Job) -> Timing | LeftOut:
        """Its answer; kills it where it gives none in time."""
        try:
            self.line.send(job)
            answer = _receive(self.line, PATIENCE + 10 * job.budget)
        except (EOFError, BrokenPipeError):
            return LeftOut("its process died")
        if answer is None:
            self.process.kill()
            self.process.join()  # until then it may seem alive, and would not be replaced
            return LeftOut(f"no answer within {PATIENCE + 10 * job.budget:.0f} s")
        answered: Timing | LeftOut = answer
        return answered

    def close(self) -> None:
        """End the process."""
        self.line.close()
        self.process.join(5.0)
        self.process.kill()
        self.process.join()


def limit_threads(n_threads: int) -> None:
    """Let processes that are started from now on use so many threads."""
    os.environ.update(dict.fromkeys(THREAD_VARIABLES, str(n_threads)))


def start_worker(module: str, reference: str) -> Worker:
    """Start the process of one rival, which begins to load it."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=_serve, args=(module, reference, there), daemon=True)
    process.start()
    there.close()
    return Worker(module, reference, process, here)


def meet(worker: Worker) -> Introduction | Missing:
    """Wait until the rival is loaded, and learn who it is; ends its process where it cannot be."""
    try:
        answer: Introduction | Missing | None = _receive(worker.line, PATIENCE_TO_LOAD)
    except EOFError:
        answer = None
    if isinstance(answer, Introduction):
        return answer
    worker.close()
    return answer or Missing(worker.module, "its process did not start")


def ask_all(workers: dict[str, Worker], problem: Problem, n_threads: int, budget: float) -> dict[str, Timing | LeftOut]:
    """Everyone's time for one problem; replaces, in ``workers``, those who did not survive."""
    data, start = generate(problem)
    answers = {}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "data.npy")
        np.save(path, data)
        del data
        for name, worker in workers.items():
            answers[name] = worker.ask(Job(problem, path, start, n_threads, budget))
    for name, worker in tuple(workers.items()):
        if not worker.process.is_alive():
            worker.close()
            workers[name] = start_worker(worker.module, worker.reference)
            meet(workers[name])
    return answers


def _receive(line: Connection, seconds: float) -> Any:
    return line.recv() if line.poll(seconds) else None


def _serve(module: str, reference: str, line: Connection) -> None:
    """The worker's side: introduce the rival, then answer until nobody asks any more."""
    rival, judge = load(module), load(reference)
    if isinstance(rival, Missing) or isinstance(judge, Missing):
        line.send(rival if isinstance(rival, Missing) else judge)
        return
    line.send(Introduction(rival.name, rival.version))
    _until_closed(line, lambda job: _answer(rival, judge, job))


def _answer(rival: Rival, judge: Rival, job: Job) -> Timing | LeftOut:
    return time_rival(rival, judge, job.problem, lambda: np.load(job.data), job.start, job.n_threads, job.budget)


def _until_closed(line: Connection, answer: Callable[[Job], Timing | LeftOut]) -> None:
    while True:
        try:
            job = line.recv()
        except EOFError:
            return
        line.send(answer(job))
