"""What is public, but no part of a first fit: ``fastgmm`` imports it when it is first asked for.

The choice among mixtures, regression and hidden Markov models are some thirty modules, a fifth of the time that
importing fastgmm took.
"""

from fastgmm.estimator.hidden_markov import GaussianHMM
from fastgmm.estimator.regressor import MixtureRegressor
from fastgmm.estimator.selecting import Selection, select
from fastgmm.estimator.selector import GaussianMixtureSelection
from fastgmm.show.selection_display import SelectionDisplay

__all__ = ["GaussianHMM", "GaussianMixtureSelection", "MixtureRegressor", "Selection", "SelectionDisplay", "select"]

# Their home may move; what pickles name does not.
for _public in (GaussianHMM, GaussianMixtureSelection, MixtureRegressor, Selection, SelectionDisplay):
    _public.__module__ = "fastgmm"
del _public
