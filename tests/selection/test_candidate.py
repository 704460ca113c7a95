"""Candidates and their table."""

import math
from dataclasses import replace
from typing import Any

import pytest

from fastgmm.selection.candidate import Candidate, Status, blank, table_of
from fastgmm.selection.criteria import Sums

SOME_FIT: Any = object()


def candidate(n_components: int, status: Status, log_likelihood: float = math.nan) -> Candidate:
    sums = Sums(log_likelihood, math.nan, math.nan)
    return replace(blank("diag", n_components, 2, 100.0), status=status, fit=SOME_FIT, sums=sums)


def test_the_best_comes_first_and_those_that_were_given_up_after_all_that_were_finished() -> None:
    best = candidate(2, "exact", -200.0)
    others = candidate(1, "exact", -300.0), candidate(4, "estimated", -199.0), candidate(3, "hopeless", -201.0)
    table = table_of([candidate(5, "degenerate"), *others, best], best, "bic")
    assert table["status"].tolist() == ["exact", "estimated", "exact", "hopeless", "degenerate"]
    assert table["n_components"].tolist() == [2, 4, 1, 3, 5]
    assert math.isnan(table["criterion"][-1])


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_is_never_the_lowest(value: float) -> None:
    assert candidate(1, "exact", -1.0).judged_by(lambda _: value) == math.inf
