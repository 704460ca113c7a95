"""``fastgmm --print-completion``: what has a shell complete the command, which shtab writes."""

from argparse import Action, ArgumentParser, _SubParsersAction
from collections.abc import Iterator
from typing import Any

# The arguments that are files or directories, by their name among those that are parsed.
_FILES = ("points", "model", "moments", "output", "labels", "errors", "checkpoint", "cache", "picture")


def completion_of(parser: ArgumentParser, shell: str) -> str:
    """A script for ``"bash"``, ``"zsh"`` or ``"tcsh"``.

    Raises
    ------
    ImportError
        Without shtab.
    """
    try:
        import shtab
    except ImportError as error:
        raise ImportError("completion needs shtab: pip install 'fastgmm[completion]'") from error
    for action in _actions_of(parser):
        if action.dest in _FILES:
            completed: Any = action  # an attribute of shtab's, which argparse does not know
            completed.complete = shtab.FILE
    script: str = shtab.complete(parser, shell)
    return script


def _actions_of(parser: ArgumentParser) -> Iterator[Action]:
    """Those of all commands."""
    for action in parser._actions:
        yield action
        if isinstance(action, _SubParsersAction):
            for command in action.choices.values():
                yield from _actions_of(command)
