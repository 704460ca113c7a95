"""Expectation-maximization: a model asks for its moments, and moments make the next model.

Whoever drives the loop decides who visits the rows, and when to stop: ``runs.py``, with the sweep that it is given.
"""

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

import numpy as np

from fastgmm.fit.update import Update
from fastgmm.moments import Moments
from fastgmm.parameters import Model, Parameters


@dataclass(frozen=True, eq=False)
class Iterate:
    """Where EM stands, and the model whose moments it asks for next.

    Attributes
    ----------
    model : Model
        The last that EM has led to.
    lower_bound : float
        The objective of the model that it was made from.
    asked : Model
        Whose moments are wanted: ``model`` itself, or an extrapolation of the path that led to it.
    change : float
        By how much the last moments raised the lower bound, or would have, had they been accepted.
    accepted : bool
        Whether the last moments led to ``model``: False where they came from an extrapolation that fell short.
    is_jump : bool
        Whether the last moments came from an extrapolation.
    has_jumped : bool
        Whether any extrapolation of this run was accepted.
    memory : object
        What a loop remembers beside: with it an iterate is all that the next one depends on.
    """

    model: Model
    lower_bound: float
    asked: Model
    change: float = np.inf
    accepted: bool = True
    is_jump: bool = False
    has_jumped: bool = False
    memory: Any = None


def em(update: Update, start: Parameters | Iterate, lower_bound: float = -np.inf) -> Generator[Iterate, Moments, None]:
    """Iterates without end: each is sent the moments under the model that it asks for.

    Parameters
    ----------
    start : Parameters or Iterate
        Or where an earlier run was broken off.
    lower_bound : float
        That of an earlier run whose parameters are the start.

    Raises
    ------
    NoModelError
        Where a covariance stops being positive definite.
    """
    iterate = first_iterate(update, start, lower_bound)
    while True:
        moments = yield iterate
        iterate = iterate_after(update, iterate, moments)


def first_iterate(update: Update, start: Parameters | Iterate, lower_bound: float) -> Iterate:
    """Where a loop begins."""
    if isinstance(start, Iterate):
        return start
    model = update.prepare(start)
    return Iterate(model, lower_bound, model)


def iterate_after(update: Update, iterate: Iterate, moments: Moments) -> Iterate:
    """The iterate that the moments lead to, which asks for those of its own model."""
    bound = update.objective(moments, iterate.asked)
    model = update.prepare(update.maximize(moments, iterate.asked), moments.counts)
    return Iterate(model, bound, model, change=bound - iterate.lower_bound)
