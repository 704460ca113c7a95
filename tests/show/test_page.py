"""The commands on the page of pictures; ``tests/promises/test_pages.py`` runs its Python."""

import re
from pathlib import Path

import pytest

from fastgmm.cli.parser import make_parser

PAGE = Path(__file__).parents[2] / "docs" / "pictures.md"

pytestmark = pytest.mark.skipif(not PAGE.exists(), reason="an installed package has no pages")


def test_its_commands_are_those_of_the_command_line() -> None:
    commands = re.findall(r"^    fastgmm (.+)$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert [make_parser().parse_args(command.split()).command for command in commands] == ["plot"] * 3
