"""``blocks_of``: rows wherever they are, in the form that ``fit`` takes beside arrays."""

from collections.abc import Callable, Sequence
from typing import Any, Literal

import numpy as np

from fastgmm.data.blocks.block import Blocks
from fastgmm.data.blocks.cutting import default_block_rows
from fastgmm.data.blocks.local import LocalBlocks
from fastgmm.data.blocks.selection import Asked
from fastgmm.data.blocks.watched import Visit, WatchedBlocks
from fastgmm.machine.whole_file import AnyPath
from fastgmm.sweeps.spark_frames import is_spark_frame


def blocks_of(
    data: object,
    *,
    columns: Sequence[str | int] | Literal["numeric"] | None = None,
    weight: str | int | None = None,
    labels: str | int | None = None,
    block_rows: int | None = None,
    header: Literal["auto", "yes", "no"] = "auto",
    delimiter: str | None = None,
    cache: AnyPath | None = None,
    on_block: Callable[[Visit], object] | None = None,
) -> Blocks:
    """Rows that come in blocks, for ``fit``, scores and ``moments``: they are read anew in each pass.

    Parameters
    ----------
    data : path, list, callable, what pyarrow has, or what Dask or Spark has
        A file, a directory of files (in the order of their names, without those that begin with . or _), or a list of
        files, all of one kind: ``.npy``, which is mapped into memory; ``.parquet``; ``.arrow``, ``.feather``, ``.ipc``;
        or ``.csv``, ``.tsv``, ``.txt``, ``.dat``, also with ``.gz``. An array, or a list of arrays or frames. A
        function without arguments that returns an iterator of arrays or frames, anew for each pass; it runs in the
        thread of whoever calls us, and may fill the same memory again for each array. Where the first of its arrays is
        float32, all must be. A ``pyarrow.dataset.Dataset`` or a ``pyarrow.Table``. Columns with names are found by them
        in every file. Rows of a Dask collection stay on the workers of the client that is current here, from the first
        pass until the source is closed (it is a context manager) or forgotten; without a client Dask computes its parts
        in this process, anew for each pass. Of a DataFrame of Spark the partitions are cut into blocks, one by one, in
        files of the executors: see ``docs/beyond-memory.md``. What is returned then also has ``with_scores(model)``,
        the DataFrame with the component and the log-density of each row, and ``close()``, as that of Dask.
    columns : sequence of str or int, or "numeric", optional
        The features, by name, or by number from 0; by default all columns but those of weights and labels. An int is
        the position of a column, whatever columns are called. "numeric" of files, data sets and tables of Arrow: those
        that hold numbers, while a ``fastgmm.errors.ColumnsLeftOutWarning`` names the others.
    weight : str or int, optional
        The column of weights.
    labels : str or int, optional
        The column of component numbers, -1 or missing where they are unknown.
    block_rows : int, optional
        How many rows a block has: the result depends on it in its last bits, and on nothing else of how the rows are
        stored. By default as many as are 8 to 16 MB. Of Dask data frames, and arrays whose chunks are of unknown
        length, no block crosses partitions: each begins a new one.
    header : {"auto", "yes", "no"}, default="auto"
        Of text: whether the first row of each file holds names; "auto": where it looks like names.
    delimiter : str, optional
        Of text: what separates cells; a space stands for any number of spaces and tabs. By default what the name of the
        file says: commas, in ``.tsv`` tabs, in ``.txt`` and ``.dat`` spaces.
    cache : path, optional
        A directory in which the first pass keeps the rows that it has decoded, as large as they are in memory; later
        passes, and other processes that read the same files in the same way, map them into memory. A file that has
        changed is decoded anew. Nothing is ever removed there: you may do that whenever nobody reads, and should trust
        whoever else may write there. Rows that lie in memory or in ``.npy`` are not kept.
    on_block : callable, optional
        It is told how far a pass has come, after each block (``fastgmm.Visit``).

    Returns
    -------
    Blocks

    Raises
    ------
    TypeError
        For an iterator that can be read only once, and for what is no source.
    ValueError
        For columns that do not exist or hold no numbers, for files or arrays of different columns, and for files of
        other kinds. Passes raise it for damaged files, for cells that are no numbers, for whole numbers that float64
        does not hold, and for files that have changed since; messages name the file, and the row or line.
    OSError
        For a file or a directory that does not exist.
    ImportError
        For Parquet and Arrow without pyarrow.
    ConnectionError
        While a source is used: for a Dask cluster that is gone, or has lost rows that it cannot load again.

    Examples
    --------
    >>> import numpy as np
    >>> import fastgmm
    >>> parts = [np.array([[0.0], [1.0]]), np.array([[8.0], [9.0]])]
    >>> gm = fastgmm.GaussianMixture(2, random_state=0).fit(fastgmm.blocks_of(parts))
    >>> np.sort(gm.means_.ravel())
    array([0.5, 8.5])
    """
    is_number = isinstance(block_rows, int | np.integer) and not isinstance(block_rows, bool)
    if block_rows is not None and (not is_number or block_rows < 1):
        raise ValueError(f"block_rows must be a positive integer; got {block_rows!r}")
    blocks = _blocks_of(
        data, Asked(columns, weight, labels), header, delimiter, cache, None if block_rows is None else int(block_rows)
    )
    return blocks if on_block is None else WatchedBlocks(blocks, on_block)


def _blocks_of(
    data: Any,
    asked: Asked,
    header: Literal["auto", "yes", "no"],
    delimiter: str | None,
    cache: AnyPath | None,
    block_rows: int | None,
) -> Blocks:
    if hasattr(data, "__dask_graph__"):
        _require_of_files_alone(header, delimiter, cache)
        from fastgmm.sweeps.on_dask import blocks_on_dask

        return blocks_on_dask(data, asked, block_rows)
    if is_spark_frame(data):
        _require_of_files_alone(header, delimiter, cache)
        from fastgmm.sweeps.on_spark import spark_blocks

        return spark_blocks(data, asked, block_rows)
    # They know tables, which are not imported with fastgmm.
    from fastgmm.data.blocks.readers import reader_of

    reader = reader_of(data, asked, header, delimiter, cache)
    return LocalBlocks(reader, block_rows or default_block_rows(reader.form.n_features, reader.form.dtype))


def _require_of_files_alone(header: str, delimiter: str | None, cache: AnyPath | None) -> None:
    if (header, delimiter, cache) != ("auto", None, None):
        raise ValueError("header, delimiter and cache can be told of files only")
