"""``fastgmm select``: a choice among numbers of components and covariance families."""

import sys
import time
from argparse import Namespace
from typing import Any

from fastgmm.cli.argument_types import is_in_blocks
from fastgmm.cli.commands import EXIT_DOUBTFUL
from fastgmm.cli.inputs import blocks_in, forms_of, keep_inputs
from fastgmm.data.tables import read_points, write_lines
from fastgmm.estimator.selecting import Selection
from fastgmm.estimator.selecting import select as choose
from fastgmm.machine.whole_file import require_writable
from fastgmm.show.figures import save_figure
from fastgmm.show.reports import Report, duration


def select(arguments: Namespace) -> Report:
    """``fastgmm select``: the best candidates, and files of the best model, the table and its picture."""
    for output in filter(None, [arguments.output, arguments.table, arguments.plot]):
        require_writable(output)
        keep_inputs(Namespace(output=output), arguments.points)
    points: Any = (
        blocks_in(arguments, arguments.columns, arguments.header)
        if is_in_blocks(arguments)
        else read_points(arguments.points, arguments.columns, form=forms_of(arguments)[0])
    )
    began = time.perf_counter()
    selection = choose(
        points,
        arguments.n_components,
        arguments.covariance_type,
        criterion=arguments.criterion,
        exact=arguments.exact,
        progress=not arguments.quiet and sys.stderr.isatty(),
        **{name: getattr(arguments, name) for name in arguments.options},
    )
    seconds = time.perf_counter() - began
    written, names = _write(arguments, selection), selection.table_.dtype.names or ()
    facts: dict[str, object] = {
        **selection.best_params_,
        "criterion": selection.criterion,
        "at_edge": selection.at_edge_,
        "was_cut_short": selection.was_cut_short_,
        "seconds": seconds,
        "candidates": [dict(zip(names, line, strict=True)) for line in selection.table_.tolist()],
        **written,
    }
    text = f"{selection}\ntime  {duration(seconds)}\n"
    text += "".join(f"{what} written to {path}\n" for what, path in written.items())
    return Report([text], facts, EXIT_DOUBTFUL if selection.at_edge_ or selection.was_cut_short_ else 0)


def _write(arguments: Namespace, selection: Selection) -> dict[str, str]:
    written = dict[str, str]()
    if arguments.output is not None:
        selection.best_.save(arguments.output)
        written["model"] = arguments.output
    if arguments.table is not None:
        table = selection.table_
        lines = [table.dtype.names or (), *table.tolist()]
        write_lines(arguments.table, (",".join(map(str, line)) + "\n" for line in lines))
        written["table"] = arguments.table
    if arguments.plot is not None:
        save_figure(selection.plot().figure_, arguments.plot)
        written["picture"] = arguments.plot
    return written
