"""From rows and a range of candidates to all of them, judged: few rows at once, many rows by a race."""

import functools
import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from itertools import takewhile
from typing import TypeAlias

import numpy as np

from fastgmm.data.blocks.block import Blocks
from fastgmm.data.blocks.facts import overview_of
from fastgmm.data.facts import Facts
from fastgmm.data.weights import in_moderate_unit
from fastgmm.families import FAMILIES
from fastgmm.fit.degenerate import why_rows_are_flat
from fastgmm.fit.fitting import facts_to_fit
from fastgmm.fit.labelled import rows_of_a_component
from fastgmm.fit.options import RegCovar, check_random_state
from fastgmm.fit.regularization import regularization_of
from fastgmm.fit.steps import Fit, Observer
from fastgmm.kernels import get_backend
from fastgmm.kernels.backend import Backend
from fastgmm.kernels.contract import can_be_shared, work_of
from fastgmm.machine.threads import resolve_n_threads
from fastgmm.parameters import FloatArray
from fastgmm.rows import Rows
from fastgmm.selection.candidate import Candidate, blank
from fastgmm.selection.climbing import Patience, Slope, go_on
from fastgmm.selection.criteria import sums_over
from fastgmm.selection.cross_validation import cross_validated
from fastgmm.selection.fits import FEW_ROWS, QUICK, SOME, THOROUGH, Field, Range, ending_of, fits_of
from fastgmm.selection.race import Race, drawn, rows_of_a_sample
from fastgmm.sweeps.incomplete import suited_to_missing
from fastgmm.sweeps.over_blocks import AnySweep, OverBlocks

# How much of −2 log-likelihood may be left to gain where candidates are compared on many rows, and for the best.
_COMPARED = Patience(first_steps=0, n_kept=1, units=2.0, most_steps=200, to_the_end=False)
_SETTLED = replace(_COMPARED, units=0.02, most_steps=1000)
# Finalists of a race, and those that were given up, are fitted until so many in a row were no better.
_WITHOUT_SUCCESS = 3

CandidateObserver: TypeAlias = Callable[[Candidate], None]


@dataclass(frozen=True, eq=False)
class Manner:
    """How candidates are fitted: what is added to variances, by what, and whether every one to ``all_rows``."""

    reg_covar: RegCovar
    backend: str
    n_threads: int | None
    random_state: int | np.random.RandomState | None
    all_rows: bool = False
    observer: CandidateObserver | None = None


@dataclass(frozen=True, eq=False)
class AllRows:
    """All rows, wherever they are, of which ``facts`` know some in memory; and a sweep over them for every family."""

    facts: Facts
    sweep_of: Callable[[str], AnySweep]
    backend: Backend
    n_threads: int
    unit: float

    @property
    def n_rows(self) -> float:
        """The sum of weights, as users count them."""
        return float(self.facts.total_weight / self.unit)


@dataclass(frozen=True, eq=False)
class Chosen:
    """All candidates, and which of them is the best; parameters are less ``facts.rows.origin``."""

    candidates: tuple[Candidate, ...]
    best: Candidate
    facts: Facts
    was_cut_short: bool


def search_rows(rows: Rows, wanted: Range, manner: Manner) -> Chosen:
    """The choice for validated rows in memory."""
    rows, unit = in_moderate_unit(rows)
    with np.errstate(over="ignore", invalid="ignore"):
        facts = facts_to_fit(Facts(rows))
        backend = get_backend(manner.backend, work_of(*facts.rows.shape, wanted.n_components[-1]))
        n_threads = resolve_n_threads(manner.n_threads, can_be_shared(facts.rows.shape[0]))

        def sweep_of(family: str) -> AnySweep:
            return suited_to_missing(facts, FAMILIES[family], backend, n_threads, wanted.deadline)

        return _search(AllRows(facts, sweep_of, backend, n_threads, unit), wanted, manner)


