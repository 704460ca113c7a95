"""Rows in a DataFrame of Spark: the same fits, by tasks of Spark, which leave nothing behind."""

import gc
import os
import shutil
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fastgmm
from fastgmm import GaussianMixture, blocks_of
from fastgmm.data.blocks.partition_files import Part
from fastgmm.errors import NotFittedError
from fastgmm.model.attributes import ARRAYS
from fastgmm.parameters import Array
from fastgmm.sweeps import on_spark
from fastgmm.sweeps.spark_tasks import ExecutorError, Removal, Task, pickled_error, raise_error
from tests.promises import pages

pyspark = pytest.importorskip("pyspark")
pytest.importorskip("pyarrow")
pytest.importorskip("pandas")
if shutil.which(os.path.join(os.environ.get("JAVA_HOME", ""), "bin", "java")) is None and shutil.which("java") is None:
    pytest.skip("there is no Java here, without which Spark does nothing", allow_module_level=True)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:PySpark does not yet fully support pandas:FutureWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]

ROOT = Path(__file__).parents[2]
N, D, K, BLOCK_ROWS = 4000, 3, 2, 500
COLUMNS = [f"x{feature}" for feature in range(D)]


@pytest.fixture(scope="module")
def context() -> Iterator[Any]:
    """Of two executors' cores in one process, whose Python workers are as this one."""
    from pyspark import SparkConf, SparkContext
    from pyspark.java_gateway import launch_gateway

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYSPARK_PYTHON", sys.executable)
        patch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]))
        conf = SparkConf().setMaster("local[2]").set("spark.ui.enabled", "false")
        silent = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        context = SparkContext(conf=conf, gateway=launch_gateway(conf, silent))
        yield context
        context.stop()


@pytest.fixture(scope="module")
def spark(context: Any) -> Any:
    from pyspark.sql import SparkSession

    return SparkSession(context)


def problem(holes: float = 0.0) -> Array:
    """Features, weights and labels."""
    rng = np.random.default_rng(0)
    components = rng.integers(K, size=N)
    values = np.array([[-2.0] * D, [2.0] * D])[components] + rng.standard_normal((N, D))
    values[rng.uniform(size=values.shape) < holes] = np.nan
    labels = np.where(rng.uniform(size=N) < 0.1, components, -1)
    return np.column_stack([values, rng.integers(0, 3, N), labels])


def frame_of(spark: Any, values: Array, n_partitions: int, kind: str = "double") -> Any:
    """Rows in order, in partitions of the same length, with null where values are missing."""
    names = [*COLUMNS, "weight", "label"][: values.shape[1]]
    rows = [tuple(None if np.isnan(value) else float(value) for value in row) for row in values]
    length = len(rows) // n_partitions
    parts = [rows[begin : begin + length] for begin in range(0, len(rows), length)]
    schema = ", ".join(f"{name} {kind}" for name in names)
    return spark.createDataFrame(spark.sparkContext.parallelize(parts, n_partitions).flatMap(list), schema)


def frame_in_parts(spark: Any, lengths: Sequence[int]) -> Any:
    """Of a single column x that counts rows, in partitions of these lengths."""
    begins = np.cumsum([0, *lengths])
    parts = spark.sparkContext.parallelize(
        list(zip(begins[:-1].tolist(), begins[1:].tolist(), strict=True)), len(lengths)
    )
    return spark.createDataFrame(parts.flatMap(lambda part: [(float(row),) for row in range(*part)]), "x double")


def fitted(X: Any, family: str = "full", **options: Any) -> GaussianMixture:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return GaussianMixture(K, covariance_type=family, random_state=0, tol=0, max_iter=3, **options).fit(X)


def require_same_bits(one: GaussianMixture, other: GaussianMixture) -> None:
    for name in ARRAYS:
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), name)
    assert one.lower_bounds_ == other.lower_bounds_


def folder_of(context: Any) -> Path:
    return Path(context.parallelize([0], 1).map(lambda _: os.environ["SPARK_LOCAL_DIRS"]).first())


def files_of(blocks: Any, folder: Path) -> list[Path]:
    return sorted(folder.glob(f"{blocks.layout.key}*"))


def persisted_in(context: Any) -> set[int]:
    """The numbers of RDDs that Spark keeps."""
    return set(context._jsc.getPersistentRDDs().keySet())


def eventually(holds: Callable[[], bool], seconds: float = 60) -> bool:
    until = time.monotonic() + seconds
    while not holds() and time.monotonic() < until:
        time.sleep(0.05)
    return holds()


