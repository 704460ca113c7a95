"""A mistake meets what scikit-learn's users expect: an exception that they catch, and the same first words.

Deliberate differences, not listed below: masked arrays, dates and times are refused where scikit-learn takes what lies
under the mask and the number of nanoseconds; ``sample(0)`` names the number of samples, where scikit-learn prints the
number of components; a covariance that is singular is an error also where rounding left it barely positive definite.
"""

import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from fastgmm import GaussianMixture
from fastgmm.parameters import Array

pytest.importorskip("sklearn")

import pandas as pd
import scipy.sparse
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.mixture import GaussianMixture as SklearnMixture

_RNG = np.random.RandomState(0)
X = np.concatenate([_RNG.normal(size=(50, 2)), _RNG.normal(size=(50, 2)) + 6])
FRAME = pd.DataFrame(X, columns=["a", "b"])

# Where our words may part from scikit-learn's: its advice, its lists in no order, and what ours takes besides.
_PARTING = (
    "\nGaussianMixture does not accept missing values",
    " For more information",
    " among {",
    ". Got ",
    " Valid parameters are",
)
Mistake = Callable[[type], Any]


@dataclass
class Outcome:
    error: Exception | None
    warnings: list[warnings.WarningMessage]


def outcome(mistake: Mistake, estimator: type) -> Outcome:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            mistake(estimator)
        except Exception as error:
            return Outcome(error, caught)
    return Outcome(None, caught)


def leading_words(message: str) -> str:
    for parting in _PARTING:
        message = message.split(parting)[0]
    return message.rstrip()


def catchable(error: type[BaseException]) -> set[type]:
    """The classes by which users of scikit-learn catch an exception or a warning."""
    return {base for base in error.__mro__ if base.__module__ in ("builtins", "sklearn.exceptions")}


def setting(data: Array = X, n_components: Any = 2, **options: Any) -> Mistake:
    return lambda estimator: estimator(n_components=n_components, **options).fit(data)


def fitting(data: Any) -> Mistake:
    return lambda estimator: estimator().fit(data)


def asking(method: str, *arguments: Any, fitted_to: Any = X) -> Mistake:
    return lambda estimator: getattr(estimator().fit(fitted_to), method)(*arguments)


def unfitted(method: str) -> Mistake:
    return lambda estimator: getattr(estimator(), method)(*([] if method == "sample" else [X]))


def with_value(value: float) -> Array:
    data = X.copy()
    data[3, 1] = value
    return data


BAD_OPTIONS: dict[str, list[Any]] = {
    "n_components": [0, -1, 1.5, "a", None],
    "tol": [-1, "x", None, np.nan, np.inf],
    "reg_covar": [-1e-3, "x", None, np.nan, np.inf],
    "max_iter": [-1, 1.5, None],
    "n_init": [0, 2.5],
    "init_params": ["foo", None, 3],
    "covariance_type": ["foo", None, ["full"]],
    "random_state": ["x", -1, 2.5, 2**32, np.random.default_rng(0)],
    "warm_start": ["yes", 2, None, 1],
    "verbose": [-1, "x", None, 1.5],
    "verbose_interval": [0, None],
    "weights_init": [
        "ab",
        3,
        [[0.5, 0.5]],
        [1.0],
        ["a", "b"],
        [0.5, 0.4],
        [0.5, 0.6],
        [-0.5, 1.5],
        [np.nan, 0.5],
        [np.inf, 0.5],
    ],
    "means_init": ["ab", 3.0, [0, 1], [[0, 0]], [[0] * 3, [1] * 3], [[np.nan, 0], [1, 1]], [[np.inf, 0], [1, 1]]],
}
BAD_PRECISIONS: dict[str, list[Any]] = {
    "full": [
        np.eye(2),
        np.zeros((2, 2, 2)),
        np.array([np.eye(2), [[1, 2], [2, 1]]]),
        np.array([np.eye(2), [[1, 0.5], [0.2, 1]]]),
        np.full((2, 2, 2), np.nan),
    ],
    "tied": [np.ones(2), -np.eye(2), np.array([[1, 0.5], [0.2, 1]])],
    "diag": [np.ones((3, 2)), np.array([[1, 0], [1, 1]]), -np.ones((2, 2))],
    "spherical": [np.ones(3), np.array([1.0, 0]), np.array([1.0, -1])],
}
BAD_DATA: dict[str, Any] = {
    "one row": X[:1],
    "no rows": X[:0],
    "no features": X[:, :0],
    "one dimension": X[:, 0],
    "three dimensions": X[np.newaxis],
    "a number": np.float64(3),
    "a Series": FRAME["a"],
    "an empty list": [],
    "infinity": with_value(np.inf),
    "float32 infinity": with_value(np.inf).astype(np.float32),
    "complex": X + 1j,
    "sparse": scipy.sparse.csr_array(X),
    "a matrix": X.view(np.matrix),
    "strings": np.array([["a", "b"]] * 5),
    "strings as objects": np.array([["a", "b"]] * 5, dtype=object),
    "a column of strings": pd.DataFrame({"a": ["x", "y"], "b": [1, 2.0]}),
    "categories": pd.DataFrame({"a": pd.Categorical(["x", "y"])}),
    "objects": np.array([[{}, 1.0], [2, 3]], dtype=object),
    "ragged rows": [[1, 2], [3]],
    "dictionaries": [{"a": 1}],
    "names of two kinds": pd.DataFrame(X, columns=["a", 1]),
}
# At predict scikit-learn converts in another order, and meets other mistakes of these first.
_OTHER_WORDS_AT_PREDICT = {"strings", "dictionaries", "categories", "one row", "no rows"}

