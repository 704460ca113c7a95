"""``fastgmm impute``: a table with its holes filled in."""

from argparse import Namespace
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import numpy as np

from fastgmm.data.tables import Layout, Table, completed_rows, delimited, rows_of_numbers, write_lines, write_rows
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
    if arguments.output is not None and Path(arguments.output).suffix.lower() == ".npy":
        write_rows(arguments.output, iter(tables), found.shape, found.dtype, header="")
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
        names = points.columns if isinstance(points, Table) else getattr(mixture, "feature_names_in_", None)
        parts = [rows_of_numbers(table) for table in tables]
    else:
        kept = range(len(layout.first)) if arguments.columns is None else layout.read
        names = None if layout.names is None else [layout.first[position] for position in kept]
        parts = [completed_rows(layout, kept, values, table) for table in tables]
    header = [] if names is None else [list(names)]
    if arguments.draws is not None:
        if names is not None and _DRAW in names:
            raise ValueError(f"a column is called {_DRAW!r}, as the one that numbers the draws: rename it")
        header = [[_DRAW, *names] for names in header]
        parts = [_numbered(draw, rows) for draw, rows in enumerate(parts)]
    return delimited(chain(header, *parts), arguments.delimiter or ",")


def _numbered(draw: int, rows: Iterator[list[str]]) -> Iterator[list[str]]:
    return ([str(draw), *row] for row in rows)
