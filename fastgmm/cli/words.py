"""What the estimator says, in the words of the command: options by their flags, rows of labels by where they stand."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from fastgmm.data.tables.label_files import LabelFile
from fastgmm.fit.options import OPTIONS

_ARGUMENT_OF_BLOCKS = re.compile(r"blocks_of\(\.\.\., (\w+)=\.\.\.\)")
_PLACE = re.compile(r"labels\[(\d+)(?:, (\d+))?\]")


def with_flags(message: str) -> str:
    """The message with the flags of options in the place of their names: ``name='x'`` becomes ``--flag x``."""
    for name, option in OPTIONS.items():
        if option.flags:
            flag = option.flags.split()[-1]
            message = re.sub(rf"\b{name}='?([\w.+-]*\w)'?", rf"{flag} \1", message)
            # A name of one word may be a word.
            message = re.sub(rf"\b{name}\b" if "_" in name else f"'{name}'", flag, message)
    return message


def in_words_of_usage(message: str) -> str:
    """What is said of options that do not go together, as what is wrong with a command line."""
    message = re.sub(r"The (\S+) parameter of \S+ must be None", r"\1 must be left out", with_flags(message))
    return re.sub(r"\.? Got .* instead\.$", "", message)


@contextmanager
def messages_about(labels: LabelFile | None, points: str) -> Iterator[None]:
    """A ``ValueError`` about labels says their file and line, and the file of the points."""
    try:
        yield
    except ValueError as error:
        if labels is None or (message := with_places(str(error), labels, points)) == str(error):
            raise
        raise ValueError(with_flags(message)) from error


@contextmanager
def messages_about_blocks() -> Iterator[None]:
    """A ``ValueError`` that says what to ask of ``blocks_of``, or what is wrong with a label, says it with flags."""
    try:
        yield
    except ValueError as error:
        message = _ARGUMENT_OF_BLOCKS.sub(r"--\1", str(error))
        if ": the label is " in message:
            message = with_flags(message)
        if message == str(error):
            raise
        raise ValueError(message) from error


def with_places(message: str, labels: LabelFile, points: str) -> str:
    """The message with the file of the labels and the line in the place of ``labels[row]``; X is the file of points."""
    if "labels" not in message:
        return message
    place = _PLACE.match(message)
    if place is not None:
        row, column = place.groups()
        in_column = "" if column is None else f", column {int(column) + 1}"
        return f"{labels.place(int(row))}{in_column}: the label{message[place.end() :]}"
    if message.startswith("labels has"):
        return message.replace("labels", labels.name, 1).replace("X has", f"{points} has")
    return f"{labels.name}: {message}"
