"""The choice among the columns of a file."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Choice:
    """Which columns to read, in which order.

    Attributes
    ----------
    columns : sequence of str, or None
        By name, or by number from 0 where no column has that name. None: all, but for what follows.
    if_named : sequence of str, or None
        The columns to read instead of all where columns have names.
    can_be_made : bool
        Whether whoever reads can choose, so that a message may say how.
    """

    columns: Sequence[str] | None = None
    if_named: Sequence[str] | None = None
    can_be_made: bool = True

    def positions(self, source: str, names: tuple[str, ...] | None, n_columns: int) -> list[int] | None:
        """Those of the columns asked for; None for all as they are.

        Raises
        ------
        ValueError
            Where a column does not exist, or is asked for twice.
        """
        wanted = self.columns if self.columns is not None or names is None else self.if_named
        if wanted is None:
            return None
        found = [_position(source, column, names, n_columns) for column in wanted]
        if len(set(found)) < len(found):
            raise ValueError(f"{source}: a column is asked for twice: {', '.join(wanted)}")
        return found


def _position(source: str, column: str, names: tuple[str, ...] | None, n_columns: int) -> int:
    if names is not None and column in names:
        return names.index(column)
    if column.isdecimal() and int(column) < n_columns:
        return int(column)
    known = ", ".join(names) if names is not None else f"0 to {n_columns - 1}"
    raise ValueError(f"{source}: no column {column!r}; there are {known}")
