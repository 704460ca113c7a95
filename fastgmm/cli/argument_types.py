"""What texts on the command line are read as; complaints become those of usage."""

import os
from argparse import ArgumentTypeError, Namespace
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from fastgmm.data.choice import NUMERIC
from fastgmm.data.tables import require_known_kind
from fastgmm.families import FAMILIES

Result = TypeVar("Result")


def as_argument(read: Callable[[str], Result]) -> Callable[[str], Result]:
    """What argparse wants of a function of a text: complaints in a type of its own."""

    def readable(text: str) -> Result:
        try:
            return read(text)
        except ValueError as error:
            raise ArgumentTypeError(str(error)) from None

    return readable


@as_argument
def input_file(text: str) -> str:
    require_known_kind(text)
    return text


@as_argument
def input_in_memory_or_blocks(text: str) -> str:
    if not os.path.isdir(text):
        require_known_kind(text)
    return text


def is_in_blocks(arguments: Namespace) -> bool:
    """Whether a command reads its points in blocks: it was asked to, in one way or another, or reads a directory."""
    if not hasattr(arguments, "in_blocks"):
        return False
    beside = (getattr(arguments, name, None) for name in ("block_rows", "cache", "weight", "label_column"))
    asked = arguments.in_blocks or any(value is not None for value in beside)
    return bool(asked) or os.path.isdir(arguments.points)


def file_that_ends_in(suffixes: Sequence[str]) -> Callable[[str], str]:
    def file_name(text: str) -> str:
        if Path(text).suffix.lower() not in suffixes:
            raise ValueError(f"{text}: expected a file name that ends in {' or '.join(suffixes)}")
        return text

    return as_argument(file_name)


@as_argument
def delimiter(text: str) -> str:
    character = {"tab": "\t", "\\t": "\t", "space": " "}.get(text, text)
    if len(character) != 1 or character.isalnum() or character in '"\r\n.+-':
        raise ValueError(f"{text!r} is not a character that separates cells, tab or space")
    return character


@as_argument
def column_names(text: str) -> list[str] | str:
    """Names of columns, or the word for those that hold numbers."""
    if text.strip() == NUMERIC:
        return NUMERIC
    names = [name.strip() for name in text.split(",")]
    if "" in names:
        raise ValueError(f"{text!r}: a column without a name")
    return names


@as_argument
def numbers_of_components(text: str) -> list[int]:
    """A range such as 1..20, or a list such as 2,4,8."""
    first, is_range, last = text.partition("..")
    try:
        numbers = list(range(int(first), int(last) + 1)) if is_range else [int(each) for each in text.split(",")]
    except ValueError:
        numbers = []
    if not numbers or min(numbers) < 1:
        raise ValueError(f"{text!r} is neither a range such as 1..20 nor a list such as 2,4,8 of numbers from 1")
    return numbers


@as_argument
def families(text: str) -> str | list[str]:
    """Kinds of covariances, or all."""
    if text == "all":
        return text
    names = text.split(",")
    if unknown := [name for name in names if name not in FAMILIES]:
        raise ValueError(f"{unknown[0]!r} is none of {', '.join(FAMILIES)}")
    return names
