"""What imports what: read from the sources, and tried in fresh interpreters."""

import ast
import graphlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import fastgmm

ROOT = Path(fastgmm.__file__).parent
FILES = sorted(ROOT.rglob("*.py"))
# Where a library may be imported: the files, and whether only inside functions there.
HOMES = {
    "numba": ("kernels/numba_/", False),
    "llvmlite": ("kernels/numba_/", False),
    "scipy": ("families/factors.py", True),
    "matplotlib": ("show/figures.py", True),
    "tqdm": ("show/progress.py", True),
    "shtab": ("cli/completion.py", True),
    "pyarrow": (
        "data/tables/arrow_columns.py data/tables/arrow_files.py data/tables/arrow_text.py "
        "data/tables/parquet_files.py data/blocks/arrow.py sweeps/on_spark.py",
        True,
    ),
    "pyspark": ("sweeps/on_spark.py", True),
    "py4j": ("sweeps/on_spark.py", True),
    "pandas": ("data/tables/parquet_files.py estimator/transformer.py", True),
    "dask": ("data/blocks/dask_parts.py", True),
    "distributed": ("sweeps/on_dask.py", True),
    "onnx": ("files/onnx_file.py", True),
    "polars": ("estimator/transformer.py", True),
    "sklearn": (
        "estimator/interchange.py estimator/protocol.py estimator/metadata_routing.py estimator/transformer.py",
        True,
    ),
}


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def module_of(path: Path) -> str:
    parts = path.relative_to(ROOT.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_of(path): path for path in FILES}


def imported(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        assert node.level == 0, "imports name the whole path"
        names = [f"{node.module}.{alias.name}" for alias in node.names]
        return [name if name in MODULES else str(node.module) for name in names]
    return []


def imports(path: Path) -> Iterator[tuple[str, bool]]:
    """Every module that a file imports, and whether it does so when it is loaded."""

    def visit(node: ast.AST, at_load: bool) -> Iterator[tuple[str, bool]]:
        for child in ast.iter_child_nodes(node):
            yield from ((name, at_load) for name in imported(child))
            inside_function = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            yield from visit(child, at_load and not inside_function)

    return visit(ast.parse(path.read_text()), True)


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_a_library_is_imported_only_where_it_is_at_home(path: Path) -> None:
    for module, at_load in imports(path):
        home, lazily = HOMES.get(module.split(".")[0], (name_of(path), False))
        assert any(name_of(path).startswith(place) for place in home.split()), f"{module} is at home in {home}"
        assert not (lazily and at_load), f"{module} is imported when {name_of(path)} is"


def test_imports_go_one_way() -> None:
    graph = {
        module: {name for name, at_load in imports(path) if at_load and name in MODULES}
        for module, path in MODULES.items()
    }
    assert list(graphlib.TopologicalSorter(graph).static_order())


# From the ground up. A floor uses those before it; rooms on one floor do not know each other, but nouns do.
FLOORS = [
    "errors version parameters moments rows entries",
    "machine",
    "families kernels data",
    "sweeps",
    "fit",
    "model files show",
    "selection",
    "estimator",
    "cli",
]
FLOOR = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms.split()}
# Where pickles of 0.1.0 look for classes.
OLD_HOMES = {"fastgmm.mixture", "fastgmm.em"}


def test_imports_go_down_the_floors_and_never_sideways() -> None:
    for module in MODULES.keys() - OLD_HOMES - {"fastgmm", "fastgmm.__main__"}:
        room = module.split(".")[1]
        for other in {name.split(".")[1] for name, _ in imports(MODULES[module]) if name.startswith("fastgmm.")}:
            is_noun = FLOOR[room] == FLOOR[other] == 0
            assert other == room or is_noun or FLOOR[other] < FLOOR[room], f"{module} takes from {other}"


def test_the_root_holds_nouns_and_the_front_door_only() -> None:
    at_the_root = {module for module in MODULES if module.count(".") == 1 and MODULES[module].name != "__init__.py"}
    assert at_the_root == {f"fastgmm.{noun}" for noun in FLOORS[0].split()} | OLD_HOMES | {"fastgmm.__main__"}


def test_c_headers_include_one_another_in_one_way() -> None:
    headers = {path.name: path for path in (ROOT / "kernels" / "c").glob("*.h")}
    graph = {
        name: {line.split('"')[1] for line in path.read_text().splitlines() if line.startswith('#include "')}
        for name, path in headers.items()
    }
    assert list(graphlib.TopologicalSorter(graph).static_order())


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_files_and_functions_stay_short(path: Path) -> None:
    text = path.read_text()
    assert len(text.splitlines()) <= 400
    longest = 80 if name_of(path).startswith("kernels/") else 50
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef):
            documented = isinstance(node.body[0], ast.Expr) and isinstance(node.body[0].value, ast.Constant)
            docstring = node.body[0].end_lineno - node.body[0].lineno + 1 if documented else 0
            assert node.end_lineno - node.lineno + 1 - docstring <= longest, node.name