def search_blocks(blocks: Blocks, wanted: Range, manner: Manner) -> Chosen:
    """The choice for rows that come in blocks, which one pass looks at first."""
    n_features, most = blocks.form.n_features, wanted.n_components[-1]
    kept = 2 * rows_of_a_sample(wanted, n_features), rows_of_a_component(n_features)
    overview = overview_of(blocks, most, *kept, manner.n_threads)
    facts, reading = overview.facts, overview.reading
    backend = get_backend(manner.backend, work_of(facts.n_rows, n_features, most))

    def sweep_of(family: str) -> AnySweep:
        what = facts, overview.for_starts, blocks, reading, FAMILIES[family], backend
        return OverBlocks(*what, manner.n_threads, wanted.deadline).with_scatter()

    with np.errstate(over="ignore", invalid="ignore"):
        n_threads = resolve_n_threads(manner.n_threads)
        return _search(AllRows(facts, sweep_of, backend, n_threads, reading.unit), wanted, manner)


def _search(rows: AllRows, wanted: Range, manner: Manner) -> Chosen:
    random_state = check_random_state(manner.random_state)
    regularization = regularization_of(manner.reg_covar, rows.facts)
    field_of = partial(
        Field,
        backend=rows.backend,
        n_threads=rows.n_threads,
        regularization=regularization,
        deadline=wanted.deadline,
    )
    n_sampled = rows_of_a_sample(wanted, rows.facts.rows.shape[1])
    asked, wanted = wanted, wanted.with_one_component
    if rows.facts.n_counted <= 2 * n_sampled or manner.all_rows:
        field = field_of(rows.facts)
        slope_of: Callable[[str], Slope] = field.slope
        may_give_up = rows.facts.n_counted > FEW_ROWS and not manner.all_rows
        exact_ones = _exact_ones(field, rows, wanted, random_state, may_give_up)
        candidates = _with_second_chances(list(_observed(exact_ones, asked, manner.observer)), field, rows, wanted)
        if wanted.criterion == "cv":
            candidates = cross_validated(candidates, rows.facts.rows, field_of, wanted, rows.unit)
    else:
        some = drawn(rows.facts.rows, 2 * n_sampled, random_state)
        halves = [Facts(some.take(slice(first, None, 2))) for first in (0, 1)]
        race = Race(field_of(halves[0]), halves[1], rows.n_rows, wanted)
        candidates = _knowing_one(list(_observed(race.run(random_state), asked, manner.observer)))
        slope_of = _slopes_over(rows, regularization)
        candidates = _with_finalists(race, candidates, rows, slope_of)
    candidates = [each for each in _knowing_one(candidates) if each.n_components in asked.n_components]
    _require_some(candidates, rows.facts, asked)
    candidates, best = _with_best_settled(candidates, rows, wanted, slope_of)
    return Chosen(tuple(candidates), best, rows.facts, wanted.is_late)


def _observed(candidates: Iterator[Candidate], asked: Range, observer: CandidateObserver | None) -> Iterator[Candidate]:
    for candidate in candidates:
        if observer is not None and candidate.n_components in asked.n_components:
            observer(candidate)
        yield candidate


def _slopes_over(rows: AllRows, regularization: FloatArray) -> Callable[[str], Slope]:
    """A slope for each family, made once."""
    return functools.cache(lambda family: Slope(rows.sweep_of(family), regularization))


def _exact_ones(
    field: Field, rows: AllRows, wanted: Range, random_state: np.random.RandomState, may_give_up: bool
) -> Iterator[Candidate]:
    """Every candidate fitted to all rows, unless it is given up since it is not likely to become the best."""
    best, n_features = math.inf, rows.facts.rows.shape[1]

    def give_up(family: str, n_components: int) -> Observer | None:
        return wanted.gives_up(blank(family, n_components, n_features, rows.n_rows), best, THOROUGH)

    for family, n_components, fit in fits_of(field, wanted, random_state, give_up if may_give_up else None):
        candidate = ending_of(blank(family, n_components, n_features, rows.n_rows), fit, wanted)
        slope = field.slope(family)
        if candidate.status == "degenerate" and fit is not None and slope.is_sound(fit):
            candidate = _scored(candidate, fit, slope, rows)
            best = min(best, candidate.judged_by(wanted.criterion))
        yield candidate


