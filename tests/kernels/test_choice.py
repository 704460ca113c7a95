"""The rule of ``backend="auto"``: which backend fits and scores, with what loaded, on how many threads."""

import dataclasses
import logging
import os
import subprocess
import sys
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

import numpy as np
import pytest

import fastgmm
from fastgmm import GaussianMixture, kernels
from fastgmm.data.facts import Facts
from fastgmm.errors import BackendUnavailableError
from fastgmm.families import FAMILIES
from fastgmm.kernels import HEAVY_SWEEP, available_backends, get_backend
from fastgmm.kernels.contract import _THREAD_WORK, ChunkPlan, plan_chunks, work_of
from fastgmm.rows import Rows
from fastgmm.sweeps.in_memory import evaluate, make_sweep
from tests.problems import draw_problem

# Read before conftest.py makes the smallest problem worth a thread.
SHIPPED_THREAD_WORK = _THREAD_WORK
STATES = available_backends()
LIGHT, HEAVY = 0.0, 10 * HEAVY_SWEEP

needs_c = pytest.mark.skipif(STATES["c"] != "available", reason="needs the C backend")
needs_numba = pytest.mark.skipif(STATES["numba"] != "available", reason="needs numba")


@pytest.fixture
def having(monkeypatch):
    """Only these backends and NumPy are there, none of them is loaded: ``get_backend`` gives names."""
    monkeypatch.delenv("FASTGMM_BACKEND", raising=False)
    monkeypatch.setattr(kernels, "_load", lambda name: name)

    def have(*names):
        states = {name: "available" if name in (*names, "numpy") else "missing" for name in STATES}
        monkeypatch.setattr(kernels, "_state_of", states.__getitem__)

    return have


# The rule


@pytest.mark.parametrize(
    ("available", "light", "heavy"),
    [
        (("c", "numba"), "c", "numba"),
        (("c",), "c", "c"),
        (("numba",), "numba", "numba"),
        ((), "numpy", "numpy"),
    ],
)
def test_light_work_goes_to_c_heavy_work_to_numba_and_what_is_missing_is_replaced(having, available, light, heavy):
    having(*available)
    assert get_backend("auto", LIGHT) == light
    assert get_backend("auto", np.nextafter(HEAVY_SWEEP, 0)) == light
    assert get_backend("auto", HEAVY_SWEEP) == heavy
    assert get_backend("auto", HEAVY) == heavy


def test_without_a_word_about_work_it_is_light(having):
    having("c", "numba")
    assert get_backend() == get_backend("auto") == "c"


@pytest.mark.parametrize("work", [LIGHT, HEAVY])
@pytest.mark.parametrize("wish", ["c", "numba", "numpy"])
def test_the_environment_overrides_the_rule_but_not_a_name(having, monkeypatch, wish, work):
    having("c", "numba")
    monkeypatch.setenv("FASTGMM_BACKEND", wish)
    assert get_backend("auto", work) == wish
    assert [get_backend(name, work) for name in ("c", "numba", "numpy")] == ["c", "numba", "numpy"]


@pytest.mark.parametrize("wish", ["", "auto"])
def test_an_environment_that_wishes_nothing_leaves_the_rule(having, monkeypatch, wish):
    having("c", "numba")
    monkeypatch.setenv("FASTGMM_BACKEND", wish)
    assert (get_backend("auto", LIGHT), get_backend("auto", HEAVY)) == ("c", "numba")


def test_a_backend_that_the_environment_names_is_that_or_an_error(monkeypatch):
    monkeypatch.setenv("FASTGMM_BACKEND", "numba")
    monkeypatch.setitem(sys.modules, "fastgmm.kernels.numba_", None)
    with pytest.raises(BackendUnavailableError, match="the numba backend cannot be used"):
        get_backend("auto")


@pytest.mark.parametrize(("work", "broken", "instead"), [(LIGHT, "c", "numba"), (HEAVY, "numba", "c")])
def test_a_backend_that_is_there_and_broken_is_replaced_with_a_warning(
    having, monkeypatch, caplog, work, broken, instead
):
    def load(name):
        if name == broken:
            raise BackendUnavailableError(broken, "it is broken")
        return name

    having("c", "numba")
    monkeypatch.setattr(kernels, "_load", load)
    with caplog.at_level(logging.WARNING, logger="fastgmm"):
        assert get_backend("auto", work) == instead
    assert f"the {broken} backend cannot be used: it is broken; another one does its work" in caplog.text


def test_work_grows_with_every_side_of_the_problem_and_knows_no_chunks():
    assert work_of(2000, 5, 7) == 2 * work_of(1000, 5, 7)
    assert work_of(1000, 5, 14) == 2 * work_of(1000, 5, 7)
    assert work_of(1000, 10, 7) > 2 * work_of(1000, 5, 7)
    assert plan_chunks(1000, 5, 7, 8, 100).work_per_row == work_of(1, 5, 7)


