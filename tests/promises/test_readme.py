"""The README is short, its commands are those of CI, its links lead somewhere; tests that pages name exist, and the
examples of docstrings run."""

import doctest
import importlib.util
import pkgutil
import re

import pytest

import fastgmm
from tests.promises.pages import PAGES, README, ROOT, anchors, commands, text_of


def test_the_readme_is_short_and_shows_two_pictures() -> None:
    assert len(text_of(README).encode()) <= 8192
    pictures = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", text_of(README))
    assert len(pictures) == 2
    assert all((ROOT / picture).stat().st_size < 80_000 for picture in pictures)


def test_what_readme_and_start_install_is_installed_by_ci() -> None:
    """Or installed by CI as it lies there, by ``-e``."""
    scripts = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "ci").glob("*.sh"))
    scripts = scripts.replace("'", "").replace(" -e ", " ")
    installing = [words for page in (README, "start.md") for words in commands(page) if words[0] == "python"]
    assert len(installing) == 6
    for words in installing:
        assert " ".join(words).removeprefix("python -m pip install ").removeprefix("-e ") in scripts


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_to_files_and_headings(page: str) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", text_of(page)):
        if link.startswith(("https://", "auto_gallery/")):  # made by Sphinx, which looks by itself
            continue
        path, _, anchor = link.partition("#")
        target = PAGES[page].parent / path if path else PAGES[page]
        assert target.exists(), link
        assert not anchor or anchor in anchors(target.name), link


def test_every_test_and_folder_that_is_named_exists() -> None:
    named = {name for page in PAGES for name in re.findall(r"`((?:tests|fastgmm|bench|ci)/[\w/.:]*)`", text_of(page))}
    assert len(named) > 80
    for name in named:
        path, _, function = name.partition("::")
        assert (ROOT / path).exists(), name
        assert not function or f"def {function}(" in (ROOT / path).read_text(encoding="utf-8"), name


@pytest.mark.parametrize(
    "name",
    [
        "fastgmm",  # by what public classes say of their home
        *(
            module.name
            for module in pkgutil.walk_packages(fastgmm.__path__, "fastgmm.")
            if not re.search(r"\.numba_|\.c\b|__main__$", module.name)
        ),
    ],
)
def test_the_examples_of_docstrings_run(name):
    runner = doctest.DocTestRunner(verbose=False)  # by default it looks for -v among the arguments of pytest
    for examples in doctest.DocTestFinder().find(importlib.import_module(name)):
        needed = re.findall(r">>> import (sklearn|pandas|onnx)", examples.docstring)
        needed += ["matplotlib"] if re.search(r"Display|\.plot\(", examples.docstring) else []
        if all(importlib.util.find_spec(library) is not None for library in needed):
            runner.run(examples)
    assert runner.failures == 0
