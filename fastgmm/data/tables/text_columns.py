"""Which columns of text hold no numbers, and what they hold instead."""

import math
from itertools import islice

from fastgmm.data.tables.cells import has_decimal_comma, is_number, may_be_missing
from fastgmm.data.tables.text_rows import Layout
from fastgmm.data.times import is_time

# So many rows tell whether a column holds text, but where it is empty in all of them.
_ROWS_LOOKED_AT = 100
NOTHING = "nothing"


def columns_without_numbers(layout: Layout, n_skipped: int = 0) -> dict[int, str]:
    """The positions of columns of which no cell is a number, as far as rows are looked at, and what they hold.

    That is text, times, or nothing but missing values. A number among text, or a mistake among numbers, is for whoever
    reads the column to complain of. Some of the first rows may be skipped.
    """
    undecided, held = set(layout.read), dict[int, str]()
    for number, (_, row) in enumerate(islice(layout.data(), n_skipped, None)):
        if number >= _ROWS_LOOKED_AT and undecided <= held.keys():
            break
        if len(row) != len(layout.first):
            continue
        for position in sorted(undecided):
            cell = row[position]
            if _may_be_nothing(cell):
                continue
            if is_number(cell) or has_decimal_comma(cell):
                undecided.discard(position)
            else:
                held.setdefault(position, "times" if is_time(cell) else "text")
    return {position: held.get(position, NOTHING) for position in sorted(undecided)}


def _may_be_nothing(cell: str) -> bool:
    return may_be_missing(cell) or (is_number(cell) and math.isnan(float(cell)))