def test_a_fit_is_judged_by_one_sweep_of_its_rows(monkeypatch, rng):
    asked = []

    def record(name, sweep_work=0.0):
        asked.append((name, sweep_work))
        return get_backend("numpy")

    monkeypatch.setattr("fastgmm.fit.fitting.get_backend", record)
    GaussianMixture(2, tol=1, random_state=0).fit(rng.normal(size=(300, 3)))
    assert asked == [("auto", work_of(300, 3, 2))]


def test_moments_of_all_blocks_are_of_one_backend(monkeypatch, rng):
    """A short block at the end would be lighter work than the others."""
    model, asked = GaussianMixture(2, tol=1, random_state=0).fit(rng.normal(size=(300, 3))), set()

    def record(name, sweep_work=0.0):
        asked.add(name)
        return get_backend(name, sweep_work)

    monkeypatch.setattr("fastgmm.fit.fitting.get_backend", record)
    model.moments(fastgmm.blocks_of(rng.normal(size=(300, 3)), block_rows=290))
    assert asked == {vars(model)["_scorer"].backend.name}


@needs_c
@needs_numba
@pytest.mark.parametrize(("heavy_from", "fitted_by"), [(1.0, "numba"), (HEAVY_SWEEP, "c")])
def test_c_scores_whoever_fitted(monkeypatch, rng, heavy_from, fitted_by):
    """So that a model gives the same bits for one row and for many, fitted or loaded."""
    monkeypatch.delenv("FASTGMM_BACKEND", raising=False)
    monkeypatch.setattr(kernels, "HEAVY_SWEEP", heavy_from)
    used = []
    monkeypatch.setattr(
        "fastgmm.fit.fitting.suited_to_missing", lambda *args: used.append(args[2].name) or make_sweep(*args)
    )
    model = GaussianMixture(2, tol=1, random_state=0).fit(rng.normal(size=(300, 3)))
    assert used == [fitted_by]
    assert vars(model)["_scorer"].backend.name == "c"


# What is available


@pytest.fixture
def folder_of_kernels(monkeypatch, tmp_path):
    """The folder of the C backend, empty: as if the library were installed elsewhere."""
    monkeypatch.setattr(kernels, "__file__", str(tmp_path / "__init__.py"))
    folder = tmp_path / "c"
    folder.mkdir()
    return folder


def test_without_an_extension_the_reason_is_what_the_installation_noted(folder_of_kernels):
    (folder_of_kernels / "not_built.txt").write_text("command 'gcc' failed: No such file\n")
    assert available_backends()["c"] == "its extension was not built: command 'gcc' failed: No such file"


def test_without_an_extension_and_a_note_no_build_was_tried(folder_of_kernels):
    assert available_backends()["c"] == "its extension was not built: no build was tried"


def test_an_extension_is_looked_for_and_not_loaded(folder_of_kernels):
    (folder_of_kernels / f"_kernels{EXTENSION_SUFFIXES[0]}").touch()
    (folder_of_kernels / "not_built.txt").write_text("an older installation failed\n")
    assert available_backends()["c"] == "available"


def test_asked_for_by_name_a_c_backend_that_was_not_built_says_why(folder_of_kernels, monkeypatch):
    (folder_of_kernels / "not_built.txt").write_text("command 'gcc' failed\n")
    monkeypatch.setitem(sys.modules, "fastgmm.kernels.c", None)
    with pytest.raises(BackendUnavailableError, match=r"the c backend cannot be used: its .* command 'gcc' failed"):
        GaussianMixture(backend="c").fit(np.eye(4))


def test_show_backend_says_why_c_is_missing(folder_of_kernels, monkeypatch, capsys):
    monkeypatch.setenv("FASTGMM_BACKEND", "numpy")
    (folder_of_kernels / "not_built.txt").write_text("command 'gcc' failed\n")
    fastgmm.show_backend()
    assert "backend c: its extension was not built: command 'gcc' failed\n" in capsys.readouterr().out


def test_without_the_extension_and_numba_fits_and_scores_are_numpys(folder_of_kernels, monkeypatch, rng):
    monkeypatch.delenv("FASTGMM_BACKEND", raising=False)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    X = rng.normal(size=(100, 2))
    alone = GaussianMixture(2, tol=0.1, random_state=0).fit(X)
    assert vars(alone)["_scorer"].backend.name == "numpy"
    named = GaussianMixture(2, tol=0.1, random_state=0, backend="numpy").fit(X)
    assert np.array_equal(alone.means_, named.means_)


# Threads


