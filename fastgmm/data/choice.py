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
        found = [position_of(source, column, names, n_columns) for column in wanted]
        if len(set(found)) < len(found):
            raise ValueError(f"{source}: a column is asked for twice: {', '.join(wanted)}")
        return found


def position_of(source: str, column: str | int, names: tuple[str, ...] | None, n_columns: int) -> int:
    """That of a column: a string is its name, or else its number in words; a number is never a name."""
    if isinstance(column, str) and names is not None and column in names:
        return names.index(column)
    digits = str(column)
    if digits.isdecimal() and int(digits) < n_columns:
        return int(digits)
    known = ", ".join(names) if names is not None else f"0 to {n_columns - 1}"
    raise ValueError(f"{source}: no column {digits!r}; there are {known}")
