"""The commands that the page of the command line shows run as they stand there, and it shows all of them."""

import re
import shlex
from pathlib import Path

import numpy as np
import pytest

from fastgmm.cli.command_line import main
from fastgmm.cli.parser import make_parser
from tests.promises.pages import commands, text_of


@pytest.mark.prints
def test_the_page_of_the_command_line_runs_from_top_to_bottom(tmp_path, monkeypatch):
    for extra in ("matplotlib", "onnx"):
        pytest.importorskip(extra)
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(300, 2)) + 8 * rng.integers(3, size=(300, 1))
    lines = [f"{x!r},{y!r}\n" for x, y in rows.tolist()]
    Path("points.csv").write_text("x,y\n" + "".join(lines))
    Path("variances.csv").write_text("x,y\n" + "0.5,0.1\n" * 300)
    Path("holes.csv").write_text("x,y\n1,\n,2\n3,4\n")
    Path("flights.csv").write_text("carrier,x,y\n" + "".join(f"UA,{line}" for line in lines))
    for program, *arguments in commands("command-line.md"):
        assert program == "fastgmm"
        assert main(arguments) == 0, arguments


def test_every_command_is_on_the_page():
    known = next(action for action in make_parser()._actions if action.dest == "command").choices
    assert [name for name in known if f"fastgmm {name}" not in text_of("command-line.md")] == []


def test_the_page_of_tables_shows_what_is_said_of_columns_left_out(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    rows = 9 * rng.integers(4, size=(400, 1)) + rng.normal(size=(400, 2))
    lines = [f"UA,N14228,EWR,IAH,2013-01-01 05:00:00,{x},{y}" for x, y in rows.tolist()]
    Path("flights.csv").write_text("\n".join(["carrier,tailnum,origin,dest,time_hour,delay,distance", *lines]))
    [(command, told)] = re.findall(r"^    \$ fastgmm (.+)\n((?:    .+\n)+)", text_of("tables.md"), flags=re.MULTILINE)
    main([*shlex.split(command), "--max-iter", "1"])
    assert " ".join(told.split()) in capsys.readouterr().err