@pytest.mark.parametrize("n_partitions", [1, 2, 4])
def test_a_fit_has_the_bits_of_one_to_arrays_in_the_same_blocks(spark: Any, n_partitions: int) -> None:
    values = problem()[:, :D]
    in_memory = fitted(blocks_of([values], block_rows=BLOCK_ROWS))
    with blocks_of(frame_of(spark, values, n_partitions), block_rows=BLOCK_ROWS) as blocks:
        on_executors = fitted(blocks)
    require_same_bits(in_memory, on_executors)
    assert on_executors.feature_names_in_.tolist() == COLUMNS


@pytest.mark.parametrize(("family", "kind"), [("tied", "double"), ("diag", "float")])
def test_weights_labels_and_what_is_missing_come_along(spark: Any, family: str, kind: str) -> None:
    values = problem(holes=0.1)
    chosen = {"weight": "weight", "labels": "label"}
    arrays = [values.astype(np.float32 if kind == "float" else np.float64)]
    by_number = blocks_of(arrays, weight=D, labels=D + 1, block_rows=BLOCK_ROWS)
    with blocks_of(frame_of(spark, values, 2, kind), **chosen, block_rows=BLOCK_ROWS) as blocks:
        assert blocks.form.dtype == arrays[0].dtype
        require_same_bits(fitted(by_number, family), fitted(blocks, family))


def test_partitions_are_cut_and_those_without_rows_are_not_seen(spark: Any) -> None:
    with blocks_of(frame_in_parts(spark, [5, 0, 3, 0, 4]), block_rows=4) as blocks:
        seen = list(blocks.map(lambda block, _: (block.number, block.begin, block.values[:, 0], block.where(0)), None))
    assert [(number, begin) for number, begin, *_ in seen] == [(0, 0), (1, 4), (2, 5), (3, 8)]
    np.testing.assert_array_equal(np.concatenate([values for *_, values, _ in seen]), np.arange(12.0))
    assert [where.removeprefix("the DataFrame, ") for *_, where in seen] == [
        "partition 0, row 0",
        "partition 0, row 4",
        "partition 2, row 0",
        "partition 4, row 0",
    ]


def test_columns_are_found_by_position_whatever_their_names(spark: Any) -> None:
    frame = spark.createDataFrame(
        [(1, 2.0, 3.0, True), (4, 5.0, None, False)], "`a.b` int, c double, c double, `d` boolean"
    )
    with blocks_of(frame.coalesce(1), columns=[3, "a.b", 2]) as blocks:
        (values,) = blocks.map(lambda block, _: np.array(block.values), None)
    np.testing.assert_array_equal(values, [[1, 1, 3], [0, 4, np.nan]])


def test_work_has_the_threads_of_a_task_or_those_asked_for(spark: Any) -> None:
    with blocks_of(frame_in_parts(spark, [2, 2])) as blocks:
        assert list(blocks.map(lambda _, n_threads: n_threads, None)) == [1, 1]
        assert list(blocks.map(lambda _, n_threads: n_threads, 3)) == [3, 3]


def test_columns_that_hold_no_numbers_are_named_before_anything_is_read(spark: Any) -> None:
    from pyspark.ml.linalg import Vectors, VectorUDT
    from pyspark.sql.types import StructField, StructType

    frame = spark.createDataFrame([(1.0, Decimal(1), "a")], "x double, price decimal(9, 2), name string")
    with pytest.raises(ValueError, match=r"column 'price': holds decimal\(9,2\), not numbers; .*cast\('double'\)"):
        blocks_of(frame)
    with pytest.raises(ValueError, match="column 'name': holds string"):
        blocks_of(frame, columns=["x", "name"])
    with pytest.raises(ValueError, match="no column 'y'; there are x, price, name"):
        blocks_of(frame, columns=["y"])
    vectors = spark.createDataFrame([(Vectors.dense([1.0]),)], StructType([StructField("features", VectorUDT())]))
    with pytest.raises(ValueError, match="vector_to_array"):
        blocks_of(vectors)
    with pytest.raises(TypeError, match="streams"):
        blocks_of(spark.readStream.format("rate").load())


def test_an_error_of_a_row_says_where_it_is_in_python_alone(spark: Any) -> None:
    values = problem()[:, :D]
    values[3000, 1] = np.inf
    with pytest.raises(ValueError, match=r"DataFrame, partition 3, row 0: infinity .* column 1 \('x1'\)") as caught:
        fitted(blocks_of(frame_of(spark, values, 4)))
    assert isinstance(caught.value.__cause__, ExecutorError)
    assert "java" not in str(caught.value)
    large = spark.createDataFrame([(1,), (2**53 + 1,)], "x long")
    with pytest.raises(ValueError, match="column 'x': 9007199254740993 is a whole number that float64 does not hold"):
        fitted(blocks_of(large.coalesce(1)))


