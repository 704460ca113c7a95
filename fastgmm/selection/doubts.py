"""What to doubt of a choice: whether more components are better still, and what was not looked at."""

from collections.abc import Iterator, Sequence

from fastgmm.errors import SelectionAtEdgeWarning, SelectionIncompleteWarning
from fastgmm.fit.degenerate import why_rows_are_flat
from fastgmm.selection.candidate import Candidate
from fastgmm.selection.fits import Range
from fastgmm.selection.search import Chosen
from fastgmm.show.candidates import cut_short_text


def is_at_edge(best: Candidate, wanted: Range) -> bool:
    """Whether the best has the most components that were allowed, and there are others."""
    return best.n_components == wanted.n_components[-1] and len(wanted.n_components) > 1


def doubts_of(chosen: Chosen, wanted: Range) -> Iterator[UserWarning]:
    """A warning for everything of which a user should know."""
    if chosen.was_cut_short:
        what = cut_short_text([each.status for each in chosen.candidates])
        yield SelectionIncompleteWarning(f"{what}. The largest numbers of components come first.")
    elif is_at_edge(chosen.best, wanted):
        yield SelectionAtEdgeWarning(chosen.best.n_components)
    without_fit = [family for family in wanted.families if _has_collapsed(chosen.candidates, family)]
    if without_fit:
        names = " and ".join(filter(None, [", ".join(without_fit[:-1]), without_fit[-1]]))
        is_of_rows = wanted.n_components[0] == 1
        cause = f"; probable cause: {why_rows_are_flat(chosen.facts)}" if is_of_rows else ""
        yield SelectionIncompleteWarning(f"Every fit with {names} covariances has a component that collapsed{cause}.")


def _has_collapsed(candidates: Sequence[Candidate], family: str) -> bool:
    """Whether no model of the family is sound, and time was not what it lacked."""
    found = [each.status for each in candidates if each.covariance_type == family]
    return "degenerate" in found and not {"exact", "estimated", "hopeless"} & set(found)
