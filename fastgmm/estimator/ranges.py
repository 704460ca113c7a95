"""Of which numbers, families and criterion a selection is wanted, as users say it."""

from contextlib import suppress
from functools import partial
from itertools import islice
from typing import Any, cast

import numpy as np
from numpy.typing import ArrayLike

from fastgmm.data.blocks.block import Blocks, is_blocks
from fastgmm.families import FAMILIES, FOUR, FOURTEEN, TWO_OF_ONE_FEATURE, name_of
from fastgmm.families.check import require_features
from fastgmm.fit.options import InvalidParameterError
from fastgmm.machine.waiting import in_caller
from fastgmm.selection.criteria import CRITERIA

_MOST_NUMBERS = 10_000


def checked_numbers(n_components: Any, caller: str) -> tuple[int, ...]:
    """Distinct ones in order; a number n stands for 1 to n."""
    several = range(1, n_components + 1) if isinstance(n_components, int | np.integer) else n_components
    try:
        # Whoever asks for more than so many has written something else than was meant.
        numbers = sorted(set(islice(several, _MOST_NUMBERS + 1)))
    except TypeError:
        numbers = []
    if len(numbers) > _MOST_NUMBERS:
        raise InvalidParameterError(
            f"The 'n_components' parameter of {caller} must be at most {_MOST_NUMBERS} numbers."
        )
    is_bool = isinstance(n_components, bool)
    if is_bool or not numbers or not all(isinstance(each, int | np.integer) and each >= 1 for each in numbers):
        raise InvalidParameterError(
            f"The 'n_components' parameter of {caller} must be a whole number from 1, or several of them. Got "
            f"{n_components!r} instead."
        )
    return tuple(map(int, numbers))


def number_of_features(X: "ArrayLike | Blocks") -> int:
    """0 of what is no table, which others refuse."""
    if is_blocks(X):
        return X.form.n_features
    shape: tuple[int, ...] = ()
    with suppress(ValueError, TypeError):  # rows of several lengths, and what pretends to be an array
        shape = np.shape(cast("ArrayLike", X))
    return shape[1] if len(shape) == 2 else 0


def checked_families(covariance_type: Any, caller: str, n_features: int, rank: Any = 1) -> tuple[str, ...]:
    """Names of families, those that have a rank with each of the ranks."""
    if isinstance(covariance_type, str):
        of_mclust = TWO_OF_ONE_FEATURE if n_features == 1 else FOURTEEN
        covariance_type = {"all": FOUR, "mclust": of_mclust}.get(covariance_type, (covariance_type,))
    try:
        ranks = checked_ranks(rank, caller)
        families = tuple(dict.fromkeys(name_of(each, own) for each in covariance_type for own in ranks))
    except TypeError:
        families = ()
    if not families or not all(each in FAMILIES for each in families):
        known = ", ".join(map(repr, FAMILIES))
        raise InvalidParameterError(
            f"The 'covariance_type' parameter of {caller} must be 'all', 'mclust', or one or several of {known}. Got "
            f"{covariance_type!r} instead."
        )
    for each in families if n_features else ():
        require_features(FAMILIES[each], n_features)
    return families


def checked_ranks(rank: Any, caller: str) -> tuple[int, ...]:
    """One or several."""
    ranks = (rank,) if isinstance(rank, int | np.integer) else rank
    ranks = tuple(ranks) if np.iterable(ranks) and not isinstance(ranks, str) else ()
    is_sound = all(isinstance(each, int | np.integer) and not isinstance(each, bool) and each >= 1 for each in ranks)
    if not ranks or not is_sound:
        raise InvalidParameterError(
            f"The 'rank' parameter of {caller} must be a whole number from 1, or several of them. Got {rank!r} instead."
        )
    return tuple(map(int, ranks))


def checked_criterion(criterion: Any, caller: str) -> Any:
    if callable(criterion):
        return partial(in_caller, criterion)
    if not isinstance(criterion, str) or criterion not in CRITERIA:
        known = ", ".join(map(repr, CRITERIA))
        raise InvalidParameterError(
            f"The 'criterion' parameter of {caller} must be among {known}, or a callable. Got {criterion!r} instead."
        )
    return criterion
