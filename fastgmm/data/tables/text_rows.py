"""Text as rows of cells, and how a caller says what the text is like."""

import csv
import gzip
import io
import re
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Literal, TextIO, TypeAlias, get_args

from fastgmm.data.tables.source import Source

Header: TypeAlias = Literal["auto", "yes", "no"]
HEADERS: tuple[str, ...] = get_args(Header)
SPACES = " "
_BLOCK_CHARACTERS = 2**20
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

    @contextmanager
    def opened(self) -> Iterator[TextIO]:
        """The text, decompressed where it is gzipped; errors of reading it name the source.

        Raises
        ------
        ValueError
            For what is damaged, not UTF-8, or not CSV.
        """
        is_compressed = self.source.beginning().startswith(b"\x1f\x8b")
        try:
            with (
                self.source.open() as file,
                gzip.open(file) if is_compressed else nullcontext(file) as content,
                io.TextIOWrapper(content, encoding="utf-8-sig") as text,
            ):
                yield text
        except UnicodeDecodeError as error:
            raise ValueError(f"{self.source.name}: not a text file in UTF-8 ({error})") from error
        except csv.Error as error:
            raise ValueError(f"{self.source.name}: not a CSV file ({error})") from error
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise ValueError(f"{self.source.name}: gzipped, and damaged or truncated ({error})") from error

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
            lines = (" ".join(line.split()) for line in text) if self.delimiter == SPACES else text
            rows = csv.reader(lines, delimiter=self.delimiter)
            for row in rows:
                if row:
                    yield rows.line_num, row


@dataclass(frozen=True)
class Layout:
    """What the first row says of the rest.

    Attributes
    ----------
    rows : TextRows
    first : sequence of str
        The first row.
    names : tuple of str, or None
        Of the columns.
    n_header_lines : int
        How many lines to skip.
    positions : list of int, or None
        Of the columns to read; None for all.
    """

    rows: TextRows
    first: Sequence[str]
    names: tuple[str, ...] | None
    n_header_lines: int
    positions: list[int] | None

    @property
    def read(self) -> Sequence[int]:
        """The positions of the columns to read."""
        return range(len(self.first)) if self.positions is None else self.positions

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
