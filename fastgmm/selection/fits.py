"""Fits of all candidates to some rows, each of which helps the others."""

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import TypeAlias

import numpy as np

from fastgmm.data.facts import Facts
from fastgmm.families import FAMILIES
from fastgmm.fit.starts import loaded
from fastgmm.fit.steps import Fit, Observer, Step
from fastgmm.kernels.backend import Backend
from fastgmm.model.criteria import free_parameters
from fastgmm.parameters import FloatArray, Parameters
from fastgmm.selection.candidate import Candidate
from fastgmm.selection.climbing import Patience, Slope, climb
from fastgmm.selection.criteria import Judge, Sums
from fastgmm.selection.starts import (
    Partitions,
    fewer_components,
    in_family,
    partitions_of,
    start_of_rows_with_holes,
    with_heaviest_split,
    without,
)
from fastgmm.sweeps.incomplete import suited_to_missing
from fastgmm.sweeps.sweep import Machinery

# Of so few rows every number of components has partitions of its own. Of more k-means begins anew at every fourth
# number only: mergers do as well between.
FEW_ROWS = 2000
_FRESH_START_EVERY = 4


@dataclass(frozen=True)
class Evidence:
    """When a climb is given up: no sooner than after ``steps``, if even ``gains`` times its last gain were too little.

    EM may gain little for some steps and much after them, so that no evidence is proof.
    """

    steps: int
    gains: float


# Of 40 samples of skewed rows the first, where nothing else speaks for it, lost the best of 13; the second of none.
QUICK, THOROUGH = Evidence(steps=3, gains=20.0), Evidence(steps=16, gains=40.0)
FEW = Patience(first_steps=5, n_kept=2, units=0.5, most_steps=1000, to_the_end=True)
SOME = Patience(first_steps=2, n_kept=1, units=0.5, most_steps=100, to_the_end=False)


@dataclass(frozen=True, eq=False)
class Range:
    """What to choose from, and by what.

    ``n_components`` are distinct and in order, ``families`` names of families.
    """

    n_components: tuple[int, ...]
    families: tuple[str, ...]
    criterion: Judge
    deadline: float = math.inf

    @property
    def is_late(self) -> bool:
        return time.perf_counter() > self.deadline

    @property
    def is_in_units_of_likelihood(self) -> bool:
        """Whether a unit of the criterion is one of −2 log-likelihood."""
        return self.criterion in ("bic", "aic", "icl", "cv")

    @property
    def with_one_component(self) -> "Range":
        """What has to be fitted for ``nec``, which compares with the likelihood of one component."""
        if self.criterion != "nec" or self.n_components[0] == 1:
            return self
        return replace(self, n_components=(1, *self.n_components))

    @property
    def wants_entropy(self) -> bool:
        return self.criterion in ("icl", "nec") or callable(self.criterion)

    def gives_up(self, candidate: Candidate, best: float, evidence: Evidence) -> Observer | None:
        """What ends a climb that is hardly to lead below ``best``; None where the likelihood alone does not tell."""
        criterion = self.criterion
        if callable(criterion) or criterion not in ("bic", "aic"):
            return None

        def look(step: Step) -> None:
            if step.iteration > evidence.steps and step.accepted:
                at_most = step.lower_bound + evidence.gains * max(step.change, 0.0)
                sums = Sums(at_most * candidate.n_rows, math.nan, math.nan)
                if getattr(replace(candidate, sums=sums), criterion) > best:
                    raise StopIteration

        return look

    def most_parameters(self, n_features: int) -> int:
        """Of the largest candidate."""
        return max(free_parameters(family, self.n_components[-1], n_features) for family in self.families)


@dataclass(frozen=True, eq=False)
class Field:
    """Where candidates are fitted: to some rows in memory, for a slope each family has of its own.

    ``found`` are the sound fits so far, from which others start.
    """

    facts: Facts
    backend: Backend
    n_threads: int
    regularization: FloatArray
    deadline: float
    slopes: dict[str, Slope] = field(default_factory=dict, init=False)
    found: dict[tuple[str, int], Fit] = field(default_factory=dict, init=False)

    def slope(self, family: str) -> Slope:
        if family not in self.slopes:
            sweep = suited_to_missing(self.facts, FAMILIES[family], self.backend, self.n_threads, self.deadline)
            self.slopes[family] = Slope(sweep, self.regularization)
        return self.slopes[family]

    def machinery(self, family: str) -> Machinery:
        """What computes with rows that are asked and not fitted to."""
        return Machinery(FAMILIES[family], self.backend, self.n_threads)


