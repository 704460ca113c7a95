"""Rows on the workers of a Dask cluster: the same bits as from memory, whatever happens to the workers."""

import gc
import os
import pkgutil
import signal
import threading
import time
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

import fastgmm
from fastgmm.data.blocks.block import Block
from fastgmm.sweeps import on_dask
from tests.promises import pages

dask = pytest.importorskip("dask")
distributed = pytest.importorskip("distributed")
da = pytest.importorskip("dask.array")

BLOCK_ROWS = 256
N_ROWS = 12 * BLOCK_ROWS + 100
FITTED = ("weights_", "means_", "covariances_", "lower_bounds_")


@pytest.fixture(scope="module")
def cluster():
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address=":0", silence_logs="CRITICAL"
    ) as cluster:
        yield cluster


@pytest.fixture
def client(cluster):
    """Of two workers; whatever a test does, no key is left on them."""
    with client_of(cluster, 2) as client:
        yield client
        gc.collect()  # errors, which know frames, which know futures
        assert soon(lambda: not keys_on(client)), keys_on(client)


@contextmanager
def client_of(cluster, n_workers):
    cluster.scale(n_workers)
    with distributed.Client(cluster) as client:
        assert soon(lambda: len(client.nthreads()) == n_workers)
        yield client


def keys_on(client):
    return client.run_on_scheduler(lambda dask_scheduler: list(dask_scheduler.tasks))


def soon(condition, seconds=10.0):
    end = time.perf_counter() + seconds
    while not condition():
        if time.perf_counter() > end:
            return False
        time.sleep(0.02)
    return True


