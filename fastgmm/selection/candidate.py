"""A candidate: a family and a number of components, the best fit that was found, and what the criteria say of it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from fastgmm.fit.steps import Fit
from fastgmm.model import criteria
from fastgmm.selection.criteria import UNKNOWN, Judge, Sums, nec

Status: TypeAlias = Literal["exact", "estimated", "hopeless", "degenerate", "skipped"]

TABLE = np.dtype(
    [
        ("covariance_type", "U12"),
        ("n_components", np.int64),
        ("n_parameters", np.int64),
        *((name, np.float64) for name in ("log_likelihood", "entropy", "bic", "aic", "icl", "nec", "cv")),
        ("criterion", np.float64),
        ("uncertainty", np.float64),
        ("status", "U10"),
    ]
)


@dataclass(frozen=True, eq=False)
class Candidate:
    """What is known of a candidate; criteria are NaN where nothing is, as of a degenerate one.

    Attributes
    ----------
    covariance_type : str
    n_components : int
    n_parameters : int
        Free ones.
    n_rows : float
        The sum of the weights of all rows.
    status : {'exact', 'estimated', 'hopeless', 'degenerate', 'skipped'}
        Whether the criteria are those of a fit to all rows, or follow from a sample of them; of a fit that was given up
        on the way, since it gained too little to become the best; or why there are none: in every fit a component has
        collapsed, or no time was left.
    fit : Fit or None
    sums : Sums
        Of all rows.
    held_out : float
        −2 Σ log p(x) of rows that were left out of the fit, where ``criterion="cv"`` asks for it.
    log_likelihood_of_one : float
        That of a single component, for ``nec``.
    uncertainty : float
        Where the criterion is estimated: the standard error of its difference to that of the best of the samples, by
        the chance of which rows were drawn.
    """

    covariance_type: str
    n_components: int
    n_parameters: int
    n_rows: float
    status: Status
    fit: Fit | None = field(default=None, repr=False)
    sums: Sums = UNKNOWN
    held_out: float = math.nan
    log_likelihood_of_one: float = math.nan
    uncertainty: float = math.nan

    @property
    def name(self) -> tuple[str, int]:
        """By which it is known among the others."""
        return self.covariance_type, self.n_components

    @property
    def is_sound(self) -> bool:
        return self.status in ("exact", "estimated")

    @property
    def has_a_model(self) -> bool:
        """Whether a fit says something, be it one that was given up."""
        return self.fit is not None and (self.is_sound or self.status == "hopeless")

    @property
    def log_likelihood(self) -> float:
        return self.sums.log_likelihood

    @property
    def entropy(self) -> float:
        return self.sums.entropy

    @property
    def _score(self) -> float:
        return self.log_likelihood / self.n_rows

    @property
    def bic(self) -> float:
        return criteria.bic(self._score, self.n_rows, self.n_parameters)

    @property
    def aic(self) -> float:
        return criteria.aic(self._score, self.n_rows, self.n_parameters)

    @property
    def icl(self) -> float:
        return criteria.icl(self.bic, self.sums.log_certainty)

    @property
    def nec(self) -> float:
        return nec(self.sums, self.n_components, self.log_likelihood_of_one) if self.is_sound else math.nan

    @property
    def cv(self) -> float:
        return self.held_out

    def judged_by(self, criterion: Judge) -> float:
        """The lower, the better; infinity of one that is not to be chosen."""
        return self.told_by(criterion) if self.is_sound else math.inf

    def told_by(self, criterion: Judge) -> float:
        """The criterion, also of a fit that was given up; infinity where it is not known, or not finite."""
        if not self.has_a_model:
            return math.inf
        value = criterion(self) if callable(criterion) else getattr(self, criterion)
        try:
            number = math.nan if isinstance(value, str) else float(value)
        except OverflowError:  # of a whole number
            number = math.inf
        except (TypeError, ValueError):
            raise TypeError(f"A criterion must return a number. Got {value!r} instead.") from None
        return number if math.isfinite(number) else math.inf


def blank(covariance_type: str, n_components: int, n_features: int, n_rows: float) -> Candidate:
    """A candidate of which nothing is known yet."""
    n_parameters = criteria.free_parameters(covariance_type, n_components, n_features)
    return Candidate(covariance_type, n_components, n_parameters, n_rows, "degenerate")


def table_of(candidates: Sequence[Candidate], best: Candidate, criterion: Judge) -> NDArray[Any]:
    """One line for each candidate: the best, the others by their criterion, those that were given up, and the rest.

    What a sample says may be less than the criterion of the best, without being so of all rows.
    """
    judged = [
        (each is not best, not each.is_sound, each.told_by(criterion), number) for number, each in enumerate(candidates)
    ]
    table = np.empty(len(judged), TABLE)
    for line, (*_, value, number) in zip(table, sorted(judged), strict=True):
        for name in TABLE.names or ():
            if name != "criterion":
                line[name] = getattr(candidates[number], name)
        line["criterion"] = value if math.isfinite(value) else math.nan
    return table
