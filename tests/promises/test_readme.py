"""The README's examples run, and the tests it names exist."""

import contextlib
import doctest
import importlib.util
import json
import os
import pkgutil
import re
import shlex
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import fastgmm
from fastgmm.cli.command_line import main
from fastgmm.data.table import Table

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


@pytest.mark.prints
def test_the_python_example_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    exec(blocks("python")[0], names)
    assert sorted(np.round(names["gm"].means_[:, 0])) == [0.0, 4.0]
    assert (tmp_path / "model.npz").exists()


@pytest.mark.prints
def test_the_example_of_several_sites_finds_both(capsys):
    names: dict[str, object] = {}
    exec(blocks("python")[4], names)
    assert np.allclose(names["gm"].means_, [[0, 0], [4, 4]], atol=0.5)
    assert np.allclose(names["gm"].weights_, [5 / 8, 3 / 8], atol=0.05)


@pytest.mark.prints
def test_the_example_of_holes_labels_and_priors_runs(rng):
    centers = np.array([[0.0, 0.0], [6.0, 0.0], [0.0, 6.0]])
    known = np.repeat(np.arange(3), 100)
    X = centers[known] + rng.normal(size=(300, 2))
    background = fastgmm.GaussianMixture(3, random_state=0).fit(X)
    few = X[:150:10]
    X[::7, 0] = np.nan
    labels = np.where(np.arange(300) % 10 == 0, known, -1)
    names: dict[str, object] = {"X": X, "labels": labels, "background": background, "few": few}
    exec(blocks("python")[2], names)
    adapted = names["adapted"]
    assert np.array_equal(adapted.covariances_, background.covariances_)
    assert not np.array_equal(adapted.means_, background.means_)
    assert np.isfinite(names["filled"]).all()


def rows_of_table(text: str) -> dict[str, list[float]]:
    """The numbers of each row of a page's tables, by what it begins with."""
    rows = re.findall(r"^\| (\w[^|]*) \|(.*)\|$", text, flags=re.MULTILINE)
    return {name: [float(number) for number in re.findall(r"-?\d+\.\d+", cells)] for name, cells in rows}


@pytest.mark.prints
def test_the_page_of_missing_values_finds_what_it_says():
    page = (ROOT / "docs" / "missing-values.md").read_text(encoding="utf-8")
    names: dict[str, object] = {}
    for block in re.findall(r"```python\n(.*?)```", page, flags=re.DOTALL):
        exec(block, names)
    fits, spreads = page.split("## What is missing")
    told = rows_of_table(fits)
    assert told.keys() == names["fits"].keys()
    for name, gm in names["fits"].items():
        order = np.argsort(gm.means_[:, 0])
        first, second = np.sqrt(np.diagonal(gm.covariances_[order], axis1=1, axis2=2)).T
        correlations = gm.covariances_[order, 0, 1] / (first * second)
        found = [*gm.weights_[order], *correlations, gm.score(names["fresh"])]
        np.testing.assert_allclose(told[name], found, atol=0.006)
    for name, table in names["spreads"].items():
        np.testing.assert_allclose(rows_of_table(spreads)[name], table[:, 1].std(), atol=0.006)


@pytest.mark.prints
def test_the_page_of_streams_finds_what_it_says():
    page = (ROOT / "docs" / "streams.md").read_text(encoding="utf-8")
    names: dict[str, object] = {}
    for block in re.findall(r"```python\n(.*?)```", page, flags=re.DOTALL):
        exec(block, names)
    told = rows_of_table(page)
    found = names["scores"] | names["orders"]
    assert len(found) == 7
    for name, score in found.items():
        np.testing.assert_allclose(told[name], [score], atol=0.0006 if name != "sorted" else 0.01)


def test_the_example_of_rows_beyond_memory_runs(tmp_path, monkeypatch, rng):
    monkeypatch.chdir(tmp_path)
    np.save("points.npy", np.concatenate([rng.normal(0, 1, (5000, 2)), rng.normal(8, 1, (5000, 2))]))
    names: dict[str, object] = {"np": np, "GaussianMixture": fastgmm.GaussianMixture}
    exec(blocks("python")[3], names)
    assert sorted(np.bincount(names["labels"])) == [5000, 5000]
    assert (tmp_path / "fit.npz").exists()


@pytest.mark.prints
def test_the_page_of_rows_beyond_memory_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    page = (ROOT / "docs" / "beyond-memory.md").read_text(encoding="utf-8")
    names: dict[str, object] = {}
    for block in re.findall(r"```python\n(.*?)```", page, flags=re.DOTALL):
        exec(block, names)
    assert len(names["labels"]) == len(names["rows"])
    np.testing.assert_array_equal(names["gm"].means_, names["fit"].means_)
    assert fastgmm.GaussianMixture(4, random_state=0).fit(names["rows"]).score(names["rows"]) == pytest.approx(
        names["gm"].score(names["rows"]), abs=1e-3
    )
    (commands,) = re.findall(r"```sh\n(.*?)```", page, flags=re.DOTALL)
    for line in commands.splitlines():
        program, *arguments = shlex.split(line, comments=True)
        assert program == "fastgmm"
        assert main(arguments) == 0, line
    np.testing.assert_array_equal(fastgmm.load("model.npz").means_, names["of_two"].means_)
    np.testing.assert_array_equal(fastgmm.load("model-of-rows.npz").means_, names["gm"].means_)
    np.testing.assert_array_equal(np.load("probabilities.npy").argmax(axis=1), names["labels"])


