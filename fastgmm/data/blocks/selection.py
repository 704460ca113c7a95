"""Which columns of a table are features, which one holds weights, and which one labels."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from fastgmm.data.blocks.block import Form
from fastgmm.data.choice import NUMERIC, position_of, positions_of_numbers


@dataclass(frozen=True)
class Selection:
    """Positions of columns.

    Attributes
    ----------
    features : tuple of int
    weight, labels : int, or None
    names : tuple of str, or None
        Of the features.
    """

    features: tuple[int, ...]
    weight: int | None
    labels: int | None
    names: tuple[str, ...] | None

    @property
    def positions(self) -> tuple[int, ...]:
        """Of all columns to read: features first, then weights, then labels."""
        others = (position for position in (self.weight, self.labels) if position is not None)
        return (*self.features, *others)

    @property
    def of_chosen(self) -> "Selection":
        """The same in a table that has these columns alone, as ``positions`` orders them."""
        n_features = len(self.features)
        weight = None if self.weight is None else n_features
        labels = None if self.labels is None else n_features + (weight is not None)
        return Selection(tuple(range(n_features)), weight, labels, self.names)

    def form(self, name: str, dtype: np.dtype[Any]) -> Form:
        return Form(name, self.names, len(self.features), dtype, self.weight is not None, self.labels is not None)


@dataclass(frozen=True)
class Asked:
    """The columns that were asked for; None: all but those of weights and labels; ``"numeric"``: of these the numeric.

    An int is the number of a column from 0; a string its name, or its number where none has that name.
    """

    columns: Sequence[str | int] | Literal["numeric"] | None = None
    weight: str | int | None = None
    labels: str | int | None = None

    def among(
        self,
        source: str,
        names: tuple[str, ...] | None,
        n_columns: int,
        without_numbers: Callable[[], Mapping[int, str]] | None = None,
    ) -> Selection:
        """The selection from a table; ``ValueError`` where a column does not exist, or is asked for twice.

        ``without_numbers`` finds the columns that hold something else, and what that is; None where nobody knows.
        """

        def position(column: str | int) -> int:
            return position_of(source, column, names, n_columns)

        weight, labels = (None if column is None else position(column) for column in (self.weight, self.labels))
        if self.columns is None:
            features = tuple(each for each in range(n_columns) if each not in (weight, labels))
        elif self.columns == NUMERIC:
            if without_numbers is None:
                raise ValueError(f"{source}: columns='numeric' can be asked of files and of tables of Arrow: name them")
            others = {each: held for each, held in without_numbers().items() if each not in (weight, labels)}
            found = positions_of_numbers(source, names, n_columns, others)
            features = tuple(each for each in found if each not in (weight, labels))
        else:
            features = tuple(map(position, self.columns))
        selection = Selection(features, weight, labels, names and tuple(names[each] for each in features))
        if len(set(selection.positions)) < len(selection.positions):
            raise ValueError(f"{source}: a column is asked for twice")
        if not features:
            raise ValueError(f"{source}: no columns of features")
        return selection
