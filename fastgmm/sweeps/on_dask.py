"""Blocks of Dask's arrays and data frames: on the workers of a cluster, or by Dask's scheduler in this process.

On a cluster the blocks are loaded once, and stay on the workers as long as the source lives. A pass sends the question
to every worker, as one task for all the blocks that it holds, since a task costs as much as the kernels take for some
ten thousand rows. Where a worker dies, Dask loads its blocks elsewhere, and asks these anew.
"""

import itertools
import pickle
import time
from collections import deque
from collections.abc import Generator, Iterable, Iterator, Mapping
from concurrent.futures import CancelledError
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, replace
from pkgutil import resolve_name
from queue import Empty, SimpleQueue
from typing import Any, Self, TypeAlias, TypeVar

from fastgmm.data.blocks.block import Block, Blocks, Form, Work
from fastgmm.data.blocks.dask_parts import Parts, parts_of
from fastgmm.data.blocks.local import worked_on
from fastgmm.data.blocks.selection import Asked
from fastgmm.machine.ahead import one_ahead
from fastgmm.machine.waiting import check
from fastgmm.parameters import Array
from fastgmm.sweeps.placement import shared_out
from fastgmm.version import __version__

T = TypeVar("T")
# Of Dask: a client of a cluster, and what will be a result there.
Client: TypeAlias = Any
Future: TypeAlias = Any

# Whoever waits looks up so often whether anybody still waits for it, and whether the cluster is still there.
_SECONDS_OF_WAITING = 0.05
# A task ends after so long, with some of its blocks undone: so a deadline is noticed, and a worker is soon free where
# nobody waits for it any more. To send the next one takes some 5 ms.
_SECONDS_OF_A_TASK = 1.0
# Answers that nobody has taken yet, on all workers together: moments are small, but probabilities are not.
_BYTES_IN_FLIGHT = 2**26
# A question of more bytes travels to the workers once, and not with every task; Dask warns of a message of 10 MB.
_BYTES_OF_A_LARGE_QUESTION = 2**20


def blocks_on_dask(data: Any, asked: Asked, block_rows: int | None) -> Blocks:
    """Its rows, by the client that is current here; where there is none, by Dask's scheduler in this process."""
    client = _current_client()
    form, parts = parts_of(data, asked, block_rows)
    return ComputedBlocks(form, parts) if client is None else DaskBlocks(form, parts, client)


def _current_client() -> Client | None:
    try:
        from distributed import get_client
    except ImportError:  # then there is no cluster
        return None
    try:
        client = get_client()
    except ValueError:  # so it says that there is none
        return None
    if client.asynchronous:
        raise TypeError("a fit waits for the cluster, which an asynchronous client cannot: use Client(...) instead")
    return client


def _in_place(block: Block, number: int, begin: int) -> Block:
    return replace(block, number=number, begin=begin)


@dataclass(frozen=True, eq=False)
class ComputedBlocks:
    """A :class:`fastgmm.data.blocks.block.Blocks` of parts that Dask computes in this process, anew for each pass.

    It holds nothing, and is closed as those on a cluster are.
    """

    form: Form
    parts: Parts

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...

    def close(self) -> None: ...

    def blocks(self) -> Generator[Block, None, None]:
        number = begin = 0
        for part in self.parts.as_blocks():
            for block in part.compute():
                yield _in_place(block, number, begin)
                number, begin = number + 1, begin + len(block.values)

    def map(self, work: Work[T], n_threads: int | None) -> Generator[T, None, None]:
        return worked_on(one_ahead(self.blocks()), work, n_threads)


