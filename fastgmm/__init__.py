"""Gaussian mixture models fitted by EM, on the CPU, at the speed of the machine.

The front door: ``GaussianMixture`` is the estimator, ``GaussianMixtureImputer`` fills in what is missing by one, and
``MixtureRegressor`` finds targets. ``GaussianHMM`` is for sequences. ``select`` chooses among mixtures, and returns a
``Selection``; ``GaussianMixtureSelection`` does so as an estimator. ``BernoulliMixture``, ``PoissonMixture``,
``MultinomialMixture`` and ``CategoricalMixture`` are mixtures of zeros and ones, of counts and of categories, and
``select_components`` chooses among such, a ``ComponentSelection``. ``load`` reads a saved mixture, ``blocks_of`` makes
a source of rows that are too many for memory, ``numeric_columns`` leaves out the columns of a frame that hold no
numbers, ``warmup`` compiles kernels ahead of their first use, ``show_backend`` tells what will run. ``Moments`` is what
one pass over the rows leaves of them, and ``save_moments`` and ``load_moments`` carry it elsewhere. ``Clusters`` are
components that belong together. ``MixtureDisplay`` is a picture of a mixture, and ``SelectionDisplay`` of the choice
among several. ``Prior`` is what may be believed of a mixture beforehand, ``Step`` is what callbacks receive, and
``fastgmm.errors`` holds the exceptions that callers catch. Importing fastgmm loads neither numba nor scikit-learn nor
matplotlib, and what ``estimator/later.py`` has is imported when it is first asked for.
"""

import logging
from typing import TYPE_CHECKING

from fastgmm import errors
from fastgmm.data.blocks.watched import Visit
from fastgmm.data.frames import numeric_columns
from fastgmm.estimator.front import load, show_backend, warmup
from fastgmm.estimator.imputer import GaussianMixtureImputer
from fastgmm.estimator.mixture import GaussianMixture
from fastgmm.files.moments_file import load_moments, save_moments
from fastgmm.fit.prior import Prior
from fastgmm.fit.steps import Step
from fastgmm.model.algebra_clusters import Clusters
from fastgmm.moments import Moments
from fastgmm.show.mixture_display import MixtureDisplay
from fastgmm.sweeps.blocks_of import blocks_of
from fastgmm.version import __version__

if TYPE_CHECKING:
    from fastgmm.estimator.later import (
        BernoulliMixture,
        CategoricalMixture,
        ComponentSelection,
        GaussianHMM,
        GaussianMixtureSelection,
        MixtureRegressor,
        MultinomialMixture,
        PoissonMixture,
        Selection,
        SelectionDisplay,
        select,
        select_components,
    )

__all__ = [
    "BernoulliMixture",
    "CategoricalMixture",
    "Clusters",
    "ComponentSelection",
    "GaussianHMM",
    "GaussianMixture",
    "GaussianMixtureImputer",
    "GaussianMixtureSelection",
    "MixtureDisplay",
    "MixtureRegressor",
    "Moments",
    "MultinomialMixture",
    "PoissonMixture",
    "Prior",
    "Selection",
    "SelectionDisplay",
    "Step",
    "Visit",
    "__version__",
    "blocks_of",
    "errors",
    "load",
    "load_moments",
    "numeric_columns",
    "save_moments",
    "select",
    "select_components",
    "show_backend",
    "warmup",
]


def __getattr__(name: str) -> object:
    """What no first fit needs, imported now (PEP 562)."""
    if name not in __all__:
        raise AttributeError(f"module 'fastgmm' has no attribute {name!r}")
    from fastgmm.estimator import later

    value: object = getattr(later, name)
    return value


def __dir__() -> list[str]:
    """What is public, for completion: rooms are attributes too, once they are imported."""
    return __all__


# Their home may move; what pickles name does not.
for _public in (
    Clusters,
    GaussianMixture,
    GaussianMixtureImputer,
    MixtureDisplay,
    Moments,
    Prior,
    Step,
    Visit,
):
    _public.__module__ = "fastgmm"
del _public

# Where nobody has asked for the log, Python would print its warnings.
logging.getLogger("fastgmm").addHandler(logging.NullHandler())
