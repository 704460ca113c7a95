"""The loop of stochastic EM, which settles nowhere and remembers the best place that it has seen."""

from collections.abc import Generator
from dataclasses import replace

import numpy as np

from fastgmm.fit.em import Iterate, Visited, iterate_after
from fastgmm.fit.update import Update
from fastgmm.moments import Moments
from fastgmm.parameters import Parameters


def wandering(update: Update, start: Parameters, lower_bound: float = -np.inf) -> Generator[Iterate, Moments, None]:
    """The iterates of ``em``, each of which knows the model of the largest objective so far, the start among them."""
    model = update.prepare(start)
    iterate, best = Iterate(model, lower_bound, model), Visited(model, -np.inf)
    while True:
        moments = yield replace(iterate, best=best)
        asked, iterate = iterate.asked, iterate_after(update, iterate, moments)
        if iterate.lower_bound > best.lower_bound:
            best = Visited(asked, iterate.lower_bound)
