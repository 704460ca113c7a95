"""Blocks of what a user's function yields."""

import sqlite3
import threading
from collections.abc import Iterator

import numpy as np
import pytest

from fastgmm import GaussianMixture, blocks_of
from tests.data.blocks.sources import assert_same_bits, fit_of, rows_of

ROWS = rows_of()


@pytest.mark.parametrize("block_rows", [64, 700, 1_000, 5_000])
def test_a_function_may_fill_the_same_memory_again(block_rows: int) -> None:
    def source() -> Iterator[np.ndarray]:
        buffer = np.empty((250, 3))
        for begin in range(0, len(ROWS), 250):
            buffer[:] = ROWS[begin : begin + 250]
            yield buffer
        buffer[:] = 1e9

    assert_same_bits(blocks_of(source, block_rows=block_rows), ROWS, block_rows)


def test_weights_and_labels_are_of_the_rows_too_when_memory_is_filled_again() -> None:
    table = np.column_stack([ROWS, np.arange(len(ROWS)) % 5, np.arange(len(ROWS)) % 3 - 1])

    def source() -> Iterator[np.ndarray]:
        buffer = np.empty((250, 5))
        for begin in range(0, len(table), 250):
            buffer[:] = table[begin : begin + 250]
            yield buffer

    found, expected = (fit_of(blocks_of(each, weight=3, labels=4, block_rows=700)) for each in (source, [table]))
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_function_runs_in_the_thread_of_its_caller() -> None:
    threads = set[threading.Thread]()

    def source() -> Iterator[np.ndarray]:
        try:
            for begin in range(0, len(ROWS), 250):
                threads.add(threading.current_thread())
                yield ROWS[begin : begin + 250]
        finally:
            threads.add(threading.current_thread())

    blocks = blocks_of(source, block_rows=100)
    gm = GaussianMixture(2, random_state=0, max_iter=2, tol=1e9).fit(blocks)
    gm.score(blocks)
    gm.moments(blocks)
    next(gm.predict(blocks))
    assert threads == {threading.current_thread()}


def test_a_cursor_of_the_caller_is_a_source() -> None:
    X = ROWS[~np.isnan(ROWS).any(axis=1)]
    connection = sqlite3.connect(":memory:")
    connection.execute("create table points (a real, b real, c real)")
    connection.executemany("insert into points values (?, ?, ?)", X.tolist())

    def source() -> Iterator[np.ndarray]:
        cursor = connection.execute("select a, b, c from points order by rowid")
        while some := cursor.fetchmany(100):
            yield np.array(some)

    assert_same_bits(blocks_of(source, block_rows=1_000), X)
    connection.close()


def test_an_error_of_a_function_is_what_the_fit_raises() -> None:
    def source() -> Iterator[np.ndarray]:
        yield ROWS
        raise KeyError("the second")

    with pytest.raises(KeyError, match="the second"):
        GaussianMixture().fit(blocks_of(source))


def test_a_function_whose_iterator_is_the_same_each_time_is_told_so() -> None:
    arrays = iter([ROWS, ROWS, ROWS])
    with pytest.raises(ValueError, match=r"rows counted in the first pass, none in a later one\. A source must give"):
        GaussianMixture().fit(blocks_of(lambda: arrays))