@pytest.mark.parametrize("n_chunks", [1, 2, 8])
@pytest.mark.parametrize("share", [0.5, 0.999, 1.0, 2.5, 100.0])
def test_each_thread_has_its_share_of_work_and_a_chunk(monkeypatch, n_chunks, share):
    """``share``: how many threads the work of all rows repays."""
    monkeypatch.setattr("fastgmm.kernels.contract._THREAD_WORK", n_chunks * 256 * 10 / share)
    plan = ChunkPlan(n_chunks, chunk_rows=256, tile_rows=256, work_per_row=10, bytes_per_row=8)
    assert plan.useful_threads == max(1, min(n_chunks, int(share)))


@pytest.mark.parametrize(("n_rows", "is_shared"), [(100, False), (2000, False), (100_000, True)])
@pytest.mark.parametrize("what", ["sweep", "scores"])
def test_only_problems_that_are_worth_it_are_shared_among_threads(monkeypatch, what, n_rows, is_shared):
    """2,000 rows of a small problem are two chunks, and yet quicker alone; no number of threads is looked up."""
    monkeypatch.setattr("fastgmm.kernels.contract._THREAD_WORK", SHIPPED_THREAD_WORK)
    looked_up, used = [], set()
    monkeypatch.setattr("fastgmm.sweeps.in_memory.resolve_n_threads", lambda wish: looked_up.append(wish) or 4)

    def record(rows, prepared, section, results, n_threads, order=None):
        used.add(n_threads)

    backend = dataclasses.replace(get_backend("numpy"), sweep=record, log_density=record)
    problem = draw_problem("diag", 10, 2, 2)
    rows = Rows(np.zeros((n_rows, 2)))
    if what == "sweep":
        make_sweep(Facts(rows), FAMILIES["diag"], backend, 4).moments(problem.prepared())
    else:
        evaluate(rows, problem.prepared(), backend, None, "labels")
        assert looked_up == ([None] if is_shared else [])
    assert used == {4 if is_shared else 1}


# In a fresh process

LOADED = """
import sys, warnings
import numpy as np
import fastgmm
X = np.random.RandomState(0).normal(size=(2000, 3))
"""


def run(script, *arguments):
    """Run a script in a process that imports the same fastgmm."""
    path = {"PYTHONPATH": str(Path(fastgmm.__file__).parents[1])}
    rest = {name: value for name, value in os.environ.items() if name != "FASTGMM_BACKEND"}
    command = [sys.executable, "-P", "-W", "error", "-c", LOADED + script, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, env=rest | path, timeout=300, check=False)
    assert done.returncode == 0, done.stderr


@needs_c
def test_an_ordinary_fit_and_its_scores_never_load_numba():
    run(
        """
for family in ("full", "tied", "diag", "spherical"):
    for dtype in ("float64", "float32"):
        gm = fastgmm.GaussianMixture(3, covariance_type=family, tol=0.1, random_state=0).fit(X.astype(dtype))
        gm.predict(X), gm.predict_proba(X), gm.score_samples(X[:1]), gm.score(X), gm.sample(3)
assert gm._scorer.backend.name == "c"
assert not {"numba", "llvmlite"} & set(sys.modules)
"""
    )


@needs_c
def test_a_model_is_loaded_and_scores_without_numba(tmp_path, rng):
    GaussianMixture(2, tol=0.1, random_state=0).fit(rng.normal(size=(100, 3))).save(tmp_path / "model.npz")
    run(
        """
gm = fastgmm.load(sys.argv[1])
gm.predict(X), gm.score(X)
assert gm._scorer.backend.name == "c"
assert not {"numba", "llvmlite"} & set(sys.modules)
""",
        tmp_path / "model.npz",
    )


FIRST_SCORE = """
gm = fastgmm.load(sys.argv[1])
modules, attributes = set(sys.modules), dict(vars(gm))
getattr(gm, sys.argv[2])(X[: int(sys.argv[3])])
assert set(sys.modules) == modules, set(sys.modules) - modules
assert list(vars(gm)) == list(attributes)
assert all(vars(gm)[name] is value for name, value in attributes.items())
"""


@pytest.mark.parametrize("n_rows", [1, 2000])
@pytest.mark.parametrize("method", ["score_samples", "predict", "predict_proba", "score"])
def test_the_first_score_of_a_loaded_model_imports_nothing_and_writes_nothing(tmp_path, rng, method, n_rows):
    GaussianMixture(2, tol=0.1, random_state=0).fit(rng.normal(size=(100, 3))).save(tmp_path / "model.npz")
    run(FIRST_SCORE, tmp_path / "model.npz", method, n_rows)


def test_scoring_leaves_the_attributes_of_a_fit_alone(rng):
    X = rng.normal(size=(300, 3))
    model = GaussianMixture(2, tol=0.1, random_state=0).fit(X)
    before = dict(vars(model))
    for data in (X, X[:1], X.astype(np.float32), np.asfortranarray(X), X.tolist()):
        model.score_samples(data), model.predict(data), model.predict_proba(data), model.score(data), model.bic(data)
    assert vars(model).keys() == before.keys()
    assert all(vars(model)[name] is value for name, value in before.items())
