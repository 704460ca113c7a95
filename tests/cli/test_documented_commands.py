"""The commands and the Python that the pages on tables and on the command line show run as they stand there."""

import re
import shlex
from pathlib import Path

import numpy as np
import pytest

import fastgmm
from fastgmm.cli.command_line import main
from fastgmm.cli.parser import make_parser
from fastgmm.errors import ColumnsLeftOutWarning

DOCS = Path(__file__).resolve().parents[2] / "docs"


def blocks(page, language):
    text = (DOCS / page).read_text(encoding="utf-8")
    return re.findall(rf"```{language}\n(.*?)```", text, flags=re.DOTALL)


def commands():
    lines = "".join(blocks("command-line.md", "sh")).splitlines()
    return [shlex.split(line, comments=True)[1:] for line in lines]


@pytest.mark.prints
def test_the_page_of_the_command_line_runs_from_top_to_bottom(tmp_path, monkeypatch):
    for extra in ("matplotlib", "onnx"):
        pytest.importorskip(extra)
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(300, 2)) + 8 * rng.integers(3, size=(300, 1))
    lines = [f"{x!r},{y!r}\n" for x, y in rows.tolist()]
    Path("points.csv").write_text("x,y\n" + "".join(lines))
    Path("holes.csv").write_text("x,y\n1,\n,2\n3,4\n")
    Path("flights.csv").write_text("carrier,x,y\n" + "".join(f"UA,{line}" for line in lines))
    for arguments in commands():
        assert main(arguments) == 0, arguments


def test_every_command_is_on_the_page():
    known = next(action for action in make_parser()._actions if action.dest == "command").choices
    text = (DOCS / "command-line.md").read_text(encoding="utf-8")
    assert [name for name in known if f"fastgmm {name}" not in text] == []


def test_the_python_of_the_page_of_tables_runs(capsys):
    pytest.importorskip("pandas")
    [code] = blocks("tables.md", "python")
    names: dict[str, object] = {}
    with pytest.warns(ColumnsLeftOutWarning, match="'carrier' .*'time_hour' "):
        exec(code, names)
    assert capsys.readouterr().out == "['delay', 'distance']\n"
    assert isinstance(names["gm"], fastgmm.GaussianMixture)
