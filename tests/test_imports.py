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
    "scipy": ("covariance/factors.py", True),
    "matplotlib": ("plots.py", True),
    "tqdm": ("progress.py", True),
    "pyarrow": ("tables/parquet_files.py", True),
    "pandas": ("tables/parquet_files.py", True),
    "sklearn": ("interchange.py estimator_protocol.py metadata_routing.py", True),
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


@pytest.mark.parametrize(
    ("above", "below"),
    [
        ("covariance", "kernels"),
        ("kernels", "covariance"),
        ("sweep", "kernels/"),
        (
            "em",
            "kernels/ moments.py parameters.py errors.py covariance/ sweep.py degenerate.py validation.py "
            "acceleration.py",
        ),
        (
            "mixture",
            "em.py sweep.py starts.py kmeans.py sampling.py threads.py model_file.py interchange.py options.py",
        ),
        ("scoring", "em.py sweep.py fitted.py fitting.py starts.py kernels/ covariance/ validation.py"),
        ("front", "mixture.py"),
        ("cli", "front.py mixture.py"),
    ],
)
def test_what_lies_below_knows_nothing_of_what_lies_above(above: str, below: str) -> None:
    for path in FILES:
        if any(name_of(path).startswith(place) for place in below.split()):
            known = {module for module, _ in imports(path)}
            assert not any(f"{module}.".startswith(f"fastgmm.{above}.") for module in known), name_of(path)


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
heavy = {"numba", "llvmlite", "scipy", "sklearn", "matplotlib", "tqdm", "pandas", "pyarrow", "joblib"}
assert not heavy & set(sys.modules), heavy & set(sys.modules)
assert threading.active_count() == 1
assert before == (len(os.listdir(tasks)) if os.path.exists(tasks) else 0)
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
assert not hasattr(gm, "_repr_html_")
expect(ValueError, lambda: gm.set_params(foo=1))
expect(ValueError, lambda: gm.fit([[np.nan, 1.0]] * 3))
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
