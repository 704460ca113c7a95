"""``fastgmm impute``: a table with its holes filled in."""

from argparse import Namespace
from collections.abc import Iterator, Sequence
from itertools import chain

import numpy as np

from fastgmm.data.tables import (
    Layout,
    Table,
    completed_rows,
    delimited,
    output_suffix,
    rows_of_numbers,
    write_columns,
    write_lines,
    write_rows,
)
from fastgmm.estimator.mixture import GaussianMixture
from fastgmm.parameters import Array
from fastgmm.show.reports import Report

_DRAW = "draw"


def imputed(arguments: Namespace, mixture: GaussianMixture, points: Table | Array, layout: Layout | None) -> Report:
    """The report on points and what a mixture makes of their missing values; ``layout`` is that of text."""
    values = points.values if isinstance(points, Table) else points
    n_missing = int(np.count_nonzero(np.isnan(values)))
    n_draws = arguments.draws
    found: Array = mixture.impute(points, n_draws=n_draws, random_state=arguments.random_state)  # type: ignore[assignment]
    facts: dict[str, object] = {"points": len(values), "missing": n_missing}
    if arguments.output is None and arguments.json:
        return Report([], facts | {"imputed": found.tolist()})
    tables = found[np.newaxis] if n_draws is None else found
    suffix = None if arguments.output is None else output_suffix(arguments.output)
    if suffix == ".npy":
        write_rows(arguments.output, iter(tables), len(found), found.shape[1:], found.dtype, names=())
    elif suffix == ".parquet":
        _write_parquet(arguments, _names_of_read(mixture, points, layout), tables)
    else:
        lines = _lines(arguments, mixture, points, layout, tables)
        if arguments.output is None:
            return Report(lines, facts)
        write_lines(arguments.output, lines)
    text = f"{n_missing:,} missing values of {len(values):,} points imputed, written to {arguments.output}\n"
    return Report([text], facts | {"output": arguments.output})


def _lines(
    arguments: Namespace, mixture: GaussianMixture, points: Table | Array, layout: Layout | None, tables: Array
) -> Iterator[str]:
    """A line for the names, where there are some, and one for each row of each of the tables (m, n, d)."""
    values = points.values if isinstance(points, Table) else points
    if layout is None:
        names = _names_of_read(mixture, points, layout)
        parts = [rows_of_numbers(table) for table in tables]
    else:
        kept = range(len(layout.first)) if arguments.columns is None else layout.read
        names = None if layout.names is None else [layout.first[position] for position in kept]
        parts = [completed_rows(layout, kept, values, table) for table in tables]
    header = [] if names is None else [_header(arguments, names)]
    if arguments.draws is not None:
        parts = [_numbered(draw, rows) for draw, rows in enumerate(parts)]
    return delimited(chain(header, *parts), arguments.delimiter or ",")


def _numbered(draw: int, rows: Iterator[list[str]]) -> Iterator[list[str]]:
    return ([str(draw), *row] for row in rows)


def _write_parquet(arguments: Namespace, names: Sequence[str] | None, tables: Array) -> None:
    """The columns that the model takes, for each of the tables (m, n, d); the number of the draw before them."""
    if names is None:
        names = [f"column_{feature}" for feature in range(tables.shape[2])]
    blocks = (
        [*([] if arguments.draws is None else [np.full(len(table), draw)]), *table.T]
        for draw, table in enumerate(tables)
    )
    write_columns(arguments.output, blocks, _header(arguments, names))


def _names_of_read(mixture: GaussianMixture, points: Table | Array, layout: Layout | None) -> Sequence[str] | None:
    """The names of the columns that are read: those of the file, else the model's."""
    if layout is not None and layout.names is not None:
        return [layout.names[position] for position in layout.read]
    return points.columns if isinstance(points, Table) else getattr(mixture, "feature_names_in_", None)


def _header(arguments: Namespace, names: Sequence[str]) -> list[str]:
    if arguments.draws is None:
        return list(names)
    if _DRAW in names:
        raise ValueError(f"a column is called {_DRAW!r}, as the one that numbers the draws: rename it")
    return [_DRAW, *names]
