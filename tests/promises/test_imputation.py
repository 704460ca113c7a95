"""Values cut out of real tables are found again better than scikit-learn's imputers find them."""

import numpy as np
import pytest

from fastgmm import GaussianMixture, GaussianMixtureImputer
from fastgmm.data.datasets import load_old_faithful
from fastgmm.parameters import BoolArray, FloatArray

pytest.importorskip("sklearn")

from sklearn.datasets import load_iris
from sklearn.experimental import enable_iterative_imputer  # noqa: F401
from sklearn.impute import IterativeImputer, KNNImputer

TABLES = {
    "iris": (load_iris().data, GaussianMixture(3, covariance_type="tied", random_state=0)),
    "Old Faithful": (load_old_faithful(), GaussianMixture(2, random_state=0)),
}


def holes_in(X: FloatArray, seed: int) -> BoolArray:
    """A fifth of the cells, but never the whole row."""
    is_missing = np.random.RandomState(seed).uniform(size=X.shape) < 0.2
    is_missing[is_missing.all(axis=1), 0] = False
    return is_missing


@pytest.mark.filterwarnings("ignore:.*Early stopping criterion not reached")
@pytest.mark.parametrize("name", TABLES)
def test_values_that_were_cut_out_are_found_nearer_than_by_regressions_or_neighbors(name: str) -> None:
    """In standard deviations, which is what neighbors need; the mean over ten sets of holes, and most of them."""
    values, mixture = TABLES[name]
    X = (values - values.mean(axis=0)) / values.std(axis=0)

    def error(imputer: object, is_missing: BoolArray) -> float:
        filled = imputer.fit_transform(np.where(is_missing, np.nan, X))
        return float(np.sqrt(np.mean(np.square(filled - X)[is_missing])))

    rivals = IterativeImputer(), KNNImputer()
    masks = [holes_in(X, seed) for seed in range(10)]
    ours = np.array([error(GaussianMixtureImputer(mixture), mask) for mask in masks])
    for rival in rivals:
        theirs = np.array([error(rival, mask) for mask in masks])
        assert ours.mean() < 0.97 * theirs.mean()
        assert (ours < theirs).sum() >= 8
