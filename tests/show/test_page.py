"""The page of pictures: its code runs, and prints what it says."""

import re
from pathlib import Path

import pytest

from fastgmm.cli.parser import make_parser

PAGE = Path(__file__).parents[2] / "docs" / "pictures.md"

pytestmark = pytest.mark.skipif(not PAGE.exists(), reason="an installed package has no pages")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)


def test_its_code_runs_and_prints_what_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("matplotlib")
    pytest.importorskip("pandas")
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    for block in blocks("python"):
        exec(block, names)
    (summary,) = blocks("text")
    assert capsys.readouterr().out.strip() == summary.strip()
    assert Path("geyser.png").read_bytes().startswith(b"\x89PNG")


def test_its_commands_are_those_of_the_command_line() -> None:
    commands = re.findall(r"^    fastgmm (.+)$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert [make_parser().parse_args(command.split()).command for command in commands] == ["plot"] * 3