MISTAKES: dict[str, Mistake] = (
    {
        re.sub(r"\n| at 0x.*", "", f"{name}={value!r}"): setting(**{name: value})
        for name, values in BAD_OPTIONS.items()
        for value in values
    }
    | {
        f"{family} precisions {number}": setting(covariance_type=family, precisions_init=precisions)
        for family, several in BAD_PRECISIONS.items()
        for number, precisions in enumerate(several)
    }
    | {f"fit {name}": fitting(data) for name, data in BAD_DATA.items()}
    | {
        f"{method} {name}": asking(method, data)
        for method in ("predict", "score_samples")
        for name, data in BAD_DATA.items()
        if name not in _OTHER_WORDS_AT_PREDICT
    }
    | {
        f"not fitted {method}": unfitted(method)
        for method in ("predict", "predict_proba", "score", "score_samples", "bic", "aic", "sample")
    }
    | {
        "fewer rows than components": setting(X[:3], n_components=4),
        "fewer features": asking("predict", X[:, :1]),
        "more features": asking("score", np.c_[X, X]),
        "fewer features at bic": asking("bic", X[:, :1]),
        "no rows at predict": asking("predict", X[:0]),
        "other names": asking("predict", FRAME.rename(columns={"a": "c"}), fitted_to=FRAME),
        "names in another order": asking("predict", FRAME[["b", "a"]], fitted_to=FRAME),
        "fewer names": asking("predict", FRAME[["b"]], fitted_to=FRAME),
        "more names": asking("predict", FRAME.assign(c=1.0), fitted_to=FRAME),
        "names forgotten": asking("predict", X, fitted_to=FRAME),
        "names forgotten at score": asking("score", X, fitted_to=FRAME),
        "names forgotten at bic": asking("bic", X, fitted_to=FRAME),
        "names from nowhere": asking("predict", FRAME),
        "samples that are no number": asking("sample", None),
        "an unknown option": lambda estimator: estimator().set_params(foo=1),
        "an unknown argument": lambda estimator: estimator(foo=1),
        "options by position": lambda estimator: estimator(2, "full"),
        "no convergence": setting(tol=0, max_iter=2, random_state=0),
        "a constant column": setting(np.c_[X, np.ones(100)], reg_covar=0),
        "a constant column in single precision": setting(
            np.c_[X, np.ones(100)].astype(np.float32), reg_covar=0, covariance_type="diag"
        ),
    }
)


@pytest.mark.parametrize("mistake", MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_meets_what_users_of_scikit_learn_expect(mistake: Mistake) -> None:
    ours, theirs = outcome(mistake, GaussianMixture), outcome(mistake, SklearnMixture)
    assert theirs.error or theirs.warnings, "the table lists what scikit-learn calls a mistake"
    if theirs.error is None:
        assert ours.error is None
    else:
        assert catchable(type(theirs.error)) <= catchable(type(ours.error))
        assert str(ours.error).startswith(leading_words(str(theirs.error)))
    for our_warning, their_warning in zip(ours.warnings, theirs.warnings, strict=True):
        assert catchable(their_warning.category) <= catchable(our_warning.category)
        assert str(our_warning.message) == str(their_warning.message)
        assert our_warning.filename == __file__


@pytest.mark.parametrize("n_samples", [0, -1])
def test_a_sample_has_at_least_one_point(n_samples: int) -> None:
    ours, theirs = (outcome(asking("sample", n_samples), each) for each in (GaussianMixture, SklearnMixture))
    assert type(ours.error) is type(theirs.error)
    assert str(ours.error) == str(theirs.error).replace("'n_samples': 1", f"'n_samples': {n_samples}")


def test_names_of_scikit_learn_catch_ours() -> None:
    with pytest.raises(NotFittedError):
        GaussianMixture().predict(X)
    with pytest.warns(ConvergenceWarning):
        GaussianMixture(2, tol=0, max_iter=1).fit(X)


@pytest.mark.parametrize("option", ["weights_init", "means_init", "precisions_init"])
def test_given_parameters_are_checked_also_when_a_warm_start_ignores_them(option: str) -> None:
    def mistake(estimator: type) -> None:
        estimator(2, warm_start=True, random_state=0).fit(X).set_params(**{option: [1.0]}).fit(X)

    ours, theirs = outcome(mistake, GaussianMixture), outcome(mistake, SklearnMixture)
    assert str(ours.error) == str(theirs.error)