def _with_second_chances(candidates: list[Candidate], field: Field, rows: AllRows, wanted: Range) -> list[Candidate]:
    """The candidates, of which those given up go on, the nearest to the best first, until so many were no better.

    EM may gain little for some steps and much after them, so that one that was given up may yet win.
    """
    best = min((each.judged_by(wanted.criterion) for each in candidates), default=math.inf)
    given_up = sorted(
        (each for each in candidates if each.status == "hopeless"), key=lambda each: each.told_by(wanted.criterion)
    )

    def after_all(candidate: Candidate, best: float) -> Candidate | None:
        assert candidate.fit is not None
        slope = field.slope(candidate.covariance_type)
        fit = go_on(slope, candidate.fit, SOME)
        return _scored(candidate, fit, slope, rows) if slope.is_sound(fit) else None

    in_time = takewhile(lambda _: not wanted.is_late, given_up)
    found = {each.name: each for each in _until_none_is_better(in_time, after_all, best, wanted)}
    return [found.get(each.name, each) for each in candidates]


def _until_none_is_better(
    contenders: Iterable[Candidate],
    fitted: Callable[[Candidate, float], Candidate | None],
    best: float,
    wanted: Range,
) -> Iterator[Candidate]:
    """Contenders, the likeliest first, each ``fitted`` to beat ``best``, until so many in a row were no better."""
    without_success = 0
    for contender in contenders:
        if without_success == _WITHOUT_SUCCESS:
            return
        without_success += 1
        known = fitted(contender, best)
        if known is not None:
            yield known
            if known.judged_by(wanted.criterion) < best:
                best, without_success = known.judged_by(wanted.criterion), 0


def _scored(candidate: Candidate, fit: Fit, slope: Slope, rows: AllRows) -> Candidate:
    model = slope.sweep.family.model_of(fit.parameters, rows.facts.rows.values.dtype)
    # Whatever the time: this is what makes the best one known.
    sweep = replace(slope.sweep, deadline=math.inf) if isinstance(slope.sweep, OverBlocks) else slope.sweep
    return replace(candidate, status="exact", fit=fit, sums=sums_over(sweep, model).scaled(1.0 / rows.unit))


def _with_finalists(
    race: Race, candidates: list[Candidate], rows: AllRows, slope_of: Callable[[str], Slope]
) -> list[Candidate]:
    """The candidates, of which those that may win are fitted to all rows until nothing better comes."""
    wanted, finalists = race.wanted, race.finalists(candidates)
    found = dict[tuple[str, int], Candidate]()

    def of_all_rows(candidate: Candidate, best: float) -> Candidate | None:
        known = _fitted_to_all(candidate, slope_of(candidate.covariance_type), rows, wanted, best)
        one = found.get((candidate.covariance_type, 1))
        return known if known is None or one is None else replace(known, log_likelihood_of_one=one.log_likelihood)

    if wanted.criterion == "nec":  # of which one component is a part
        ones = [of_all_rows(each, math.inf) for each in candidates if each.n_components == 1 and each.is_sound]
        found |= {each.name: each for each in ones if each is not None}
    others = [each for each in finalists if each.name not in found]
    # However late it is, there is one.
    in_time = takewhile(lambda _: not (found and wanted.is_late), others)
    for known in _until_none_is_better(in_time, of_all_rows, math.inf, wanted):
        found[known.name] = known
    compared, gained = {each.name: each for each in finalists}, _gained(found, candidates, wanted)
    return [found.get(each.name) or _moved(compared.get(each.name, each), gained) for each in candidates]


