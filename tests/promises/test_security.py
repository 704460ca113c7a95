"""What SECURITY.md promises of the package, read from its sources and watched while it works."""

import ast
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import fastgmm
from tests.conftest import BACKENDS
from tests.model_files import encoded, make_model

ROOT = Path(fastgmm.__file__).parent
FILES = sorted(ROOT.rglob("*.py"))

# Modules that run what they read, run programs, talk to others, or write where they please; functions that do.
FORBIDDEN_MODULES = """
    pickle marshal shelve dill cloudpickle joblib yaml subprocess multiprocessing socket ctypes urllib http runpy code
    tempfile shutil zipfile tarfile
"""
FORBIDDEN_FUNCTIONS = "eval exec __import__ system popen execv execve spawnv posix_spawn fromfile"
# What changes files, and where it may stand: the one way to a file, and the cache directory of compiled kernels.
CHANGING = """
    mkdir makedirs unlink remove rename chmod rmdir symlink_to hardlink_to touch write_text write_bytes tofile savez
    savetxt memmap
"""
CACHE = "kernels/numba_/cache.py"
MAY_CHANGE = {
    "machine/whole_file.py": {"unlink", "chmod"},
    CACHE: {"mkdir", "unlink"},
    "data/blocks/partition_files.py": {"memmap", "unlink"},  # maps for reading, and removes what it has written
}
# The name of an exception.
MAY_IMPORT = {
    CACHE: {"pickle"},
    "data/tables/numpy_files.py": {"zipfile"},
    # What travels between Spark's driver and its executors.
    "sweeps/on_spark.py": {"pickle"},
    "sweeps/spark_tasks.py": {"pickle"},
    # And between a client of Dask and its workers.
    "sweeps/on_dask.py": {"pickle"},
}


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def calls(path: Path) -> Iterator[tuple[str, str, ast.Call]]:
    """Every call in a file: the whole name of what is called, its last part, and the call."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call):
            whole = ast.unparse(node.func)
            yield whole, whole.rsplit(".")[-1], node


def constant(call: ast.Call, position: int, name: str, default: object) -> object:
    """An argument, which must be there to be read."""
    given = [each.value for each in call.keywords if each.arg == name] + call.args[position : position + 1]
    return ast.literal_eval(given[0]) if given else default


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_nothing_unpickles_evaluates_or_starts_programs(path: Path) -> None:
    nodes = list(ast.walk(ast.parse(path.read_text())))
    modules = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    modules += [str(node.module) for node in nodes if isinstance(node, ast.ImportFrom)]
    forbidden = set(FORBIDDEN_MODULES.split()) - MAY_IMPORT.get(name_of(path), set())
    assert not {module.split(".")[0] for module in modules} & forbidden
    for whole, last, call in calls(path):
        assert last not in FORBIDDEN_FUNCTIONS.split(), whole
        assert whole != "compile", "of Python's own, not a regular expression's"
        if whole == "np.load":
            assert constant(call, 2, "allow_pickle", True) is False
        if last in ("import_module", "import_whole", "import_alone") and name_of(path) != "machine/waiting.py":
            for name in call.args:  # which stand in the sources
                assert isinstance(name, ast.Constant) or ast.unparse(name) == "_MODULES[name]"


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_files_are_changed_in_one_place(path: Path) -> None:
    may = MAY_CHANGE.get(name_of(path), set())
    for whole, last, call in calls(path):
        assert last not in set(CHANGING.split()) - may, whole
        if whole == "open":
            mode = str(constant(call, 1, "mode", "r"))
            assert mode in ("r", "rb") or name_of(path) == "machine/whole_file.py", mode
        if whole in ("os.replace", "np.save"):
            assert name_of(path) == "machine/whole_file.py"
        if whole == "os.open":
            assert ast.unparse(call) == "os.open(os.devnull, os.O_WRONLY)"


# --- watched ---------------------------------------------------------------------------------------------------------

WATCHED = """
import json, os, sys