class DaskBlocks:
    """A :class:`fastgmm.data.blocks.block.Blocks` that lie on the workers of a Dask cluster.

    The first pass loads them; they stay until the source is closed, as a context manager is at its end, or forgotten.
    """

    def __init__(self, form: Form, parts: Parts, client: Client) -> None:
        self.form = form
        self._parts = parts
        self._client = client
        self._held: _Held | None = None
        self._known_workers: frozenset[str] = frozenset()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let the workers forget the rows; another pass would load them anew."""
        self._held = None

    def map(self, work: Work[T], n_threads: int | None) -> Generator[T, None, None]:
        question = pickle.dumps(work, protocol=pickle.HIGHEST_PROTOCOL)
        with self._explained():
            threads = self._threads()
            if self._held is None:
                self._held = _loaded(self._client, self._parts)
            with closing(_answers(self._client, self._held, threads, question, n_threads)) as answers:
                for answer in answers:
                    yield pickle.loads(answer)

    def _threads(self) -> Mapping[str, int]:
        """How many each worker has; waits until there is any."""
        while not (threads := self._client.nthreads()):
            check()
            time.sleep(_SECONDS_OF_WAITING)
        if new := threads.keys() - self._known_workers:
            _require_alike(self._client, sorted(new))
            self._known_workers |= new
        return dict(threads)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Says so where the cluster is gone, or the rows, which are to be loaded anew then."""
        from distributed.comm import CommClosedError

        try:
            _require_running(self._client)
            yield
        except KeyError as error:
            error.add_note(f"Where this is a column, a partition of {self.form.name} lacks it.")
            raise
        except Exception as error:
            is_gone = self._client.status != "running" or isinstance(error, CommClosedError)
            if not is_gone and not isinstance(error, CancelledError):
                raise
            self.close()
            raise ConnectionError(
                f"{self.form.name}: the Dask cluster does not answer. Connect another one, and make the array anew"
                if is_gone
                else f"{self.form.name}: rows that the workers of the Dask cluster held are lost, and Dask cannot load "
                "them again: it was restarted, or workers died with what had been scattered. Make the array anew"
            ) from error


@dataclass(frozen=True, eq=False)
class _Held:
    """Blocks on workers, and how many rows each of them has."""

    blocks: list[Future]
    sizes: list[int]


def _require_running(client: Client) -> None:
    """``CancelledError`` where it has lost its cluster: whatever was asked for is cancelled then."""
    if client.status != "running":
        raise CancelledError


def _require_alike(client: Client, workers: list[str]) -> None:
    """Workers that have this version of fastgmm."""
    for worker, answer in client.run(
        resolve_name, "fastgmm.version:__version__", workers=workers, on_error="return"
    ).items():
        if isinstance(answer, OSError) or answer == __version__:  # who has gone meanwhile does no harm
            continue
        what = f"no fastgmm ({answer})" if isinstance(answer, Exception) else f"fastgmm {answer}"
        raise ImportError(
            f"the Dask worker {worker} has {what}, and this process has fastgmm {__version__}: all must have the same"
        )


def _loaded(client: Client, parts: Parts) -> _Held:
    """All blocks, each where Dask has loaded it."""
    futures = [
        *(of_parts := client.compute(parts.as_blocks())),
        *(counts := client.map(_sizes_of, of_parts, pure=False)),
    ]
    try:
        _Finished(client, counts).wait()
        which, indices, sizes = list[Future](), list[int](), list[int]()
        for part, some in zip(of_parts, client.gather(counts), strict=True):
            which += [part] * len(some)
            indices += range(len(some))
            sizes += some
        begins = list(itertools.accumulate(sizes, initial=0))[:-1]
        blocks = client.map(_block_of, which, indices, range(len(sizes)), begins, pure=False) if sizes else []
        futures += blocks
        _Finished(client, blocks).wait()
    except BaseException:
        _cancel(client, futures)
        raise
    return _Held(blocks, sizes)


def _sizes_of(blocks: tuple[Block, ...]) -> list[int]:
    return [len(block.values) for block in blocks]


def _block_of(blocks: tuple[Block, ...], index: int, number: int, begin: int) -> Block:
    return _in_place(blocks[index], number, begin)


class _Finished:
    """Futures in the order in which they come to an end."""

    def __init__(self, client: Client, futures: Iterable[Future] = ()) -> None:
        self._client = client
        self._queue: SimpleQueue[Future] = SimpleQueue()
        self._n_expected = 0
        for future in futures:
            self.expect(future)

    def expect(self, future: Future) -> None:
        self._n_expected += 1
        future.add_done_callback(self._queue.put)

    def some(self) -> list[Future]:
        """Those that have meanwhile, at least one; what it raises where one failed, and where the cluster is gone."""
        finished = [self._next()]
        with suppress(Empty):
            while True:
                finished.append(self._queue.get_nowait())
        self._n_expected -= len(finished)
        for future in finished:
            if future.status != "finished":
                future.result()
        return finished

    def _next(self) -> Future:
        while True:
            check()
            with suppress(Empty):
                return self._queue.get(timeout=_SECONDS_OF_WAITING)
            _require_running(self._client)

    def wait(self) -> None:
        """Until all have."""
        while self._n_expected:
            self.some()


