"""What keeps signals waiting in any design: calls that hold Python's lock for as long as they take."""

import ast
from collections.abc import Iterator
from pathlib import Path

import fastgmm

ROOT = Path(fastgmm.__file__).parent
# On a million rows, or a matrix of 900, from 20 to 90 ms; others of NumPy give the lock away.
HOLD_THE_LOCK = {"permutation", "shuffle", "unique by rows", "choice without replacement", "dpotrf", "dtrtri", "dtrmm"}
EXCUSED = {
    ("families/factors.py", "dpotrf"): "of at most 1024 rows",
    ("families/factors.py", "dtrtri"): "of at most 1024 rows",
    ("families/factors.py", "dtrmm"): "of blocks, none of which has more than half of the rows",
    ("fit/starts.py", "choice without replacement"): "of at most four million rows, and of more by a Generator",
    ("fit/degenerate.py", "unique by rows"): "of a sample, in an error",
    ("cli/demo.py", "shuffle"): "of the demo's own points",
    ("cli/sampling.py", "permutation"): "of points that the command has drawn, once",
}


def held_in(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Attribute) and node.attr in HOLD_THE_LOCK:
            yield node.attr
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            names = {keyword.arg for keyword in node.keywords}
            if node.func.attr == "unique" and "axis" in names:
                yield "unique by rows"
            if node.func.attr == "choice" and "replace" in names:
                yield "choice without replacement"


def test_no_call_holds_pythons_lock_for_long_but_those_with_an_excuse() -> None:
    found = {(path.relative_to(ROOT).as_posix(), name) for path in ROOT.rglob("*.py") for name in held_in(path)}
    assert found == EXCUSED.keys()


def test_the_algebra_knows_nothing_of_signals() -> None:
    """It asks whether anyone still waits, and imports; the doors hand work to a thread."""
    for path in ROOT.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                assert "signal" not in {alias.name for alias in node.names}, path
            if isinstance(node, ast.ImportFrom) and node.module == "fastgmm.machine.waiting":
                is_algebra = path.relative_to(ROOT).parts[0] in ("families", "sweeps", "fit")
                asked = {alias.name for alias in node.names}
                assert not is_algebra or asked <= {"check", "import_alone", "import_whole"}, path