def ending_of(candidate: Candidate, fit: Fit | None, wanted: Range) -> Candidate:
    """The candidate with its fit, and whether that was given up or skipped."""
    if fit is None:
        return replace(candidate, status="skipped" if wanted.is_late else "degenerate")
    if fit.stop_reason == "callback":
        sums = Sums(fit.lower_bound * candidate.n_rows, math.nan, math.nan)
        return replace(candidate, status="hopeless", fit=fit, sums=sums)
    return replace(candidate, fit=fit)


# What sees the steps of a candidate, and may end its climb; None where nothing does.
GiveUp: TypeAlias = Callable[[str, int], Observer | None]


def fits_of(
    field: Field,
    wanted: Range,
    random_state: np.random.RandomState,
    give_up: GiveUp | None = None,
) -> Iterator[tuple[str, int, Fit | None]]:
    """The best fit of every candidate, from many components to few; None where there is none.

    Once it is late there are no more: but the last one, of which there may be no other.
    """
    most, n_counted = wanted.n_components[-1], field.facts.n_counted
    is_small = n_counted <= FEW_ROWS
    patience, partitions = FEW if is_small else SOME, None
    if not field.facts.rows.has_missing:
        has_matrices = any(FAMILIES[family].has_matrices for family in wanted.families)
        freest = "diag" if not has_matrices and any(FAMILIES[each].rank for each in wanted.families) else "full"
        partitions = partitions_of(field.slope(freest).sweep, field.regularization, most, random_state)
    # The freest first, which starts the others.
    order = ["full", "VVV"]
    families = sorted(wanted.families, key=lambda name: order.index(name) if name in order else len(order))
    for place, k in enumerate(reversed(wanted.n_components)):
        shared = _Shared(partitions, k, is_small or place % _FRESH_START_EVERY == 0)
        for family in families:
            is_last = k == wanted.n_components[0] and family == families[-1]
            if wanted.is_late and (field.found or not is_last):
                yield family, k, None
                continue
            slope, neighbors = field.slope(family), _of_neighbors(field, family, k)
            starts = [loaded(slope.sweep, start, slope.regularization, random_state) for start in neighbors]
            starts += shared.starts(slope, has_others=bool(starts), random_state=random_state)
            observer = None if give_up is None else give_up(family, k)
            fit = climb(slope, starts, patience, observer)
            if fit is not None and not slope.is_sound(fit):
                fit = _mended(slope, fit, patience)
            if fit is not None and slope.is_sound(fit):
                field.found[family, k] = fit
            yield family, k, fit


@dataclass(eq=False)
class _Shared:
    """The partitions into ``k`` clusters, made once for all families; of k-means where the start is to be fresh."""

    partitions: Partitions | None
    k: int
    is_fresh: bool
    made: list[Parameters] | None = None

    def starts(self, slope: Slope, has_others: bool, random_state: np.random.RandomState) -> list[Parameters]:
        is_fresh = self.is_fresh or not has_others
        if self.partitions is None:
            return [start_of_rows_with_holes(slope, self.k, random_state)] if is_fresh else []
        if self.made is None:
            if not is_fresh and not self.partitions.trees:
                return []
            self.made = list(self.partitions.starts(self.k, is_fresh, random_state))
        in_it = (in_family(start, slope.sweep.family.name) for start in self.made)
        return [loaded(slope.sweep, start, slope.regularization, random_state) for start in in_it]


def _of_neighbors(field: Field, family: str, k: int) -> Iterator[Parameters]:
    """What the fits of the full family, and with more components, lead to."""
    for freest in ("full", "VVV"):
        if family != freest and (freest, k) in field.found:
            yield in_family(field.found[freest, k].parameters, family)
    more = [n_components for name, n_components in field.found if name == family and n_components > k]
    if more:
        parameters = field.found[family, min(more)].parameters
        while parameters.n_components > k:
            parameters = fewer_components(parameters)
        yield parameters


def _mended(slope: Slope, fit: Fit, patience: Patience) -> Fit:
    """A fit in which others have split in place of components that have collapsed, if that is sound."""
    unsound = slope.unsound_components(fit)
    # Where all are degenerate it is the rows that are flat.
    if not unsound or len({*unsound, *fit.degenerate}) == fit.parameters.n_components:
        return fit
    parameters = without(fit.parameters, unsound)
    while parameters.n_components < fit.parameters.n_components:
        parameters = with_heaviest_split(parameters)
    return climb(slope, [parameters], patience) or fit
