"""Stochastic EM, which settles nowhere: its way, and the best model on it."""

from collections.abc import Callable, Generator
from dataclasses import dataclass, field

import numpy as np

from fastgmm.families.family import CovarianceFamily
from fastgmm.fit.em import Iterate, first_iterate, iterate_after
from fastgmm.fit.posterior import Constraints
from fastgmm.fit.update import NoModelError, Update
from fastgmm.moments import Moments
from fastgmm.parameters import FloatArray, Model, Parameters

# So often the points that it takes for a covariance. Of 100 fits with a component too many, to 120 rows of one feature,
# 200 of three and 1500 of five, none ended with a component that is flat; with half as many points 12 did, and with the
# largest likelihood alone 46, while 39 failed.
_ENOUGH = 2


def wandering(
    update: Update, start: Parameters | Iterate, lower_bound: float = -np.inf
) -> Generator[Iterate, Moments, None]:
    """The loop of :func:`fastgmm.fit.em.em`, which begins anew where draws lead to no model: the next ones are others.

    Such an iteration counts as one, so that a component which never gets enough points keeps no run from its end.
    """
    iterate = first_iterate(update, start, lower_bound)
    first = iterate.model
    while True:
        moments = yield iterate
        try:
            iterate = iterate_after(update, iterate, moments)
        except NoModelError:
            bound = update.objective(moments, iterate.asked)
            iterate = Iterate(first, bound, first, change=bound - iterate.lower_bound)


@dataclass(eq=False)
class Visited:
    """The ``best`` model that a run has visited, and its lower bound.

    The likelihood has no bound where a component collapses onto few points, and the draws lead there sooner or later.
    So a model without collapsed components is better than one with some, as among starts; then one of whose components
    more hold ``enough`` points (K,); then the likelier one.
    """

    enough: FloatArray
    has_collapsed: Callable[[Model], bool]
    best: tuple[Model, float] | None = field(init=False, default=None)
    _merit: tuple[bool, float, float] = field(init=False, default=(False, -np.inf, -np.inf))

    def see(self, model: Model, lower_bound: float, moments: Moments) -> None:
        """One that was visited, with its moments, in which every row counts for the component that was drawn."""
        points = moments.counts * (moments.n_rows / moments.total_weight)  # whatever the weights' unit
        rest = float(np.minimum(points, self.enough).sum()), lower_bound
        if self.best is not None and (True, *rest) <= self._merit:
            return  # whether it has collapsed is asked where that matters, since all rows may have to be looked at
        merit = not self.has_collapsed(model), *rest
        if self.best is None or merit > self._merit:
            self.best, self._merit = (model, lower_bound), merit


def enough_points(family: CovarianceFamily, shape: tuple[int, int], constraints: Constraints | None) -> FloatArray:
    """Of each component (K,) of ``shape`` (K, d): 0 of one whose covariance other rows or something else hold."""
    n_components, n_features = shape
    if family.is_shared or (constraints is not None and constraints.prior.holds_covariances):
        return np.zeros(n_components)
    enough = np.full(n_components, _ENOUGH * (n_features + 1.0 if family.has_matrices else 2.0))
    return enough if constraints is None else np.where(constraints.fixed.covariances, 0.0, enough)
