"""The README and the pages under ``docs/``: their text, their blocks of code, and what running these takes."""

import re
import shlex
from collections.abc import Iterable
from pathlib import Path

from fastgmm.cli.command_line import main

ROOT = Path(__file__).resolve().parents[2]
README = "README.md"
PAGES = {path.name: path for path in [ROOT / README, *sorted((ROOT / "docs").glob("*.md"))]}
OPTIONAL_LIBRARIES = "matplotlib|onnx|onnxruntime|pandas|sklearn"


def text_of(page: str) -> str:
    return PAGES[page].read_text(encoding="utf-8")


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", text_of(page), flags=re.DOTALL)


def anchors(page: str) -> set[str]:
    """What links may say behind ``#``: headings, as GitHub and myst spell them."""
    prose = re.sub(r"```.*?```", "", text_of(page), flags=re.DOTALL)
    headings = re.findall(r"^#+ (.+)$", prose, flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def needed_libraries(page: str) -> set[str]:
    """The optional libraries without which the code of a page does not run."""
    code = "".join(blocks(page, "python"))
    needed = set(re.findall(rf"^(?:import|from) ({OPTIONAL_LIBRARIES})\b", code, flags=re.MULTILINE))
    typed = [word for words in commands(page) for word in words]
    if ".plot(" in code or {"plot", "--plot"} & set(typed):
        needed.add("matplotlib")
    if any(word.endswith(".parquet") for word in typed):
        needed |= {"pandas", "pyarrow"}
    return needed


def run_python(page: str, names: dict[str, object]) -> dict[str, object]:
    """Run the blocks of Python on a page from top to bottom, in one namespace."""
    for block in blocks(page, "python"):
        exec(compile(block, page, "exec"), names)
    return names


def commands(page: str) -> Iterable[list[str]]:
    """What is typed into a shell, a list of words for each command; lines with && are several."""
    for line in "".join(blocks(page, "sh")).splitlines():
        for command in line.split(" && "):
            if words := shlex.split(command, comments=True):
                yield words


def run_commands(page: str) -> None:
    """Run the lines of a page that begin with ``fastgmm``, in this process; the demo is run by ``ci/readme.sh``."""
    for program, *arguments in commands(page):
        if program == "fastgmm" and arguments != ["demo"]:
            assert main(arguments) == 0, arguments
