"""What is public, but no part of a first fit: ``fastgmm`` imports it when it is first asked for.

The choice among mixtures, regression and hidden Markov models are some thirty modules, a fifth of the time that
importing fastgmm took.
"""

from fastgmm.estimator.bernoulli import BernoulliMixture
from fastgmm.estimator.categorical import CategoricalMixture
from fastgmm.estimator.discrete_selecting import ComponentSelection, select_components
from fastgmm.estimator.hidden_markov import GaussianHMM
from fastgmm.estimator.multinomial import MultinomialMixture
from fastgmm.estimator.poisson import PoissonMixture
from fastgmm.estimator.regressor import MixtureRegressor
from fastgmm.estimator.selecting import Selection, select
from fastgmm.estimator.selector import GaussianMixtureSelection
from fastgmm.show.selection_display import SelectionDisplay

__all__ = [
    "BernoulliMixture",
    "CategoricalMixture",
    "ComponentSelection",
    "GaussianHMM",
    "GaussianMixtureSelection",
    "MixtureRegressor",
    "MultinomialMixture",
    "PoissonMixture",
    "Selection",
    "SelectionDisplay",
    "select",
    "select_components",
]

# Their home may move; what pickles name does not.
for _public in (
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
):
    _public.__module__ = "fastgmm"
del _public