happened = []  # what writes, at any time; what runs code, once all is imported
is_warm = False
WRITES = {"os.mkdir", "os.remove", "os.rename", "os.rmdir", "os.chmod", "os.symlink", "os.link", "os.truncate"}
RUNS = {"exec", "compile", "marshal.loads", "pickle.find_class", "import"}
ALWAYS = {"subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.fork", "socket.connect"}

def hook(event, arguments):
    if event == "open":
        path, mode, flags = arguments
        if isinstance(path, str | bytes) and flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
            happened.append([event, os.fsdecode(path)])
    elif event in WRITES:
        happened.append([event, *(os.fspath(each) for each in arguments if isinstance(each, str | os.PathLike))])
    elif event in ALWAYS or (is_warm and event in RUNS):
        happened.append([event, "", repr(arguments)[:200]])

sys.addaudithook(hook)
import numpy as np
import fastgmm
from fastgmm.errors import ModelFormatError

folder, backend, damaged = sys.argv[1:]
X = np.random.RandomState(0).normal(size=(300, 2))

def everything():
    options = {"covariance_type": "spherical", "backend": backend, "init_params": "random", "n_threads": 1}
    gm = fastgmm.GaussianMixture(2, tol=1.0, random_state=0, **options).fit(X)
    gm.save(os.path.join(folder, "model.npz"))
    loaded = fastgmm.load(os.path.join(folder, "model.npz")).set_params(backend=backend)
    loaded.sample(3), repr(loaded)
    if backend != "numba":  # whose kernels take seconds each to compile
        loaded.predict(X), loaded.predict_proba(X), loaded.score(X), loaded.bic(X)
    try:
        fastgmm.load(damaged)
    except ModelFormatError:
        pass
    else:
        raise AssertionError("a damaged file was read")

everything()
is_warm = True
everything()
is_warm = False
print(json.dumps(happened))
"""


def watched(tmp_path: Path, backend: str) -> list[list[str]]:
    damaged = tmp_path / "damaged.npz"
    damaged.write_bytes(encoded(make_model())[:-1])
    (tmp_path / "models").mkdir()
    environment = os.environ | {
        "NUMBA_CACHE_DIR": str(tmp_path / "cache"),
        "PYTHONDONTWRITEBYTECODE": "1",
        "FASTGMM_BACKEND": backend,
    }
    command = [sys.executable, "-c", WATCHED, str(tmp_path / "models"), backend, str(damaged)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    found: list[list[str]] = json.loads(done.stdout)
    return found


def lies_in(path: str, folder: Path) -> bool:
    return Path(path).is_relative_to(folder)


@pytest.mark.parametrize("backend", [name for name in BACKENDS if name != "numba"])
def test_a_fit_a_save_a_load_and_scores_write_the_model_and_run_nothing_else(tmp_path: Path, backend: str) -> None:
    happened = watched(tmp_path, backend)
    assert {event for event, *_ in happened} == {"open", "os.rename", "os.chmod"}
    assert all(lies_in(path, tmp_path / "models") for _, *paths in happened for path in paths)
    assert os.listdir(tmp_path / "models") == ["model.npz"]


@pytest.mark.slow
@pytest.mark.skipif("numba" not in BACKENDS, reason="needs Numba")
def test_with_numba_kernels_are_kept_in_the_cache_directory_and_nothing_else_is_written(tmp_path: Path) -> None:
    """Numba compiles, and reads back what it compiled as pickles: whoever writes there is trusted."""
    cache = tmp_path / "cache"
    for event, *paths in watched(tmp_path, "numba"):
        tried = event == "os.mkdir" and lies_in(str(cache), Path(paths[0]))  # a folder above it, which exists
        if not tried and event not in ("pickle.find_class", "exec", "compile", "marshal.loads", "import"):
            assert all(lies_in(path, tmp_path / "models") or lies_in(path, cache) for path in paths), (event, paths)
    (kernels,) = (cache / "fastgmm").iterdir()
    assert any(kernels.iterdir())
