"""Rows in a DataFrame of Spark: executors write them into files of their own once, and map these from then on.

To move rows from Java to Python takes longer than EM on them. What a Python process remembers of them would spare that,
but Spark hands a partition to whichever process of the executor is idle, so that each of them would soon hold all rows.
So the first pass writes the blocks of each partition into a file beside Spark's own temporary files, and what Spark
persists are their lengths: tasks go where these are, and map the file. Where an executor is lost, so are the lengths,
and Spark makes both anew; where a file is missing, rows are written once more by a second job.
"""

import logging
import pickle
import secrets
import threading
import time
import weakref
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from copy import copy, deepcopy
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import accumulate
from os import getpid
from typing import Any, Protocol, Self, TypeVar

import numpy as np

from fastgmm.data.blocks.block import Form, Work
from fastgmm.data.blocks.cutting import default_block_rows
from fastgmm.data.blocks.partition_files import Part
from fastgmm.data.blocks.selection import Asked
from fastgmm.data.table import Table
from fastgmm.machine.waiting import check
from fastgmm.parameters import Array
from fastgmm.sweeps.spark_frames import chosen, selected
from fastgmm.sweeps.spark_tasks import (
    Answer,
    Layout,
    Removal,
    Task,
    Written,
    raise_error,
    require_version,
    rows_to_score,
    write_partition,
)
from fastgmm.version import __version__

logger = logging.getLogger("fastgmm")

T = TypeVar("T")

# Whoever waits for a job looks up so often, whether anybody waits for them.
_SECONDS_OF_WAITING = 0.05
# Of jobs: those that the thread has in which a source is made. A fit works in a thread of its own.
_PROPERTIES = ("spark.scheduler.pool", "spark.jobGroup.id", "spark.job.description")
# What does not fit into a message that each task is sent is distributed once to all executors.
_BYTES_OF_A_MESSAGE = 2**20
# So many bytes of results come to the driver at a time, and the first of them from so few partitions a core, since
# nobody knows yet how large they are.
_BYTES_OF_A_JOB = 2**27
_FIRST_PARTITIONS_OF_A_CORE = 4
# So long does a job take, and a block more, so that a deadline is noticed. To have Spark begin one takes 0.1 seconds.
_SECONDS_OF_A_JOB = 4.0


def spark_blocks(frame: Any, asked: Asked, block_rows: int | None) -> "SparkBlocks":
    """Blocks of a DataFrame: see ``chosen`` for what is refused."""
    selection, names, form = chosen(frame, asked)
    rows = block_rows or default_block_rows(form.n_features, form.dtype)
    context = _running(frame)
    properties = {name: value for name in _PROPERTIES if (value := context.getLocalProperty(name)) is not None}
    layout = Layout(f"fastgmm-{secrets.token_hex(8)}", form, selection, names, rows, __version__)
    return SparkBlocks(frame, layout, properties, int(context.getConf().get("spark.task.cpus", "1")))


class Scoring(Protocol):
    """What is needed of a fitted estimator."""

    n_threads: int | None

    def predict(self, X: Any) -> Array: ...

    def score_samples(self, X: Any) -> Array: ...


