"""The result of a selection in words: the best candidates, and the criterion of all by family and number."""

import math
from collections.abc import Sequence
from typing import Any

from fastgmm.parameters import Array
from fastgmm.show.reports import table_text

_SHOWN_FIRST = 3
# How a number is marked that is not that of a finished fit to all rows.
_MARKS = {"estimated": "~", "hopeless": "<"}
_LEGEND = {
    "estimated": "~ estimated from samples",
    "hopeless": "< given up on the way, since it gained too little",
}


def candidates_text(table: Array, criterion: object, at_edge: bool, was_cut_short: bool = False) -> str:
    """The three best of a table of candidates, and the criterion of all of them."""
    name = criterion_name(criterion)
    heading = heading_of(table, 0, name)
    if at_edge and not was_cut_short:
        heading += ", the most that were allowed: more may be better"
    if was_cut_short:
        heading += f"\n{cut_short_text(table['status'].tolist())}"
    return f"{heading}\n\n{_first_ones(table, name)}\n{_by_family(table)}"


def cut_short_text(statuses: Sequence[str]) -> str:
    """What a deadline has prevented, by what became of every model."""
    n_skipped = statuses.count("skipped")
    what = f"{n_skipped} of {len(statuses)} models were not tried" if n_skipped else "not all fits settled"
    return f"The deadline passed: {what}"


def heading_of(table: Array, best: int, criterion: str) -> str:
    """Which line of a table is the best by a criterion of that name."""
    line = table[best]
    noun = "component" if line["n_components"] == 1 else "components"
    return f"Best of {len(table)} models by {criterion}: {line['n_components']} {line['covariance_type']} {noun}"


def criterion_name(criterion: object) -> str:
    """What a criterion is called."""
    if isinstance(criterion, str):
        return {"cv": "cross-validation"}.get(criterion, criterion.upper())
    name = str(getattr(criterion, "__name__", "<lambda>"))
    return "a criterion of one's own" if name.startswith("<") else name


def _first_ones(table: Array, name: str) -> str:
    header = ["family", "components", "parameters", "log-likelihood", name, "difference"]
    lines = []
    for line in table[:_SHOWN_FIRST]:
        if math.isnan(line["criterion"]):
            break
        difference = line["criterion"] - table[0]["criterion"]
        facts = [line["covariance_type"], line["n_components"], line["n_parameters"]]
        lines.append([*map(str, facts), f"{line['log_likelihood']:,.2f}", _cell(line), f"{difference:,.2f}"])
    return table_text(header, lines)


def _by_family(table: Array) -> str:
    """A line for each number of components, and a column for each family."""
    families = list(dict.fromkeys(table["covariance_type"].tolist()))
    cells = {(line["covariance_type"], int(line["n_components"])): _cell(line) for line in table}
    numbers = sorted({number for _, number in cells})
    lines = [[str(number), *(cells[family, number] for family in families)] for number in numbers]
    legend = "".join(f"{words}\n" for status, words in _LEGEND.items() if (table["status"] == status).any())
    return table_text(["components", *families], lines) + legend


def _cell(line: Any) -> str:
    if math.isnan(line["criterion"]):
        return str(line["status"])
    return f"{_MARKS.get(str(line['status']), '')}{line['criterion']:,.2f}"
