"""The choice among the columns of a file."""

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from fastgmm.errors import ColumnsLeftOutWarning, in_words

# Asked for in the place of columns: all that hold numbers.
NUMERIC = "numeric"


@dataclass(frozen=True)
class Choice:
    """Which columns to read, in which order.

    Attributes
    ----------
    columns : sequence of str, "numeric", or None
        By name, or by number from 0 where no column has that name; ``"numeric"``: those that hold numbers. None: all,
        but for what follows.
    if_named : sequence of str, or None
        The columns to read instead of all where columns have names.
    can_be_made : bool
        Whether whoever reads can choose, so that a message may say how.
    """

    columns: Sequence[str] | None = None
    if_named: Sequence[str] | None = None
    can_be_made: bool = True

    def positions(
        self,
        source: str,
        names: tuple[str, ...] | None,
        n_columns: int,
        without_numbers: Callable[[], Mapping[int, str]] = dict,
    ) -> list[int] | None:
        """Those of the columns asked for; None for all as they are.

        ``without_numbers`` finds the columns that hold something else, and what that is.

        Raises
        ------
        ValueError
            Where a column does not exist, or is asked for twice, and where none holds the numbers asked for.
        """
        if self.columns == NUMERIC:
            return positions_of_numbers(source, names, n_columns, without_numbers())
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


def positions_of_numbers(
    source: str, names: tuple[str, ...] | None, n_columns: int, without_numbers: Mapping[int, str]
) -> list[int]:
    """All columns but those without numbers, which a warning names; ``ValueError`` where none is left."""
    left_out = named(without_numbers, names)
    if len(left_out) == n_columns:
        raise ValueError(f"{source}: no column holds numbers: {in_words(left_out)}")
    if left_out:
        warnings.warn(ColumnsLeftOutWarning(source, left_out), stacklevel=2)
    return [position for position in range(n_columns) if position not in without_numbers]


def named(columns: Mapping[int, str], names: Sequence[str] | None) -> dict[str, str]:
    """Columns by their names where they have some, else by their numbers from 0."""
    return {str(position) if names is None else names[position]: held for position, held in columns.items()}