def rows(rng, dtype="float64"):
    values = np.concatenate([rng.normal(0, 1, (N_ROWS // 2, 3)), rng.normal(3, 2, (N_ROWS - N_ROWS // 2, 3))])
    return rng.permutation(values).astype(dtype)


def mixture(covariance_type="full", **options):
    options = {"max_iter": 6, "tol": 0.0, "random_state": 0} | options
    return fastgmm.GaussianMixture(2, covariance_type=covariance_type, **options)


def fitted(blocks, *args, **options):
    with pytest.warns(fastgmm.errors.ConvergenceWarning):
        return mixture(*args, **options).fit(blocks)


def from_memory(values, **options):
    return fastgmm.blocks_of([values], block_rows=BLOCK_ROWS, **options)


def from_dask(values, chunks=(1000, 2), **options):
    return fastgmm.blocks_of(da.from_array(values, chunks=chunks), block_rows=BLOCK_ROWS, **options)


def same_fits(one, other):
    return all(np.array_equal(getattr(one, name), getattr(other, name)) for name in FITTED)


def test_a_fit_has_the_bits_of_one_from_memory(client, rng) -> None:
    values = rows(rng)
    with from_dask(values) as blocks:
        for covariance_type in ("full", "tied", "diag", "spherical"):
            there, here = fitted(blocks, covariance_type), fitted(from_memory(values), covariance_type)
            assert same_fits(there, here), covariance_type


@pytest.mark.parametrize("covariance_type", ["full", "tied"])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_so_has_one_of_rows_with_weights_labels_and_holes(client, rng, dtype, covariance_type) -> None:
    values = rows(rng, dtype)
    values[rng.random(values.shape) < 0.1] = np.nan
    labels = np.where(rng.random(N_ROWS) < 0.1, rng.integers(0, 2, N_ROWS), -1)
    table = np.column_stack([rng.integers(0, 4, N_ROWS), values, labels]).astype(dtype)
    where = {"weight": 0, "labels": 4}
    here, there = from_memory(table, **where), from_dask(table, **where)
    assert there.form.dtype == dtype
    assert same_fits(fitted(there, covariance_type), fitted(here, covariance_type))


def test_scores_of_a_fit_come_block_by_block_in_order(client, rng) -> None:
    values = rows(rng)
    model = fitted(from_memory(values))
    with from_dask(values) as blocks:
        labels, probabilities = list(model.predict(blocks)), list(model.predict_proba(blocks))
        score = model.score(blocks)
    assert [len(some) for some in labels] == [BLOCK_ROWS] * 12 + [100]
    assert np.array_equal(np.concatenate(labels), model.predict(values))
    assert np.array_equal(np.concatenate(probabilities), model.predict_proba(values))
    assert score == model.score(from_memory(values))
    assert all(some.flags.writeable and some.flags.aligned for some in probabilities)


def test_starts_from_rows_on_workers_are_those_from_memory(client, rng) -> None:
    values = rows(rng)
    for start in ("kmeans", "k-means++", "random_from_data"):
        here = fitted(from_memory(values), init_params=start)
        assert same_fits(fitted(from_dask(values), init_params=start), here), start


def test_without_a_client_dask_computes_blocks_in_this_process(rng) -> None:
    values = rows(rng)
    with from_dask(values) as blocks:
        assert isinstance(blocks, on_dask.ComputedBlocks)
        assert same_fits(fitted(blocks), fitted(from_memory(values)))
    blocks.close()


class TestDataFrames:
    """Partitions are not joined: with as many rows as whole blocks have they make the blocks of an array."""

    @pytest.fixture
    def frame(self, rng):
        pd = pytest.importorskip("pandas")
        values = rows(rng)
        frame = pd.DataFrame(values, columns=["a", "b", "c"])
        frame["rows"] = pd.array(rng.integers(1, 4, N_ROWS), dtype="Int64")
        frame["b"] = pd.array(np.where(rng.random(N_ROWS) < 0.1, np.nan, frame["b"]), dtype="Float64")
        return frame.assign(name="x")

    @pytest.fixture
    def partitions(self, frame):
        dd = pytest.importorskip("dask.dataframe")
        size = 2 * BLOCK_ROWS
        parts = [frame.iloc[begin : begin + size] for begin in range(0, N_ROWS, size)]
        nothing = dask.delayed(frame.iloc[:0])
        delayed = [nothing, *(each for part in parts for each in (dask.delayed(part), nothing))]
        return dd.from_delayed(delayed, meta=frame.iloc[:0], verify_meta=False)

    def test_a_fit_has_the_bits_of_one_from_memory(self, client, frame, partitions) -> None:
        columns = {"columns": ["a", "b", "c"], "weight": "rows"}
        table = frame[["a", "b", "c", "rows"]].astype(float).to_numpy()
        here = fitted(from_memory(table, weight=3))
        there = fitted(fastgmm.blocks_of(partitions, block_rows=BLOCK_ROWS, **columns))
        assert same_fits(there, here)
        assert there.feature_names_in_.tolist() == ["a", "b", "c"]

    def test_the_same_without_a_client(self, frame, partitions) -> None:
        table = frame[["c", "a"]].to_numpy()
        blocks = fastgmm.blocks_of(partitions, block_rows=BLOCK_ROWS, columns=["c", "a"])
        assert same_fits(fitted(blocks), fitted(from_memory(table)))

    def test_float32_stays(self, client, frame, partitions) -> None:
        single = partitions[["a", "c"]].astype("float32")
        assert fastgmm.blocks_of(single).form.dtype == np.float32
        assert fastgmm.blocks_of(partitions[["a", "c"]]).form.dtype == np.float64

    def test_an_error_names_partition_and_row(self, client, frame) -> None:
        dd = pytest.importorskip("dask.dataframe")
        frame.iloc[1007, 2] = np.inf
        parts = [dask.delayed(frame.iloc[begin : begin + 1000]) for begin in (0, 1000, 2000)]
        blocks = fastgmm.blocks_of(dd.from_delayed(parts, meta=frame.iloc[:0]), columns=["a", "c"])
        with pytest.raises(ValueError, match=r"the Dask data frame, partition 1, row 7: infinity.*column 1 \('c'\)"):
            mixture().fit(blocks)

    def test_so_does_one_of_other_columns(self, client, frame) -> None:
        dd = pytest.importorskip("dask.dataframe")
        parts = [dask.delayed(frame[["a", "b"]]), dask.delayed(frame[["a", "c"]])]
        frame = dd.from_delayed(parts, meta=frame[["a", "b"]].iloc[:0], verify_meta=False)
        with pytest.raises(ValueError, match=r"partition 1: 2 columns \(a, c\), where 2 columns \(a, b\) are expected"):
            mixture().fit(fastgmm.blocks_of(frame))
        with pytest.raises(KeyError, match="'b'") as caught:
            mixture().fit(fastgmm.blocks_of(frame, columns=["b"]))
        assert caught.value.__notes__ == ["Where this is a column, a partition of the Dask data frame lacks it."]

    def test_rows_are_needed(self, client, partitions) -> None:
        with pytest.raises(ValueError, match="the Dask data frame: no rows"):
            mixture().fit(fastgmm.blocks_of(partitions[partitions["a"] > 1e9], columns=["a", "b"]))

    def test_columns_must_exist(self, client, partitions) -> None:
        with pytest.raises(ValueError, match=r"the Dask data frame.*height"):
            fastgmm.blocks_of(partitions, columns=["height"])


def test_other_collections_are_refused() -> None:
    bag, frames = pytest.importorskip("dask.bag"), pytest.importorskip("dask.dataframe")
    series = frames.from_dict({"a": [1.0, 2.0]}, npartitions=1)["a"]
    for what in (dask.delayed([[1.0]]), bag.from_sequence([[1.0]]), series):
        with pytest.raises(TypeError, match=rf"{type(what).__name__} is no source of blocks: of Dask's collections"):
            fastgmm.blocks_of(what)


class TestArrays:
    def test_an_error_names_the_row(self, client, rng) -> None:
        values = rows(rng)
        values[1007, 1] = np.inf
        with pytest.raises(ValueError, match=r"the Dask array, row 1007: infinity.*column 1"):
            mixture().fit(from_dask(values))

    def test_of_unknown_length_they_have_blocks_within_chunks(self, client, rng) -> None:
        values = rows(rng)
        array = da.from_array(values, chunks=(3 * BLOCK_ROWS, 2))
        some = array[array[:, 0] < np.inf]
        assert np.isnan(some.shape[0])
        blocks = fastgmm.blocks_of(some, block_rows=BLOCK_ROWS)
        assert same_fits(fitted(blocks), fitted(from_memory(values)))

    def test_one_dimension_is_refused(self) -> None:
        with pytest.raises(ValueError, match=r"the Dask array: shape \(3,\), where"):
            fastgmm.blocks_of(da.zeros(3))

    def test_rows_are_needed(self, client) -> None:
        with pytest.raises(ValueError, match="the Dask array: no rows"):
            mixture().fit(fastgmm.blocks_of(da.zeros((0, 3))))


@dataclass(frozen=True)
class Noted:
    """Work that leaves a file for each block it was done on, and answers with the block's number."""

    folder: str
    seconds: float = 0.0

    def __call__(self, block: Block, n_threads: int) -> int:
        Path(self.folder, f"{block.number}-{n_threads}-{os.getpid()}-{time.monotonic_ns()}").touch()
        time.sleep(self.seconds)
        return block.number

    @property
    def notes(self) -> list[list[int]]:
        """Numbers of blocks, of threads, and of processes, in the order of time."""
        names = (path.name.split("-") for path in Path(self.folder).iterdir())
        return [list(map(int, name[:3])) for name in sorted(names, key=lambda name: int(name[3]))]


def test_a_worker_uses_its_own_threads_unless_others_are_wished(client, rng, tmp_path) -> None:
    work = Noted(str(tmp_path))
    with from_dask(rows(rng)) as blocks:
        assert list(blocks.map(work, None)) == list(range(13))
        assert {n_threads for _, n_threads, _ in work.notes} == {1}
        list(blocks.map(work, 3))
    assert {n_threads for _, n_threads, _ in work.notes} == {1, 3}


def test_workers_share_blocks_evenly_wherever_these_were(client, rng, tmp_path) -> None:
    work, values = Noted(str(tmp_path)), rows(rng)[: 6 * BLOCK_ROWS]
    parts = client.scatter(np.split(values, 6), workers=list(client.nthreads())[:1])
    array = da.concatenate([da.from_delayed(dask.delayed(part), (BLOCK_ROWS, 3), values.dtype) for part in parts])
    with fastgmm.blocks_of(array, block_rows=BLOCK_ROWS) as blocks:
        assert list(blocks.map(work, None)) == list(range(6))
        assert same_fits(fitted(blocks), fitted(from_memory(values)))
    workers = [process for *_, process in work.notes]
    assert sorted(map(workers.count, set(workers))) == [3, 3]


def test_what_kernels_could_not_read_is_copied() -> None:
    values = np.frombuffer(bytes(8 * 6 + 1), dtype=np.float64, offset=1, count=6).reshape(2, 3, order="F")
    assert not values.flags.aligned
    block = on_dask._aligned(Block(3, 7, values, values[:, 0], None, ()))
    assert block.values.flags.aligned
    assert block.values.flags.f_contiguous
    assert block.weights.flags.aligned
    assert (block.number, block.begin, block.labels) == (3, 7, None)


def test_answers_wait_for_whoever_takes_them(client, rng, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(on_dask, "_BYTES_IN_FLIGHT", 1)
    work = Noted(str(tmp_path))
    with from_dask(rows(rng)) as blocks, closing(blocks.map(work, None)) as numbers:
        assert next(numbers) == 0
        time.sleep(0.5)
        assert len(work.notes) <= 4  # one answer waits and one is made on either worker
        assert list(numbers) == list(range(1, 13))


def test_a_large_question_travels_once(client, rng, monkeypatch) -> None:
    values = rows(rng)
    monkeypatch.setattr(on_dask, "_BYTES_OF_A_LARGE_QUESTION", 0)
    assert same_fits(fitted(from_dask(values)), fitted(from_memory(values)))


def test_rows_stay_on_workers_until_the_source_is_closed_or_forgotten(client, rng) -> None:
    blocks = from_dask(rows(rng))
    for forget in (blocks.close, lambda: None):
        fitted(blocks)
        assert len(keys_on(client)) >= 13
        forget()
    del blocks, forget
    gc.collect()
    assert soon(lambda: not keys_on(client))


def test_a_worker_that_dies_in_a_pass_changes_no_bit(client, rng) -> None:
    values = rows(rng)
    here = fitted(from_memory(values))
    with from_dask(values) as blocks:
        worker = min(client.run(os.getpid).values())

        def kill_in_the_second_pass(step):
            if step.iteration == 2:
                threading.Timer(0.005, os.kill, [worker, signal.SIGKILL]).start()

        assert same_fits(fitted(blocks, callbacks=[kill_in_the_second_pass]), here)


def test_what_a_worker_was_asked_when_it_died_another_one_answers(client, rng, tmp_path) -> None:
    work = Noted(str(tmp_path), seconds=0.05)

    def kill_the_first_at_work():
        assert soon(lambda: len(work.notes) > 13 + 2)
        os.kill(work.notes[13][-1], signal.SIGKILL)

    with from_dask(rows(rng)) as blocks:
        list(blocks.map(work, None))
        killer = threading.Thread(target=kill_the_first_at_work)
        killer.start()
        assert list(blocks.map(work, None)) == list(range(13))
        killer.join()
    assert len(work.notes) > 13 + 13, "some blocks were asked twice"


class TestInterruptions:
    def test_after_ctrl_c_workers_leave_blocks_undone(self, client, rng, tmp_path, signal_after) -> None:
        work = Noted(str(tmp_path), seconds=0.4)
        with from_dask(rows(rng)) as blocks:
            list(blocks.map(Noted(str(tmp_path)), None))
            signal_after(0.3, signal.default_int_handler)
            with pytest.raises(KeyboardInterrupt):
                list(blocks.map(work, None))
            assert list(blocks.map(Noted(str(tmp_path)), None)) == list(range(13))
        assert len(work.notes) < 3 * 13

    def test_so_it_is_while_a_fit_waits_for_blocks(self, client, rng, signal_after) -> None:
        array = da.from_array(rows(rng), chunks=(1000, 3)).map_blocks(_slowly, 0.5, dtype=float)
        signal_after(0.3, signal.default_int_handler)
        with pytest.raises(KeyboardInterrupt):
            mixture().fit(fastgmm.blocks_of(array, block_rows=BLOCK_ROWS))

    def test_a_fit_ends_at_its_deadline(self, client, rng) -> None:
        with from_dask(rows(rng)) as blocks:
            fitted(blocks)
            model = fastgmm.GaussianMixture(2, tol=0.0, max_iter=10_000, deadline=0.5, random_state=0)
            model.fit(blocks)
        assert model.stop_reason_ == "deadline"


def _slowly(values, seconds):
    time.sleep(seconds)
    return values


class TestClustersThatCannotBeUsed:
    @pytest.fixture
    def in_process(self):
        """A cluster of one worker, which a test may spoil."""
        cluster = distributed.LocalCluster(
            n_workers=1, processes=False, dashboard_address=":0", silence_logs="CRITICAL"
        )
        with cluster, distributed.Client(cluster) as client:
            yield client

    def test_one_that_is_gone(self, in_process, rng) -> None:
        blocks = from_dask(rows(rng))
        fitted(blocks)
        in_process.cluster.close()
        assert soon(lambda: in_process.status != "running")
        with pytest.raises(ConnectionError, match="the Dask array: the Dask cluster does not answer"):
            mixture().fit(blocks)

    def test_one_that_has_lost_rows(self, in_process, rng) -> None:
        values = rows(rng)
        [future] = in_process.scatter([values])
        array = da.from_delayed(dask.delayed(future), shape=values.shape, dtype=values.dtype)
        blocks = fastgmm.blocks_of(array, block_rows=BLOCK_ROWS)
        in_process.cancel([future])
        with pytest.raises(ConnectionError, match=r"the Dask array: rows .* are lost, and Dask cannot load them again"):
            mixture().fit(blocks)

    def test_one_that_has_forgotten_rows_loads_them_anew(self, in_process, rng) -> None:
        blocks = from_dask(rows(rng))
        model = fitted(blocks)
        in_process.cancel([distributed.Future(key, in_process) for key in list(in_process.futures)])
        with pytest.raises(ConnectionError, match=r"rows .* are lost"):
            mixture().fit(blocks)
        assert same_fits(fitted(blocks), model)

    @pytest.mark.parametrize(
        ("spoil", "restore", "what"),
        [
            ("module.__version__ = '0.0.1'", f"module.__version__ = {fastgmm.__version__!r}", "fastgmm 0.0.1"),
            ("sys.modules[name] = None", "del sys.modules[name]", r"no fastgmm \(.*\)"),
        ],
    )
    def test_a_worker_without_this_version(self, client, rng, spoil, restore, what) -> None:
        [worker, _] = client.nthreads()
        where = "import sys; name = 'fastgmm.version'; module = sys.modules.get(name); "
        client.run(pkgutil.resolve_name, "fastgmm.version:__version__")
        client.run(exec, where + spoil, workers=[worker])
        with pytest.raises(ImportError, match=rf"{worker} has {what}, and this process has fastgmm \d"):
            mixture().fit(from_dask(rows(rng)))
        client.run(exec, where + restore, workers=[worker])
        fitted(from_dask(rows(rng)))

    def test_a_client_that_cannot_wait(self, rng) -> None:
        class Asynchronous:
            asynchronous = True

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(distributed, "get_client", Asynchronous)
            with pytest.raises(TypeError, match="an asynchronous client"):
                from_dask(rows(rng))


@pytest.mark.parametrize("n_workers", [4, 1])
def test_on_any_number_of_workers_a_fit_has_the_same_bits(cluster, rng, n_workers) -> None:
    values = rows(rng)
    with client_of(cluster, n_workers), from_dask(values) as blocks:
        assert same_fits(fitted(blocks), fitted(from_memory(values)))


def test_the_page_on_rows_beyond_memory_says_how(client, rng, tmp_path, monkeypatch) -> None:
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    monkeypatch.chdir(tmp_path)
    frame = pandas.DataFrame(rng.normal(size=(2000, 3)), columns=["delay", "distance", "speed"])
    (tmp_path / "flights").mkdir()
    frame.assign(count=1).to_parquet("flights/of-a-year.parquet")
    code, _ = pages.blocks("beyond-memory.md", "py")
    assert 'client = Client("scheduler:8786")' in code
    names = {}
    exec(code.replace("scheduler:8786", client.scheduler.address), names)
    names["client"].close()
    assert len(names["labels"]) == 2000
    assert names["gm"].n_components == 16
