"""How a column of text is left out, for messages about text and about Parquet."""

import shlex
from collections.abc import Sequence

_MOST_COLUMNS_LISTED = 20


def hint_to_leave_out(names: tuple[str, ...] | None, kept: Sequence[int]) -> str:
    """How to read the ``kept`` columns alone, for the end of a message; nothing where none is left."""
    if not kept:
        return ""
    listed = ",".join(_as_option(position, names) for position in kept[:_MOST_COLUMNS_LISTED])
    more = ",..." if len(kept) > _MOST_COLUMNS_LISTED else ""
    return f" (to leave it out: --columns {shlex.quote(listed)}{more})"


def _as_option(position: int, names: tuple[str, ...] | None) -> str:
    """A column as ``--columns`` takes it, which separates names by commas and takes off the spaces around them."""
    if names is None or "," in names[position] or names[position] != names[position].strip():
        return str(position)
    return names[position]
