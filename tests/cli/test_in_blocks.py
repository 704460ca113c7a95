"""The command on points in blocks: what the estimator finds in them, written as they are read."""

import json
import os
import subprocess
import sys
import time
from functools import partial

import numpy as np
import pytest

import fastgmm
from fastgmm.cli import commands
from fastgmm.cli.command_line import main
from fastgmm.data.tables import Table, read_points
from fastgmm.show.progress import show_progress
from tests.cli.test_command_line import assert_one_line_error

N = 3_000


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """Run in an empty directory, so that file names in arguments are short and nothing is left behind."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def points():
    rng = np.random.default_rng(0)
    return rng.normal(size=(N, 2)) + np.where(rng.uniform(size=(N, 1)) < 0.3, 0.0, [6.0, 2.0])


@pytest.fixture
def weights():
    return np.random.default_rng(1).integers(0, 3, size=N).astype(float)


@pytest.fixture
def files(points, weights):
    """``points.npy``; ``folder``, three files of text with names and weights; ``named.csv`` with the names alone."""
    np.save("points.npy", points)
    os.mkdir("folder")
    lines = [f"{x!r},{w!r},{y!r}\n" for (x, y), w in zip(points.tolist(), weights.tolist(), strict=True)]
    for number, part in enumerate(np.array_split(np.arange(N), 3)):
        with open(f"folder/part-{number}.csv", "w") as file:
            file.write("x,w,y\n" + "".join(lines[row] for row in part))
    with open("named.csv", "w") as file:
        file.write("x,y\n" + "".join(f"{x!r},{y!r}\n" for x, y in points.tolist()))


def fit(*arguments, source="points.npy", output="model.npz"):
    return main(["fit", source, "-k", "2", "-o", output, "--backend", "numpy", *arguments])


def estimator():
    return fastgmm.GaussianMixture(2, backend="numpy", random_state=0)


def assert_same_model(found, expected):
    for name in ("weights_", "means_", "covariances_"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))


@pytest.fixture
def model(files, capsys):
    assert fit("--in-blocks") == 0
    capsys.readouterr()
    return fastgmm.load("model.npz")


# --- fit -------------------------------------------------------------------------------------------------------------


def test_fit_writes_the_model_that_the_estimator_would(files, points, capsys):
    assert fit("--block-rows", "700") == 0
    out, err = capsys.readouterr()
    assert "3,000 x 2, float64, in blocks" in out
    assert "converged" in out
    assert err == ""
    assert_same_model(fastgmm.load("model.npz"), estimator().fit(fastgmm.blocks_of("points.npy", block_rows=700)))


def test_a_directory_is_read_in_blocks_with_its_columns(files, points, weights, capsys):
    assert fit("--weight", "w", "--json", source="folder") == 0
    facts = json.loads(capsys.readouterr().out)
    blocks = fastgmm.blocks_of("folder", weight="w")
    expected = estimator().fit(blocks)
    assert_same_model(fastgmm.load("model.npz"), expected)
    assert list(fastgmm.load("model.npz").feature_names_in_) == ["x", "y"]
    assert (facts["points"], facts["features"]) == (N, 2)
    assert facts["log_likelihood_per_point"] == expected.score(blocks)
    assert facts["bic"] == expected.bic(blocks)
    in_memory = expected.score(Table(points, ("x", "y")), sample_weight=weights)
    assert expected.score(blocks) == pytest.approx(in_memory)


@pytest.mark.prints
@pytest.mark.parametrize("name", ["points.arrow", "points.parquet"])
def test_fit_reads_what_pyarrow_does(points, name):
    pyarrow = pytest.importorskip("pyarrow")
    feather, parquet = pytest.importorskip("pyarrow.feather"), pytest.importorskip("pyarrow.parquet")
    table = pyarrow.table({"x": points[:, 0], "y": points[:, 1]})
    feather.write_feather(table, "points.arrow", version=2)
    parquet.write_table(table, "points.parquet")
    assert fit("--in-blocks", source=name) == 0
    assert_same_model(fastgmm.load("model.npz"), estimator().fit(fastgmm.blocks_of([points])))
    assert main(["predict", "model.npz", name, "--in-blocks", "-o", "labels.npy"]) == 0
    np.testing.assert_array_equal(np.load("labels.npy"), estimator().fit(fastgmm.blocks_of([points])).predict(points))


def test_numeric_columns_are_asked_for_as_of_points_in_memory(points, capsys):
    with open("points.csv", "w") as file:
        file.write("x,kind,y\n" + "".join(f"{x!r},cat,{y!r}\n" for x, y in points.tolist()))
    assert fit("--in-blocks", "--columns", "numeric", source="points.csv") == 0
    assert "points.csv: left out are columns without numbers: 'kind' (text)" in capsys.readouterr().err
    assert_same_model(fastgmm.load("model.npz"), estimator().fit(fastgmm.blocks_of([points])))
    assert main(["predict", "model.npz", "points.csv", "--in-blocks", "-o", "labels.npy"]) == 0
    assert capsys.readouterr().err == ""


def test_labels_are_a_column(files, points, capsys):
    known = np.where(np.arange(N) % 50 == 0, (points[:, 0] < 3).astype(float), -1)
    np.save("points.npy", np.column_stack([points, known]))
    assert fit("--label-column", "2") == 0
    capsys.readouterr()
    assert_same_model(fastgmm.load("model.npz"), estimator().fit(fastgmm.blocks_of("points.npy", labels=2)))
    known[7] = 5
    np.save("points.npy", np.column_stack([points, known]))
    assert fit("--label-column", "2") == 1
    assert_one_line_error(capsys, "points.npy, row 7: the label is 5.0, but with --components 2 a label is 0, 1, or -1")


@pytest.mark.prints
def test_what_a_fit_has_kept_is_found_by_other_commands(files, points):
    os.mkdir("scratch")
    assert fit("--cache", "scratch", source="named.csv") == 0
    kept = sorted(os.listdir("scratch"))
    assert len(kept) == 2
    assert main(["predict", "model.npz", "named.csv", "--cache", "scratch", "-o", "labels.npy"]) == 0
    assert sorted(os.listdir("scratch")) == kept
    np.testing.assert_array_equal(np.load("labels.npy"), fastgmm.load("model.npz").predict(read_points("named.csv")))


@pytest.mark.parametrize("how", [[], ["--in-blocks"]], ids=["memory", "blocks"])
def test_what_a_checkpoint_holds_is_not_done_again(files, capsys, how):
    kept = ["--checkpoint", "fit.npz", "--verbose", *how]
    assert fit(*kept, "--max-iter", "3", "--tol", "0", output="a.npz") == 3
    assert "iteration 1" in capsys.readouterr().err
    assert fit(*kept, "--max-iter", "3", "--tol", "0", output="b.npz") == 3
    assert "iteration 1" not in capsys.readouterr().err
    assert_same_model(fastgmm.load("a.npz"), fastgmm.load("b.npz"))
    assert fastgmm.load("b.npz").n_iter_ == 3


@pytest.mark.skipif(os.name != "posix", reason="POSIX signals")
@pytest.mark.parametrize("how", ["--quiet", "--in-blocks"], ids=["memory", "blocks"])
def test_a_fit_that_was_killed_goes_on_to_the_same_bits(files, capsys, monkeypatch, how):
    monkeypatch.setenv("PYTHONPATH", os.path.dirname(os.path.dirname(os.path.abspath(fastgmm.__file__))))
    options = ["-k", "2", "--backend", "numpy", "--tol", "0", "--max-iter", "30", how]
    whole = ["fit", "points.npy", "-o", "whole.npz", "--checkpoint", "whole.checkpoint", *options]
    broken = ["fit", "points.npy", "-o", "broken.npz", "--checkpoint", "broken.checkpoint", *options]
    assert main(whole) == 3
    process = subprocess.Popen([sys.executable, "-m", "fastgmm", *broken], stderr=subprocess.DEVNULL)
    while not os.path.exists("broken.checkpoint"):
        assert process.poll() is None
        time.sleep(0.001)
    process.kill()
    process.wait()
    assert not os.path.exists("broken.npz")
    assert main(broken) == 3
    assert_same_model(fastgmm.load("broken.npz"), fastgmm.load("whole.npz"))
    capsys.readouterr()


def test_progress_knows_passes(files, capsys, monkeypatch):
    pytest.importorskip("tqdm")
    monkeypatch.setattr(commands, "show_progress", partial(show_progress, force=True))
    assert fit("--block-rows", "700") == 0
    assert "pass 1: 700 rows" in capsys.readouterr().err
    assert fit() == 0
    assert "pass" not in capsys.readouterr().err


def test_a_checkpoint_of_another_fit_is_refused(files, capsys):
    assert fit("--checkpoint", "fit.npz") == 0
    capsys.readouterr()
    assert fit("--checkpoint", "fit.npz", "--seed", "5") == 1
    assert_one_line_error(capsys, "the checkpoint is of a fit of other rows, with other options or another backend")


# --- predict, score --------------------------------------------------------------------------------------------------


@pytest.mark.prints
@pytest.mark.parametrize("suffix", ["npy", "csv", "parquet"])
def test_results_are_those_of_points_in_memory(model, suffix):
    if suffix == "parquet":
        pytest.importorskip("pyarrow")
    for name, *options in (("predict",), ("predict", "--proba"), ("score",)):
        for output, how in (("a", []), ("b", ["--block-rows", "700"])):
            assert main([name, "model.npz", "points.npy", *options, *how, "-o", f"{output}.{suffix}"]) == 0
        if suffix == "parquet":  # whose row groups are blocks
            found, expected = read_points("b.parquet"), read_points("a.parquet")
            assert found.columns == expected.columns
            np.testing.assert_array_equal(found.values, expected.values)
        else:
            with open(f"a.{suffix}", "rb") as expected, open(f"b.{suffix}", "rb") as found:
                assert found.read() == expected.read()


@pytest.mark.parametrize("command", [["predict"], ["predict", "--proba"], ["score", "--samples"], ["score"]])
@pytest.mark.parametrize("as_json", [[], ["--json"]], ids=["text", "json"])
def test_what_is_printed_is_what_is_printed_of_points_in_memory(model, capsys, command, as_json):
    name, *options = command
    printed = []
    for how in ([], ["--block-rows", "700"]):
        assert main([name, "model.npz", "points.npy", *options, *as_json, *how]) == 0
        printed.append(capsys.readouterr().out)
    if as_json:
        expected, found = map(json.loads, printed)
        for name in ("log_likelihood", "log_likelihood_per_point"):
            assert found.pop(name, 0.0) == pytest.approx(expected.pop(name, 0.0), rel=1e-12)
        assert found == expected
    else:
        assert printed[0] == printed[1]


def test_the_columns_of_the_model_are_found_by_name(files, points, capsys):
    assert fit(source="named.csv") == 0
    labels = fastgmm.load("model.npz").predict(read_points("named.csv"))
    assert main(["predict", "model.npz", "folder", "-o", "labels.npy"]) == 0
    np.testing.assert_array_equal(np.load("labels.npy"), labels)
    capsys.readouterr()
    assert main(["score", "model.npz", "folder", "--columns", "x,w"]) == 1
    assert_one_line_error(capsys, "was fitted to x, y: choose them by --columns")


def test_names_that_are_numbers_are_found_again_without_being_told(points, capsys):
    with open("points.csv", "w") as file:
        file.write("2020,2019\n" + "".join(f"{x!r},{y!r}\n" for x, y in points.tolist()))
    assert fit("--header", "yes", "--in-blocks", source="points.csv") == 0
    capsys.readouterr()
    assert main(["predict", "model.npz", "points.csv", "--in-blocks", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["points"] == N


def test_a_score_counts_weights(model, files, weights, points, capsys):
    assert main(["score", "model.npz", "folder", "--weight", "w", "--columns", "x,y", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    expected = model.score(points, sample_weight=weights)
    assert facts["points"] == N
    assert facts["log_likelihood_per_point"] == pytest.approx(expected)
    assert facts["log_likelihood"] == pytest.approx(expected * weights.sum())


def test_score_of_rows_without_any_value_is_exit_1(model, capsys):
    np.save("empty.npy", np.full((3, 2), np.nan))
    assert main(["score", "model.npz", "empty.npy", "--in-blocks"]) == 1
    assert_one_line_error(capsys, "without any observed value.")
    assert main(["score", "model.npz", "empty.npy", "--in-blocks", "--samples"]) == 0
    assert capsys.readouterr().out.split() == ["0.0"] * 3


# --- mistakes --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--in-blocks", "--labels", "points.npy"], "--labels is for points in memory"),
        (["--in-blocks", "--assignment", "stochastic"], "--assignment stochastic keeps a label for every point"),
        (["--checkpoint", "f.npz", "--assignment", "stochastic"], "--checkpoint must be left out where --assignment"),
        (["--block-rows", "0"], "must be an int in the range [1, inf)"),
    ],
)
def test_wrong_usage_is_exit_2(files, capsys, arguments, message):
    assert fit(*arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.endswith("\nsee fastgmm fit --help\n")
    assert message in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["fit", "-", "-k", "2", "-o", "m.npz", "--in-blocks"], "standard input can be read only once"),
        (["fit", "model.npz", "-k", "2", "-o", "m.npz", "--in-blocks"], "an .npz cannot be read in blocks"),
        (["fit", "missing.npy", "-k", "2", "-o", "m.npz", "--in-blocks"], "missing.npy: No such file or directory"),
        (["fit", "empty", "-k", "2", "-o", "m.npz"], "empty: no files"),
        (["fit", "folder", "-k", "2", "-o", "m.npz", "--weight", "v"], "no column 'v'; there are x, w, y"),
        (["fit", "folder", "-k", "2", "-o", "m.npz", "--cache", "none"], "cache: there is no directory none"),
        (["fit", "folder", "-k", "2", "-o", "m.npz", "--cache", "folder"], "would be among the inputs in folder"),
        (["fit", "folder", "-k", "2", "-o", "folder/m.npz"], "the output would be one of the inputs in folder"),
        (["fit", "folder", "-k", "2", "-o", "m.npz", "--checkpoint", "folder/f.npz"], "the checkpoint would be one of"),
        (
            ["fit", "folder", "-k", "2", "-o", "m.npz", "--checkpoint", "m.npz"],
            "the output would replace the checkpoint",
        ),
        (
            ["fit", "folder", "-k", "2", "-o", "m.npz", "--checkpoint", "model.npz"],
            "model.npz: not a fastgmm checkpoint",
        ),
        (["fit", "folder", "-k", "2", "-o", "m.npz", "--checkpoint", "none/f.npz"], "No such file or directory"),
        (["predict", "model.npz", "points.npy", "--in-blocks", "-o", "points.npy"], "replace the input"),
        (["predict", "model.npz", "folder", "-o", "folder/labels.csv"], "the output would be one of the inputs"),
        (["predict", "model.npz", "folder"], "expecting 2 features"),
        (["score", "model.npz", "points.npy", "--in-blocks", "--header", "no"], "can be told of text only"),
        (["score", "model.npz", "nothing.npy", "--in-blocks", "--samples"], "nothing.npy: no rows"),
    ],
)
def test_other_mistakes_are_exit_1_with_one_line(model, capsys, arguments, message):
    os.mkdir("empty")
    np.save("nothing.npy", np.empty((0, 2)))
    assert main(arguments) == 1
    assert_one_line_error(capsys, message)
    assert not os.path.exists("m.npz")


@pytest.mark.parametrize("name", ["out.npy", "out.csv", "out.parquet"])
def test_a_bad_row_leaves_no_output(model, points, capsys, name):
    if name.endswith("parquet"):
        pytest.importorskip("pyarrow")
    points[2_500, 1] = np.inf
    np.save("points.npy", points)
    before = sorted(os.listdir())
    assert main(["predict", "model.npz", "points.npy", "--block-rows", "700", "--proba", "-o", name]) == 1
    assert_one_line_error(capsys, "points.npy, row 2500: infinity or a value too large for float64 in column 1")
    assert sorted(os.listdir()) == before


# --- memory ----------------------------------------------------------------------------------------------------------

MEASURE = r"""
import re, sys
from fastgmm.cli.command_line import main