def run(script: str) -> str:
    done = subprocess.run([sys.executable, "-W", "error", "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_importing_fastgmm_loads_no_heavy_library_and_starts_no_thread() -> None:
    run(
        """
import os, sys, threading
import numpy  # which starts its own threads
tasks = "/proc/self/task"
before = len(os.listdir(tasks)) if os.path.exists(tasks) else 0
import fastgmm
heavy = {"numba", "llvmlite", "scipy", "sklearn", "matplotlib", "tqdm", "pandas", "pyarrow", "joblib", "pyspark"}
heavy |= {"onnx"}
assert not heavy & set(sys.modules), heavy & set(sys.modules)
assert threading.active_count() == 1
assert before == (len(os.listdir(tasks)) if os.path.exists(tasks) else 0)
"""
    )


def test_a_fit_loads_masked_arrays_no_more_than_importing_numpy_does() -> None:
    run(
        """
import sys
import numpy as np
before = "numpy.ma" in sys.modules
import fastgmm
X = [[0.0], [1.0], [5.0]]
fastgmm.GaussianMixture(backend="numpy").fit(X, sample_weight=[1, 2, 1], labels=[0, -1, 0])
assert ("numpy.ma" in sys.modules) == before
"""
    )


@pytest.mark.skipif(sys.platform == "win32", reason="there scipy says where its libraries are")
def test_a_fit_loads_lapack_and_nothing_else_of_scipy_which_is_whole_when_it_is_imported() -> None:
    run(
        """
import sys
import numpy as np, fastgmm
X = np.random.RandomState(0).normal(size=(100, 2))
fastgmm.GaussianMixture(2, backend="numpy", tol=0.1, random_state=0).fit(X)
assert [name for name in sys.modules if "scipy" in name] == ["fastgmm.machine.alone.scipy.linalg._flapack"]
import scipy.linalg.lapack
assert scipy.linalg._flapack.dpotrf is scipy.linalg.lapack.dpotrf
assert scipy.linalg.cholesky([[4.0]]) == 2.0
"""
    )


def test_what_chooses_among_mixtures_is_loaded_when_it_is_first_asked_for() -> None:
    run(
        """
import pickle, sys
import numpy as np, fastgmm
fastgmm.GaussianMixture(2, backend="numpy", tol=0.1, random_state=0).fit(np.random.RandomState(0).normal(size=(50, 2)))
assert not [name for name in sys.modules if name.startswith("fastgmm.selection")]
assert "select" in dir(fastgmm)
assert pickle.loads(pickle.dumps(fastgmm.Selection)) is fastgmm.Selection
assert fastgmm.GaussianMixtureSelection.__module__ == "fastgmm"
try:
    fastgmm.chose
except AttributeError as error:
    assert "'chose'" in str(error)
else:
    raise AssertionError
"""
    )


def test_importing_fastgmm_loads_nothing_that_reads_tables() -> None:
    run(
        """
import sys
import fastgmm
assert not [name for name in sys.modules if name.startswith("fastgmm.data.tables")]
"""
    )


def test_the_numpy_backend_never_loads_numba() -> None:
    run(
        """
import sys
sys.modules["numba"] = None
import numpy as np, fastgmm
X = np.random.RandomState(0).normal(size=(100, 2))
gm = fastgmm.GaussianMixture(2, backend="numpy", tol=0.1, random_state=0).fit(X)
gm.predict(X), gm.score(X), gm.sample(3)
"""
    )


@pytest.mark.parametrize("backend", ["numpy", "auto"])
def test_everything_but_the_exchange_works_without_scikit_learn(tmp_path: Path, backend: str) -> None:
    run(
        f"""
import os, sys, warnings
sys.modules["sklearn"] = None
os.environ["FASTGMM_BACKEND"] = {backend!r}
import numpy as np, fastgmm
from fastgmm.errors import ConvergenceWarning, DegenerateComponentError, NotFittedError

def expect(error, call):
    try:
        call()
    except error as caught:
        return caught
    raise AssertionError(f"no {{error}}")

X = np.random.RandomState(0).normal(size=(200, 2))
gm = fastgmm.GaussianMixture(2, tol=0.1, random_state=0)
error = expect(NotFittedError, lambda: gm.predict(X))
assert isinstance(error, ValueError) and isinstance(error, AttributeError)
labels = gm.fit_predict(X)
assert (labels == gm.predict(X)).all()
gm.save({str(tmp_path / "model.npz")!r})
assert (fastgmm.load({str(tmp_path / "model.npz")!r}).predict_proba(X) == gm.predict_proba(X)).all()
gm.score(X), gm.bic(X), gm.aic(X), gm.sample(5), repr(gm), gm.get_params()
imputer = fastgmm.GaussianMixtureImputer(gm)
assert np.isfinite(imputer.fit_transform(np.where(X > 1.5, np.nan, X))).all()
assert "needs scikit-learn" in str(expect(ImportError, lambda: imputer.set_params(add_indicator=True).fit(X)))
assert not hasattr(fastgmm.GaussianMixture(), "_repr_html_")
assert "<td>0</td>" in gm._repr_html_()
expect(ValueError, lambda: gm.set_params(foo=1))
expect(ValueError, lambda: gm.fit([[np.inf, 1.0]] * 3))
expect(DegenerateComponentError, lambda: fastgmm.GaussianMixture(reg_covar=0).fit(np.ones((9, 2))))
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    fastgmm.GaussianMixture(2, tol=0, max_iter=1).fit(X)
assert [warning.category for warning in caught] == [ConvergenceWarning]
message = str(expect(ImportError, gm.to_sklearn))
assert "to_sklearn needs scikit-learn" in message
assert not [name for name in sys.modules if name.startswith("sklearn.")]
"""
    )
