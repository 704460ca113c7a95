"""What is said of rows with holes, labels, priors and what is fixed, word for word; the estimator stays what it was."""

from typing import Any

import numpy as np
import pytest

from fastgmm import GaussianMixture, Prior
from fastgmm.errors import DegenerateComponentError

N_ROWS = 100
X = np.random.default_rng(0).normal(size=(N_ROWS, 4))
EYE = np.eye(4)


def changed(array: Any, position: Any, value: Any) -> Any:
    result = np.array(array)
    result[position] = value
    return result


KNOWN = np.arange(N_ROWS) % 3
BELIEFS = np.ones((N_ROWS, 3))
NAMES = "labels are component numbers; map class names to them first, e.g. with np.unique(names, return_inverse=True)."

# Words, and what leads to them: rows, labels, hyper-parameters.
SAID: dict[str, tuple[Any, Any, dict[str, Any]]] = {
    "Input X contains infinity or a value too large for dtype('float64'). The first is at row 3, column 1 (counted "
    "from 0).": (changed(X, (3, 1), np.inf), None, {}),
    "Feature 2 has no observed value in X. Drop the column, or impute it from elsewhere.": (
        changed(X, (slice(None), 2), np.nan),
        None,
        {},
    ),
    "All rows of X are without any observed value.": (np.full((N_ROWS, 4), np.nan), None, {}),
    "Found 1 row(s) with an observed value, while a minimum of 2 is required.": (
        changed(X, slice(1, None), np.nan),
        None,
        {},
    ),
    "labels[7] is 3, but with n_components=3 a label is 0, 1, 2, or -1 for unknown.": (X, changed(KNOWN, 7, 3), {}),
    "labels has 99 rows, X has 100.": (X, KNOWN[1:], {}),
    "labels[7] allows no component.": (X, changed(BELIEFS.astype(bool), 7, False), {}),
    "labels[7, 2] is negative or not finite.": (X, changed(BELIEFS, (7, 2), -1.0), {}),
    NAMES: (X, np.array(["a", "b"] * 50), {}),
    "No row may belong to component 2: labels allow it nowhere.": (X, KNOWN % 2, {}),
    "fixed=('means',) needs means_init, or warm_start=True after a fit.": (X, None, {"fixed": ("means",)}),
    "'fixed' must be among 'weights', 'means', 'covariances'; got 'mean'.": (X, None, {"fixed": ("mean",)}),
    "A tied covariance is fixed for all components or for none.": (
        X,
        None,
        {"covariance_type": "tied", "precisions_init": EYE, "fixed": {"covariances": [0]}},
    ),
    "prior.mean has shape (3,), X has 4 features.": (X, None, {"prior": Prior(1.0, [0.0] * 3)}),
    "prior.covariance must be symmetric, positive-definite": (
        X,
        None,
        {"prior": Prior(degrees_of_freedom=6.0, covariance=-EYE)},
    ),
    "prior.weight_concentration must be at least 1 for a posterior mode; got 0.33 (BayesianGaussianMixture takes "
    "less).": (
        X,
        None,
        {"prior": Prior(weight_concentration=0.33)},
    ),
    "prior.mean_precision > 0 needs prior.mean.": (X, None, {"prior": Prior(1.0)}),
    "prior.covariance needs prior.degrees_of_freedom.": (X, None, {"prior": Prior(covariance=EYE)}),
    "prior.degrees_of_freedom needs prior.covariance.": (X, None, {"prior": Prior(degrees_of_freedom=6.0)}),
}


@pytest.mark.parametrize("method", ["fit", "fit_predict"])
@pytest.mark.parametrize("words", SAID)
def test_what_a_fit_refuses_it_says_and_the_estimator_stays(words: str, method: str) -> None:
    rows, labels, options = SAID[words]
    gm = GaussianMixture(3, covariance_type=options.get("covariance_type", "full"), random_state=0).fit(X)
    gm.set_params(**options)
    before = dict(vars(gm))
    with pytest.raises(TypeError if words == NAMES else ValueError) as caught:
        getattr(gm, method)(rows, labels=labels)
    assert str(caught.value).startswith(words)
    assert vars(gm).keys() == before.keys()
    assert all(vars(gm)[name] is value for name, value in before.items())


def test_names_of_columns_are_said_too() -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(changed(X, (slice(None), 2), np.nan), columns=["a", "b", "petal", "d"])
    with pytest.raises(ValueError, match=r"^Feature 2 \('petal'\) has no observed value in X\. Drop the column, or"):
        GaussianMixture(3).fit(frame)


def test_a_fit_that_fails_on_its_way_leaves_the_estimator_too() -> None:
    rows = changed(X, (slice(None, None, 3), 0), np.nan)
    rows[:, 1] = 2.0 * rows[:, 2]
    gm = GaussianMixture(3, random_state=0).fit(X).set_params(reg_covar=0.0)
    before = dict(vars(gm))
    with pytest.raises(DegenerateComponentError) as caught:
        gm.fit(rows)
    assert caught.value.n_observed_pairs == 66
    assert all(vars(gm)[name] is value for name, value in before.items())
