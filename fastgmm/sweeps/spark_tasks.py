"""What tasks of Spark do where rows lie: they write them into files once, and work on the blocks of these.

Nothing here needs pyspark: ``on_spark.py`` has tasks sent.
"""

import os
import pickle
import time
import traceback
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn, TypeAlias

import numpy as np

from fastgmm.data.blocks.block import Form, Place
from fastgmm.data.blocks.cutting import Piece, cut, piece_of_columns
from fastgmm.data.blocks.partition_files import Part, block_of_part, remove_parts, write_part
from fastgmm.data.blocks.selection import Selection
from fastgmm.data.table import Table
from fastgmm.data.tables.arrow_columns import numbers_of_column
from fastgmm.version import __version__

# The number of a partition, how many rows each of its blocks has, and the error that came in the way.
Written: TypeAlias = tuple[int, list[int], bytes | None]


@dataclass(frozen=True)
class Layout:
    """How rows of a source are kept in files.

    Attributes
    ----------
    key : str
        What the names of its files begin with.
    form : Form
    selection : Selection
        Of columns of the DataFrame.
    names : tuple of str
        Of the columns that tasks are handed: features first, then weights, then labels.
    block_rows : int
    version : str
        That of fastgmm in the driver.
    """

    key: str
    form: Form
    selection: Selection
    names: tuple[str, ...]
    block_rows: int
    version: str

    def place(self, partition: int) -> str:
        return f"{self.form.name}, partition {partition}"

    def file(self, partition: int) -> Path:
        """In a directory of the executor's, which Spark removes when the executor ends."""
        folders = local_folders()
        return folders[partition % len(folders)] / f"{self.key}-{partition}"


def local_folders() -> list[Path]:
    """Where Spark has the worker keep what does not fit into memory."""
    return [Path(folder) for folder in os.environ.get("SPARK_LOCAL_DIRS", os.curdir).split(",")]


def require_version(version: str) -> None:
    """The same as in the driver."""
    if version != __version__:
        raise ImportError(
            f"the driver has fastgmm {version}, a worker of Spark has {__version__}: both must be the same"
        )


def write_partition(layout: Layout, partition: int, tables: Iterable[Any]) -> Written:
    """The task of writing down the rows of a partition, which come in tables of Arrow."""
    try:
        require_version(layout.version)
        blocks = cut(_pieces(layout, layout.place(partition), tables), layout.block_rows, layout.form.dtype)
        return partition, list(write_part(layout.file(partition), blocks)), None
    except Exception as error:  # which Spark would try again, and wrap into stack traces of Java
        return partition, [], pickled_error(error)


def _pieces(layout: Layout, place: str, tables: Iterable[Any]) -> Iterator[Piece]:
    begin = 0
    for table in tables:
        columns = [
            numbers_of_column(place, name, column, first_row=begin)
            for name, column in zip(layout.names, table.columns, strict=True)
        ]
        yield piece_of_columns(columns, layout.selection, Place(place, begin, table.num_rows))
        begin += table.num_rows


def rows_to_score(layout: Layout, columns: list[Any]) -> Table:
    """Of the columns of features, with their names."""
    values = np.empty((len(columns), len(columns[0])), layout.form.dtype)
    for line, column, name in zip(values, columns, layout.names, strict=False):
        line[:] = numbers_of_column(layout.form.name, name, column)
    return Table(values.T, layout.form.columns)


@dataclass(frozen=True)
class Answer:
    """What came of the work on blocks of a partition: a pickle for each, and the error that ended them, or None.

    They are fewer than there are blocks where there was no time for more. ``is_lost``: its file is not on this machine.
    """

    results: list[bytes]
    error: bytes | None = None
    is_lost: bool = False


@dataclass(frozen=True)
class Task:
    """Work on the blocks of partitions, from one of them on each, for so many seconds, or bytes of results, and a block
    more.

    ``work`` is a pickle, or what holds one that Spark has distributed to all executors.
    """

    layout: Layout
    parts: dict[int, tuple[Part, int]]
    work: Any
    n_threads: int
    seconds: float
    most_bytes: int

    def __call__(self, written: Iterator[Written]) -> Iterator[tuple[int, Answer]]:
        for partition, lengths, error in list(written):
            yield partition, self._answer(*self.parts[partition], tuple(lengths), error)

    def _answer(self, part: Part, first: int, lengths: tuple[int, ...], error: bytes | None) -> Answer:
        until, results, place = time.perf_counter() + self.seconds, list[bytes](), self.layout.place(part.number)
        if error is not None:
            return Answer(results, error)
        try:
            if lengths != part.lengths:
                raise ValueError(
                    f"{place}: {sum(part.lengths)} rows at first, and {sum(lengths)} when Spark made them anew. Cache "
                    "the DataFrame, or write it to files, so that a partition has the same rows each time"
                )
            path = self.layout.file(part.number)
            if not path.exists():
                return Answer(results, is_lost=True)
            work = pickle.loads(self.work if isinstance(self.work, bytes) else self.work.value)
            for which in range(first, len(lengths)):
                block = block_of_part(path, part, place, self.layout.form, which)
                results.append(pickle.dumps(work(block, self.n_threads), pickle.HIGHEST_PROTOCOL))
                if time.perf_counter() > until or sum(map(len, results)) > self.most_bytes:
                    break
            return Answer(results)
        except Exception as caught:  # as above
            return Answer(results, pickled_error(caught))


@dataclass(frozen=True)
class Removal:
    """Of the files of a source that a machine has."""

    key: str

    def __call__(self, numbers: Iterator[int]) -> Iterator[int]:
        for folder in local_folders():
            remove_parts(folder, self.key)
        yield from numbers


class ExecutorError(Exception):
    """Where in an executor an error was raised: what its traceback said there."""


def pickled_error(error: Exception) -> bytes:
    """The error and what its traceback says; as ``RuntimeError`` where no pickle holds it."""
    where = "".join(traceback.format_exception(error))
    try:
        pickled = pickle.dumps((error, where))
        pickle.loads(pickled)
    except Exception:  # of which any may come out of somebody's class
        pickled = pickle.dumps((RuntimeError(f"{type(error).__name__}: {error}"), where))
    return pickled


def raise_error(pickled: bytes) -> NoReturn:
    """Raise in the driver what was raised in an executor."""
    error, where = pickle.loads(pickled)
    raise error from ExecutorError(f"\n{where}")