@dataclass(frozen=True, eq=False)
class SparkBlocks:
    """A :class:`fastgmm.data.blocks.block.Blocks` of a DataFrame of Spark, partition after partition.

    The first pass writes their rows into files of the executors. ``close`` removes these, as the end of a ``with``
    block and of this object does; what is left anywhere Spark removes when executors end.
    """

    frame: Any
    layout: Layout
    properties: Mapping[str, str]
    task_cpus: int
    _known: dict[str, Any] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        self._known["process"] = getpid()
        context = self.frame.sparkSession.sparkContext
        weakref.finalize(self, _release_beside, context, self._known, self.layout.key).atexit = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def form(self) -> Form:
        return self.layout.form

    def close(self) -> None:
        """Remove the files of the executors; another pass would write them anew."""
        _release(self.frame.sparkSession.sparkContext, self._known, self.layout.key)

    def map(self, work: Work[T], n_threads: int | None) -> Generator[T, None, None]:
        context = _running(self.frame)
        parts = self._written(context)
        pickled, distributed = _distributed(context, work)
        most_bytes = _BYTES_OF_A_JOB // context.defaultParallelism
        task = Task(self.layout, {}, pickled, n_threads or self.task_cpus, _SECONDS_OF_A_JOB, most_bytes)
        try:
            yield from map(pickle.loads, self._answered(context, task, parts))
        finally:
            if distributed is not None:
                distributed.destroy()

    def _written(self, context: Any) -> tuple[Part, ...]:
        """Where the rows of each partition are among all; writes them first, where no pass has done so yet."""
        if "parts" not in self._known:
            found = sorted(_in_job(context, self.properties, self._write))
            for _, _, error in found:
                if error is not None:
                    self.close()
                    raise_error(error)
            self._known["parts"] = _parts_of(found)
        parts: tuple[Part, ...] = self._known["parts"]
        return parts

    def _write(self) -> list[Written]:
        from pyspark import StorageLevel

        written = _writing(self.frame, self.layout)
        # What Spark keeps of it are lengths, and with them where they are.
        kept = written.map(tuple).persist(StorageLevel.MEMORY_AND_DISK)
        self._known.update(written=written, kept=kept)
        found: list[Written] = kept.collect()
        return found

    def _answered(self, context: Any, task: Task, parts: tuple[Part, ...]) -> Generator[bytes, None, None]:
        """The results of all blocks, in order."""
        undone, done, next_block = [(part, 0) for part in parts if part.lengths], dict[int, bytes](), 0
        n_cores = context.defaultParallelism
        n_partitions = _FIRST_PARTITIONS_OF_A_CORE * n_cores
        while undone:
            some, began = undone[:n_partitions], time.perf_counter()
            task = replace(task, parts={part.number: (part, first) for part, first in some})
            answers = _in_job(context, self.properties, partial(self._answers, context, task))
            n_bytes = max(sum(map(len, answer.results)) for answer in answers)
            n_timely = int(len(some) * _SECONDS_OF_A_JOB / (time.perf_counter() - began))
            n_partitions = max(1, min(_BYTES_OF_A_JOB // max(1, n_bytes), max(n_cores, n_timely)))
            for (part, first), answer in zip(some, answers, strict=True):
                done.update(enumerate(answer.results, part.first_block + first))
            while next_block in done:
                yield done.pop(next_block)
                next_block += 1
            rest = _rest_of(some, answers)
            if sum(map(len, done.values())) > _BYTES_OF_A_JOB:
                n_partitions = len(rest)  # on which these have to wait
            undone = [*rest, *undone[len(some) :]]

    def _answers(self, context: Any, task: Task) -> list[Answer]:
        """Those of the partitions of a task, in their order."""
        answers: dict[int, Answer] = dict(context.runJob(self._known["kept"], task, list(task.parts)))
        lost = [partition for partition, answer in answers.items() if answer.is_lost]
        if lost:
            answers |= dict(context.runJob(self._known["written"], task, lost))
        return [answers[partition] for partition in task.parts]

    def with_scores(self, model: Scoring, label: str = "component", log_density: str = "log_density") -> Any:
        """The DataFrame with the component and the log-density of each row, which Spark computes when it is asked for.

        Parameters
        ----------
        model : GaussianMixture
            Fitted to the same features.
        label, log_density : str
            Names of the columns that come to the others.

        Returns
        -------
        pyspark.sql.DataFrame

        Raises
        ------
        NotFittedError
        ValueError
            For other features than those of the fit, and where there is a column of that name.
        """
        layout = self.layout
        for name in (label, log_density):
            if name in self.frame.columns:
                raise ValueError(f"the DataFrame has a column {name!r}: name the new one otherwise")
        model = copy(model)
        model.n_threads = model.n_threads or self.task_cpus
        names = layout.form.columns if hasattr(model, "feature_names_in_") else None
        model.predict(Table(np.zeros((1, layout.form.n_features), layout.form.dtype), names))
        kind = "float" if layout.form.dtype == np.float32 else "double"
        schema = deepcopy(self.frame.schema).add(label, "integer").add(log_density, kind)
        return self.frame.mapInArrow(
            _scoring(replace(layout, form=replace(layout.form, columns=names)), model, schema.names), schema
        )


def _rest_of(some: list[tuple[Part, int]], answers: list[Answer]) -> list[tuple[Part, int]]:
    """The partitions of which blocks are left to be done, and from which on; raises the first error."""
    rest = []
    for (part, first), answer in zip(some, answers, strict=True):
        if answer.is_lost:
            raise RuntimeError("a file is not there that an executor has just written")
        if answer.error is not None:
            raise_error(answer.error)
        if first + len(answer.results) < len(part.lengths):
            rest.append((part, first + len(answer.results)))
    return rest


def _parts_of(written: list[Written]) -> tuple[Part, ...]:
    blocks = accumulate((len(lengths) for _, lengths, _ in written), initial=0)
    rows = accumulate((sum(lengths) for _, lengths, _ in written), initial=0)
    return tuple(
        Part(number, block, row, tuple(lengths))
        for (number, lengths, _), block, row in zip(written, blocks, rows, strict=False)
    )


def _writing(frame: Any, layout: Layout) -> Any:
    """An RDD of what ``write_partition`` returns, which does so when it is asked for."""

    def write(batches: Iterable[Any]) -> Iterator[Any]:
        from pyarrow import RecordBatch, Table, array
        from pyspark import TaskContext

        tables = (Table.from_batches([batch]) for batch in batches)
        number, lengths, error = write_partition(layout, TaskContext.get().partitionId(), tables)
        yield RecordBatch.from_arrays(list(map(array, ([number], [lengths], [error]))), ["number", "lengths", "error"])

    return selected(frame, layout.selection).mapInArrow(write, "number long, lengths array<long>, error binary").rdd


def _scoring(layout: Layout, model: Scoring, names: list[str]) -> Callable[[Iterable[Any]], Iterator[Any]]:
    """What appends two columns to batches of Arrow, and names them all."""

    def score(batches: Iterable[Any]) -> Iterator[Any]:
        from pyarrow import RecordBatch, Table, array

        require_version(layout.version)
        for batch in batches:
            table = Table.from_batches([batch])
            rows = rows_to_score(layout, [table.column(position) for position in layout.selection.features])
            labels, densities = array(model.predict(rows).astype(np.int32)), array(model.score_samples(rows))
            yield RecordBatch.from_arrays([*batch.columns, labels, densities], names)

    return score


def _running(frame: Any) -> Any:
    context = frame.sparkSession.sparkContext
    if context._jsc is None:
        raise RuntimeError("the SparkContext of the DataFrame has been stopped")
    return context


def _distributed(context: Any, work: Work[Any]) -> tuple[Any, Any]:
    """A pickle of the work, or what holds it in all executors; and the latter, or None."""
    from pyspark import cloudpickle

    pickled = cloudpickle.dumps(work)
    if len(pickled) <= _BYTES_OF_A_MESSAGE:
        return pickled, None
    distributed = context.broadcast(pickled)
    return distributed, distributed


def _in_job(context: Any, properties: Mapping[str, str], function: Callable[[], T]) -> T:
    """What a function returns or raises that has Spark run jobs, of some properties, in a thread of its own.

    The jobs are cancelled where nobody waits for the caller any more.
    """
    from pyspark import InheritableThread

    tag, is_done = f"fastgmm-{secrets.token_hex(8)}", threading.Event()
    found, errors = list[T](), list[BaseException]()

    def run() -> None:
        try:
            for name, value in properties.items():
                context.setLocalProperty(name, value)
            context.addJobTag(tag)
            context.setInterruptOnCancel(True)
            found.append(function())
        except BaseException as error:
            errors.append(error)
        finally:
            is_done.set()

    thread = InheritableThread(target=run, name="fastgmm-spark", daemon=True)
    thread.start()
    try:
        while not is_done.wait(_SECONDS_OF_WAITING):
            check()
    except BaseException:
        while not is_done.is_set():  # since the next job may not have begun yet
            context.cancelJobsWithTag(tag)
            is_done.wait(_SECONDS_OF_WAITING)
        raise
    finally:
        thread.join()
    if errors:
        raise _explained(errors.pop())
    return found[0]


def _explained(error: BaseException) -> BaseException:
    """What users can do about an error of Spark itself, which becomes its cause; others as they are."""
    from py4j.protocol import Py4JError
    from pyspark.errors import PySparkException

    if not isinstance(error, Py4JError | PySparkException):
        return error
    text = str(error)
    lines = [line.strip() for line in text.splitlines() if "Error: " in line or "Exception: " in line]
    line = (lines or [text])[-1][:500]
    if "No module named" in text or "Can't get attribute" in text:
        explained: Exception = ImportError(
            f"a worker of Spark: {line}. It runs the Python that PYSPARK_PYTHON names, or spark.archives bring: "
            f"install fastgmm {__version__} there, as here, and pyarrow"
        )
    else:
        explained = RuntimeError(f"Spark could not do its work: {line}")
    explained.__cause__ = error
    return explained


def _release_beside(context: Any, known: dict[str, Any], key: str) -> None:
    """Release in a thread, since nobody who drops the last reference expects to wait for a cluster."""

    def release() -> None:
        try:
            _release(context, known, key)
        except Exception as error:  # of any kind, where the application ends meanwhile
            logger.debug("what executors keep of a source is left to Spark: %s", error)

    if "kept" in known and known["process"] == getpid():
        threading.Thread(target=release, name="fastgmm-release", daemon=True).start()


def _release(context: Any, known: dict[str, Any], key: str) -> None:
    kept = known.pop("kept", None)
    known.pop("written", None)
    known.pop("parts", None)
    if kept is None or context._jsc is None:
        return
    kept.unpersist()
    # As many tasks as there are cores, so that where these are idle each executor has one.
    n_tasks = context.defaultParallelism
    context.parallelize(range(n_tasks), n_tasks).mapPartitions(Removal(key)).count()