def peak():  # not ru_maxrss, which a process inherits from the one that has started it
    return int(re.search(r"VmHWM:\s*(\d+) kB", open("/proc/self/status").read())[1])

command, small, large = sys.argv[1].split(), sys.argv[2], sys.argv[3]
assert main([word.format(small) for word in command]) in (0, 3)
before = peak()
assert main([word.format(large) for word in command]) in (0, 3)
print((peak() - before) // 1024, file=sys.stderr)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
@pytest.mark.parametrize(
    ("command", "most"),
    [
        ("fit {} -k 2 -o m.npz --max-iter 1 --quiet --block-rows 16384", 8),
        ("predict model.npz {} --proba -o out.csv --block-rows 16384", 4),
        ("score model.npz {} -o out.npy --block-rows 16384", 2),
    ],
)
def test_memory_does_not_grow_with_points(monkeypatch, command, most):
    """640,000 points are 20 MB, labels and log-densities 5, probabilities 10; points of .npy would be mapped."""
    monkeypatch.setenv("PYTHONPATH", os.path.dirname(os.path.dirname(os.path.abspath(fastgmm.__file__))))
    rng = np.random.default_rng(0)
    os.mkdir("small")
    os.mkdir("large")
    rows = np.round(rng.normal(size=(40_000, 4)) + 4 * rng.integers(2, size=(40_000, 1)), 3)
    text = "".join(",".join(map(repr, row)) + "\n" for row in rows.tolist())
    for folder, count in (("small", 1), ("large", 16)):
        for number in range(count):
            with open(f"{folder}/{number:02}.csv", "w") as file:
                file.write(text)
    fastgmm.GaussianMixture(2, max_iter=5, tol=1e9).fit(rows).save("model.npz")
    done = subprocess.run([sys.executable, "-c", MEASURE, command, "small", "large"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert int(done.stderr.splitlines()[-1]) <= most
