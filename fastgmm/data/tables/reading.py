"""Points out of a file of any kind that is read: which kind it is, and what to do with any other."""

from collections.abc import Sequence

from fastgmm.data.choice import Choice
from fastgmm.data.table import Table
from fastgmm.data.tables.arrow_files import BEGINNING_OF_A_FILE, read_arrow
from fastgmm.data.tables.numpy_files import read_numpy
from fastgmm.data.tables.parquet_files import read_parquet
from fastgmm.data.tables.source import Source, is_standard_input, source_of, suffix_of
from fastgmm.data.tables.text_files import layout_of, read_text
from fastgmm.data.tables.text_rows import SPACES, Layout, TextForm
from fastgmm.machine.whole_file import AnyPath

ARROW = (".arrow", ".feather", ".ipc")
_BINARY = {".npy": read_numpy, ".npz": read_numpy, ".parquet": read_parquet, **dict.fromkeys(ARROW, read_arrow)}
# numpy.savetxt separates by spaces.
_TEXT = {".csv": ",", ".tsv": "\t", ".txt": SPACES, ".dat": SPACES}
# The first bytes of what is not text on standard input.
_BEGINNINGS = {b"\x93NUMPY": ".npy", b"PK\x03\x04": ".npz", b"PAR1": ".parquet", BEGINNING_OF_A_FILE: ".arrow"}
INPUT_KINDS = (
    ".npy, .npz of one array, .parquet, .feather, .arrow, .csv, .tsv, .txt (text also as .gz), or - for standard input"
)

_BY_PYTHON = "read it in Python, and write it with numpy.save, DataFrame.to_parquet or DataFrame.to_csv"
_BY_DECOMPRESSING = "decompress it first"
_WAYS_OUT = {
    "save the sheet as CSV": ".xlsx .xlsm .xls .ods .numbers",
    _BY_DECOMPRESSING: ".zip .bz2 .xz .zst .7z .tar .tgz",
    _BY_PYTHON: ".json .jsonl .orc .avro .h5 .hdf5 .mat .sav .dta .rds .rdata .db .sqlite .pkl .pickle",
}


def read_points(
    path: AnyPath,
    columns: Sequence[str] | None = None,
    if_named: Sequence[str] | None = None,
    form: TextForm | None = None,
    columns_can_be_chosen: bool = True,
) -> Table:
    """Read points, one a row; NaN where a value is missing.

    In text that is a cell which is empty, or NA, N/A, #N/A, <NA>, NULL, None or NaN.

    Parameters
    ----------
    path : path-like
        A file of a kind that ``INPUT_KINDS`` names. For ``-`` standard input: text, or the bytes of any such file.
    columns : sequence of str, or "numeric", optional
        The columns to read, in this order: by name, or by number from 0 where no column has that name; or those that
        hold numbers, while a ``ColumnsLeftOutWarning`` names the others.
    if_named : sequence of str, optional
        The columns to read where ``columns`` is None and the file has names. A first row that holds them all is a
        header.
    form : TextForm, optional
        How text is to be read.
    columns_can_be_chosen : bool
        Whether whoever reads can choose columns, so that a message may say how.

    Returns
    -------
    Table

    Raises
    ------
    ValueError
        For other kinds of files, damaged ones, cells that are not numbers, whole numbers that float64 does not hold
        (naming line and column), and unknown columns.
    OSError
        For a file that cannot be read.
    ImportError
        For ``.parquet``, ``.feather`` and their kin without pyarrow.
    """
    return read_points_and_layout(path, columns, if_named, form, columns_can_be_chosen)[0]


def read_points_and_layout(
    path: AnyPath,
    columns: Sequence[str] | None = None,
    if_named: Sequence[str] | None = None,
    form: TextForm | None = None,
    columns_can_be_chosen: bool = True,
) -> tuple[Table, Layout | None]:
    """Points, and of text its layout, by which it can be read again with all that is not read."""
    require_known_kind(path)
    source, choice = source_of(path), Choice(columns, if_named, columns_can_be_chosen)
    suffix = _kind_of_content(source) if is_standard_input(path) else suffix_of(path)
    if suffix not in _BINARY:
        layout = layout_of(source, _TEXT[suffix.removesuffix(".gz")], choice, form or TextForm())
        return read_text(layout), layout
    if form not in (None, TextForm()):
        raise ValueError(f"{source.name}: a header and a delimiter can be told of text only")
    return _BINARY[suffix](source, choice), None


def delimiter_of(path: AnyPath) -> str | None:
    """What separates the cells of a file of text, by its name; None where it is no text."""
    require_known_kind(path)
    return _TEXT[".csv"] if is_standard_input(path) else _TEXT.get(suffix_of(path).removesuffix(".gz"))


def require_known_kind(path: AnyPath) -> None:
    """Raise ``ValueError`` with what to do where the name of a file does not say that it is of a kind that is read."""
    suffix = suffix_of(path)
    if is_standard_input(path) or suffix in _BINARY or suffix.removesuffix(".gz") in _TEXT:
        return
    way_out = next((words for words, suffixes in _WAYS_OUT.items() if suffix in suffixes.split()), None)
    if way_out is None:
        way_out = _BY_DECOMPRESSING if suffix.endswith(".gz") else "text can be given on standard input, as - < FILE"
    raise ValueError(f"{path}: unknown kind of file: {way_out}. Known are {INPUT_KINDS}")


def _kind_of_content(source: Source) -> str:
    beginning = source.beginning()
    return next((suffix for magic, suffix in _BEGINNINGS.items() if beginning.startswith(magic)), ".csv")
