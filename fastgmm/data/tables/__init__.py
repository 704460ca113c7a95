"""Tables: points out of files of every kind that is read, and results into files.

``reading.py`` chooses by a file's name which module reads it, and says what to do with any other: ``numpy_files.py``
(``.npy``, memory-mapped, and ``.npz``), ``text_files.py`` (``.csv`` and its kin, also gzipped), ``parquet_files.py``
and ``arrow_files.py``, with ``arrow_columns.py`` for whatever pyarrow reads. Where points come from is a ``Source``, so
that standard input is read as a file is. Text takes three steps: ``cells.py`` says what a cell is, a number or a name
or neither; pyarrow (``arrow_text.py``), where it is installed and text is long, or NumPy parses; where neither can,
``text_complaints.py`` says which cell is wrong, and what may be meant. ``results.py`` writes; ``completed.py`` makes
text of a table again, in which all that was not missing is as it was read. Nothing that is read is unpickled.
May be imported: the names below.
"""

from fastgmm.data.table import Table
from fastgmm.data.tables.completed import completed_rows, delimited, rows_of_numbers
from fastgmm.data.tables.reading import INPUT_KINDS, read_points, read_points_and_layout, require_known_kind
from fastgmm.data.tables.results import (
    OUTPUT_SUFFIXES,
    output_suffix,
    require_output,
    rows_as_text,
    write_columns,
    write_lines,
    write_rows,
)
from fastgmm.data.tables.text_rows import HEADERS, Header, Layout, TextForm

__all__ = [
    "HEADERS",
    "INPUT_KINDS",
    "OUTPUT_SUFFIXES",
    "Header",
    "Layout",
    "Table",
    "TextForm",
    "completed_rows",
    "delimited",
    "output_suffix",
    "read_points",
    "read_points_and_layout",
    "require_known_kind",
    "require_output",
    "rows_as_text",
    "rows_of_numbers",
    "write_columns",
    "write_lines",
    "write_rows",
]