def test_results_come_in_order_in_however_many_jobs(spark: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with blocks_of(frame_in_parts(spark, [4, 6, 2, 6]), block_rows=2) as blocks:
        expected = list(range(9))
        monkeypatch.setattr(on_spark, "_SECONDS_OF_A_JOB", 0.0)
        assert list(blocks.map(lambda block, _: block.number, None)) == expected
        monkeypatch.setattr(on_spark, "_BYTES_OF_A_JOB", 1)
        monkeypatch.setattr(on_spark, "_FIRST_PARTITIONS_OF_A_CORE", 1)
        assert list(blocks.map(lambda block, _: block.number, None)) == expected


def test_large_work_is_distributed_once(spark: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(on_spark, "_BYTES_OF_A_MESSAGE", 0)
    with blocks_of(frame_in_parts(spark, [2, 2])) as blocks:
        assert list(blocks.map(lambda block, _: block.begin, None)) == [0, 2]


def test_files_that_are_lost_are_written_anew(spark: Any, context: Any) -> None:
    values = problem()[:, :D]
    with blocks_of(frame_of(spark, values, 2), block_rows=BLOCK_ROWS) as blocks:
        before = fitted(blocks)
        folder = folder_of(context)
        files_of(blocks, folder)[0].unlink()
        require_same_bits(before, fitted(blocks))
        assert len(files_of(blocks, folder)) == 2


def test_python_workers_may_die(spark: Any, context: Any) -> None:
    values = problem()[:, :D]
    with blocks_of(frame_of(spark, values, 2), block_rows=BLOCK_ROWS) as blocks:
        before = fitted(blocks)
        for worker in set(context.parallelize(range(4), 4).map(lambda _: os.getpid()).collect()):
            os.kill(worker, 9)
        require_same_bits(before, fitted(blocks))


def test_nothing_is_left_behind(spark: Any, context: Any) -> None:
    folder, frame = folder_of(context), frame_in_parts(spark, [3, 3])
    blocks: Any = blocks_of(frame)
    pattern, before = f"{blocks.layout.key}*", persisted_in(context)
    with blocks:
        assert list(blocks.map(lambda block, _: block.begin, None)) == [0, 3]
        assert len(list(folder.glob(pattern))) == 2
        assert persisted_in(context) - before
    assert not list(folder.glob(pattern))
    assert not persisted_in(context) - before
    assert list(blocks.map(lambda block, _: block.begin, None)) == [0, 3]
    del blocks
    gc.collect()
    assert eventually(lambda: not list(folder.glob(pattern)))
    assert eventually(lambda: not persisted_in(context) - before)


def test_an_exception_of_a_signals_handler_cancels_the_job(
    spark: Any, context: Any, nobody_watches: None, signal_after: Callable[[float, Callable[..., object]], None]
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    def start(X: Array, n_components: int, random_state: object) -> Array:
        signal_after(0.3, interrupt)
        return np.arange(len(X)) % n_components

    values = problem()[:, :D]
    with blocks_of(frame_of(spark, values, 2), block_rows=BLOCK_ROWS) as blocks:
        gm = GaussianMixture(K, init_params=start, tol=0, max_iter=10**6)
        with pytest.raises(KeyboardInterrupt):
            gm.fit(blocks)
        assert not hasattr(gm, "means_")
        assert eventually(lambda: not context.statusTracker().getActiveJobsIds())
        assert fitted(blocks).n_iter_ == 3


def test_a_deadline_ends_a_fit(spark: Any) -> None:
    values = problem()[:, :D]
    with blocks_of(frame_of(spark, values, 2), block_rows=BLOCK_ROWS) as blocks:
        assert fitted(blocks, deadline=1e-3).stop_reason_ == "deadline"


def test_jobs_are_of_the_group_of_whoever_made_the_source(spark: Any, context: Any) -> None:
    context.setJobGroup("mine", "a fit")
    try:
        with blocks_of(frame_in_parts(spark, [2])) as blocks:
            list(blocks.map(lambda *_: None, None))
    finally:
        context.setLocalProperty("spark.jobGroup.id", None)
        context.setLocalProperty("spark.job.description", None)
    assert len(context.statusTracker().getJobIdsForGroup("mine")) >= 2


def test_scores_stand_beside_the_columns_of_the_frame(spark: Any) -> None:
    values = problem(holes=0.1)[:200, :D]
    frame = frame_of(spark, values, 2).selectExpr("uuid() AS name", "current_timestamp() AS at", "*").cache()
    blocks = blocks_of(frame, columns=COLUMNS)
    gm = fitted(blocks)
    rows = blocks.with_scores(gm, "z").collect()  # type: ignore[attr-defined]
    frame.unpersist()
    arrays = blocks_of([values])
    assert [row["z"] for row in rows] == np.concatenate(list(gm.predict(arrays))).tolist()
    assert [row["log_density"] for row in rows] == np.concatenate(list(gm.score_samples(arrays))).tolist()
    assert len({row["name"] for row in rows}) == len(values)
    np.testing.assert_array_equal(np.concatenate(list(gm.predict(blocks))), [row["z"] for row in rows])


def test_scores_need_a_model_of_the_same_features_and_new_names(spark: Any) -> None:
    blocks: Any = blocks_of(frame_in_parts(spark, [2]))
    with pytest.raises(NotFittedError):
        blocks.with_scores(GaussianMixture())
    gm = GaussianMixture.from_parameters([1.0], [[0.0, 0.0]], [1.0], "spherical")
    with pytest.raises(ValueError, match="2 features"):
        blocks.with_scores(gm)
    with pytest.raises(ValueError, match="has a column 'x'"):
        blocks.with_scores(gm, "x")


def test_what_workers_lack_is_explained(
    spark: Any, context: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocks: Any = blocks_of(frame_in_parts(spark, [2]))
    older = replace(blocks, layout=replace(blocks.layout, version="0.0"))
    with pytest.raises(ImportError, match=r"the driver has fastgmm 0\.0, a worker of Spark has"):
        list(older.map(lambda *_: None, None))
    (tmp_path / "only_here.py").write_text("def same(x): return x")
    monkeypatch.syspath_prepend(tmp_path)
    import only_here  # type: ignore[import-not-found]

    with pytest.raises(ImportError, match=r"No module named 'only_here'.*install fastgmm"):
        on_spark._in_job(context, {}, lambda: context.parallelize([1]).map(only_here.same).collect())


def test_an_error_of_spark_itself_is_told_in_a_line(spark: Any) -> None:
    frame = frame_in_parts(spark, [2]).selectExpr("raise_error('the disk is gone') + x AS x")
    with pytest.raises(RuntimeError, match=r"Spark could not do its work: .*the disk is gone") as caught:
        fitted(blocks_of(frame))
    assert len(str(caught.value).splitlines()) == 1


def test_rows_that_spark_makes_otherwise_are_refused(spark: Any) -> None:
    blocks: Any = blocks_of(frame_in_parts(spark, [2]))
    task = Task(blocks.layout, {0: (Part(0, 0, 0, (2,)), 0)}, b"", 1, 1.0, 1)
    ((_, answer),) = task(iter([(0, [3], None)]))
    with pytest.raises(ValueError, match="2 rows at first, and 3 when Spark made them anew"):
        raise_error(answer.error)


def test_errors_that_no_pickle_holds_keep_their_words() -> None:
    class LocalError(Exception):
        pass

    with pytest.raises(RuntimeError, match="LocalError: of here alone"):
        raise_error(pickled_error(LocalError("of here alone")))


def test_removal_takes_the_files_of_one_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPARK_LOCAL_DIRS", str(tmp_path))
    for name in ("one-0", "one-1", "other-0"):
        (tmp_path / name).touch()
    assert list(Removal("one")(iter([7]))) == [7]
    assert [path.name for path in tmp_path.iterdir()] == ["other-0"]


def test_the_page_on_rows_beyond_memory_says_how(spark: Any, tmp_path: Path) -> None:
    rows = np.random.default_rng(0).normal(size=(800, 2)).tolist()
    frame = spark.createDataFrame([(x, y, 1.0, "kept") for x, y in rows], "x double, y double, w double, name string")
    _, code = pages.blocks("beyond-memory.md", "py")
    names: dict[str, Any] = {"fastgmm": fastgmm, "frame": frame}
    exec(code.replace('"scored"', repr(str(tmp_path / "scored"))), names)  # Java has a working directory of its own
    assert names["gm"].n_components == 16
    scored = spark.read.parquet(str(tmp_path / "scored"))
    assert scored.columns == ["x", "y", "w", "name", "component", "log_density"]
    assert scored.count() == 800