@pytest.mark.prints
def test_the_page_of_moments_finds_what_it_says(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    page = (ROOT / "docs" / "moments.md").read_text(encoding="utf-8")
    names: dict[str, object] = {}
    for block in re.findall(r"```python\n(.*?)```", page, flags=re.DOTALL):
        exec(block, names)
    assert f"both take {names['iteration']} iterations" in page
    assert names["whole"].n_iter_ == names["iteration"]
    assert max(names["differences"]) < 1e-12
    np.testing.assert_allclose(names["found"], names["patient"][0], rtol=0, atol=1e-12)
    assert [names["may_leave"](each) for each in names["moments"]] == [False, True, True]
    assert not names["may_leave"](names["told"])
    told = dict(re.findall(r"^\| (\w[^|]*) \| (\S+) \|$", page, flags=re.MULTILINE))
    assert told.keys() == names["moving"].keys() | names["errors"].keys()
    for name, mean in names["moving"].items():
        assert float(told[name]) == pytest.approx(mean, abs=0.006)
    for name, error in names["errors"].items():
        assert float(told[name]) / 10 < error < float(told[name]) * 10, name


@pytest.mark.prints
def test_the_page_of_the_algebra_finds_what_it_says():
    page = (ROOT / "docs" / "algebra.md").read_text(encoding="utf-8")
    names: dict[str, object] = {}
    for block in re.findall(r"```python\n(.*?)```", page, flags=re.DOTALL):
        exec(block, names)
    told = rows_of_table(page)
    for hour, mean, std in zip((8, 12, 18), names["mean"][:, 0], names["std"][:, 0], strict=True):
        np.testing.assert_allclose(told[f"at {hour}"], [mean, std], atol=0.06)
    assert names["late"][8.0] < 1e-6 < 0.3 < names["late"][18.0]
    assert names["is_inside"].tolist() == [True, False, False]
    assert np.array_equal(names["p_values"] >= 0.01, names["is_inside"])
    assert "at 12.1 hours" in page
    np.testing.assert_allclose(names["cuts"], [-8.9, 12.1], atol=0.06)
    assert names["components"][0] == names["components"][2] != names["components"][1]
    assert "loses 1.3 nats" in page
    assert abs(names["lost"] - 1.3) < 0.05
    np.testing.assert_allclose(names["regressor"].mixture_.means_, names["gm"].means_, rtol=1e-12)
    np.testing.assert_allclose(names["expected"][0], names["mean"][1, 0], rtol=1e-12)
    np.testing.assert_allclose(names["expected"][1], names["X"][:, 1].mean(), atol=0.01)
    assert names["found"].components_of(2) == names["found"].components
    assert np.bincount(names["found"].labels).tolist() in ([4000, 2000], [2000, 4000])
    methods = re.findall(r"`(\w+)\(", page.split("## All methods")[1].split("A mixture that leaves")[0])
    assert set(methods) == set(fastgmm.model.algebra.__all__)


@pytest.mark.prints
def test_the_page_of_other_places_runs(tmp_path, monkeypatch):
    pytest.importorskip("onnxruntime")
    monkeypatch.chdir(tmp_path)
    page = (ROOT / "docs" / "elsewhere.md").read_text(encoding="utf-8")
    names: dict[str, object] = {}
    for block in re.findall(r"```python\n(.*?)```", page, flags=re.DOTALL):
        exec(block, names)
    gm, X = names["gm"], names["X"]
    assert np.array_equal(names["label"], gm.predict(X))
    np.testing.assert_allclose(names["log_density"], gm.score_samples(X), rtol=1e-12)
    in_single = gm.score_samples(X.astype(np.float32).astype(np.float64))
    np.testing.assert_allclose(names["rounded"], in_single, atol=1e-5)
    gm.save("model.npz")
    (block,) = re.findall(r"```sh\n(.*?)```", page, flags=re.DOTALL)
    for line in block.splitlines():
        assert main(shlex.split(line)[1:]) == 0, line


@pytest.mark.prints
def test_the_commands_on_the_page_of_the_algebra_run(tmp_path, monkeypatch, rng):
    monkeypatch.chdir(tmp_path)
    rows = rng.normal(size=(300, 2))
    np.savetxt("points.csv", rows, delimiter=",", header="hour,delay", comments="")
    model = fastgmm.GaussianMixture(2, random_state=0, tol=0.1).fit(Table(rows, ("hour", "delay")))
    model.save("model.npz")
    (block,) = re.findall(r"```sh\n(.*?)```", (ROOT / "docs" / "algebra.md").read_text(encoding="utf-8"), re.DOTALL)
    for line in block.splitlines():
        program, *arguments = shlex.split(line, comments=True)
        assert program == "fastgmm"
        assert main(arguments) == 0, line
    found = np.loadtxt("expected.csv", delimiter=",", skiprows=1)
    mean, std = model.regress(rows[:, :1], ["hour"], return_std=True)
    np.testing.assert_allclose(found, np.c_[mean, std], rtol=1e-12)
    assert np.load("p-values.npy").shape == (300,)


@pytest.mark.prints
def test_the_commands_on_the_page_of_moments_run(tmp_path, monkeypatch, rng):
    monkeypatch.chdir(tmp_path)
    page = (ROOT / "docs" / "moments.md").read_text(encoding="utf-8")
    rows = rng.normal(size=(300, 2))
    for site, part in zip(("aarhus", "basel", "cork"), np.split(rows, [100, 150]), strict=True):
        np.savetxt(f"{site}.csv", part, delimiter=",")
    model = fastgmm.GaussianMixture(2, random_state=0, tol=0.1).fit(rows)
    model.save("model.npz")
    (block,) = re.findall(r"```sh\n(.*?)```", page, flags=re.DOTALL)
    for line in block.splitlines():
        program, *arguments = shlex.split(line, comments=True)
        assert program == "fastgmm"
        assert main(arguments) == 0, line
    after = model.maximized(model.moments(rows))
    np.testing.assert_allclose(fastgmm.load("next-model.npz").means_, after.means_, rtol=1e-12)


@pytest.mark.prints
def test_the_shell_example_runs(tmp_path, monkeypatch, capsys, rng):
    monkeypatch.chdir(tmp_path)
    np.save("points.npy", np.concatenate([rng.normal(8 * k, 1, (400, 2)) for k in range(16)]))
    for line in blocks("sh")[0].splitlines():
        program, *arguments = shlex.split(line, comments=True)
        assert program == "fastgmm"
        assert main(arguments) == 0, line
    assert np.load("labels.npy").shape == (6400,)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_the_service_answers_every_worker_alike(tmp_path, rng):
    """Many requests at once, to several processes that accept from one socket; a bad one does not end a worker."""
    model = fastgmm.GaussianMixture(3, random_state=0, tol=0.1).fit(rng.normal(size=(500, 4)))
    model.save(tmp_path / "model.npz")
    rows = rng.normal(size=(200, 4))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{free.getsockname()[1]}"
    script = blocks("python")[1].replace("8000", address.rpartition(":")[2]).replace("os.cpu_count()", "3")
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(Path(fastgmm.__file__).parents[1])])}
    log = (tmp_path / "log").open("w")
    command = [sys.executable, "-W", "ignore", "-c", script]
    server = subprocess.Popen(command, cwd=tmp_path, env=environment, stderr=log, start_new_session=True)

    def ask(numbers):
        request = urllib.request.Request(address, json.dumps(numbers).encode())
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)

    try:
        for _ in range(300):
            with contextlib.suppress(OSError):
                ask(rows[0].tolist())
                break
            time.sleep(0.1)
        with pytest.raises(urllib.error.HTTPError, match="400"):
            ask([1.0, 2.0])
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(ask, rows.tolist()))
    finally:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()
        log.close()
    assert [answer["label"] for answer in answers] == model.predict(rows).tolist()
    assert [answer["log_density"] for answer in answers] == model.score_samples(rows).tolist()


def test_every_test_and_folder_that_is_named_exists():
    named = set(re.findall(r"`((?:tests|fastgmm|bench|ci)/[\w/.:]*)`", README))
    assert len(named) > 20
    for name in named:
        path, _, function = name.partition("::")
        assert (ROOT / path).exists(), name
        assert not function or f"def {function}(" in (ROOT / path).read_text(encoding="utf-8"), name


@pytest.mark.parametrize(
    "name",
    [
        "fastgmm",  # by what public classes say of their home
        *(
            module.name
            for module in pkgutil.walk_packages(fastgmm.__path__, "fastgmm.")
            if not re.search(r"\.numba_|\.c\b|__main__$", module.name)
        ),
    ],
)
def test_the_examples_of_docstrings_run(name):
    runner = doctest.DocTestRunner(verbose=False)  # by default it looks for -v among the arguments of pytest
    for examples in doctest.DocTestFinder().find(importlib.import_module(name)):
        needed = re.findall(r">>> import (sklearn|pandas|onnx)", examples.docstring)
        needed += ["matplotlib"] if re.search(r"Display|\.plot\(", examples.docstring) else []
        if all(importlib.util.find_spec(library) is not None for library in needed):
            runner.run(examples)
    assert runner.failures == 0