def _answers(
    client: Client, held: _Held, threads: Mapping[str, int], question: bytes, n_threads: int | None
) -> Generator[bytes, None, None]:
    """Those of all blocks, in order, each pickled."""
    if not held.blocks:
        return
    where = client.who_has(held.blocks)
    shares = shared_out(held.sizes, [where.get(block.key, ()) for block in held.blocks], threads)
    asking = _Asking(client, held.blocks, shares, _sent(client, question), n_threads)
    try:
        for number in range(len(held.blocks)):
            yield asking.answer_of(number)
    finally:
        asking.cancel()


def _sent(client: Client, question: bytes) -> Any:
    is_large = len(question) > _BYTES_OF_A_LARGE_QUESTION
    return client.scatter(question, broadcast=True, hash=False) if is_large else question


class _Asking:
    """One task at a time on each worker, as long as there is room for what it answers."""

    def __init__(
        self, client: Client, blocks: list[Future], shares: dict[str, list[int]], question: Any, n_threads: int | None
    ) -> None:
        self._client = client
        self._blocks = blocks
        self._how = question, n_threads, max(1, _BYTES_IN_FLIGHT // len(shares))
        self._undone = {worker: deque(numbers) for worker, numbers in shares.items()}
        self._reach = {worker: len(numbers) for worker, numbers in shares.items()}
        self._worker_of = {number: worker for worker, numbers in shares.items() for number in numbers}
        self._untaken = dict.fromkeys(shares, 0)
        self._running: dict[Future, str] = {}
        self._answers: dict[int, bytes] = {}
        self._finished = _Finished(client)

    def answer_of(self, number: int) -> bytes:
        """Of the block that comes next. Its worker is never without room: blocks before it have been taken."""
        self._send()
        while number not in self._answers:
            self._receive(self._finished.some())
            self._send()
        answer = self._answers.pop(number)
        self._untaken[self._worker_of[number]] -= len(answer)
        return answer

    def _send(self) -> None:
        for worker in self._undone.keys() - self._running.values():
            if self._undone[worker] and self._untaken[worker] < self._how[-1]:
                numbers = itertools.islice(self._undone[worker], self._reach[worker])
                blocks = [self._blocks[number] for number in numbers]
                # Where the worker dies, another one takes over.
                where = {"workers": [worker], "allow_other_workers": True}
                future = self._client.submit(_answers_of, blocks, *self._how, **where, pure=False)
                self._running[future] = worker
                self._finished.expect(future)

    def _receive(self, finished: list[Future]) -> None:
        for future, answers in zip(finished, self._client.gather(finished), strict=True):
            worker = self._running.pop(future)
            self._reach[worker] = 2 * len(answers)  # more of them would travel to a task that does not come to them
            for answer in answers:
                self._answers[self._undone[worker].popleft()] = answer
                self._untaken[worker] += len(answer)

    def cancel(self) -> None:
        _cancel(self._client, list(self._running))


def _answers_of(blocks: list[Block], question: bytes, n_threads: int | None, most_bytes: int) -> list[bytes]:
    """On a worker: those of the first blocks, so many as there is time and room for.

    They travel as pickles, whose length is known, and of which arrays are made anew: those that Dask carries may be
    read-only.
    """
    from distributed import get_worker

    work, began, answers = pickle.loads(question), time.perf_counter(), list[bytes]()
    threads = get_worker().state.nthreads if n_threads is None else n_threads
    for block in blocks:
        answers.append(pickle.dumps(work(_aligned(block), threads), protocol=pickle.HIGHEST_PROTOCOL))
        if sum(map(len, answers)) >= most_bytes or time.perf_counter() - began > _SECONDS_OF_A_TASK:
            break
    return answers


def _aligned(block: Block) -> Block:
    """As kernels need arrays, which those are not always that have come from another worker."""

    def aligned(array: Array | None) -> Any:
        return array if array is None or array.flags.aligned else array.copy(order="K")

    return replace(block, values=aligned(block.values), weights=aligned(block.weights), labels=aligned(block.labels))


def _cancel(client: Client, futures: list[Future]) -> None:
    if futures and client.status == "running":
        client.cancel(futures)
