"""Text as rows of cells, and how a caller says what the text is like."""

import csv
import gzip
import io
import re
import zlib
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from itertools import chain, islice
from typing import BinaryIO, Literal, TextIO, TypeAlias, cast, get_args

from fastgmm.data.tables.source import Source

Header: TypeAlias = Literal["auto", "yes", "no"]
HEADERS: tuple[str, ...] = get_args(Header)
SPACES = " "
_BLOCK_CHARACTERS = 2**20
_FEW_BYTES = 2**20
# So many characters are numbers in 8 ms; of twice as many C's allocator puts some arrays where it leaves 17 MB of gaps.
_CHUNK_CHARACTERS = 2**17
_EMPTY_LINE = re.compile(r"\n[ \t]+\n")


@dataclass(frozen=True)
class TextForm:
    """How text is to be read, where its name does not say all.

    Attributes
    ----------
    header : {"auto", "yes", "no"}
        Whether the first row holds names; ``"auto"``: where it looks like names.
    delimiter : str, or None
        A character; a space stands for any number of spaces and tabs. None: what the file's name says.
    """

    header: Header = "auto"
    delimiter: str | None = None


@dataclass(frozen=True)
class TextRows:
    """Rows of cells that a delimiter separates; blank lines are none."""

    source: Source
    delimiter: str

    @property
    def n_lines_before(self) -> int:
        return 0

    @contextmanager
    def opened(self) -> Iterator[TextIO]:
        """The text; errors of reading it name the source.

        Raises
        ------
        ValueError
            For what is damaged, not UTF-8, or not CSV.
        """
        with self.opened_bytes() as content, io.TextIOWrapper(content, encoding="utf-8-sig") as text:
            yield text

    @contextmanager
    def opened_bytes(self) -> Iterator[BinaryIO]:
        """Its bytes, decompressed where they are gzipped; errors as those of the text."""
        is_compressed = self.source.beginning().startswith(b"\x1f\x8b")
        try:
            with self.source.open() as file, gzip.open(file) if is_compressed else nullcontext(file) as content:
                yield cast(BinaryIO, content)
        except UnicodeDecodeError as error:
            raise ValueError(f"{self.source.name}: not a text file in UTF-8 ({error})") from error
        except csv.Error as error:
            raise ValueError(f"{self.source.name}: not a CSV file ({error})") from error
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise ValueError(f"{self.source.name}: gzipped, and damaged or truncated ({error})") from error

    def are_few(self) -> bool:
        """Whether these are so few bytes that NumPy has read them before another library is imported."""
        with self.opened_bytes() as content:
            return len(content.read(_FEW_BYTES)) < _FEW_BYTES

    def have_empty_line(self) -> bool:
        """Whether a line is, where spaces separate cells also of spaces; or, in vain, only the last one."""
        with self.opened() as text:
            rest = ""
            while block := text.read(_BLOCK_CHARACTERS):
                some = rest + block
                if "\n\n" in some or (self.delimiter == SPACES and _EMPTY_LINE.search(some)):
                    return True
                rest = block[block.rfind("\n") :]
        return False

    def numbered(self) -> Iterator[tuple[int, list[str]]]:
        """Each row with the number of its last line, from 1."""
        with self.opened() as text:
            yield from _numbered(text, self.delimiter)

    def chunks(self, n_header_lines: int) -> Iterator["Chunk"]:
        """The lines below the header, some at a time."""
        n_lines_before = last = n_header_lines
        with self.opened() as text:
            deque(islice(text, n_lines_before), maxlen=0)
            while lines := text.readlines(_CHUNK_CHARACTERS):
                lines = _with_last_row(lines, text, self.delimiter)
                chunk = Chunk(self.source, self.delimiter, lines, n_lines_before, last)
                yield chunk
                n_lines_before += len(lines)
                last = chunk.line_of_last_row


@dataclass(frozen=True, eq=False)
class Chunk:
    """Some lines of text, read as the whole would be.

    Attributes
    ----------
    source : Source
    delimiter : str
    lines : list of str
    n_lines_before : int
        How many lines of the text are above.
    last_before : int
        The number of the last line above, from 1, that is no blank one.
    """

    source: Source
    delimiter: str
    lines: list[str]
    n_lines_before: int
    last_before: int

    @contextmanager
    def opened(self) -> Iterator[Iterable[str]]:
        yield self.lines

    @contextmanager
    def opened_bytes(self) -> Iterator[BinaryIO]:
        yield io.BytesIO("".join(self.lines).encode())

    def are_few(self) -> bool:
        """Text is read in chunks where there is much of it."""
        return False

    def have_empty_line(self) -> bool:
        """Whether a line is, or one just above."""
        return self.last_before < self.n_lines_before or any(is_empty_line(line, self.delimiter) for line in self.lines)

    def numbered(self) -> Iterator[tuple[int, list[str]]]:
        """Each row with the number of its last line in the text."""
        return ((self.n_lines_before + line, row) for line, row in _numbered(self.lines, self.delimiter))

    @property
    def line_of_last_row(self) -> int:
        end = len(self.lines)
        while end and is_empty_line(self.lines[end - 1], self.delimiter):
            end -= 1
        return self.n_lines_before + end if end else self.last_before


def is_empty_line(line: str, delimiter: str) -> bool:
    return not (line.strip() if delimiter == SPACES else line.rstrip("\n"))


def _numbered(text: Iterable[str], delimiter: str) -> Iterator[tuple[int, list[str]]]:
    lines = (" ".join(line.split()) for line in text) if delimiter == SPACES else text
    rows = csv.reader(lines, delimiter=delimiter)
    for row in rows:
        if row:
            yield rows.line_num, row


def _with_last_row(lines: list[str], text: Iterable[str], delimiter: str) -> list[str]:
    """The lines, and those after them that end the last row: a cell in quotes may go on there."""
    if not any('"' in line for line in lines):
        return lines
    more = list[str]()

    def rest() -> Iterator[str]:
        for line in text:
            more.append(line)
            yield line

    rows = csv.reader(chain(lines, rest()), delimiter=delimiter)
    while rows.line_num < len(lines):
        next(rows, None)
    return lines + more


@dataclass(frozen=True)
class Layout:
    """What the first row says of the rest.

    Attributes
    ----------
    rows : TextRows or Chunk
    first : sequence of str
        The first row.
    names : tuple of str, or None
        Of the columns.
    n_header_lines : int
        How many lines to skip.
    positions : list of int, or None
        Of the columns to read; None for all.
    """

    rows: TextRows | Chunk
    first: Sequence[str]
    names: tuple[str, ...] | None
    n_header_lines: int
    positions: list[int] | None

    @property
    def read(self) -> Sequence[int]:
        """The positions of the columns to read."""
        return range(len(self.first)) if self.positions is None else self.positions

    @property
    def n_lines_to_skip(self) -> int:
        """How many of the lines that ``rows`` has are above the first row of data."""
        return max(0, self.n_header_lines - self.rows.n_lines_before)

    @property
    def has_one_column(self) -> bool:
        """In a file of one column an empty line between two others is a row, whose value is missing."""
        return len(self.first) == 1

    def data(self) -> Iterator[tuple[int, list[str]]]:
        """Each row below the header with the number of its last line, from 1."""
        last = self.n_header_lines
        for line, row in self.rows.numbered():
            if self.has_one_column and last:
                yield from ((blank, [""]) for blank in range(last + 1, line))
            if line > self.n_header_lines:
                yield line, row
                last = line