def _gained(found: dict[tuple[str, int], Candidate], candidates: list[Candidate], wanted: Range) -> float:
    """How much more log-likelihood the best of all rows has than the samples told of it."""
    if not found:
        return 0.0
    best = min(found.values(), key=lambda each: each.judged_by(wanted.criterion))
    told = next(each for each in candidates if each.name == best.name)
    return best.log_likelihood - told.log_likelihood


def _moved(candidate: Candidate, gained: float) -> Candidate:
    """An estimated candidate with so much more: chance moves likelihoods of samples far, their differences little."""
    if candidate.status != "estimated":
        return candidate
    return replace(candidate, sums=candidate.sums._replace(log_likelihood=candidate.log_likelihood + gained))


def _fitted_to_all(candidate: Candidate, slope: Slope, rows: AllRows, wanted: Range, best: float) -> Candidate | None:
    """The candidate with a fit of all rows that goes on from that of a sample; None where it is given up, or not sound.

    How certain a difference was is of no interest any more.
    """
    assert candidate.fit is not None
    fit = go_on(slope, candidate.fit, _COMPARED, wanted.gives_up(candidate, best, QUICK))
    if fit.stop_reason == "callback" or not slope.is_sound(fit):
        return None
    return replace(_scored(candidate, fit, slope, rows), uncertainty=0.0)


def _knowing_one(candidates: list[Candidate]) -> list[Candidate]:
    """The candidates with the likelihood of one component, where that is among them."""
    of_one = {each.covariance_type: each.log_likelihood for each in candidates if each.n_components == 1}
    unknown = math.nan
    return [
        replace(each, log_likelihood_of_one=of_one.get(each.covariance_type, unknown)) if each.is_sound else each
        for each in candidates
    ]


def _require_some(candidates: list[Candidate], facts: Facts, wanted: Range) -> None:
    """Refuses to choose where there is nothing to choose from, and where the criterion tells nothing."""
    if not any(each.is_sound for each in candidates):
        others = [name for name in ("diag", "spherical") if name not in wanted.families]
        remedies = ["fewer components"] if wanted.n_components[0] > 1 else []
        remedies += [f"covariance_type={others!r}"] if others else []
        raise ValueError(
            "No candidate has a fit in which every component is held by more than a few distinct points; probable "
            f"cause: {why_rows_are_flat(facts)}." + (f" Try {', or '.join(remedies)}." if remedies else "")
        )
    if not any(math.isfinite(each.judged_by(wanted.criterion)) for each in candidates):
        name = wanted.criterion if isinstance(wanted.criterion, str) else "a criterion"
        why = " The deadline passed." if wanted.is_late else ""
        raise ValueError(f"No candidate can be judged: {name} is finite for none of them.{why}")


def _with_best_settled(
    candidates: list[Candidate], rows: AllRows, wanted: Range, slope_of: Callable[[str], Slope]
) -> tuple[list[Candidate], Candidate]:
    """The candidates, of which the best is settled on all rows, and every other that might be it."""
    settled = set[tuple[str, int]]()
    margin = _COMPARED.units if wanted.is_in_units_of_likelihood else 0.0
    while True:
        sound = [each for each in candidates if each.is_sound]
        exact = [each for each in sound if each.status == "exact"] or sound
        judged = {each: each.judged_by(wanted.criterion) for each in exact}
        best = min(exact, key=judged.__getitem__)
        near = [each for each in exact if each.name not in settled and judged[each] <= judged[best] + margin]
        if not near or wanted.is_late:
            return candidates, best
        settled.update(each.name for each in near)
        better = {each: _settled(each, rows, slope_of(each.covariance_type)) for each in near}
        candidates = [better.get(each, each) for each in candidates]


def _settled(candidate: Candidate, rows: AllRows, slope: Slope) -> Candidate:
    """The candidate after what is left to gain on all rows; itself where that leads to nothing sound."""
    assert candidate.fit is not None
    fit = go_on(slope, candidate.fit, _SETTLED)
    return _scored(candidate, fit, slope, rows) if slope.is_sound(fit) else candidate
