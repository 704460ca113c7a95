"""Exceptions and warnings say what happened in attributes, and are scikit-learn's too where that is loaded."""

import copy
import inspect
import pickle
import warnings

import numpy as np
import pytest

from fastgmm import GaussianMixture, errors

EXAMPLES = [
    errors.DegenerateComponentError("words", 1, 2.5, 1e-9, "constant column 3", 40),
    errors.ModelFormatError("damaged", "damaged", "model.npz"),
    errors.ModelFormatError("not a fastgmm model", "foreign"),
    errors.BackendUnavailableError("numba", "numba is not installed"),
    errors.ColumnsLeftOutWarning("flights.csv", {"carrier": "text"}),
    errors.NotFittedError("GaussianMixture"),
    errors.ConvergenceWarning("words", 100, 0.1, 1e-3),
    errors.convergence_warning("words", 100, 0.1, 1e-3),
    errors.not_fitted("GaussianMixture"),
    errors.not_fitted("GaussianMixture", ["weights_", "means_"]),
    errors.RegularizationWarning(1e-6, 1e-12),
    errors.RegularizationWarning(1e-6, 0.0, tuple(range(30))),
    errors.RegularizationWarning("relative", 1e-9, (2,)),
    errors.UnobservedPairWarning("features 3 and 7", (3, 7), 1),
    errors.MergedComponentsWarning("components 0 and 2", ((0, 2),), 0.05),
    errors.SelectionAtEdgeWarning(9),
    errors.SelectionIncompleteWarning("The deadline passed."),
    errors.DegenerateComponentWarning("components 1 and 2", (1, 2), "few points"),
]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: type(example).__name__)
@pytest.mark.parametrize("copied", [lambda error: pickle.loads(pickle.dumps(error)), copy.deepcopy])
def test_an_exception_keeps_its_words_and_fields_when_copied(example, copied):
    same = copied(example)
    assert isinstance(example, type(same))
    assert (str(same), vars(same)) == (str(example), vars(example))


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: type(example).__name__)
def test_an_exception_has_the_fields_that_its_documentation_names(example):
    documented = inspect.getdoc(type(example)).split("Attributes\n----------\n")[1]
    names = {line.split(" : ")[0] for line in documented.splitlines() if " : " in line}
    assert names == vars(example).keys()


def test_all_exceptions_have_one_base():
    kinds = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if kind.__module__ == errors.__name__]
    assert all(issubclass(kind, errors.FastGMMError | Warning) for kind in kinds)
    assert {type(example).__name__ for example in EXAMPLES} == {kind.__name__ for kind in kinds} - {"FastGMMError"}


def test_a_warning_has_one_class_however_often_it_is_raised():
    assert len({type(errors.convergence_warning("words", 1, 0.1, 1e-3)) for _ in range(2)}) == 1


def test_an_estimator_without_a_fit_says_so():
    with pytest.raises(errors.NotFittedError, match=r"^This GaussianMixture instance is not fitted yet\.") as caught:
        GaussianMixture().predict(np.zeros((1, 1)))
    assert caught.value.estimator == "GaussianMixture"


def test_a_fit_that_has_not_converged_says_how_far_it_came(rng):
    with pytest.warns(errors.ConvergenceWarning, match="did not converge") as caught:
        mixture = GaussianMixture(3, max_iter=4, tol=1e-9, random_state=0).fit(rng.normal(size=(200, 2)))
    [warning] = caught
    assert vars(warning.message) == {"n_iter": 4, "change": mixture.history_[-1].change, "tol": 1e-9}
    assert warning.filename == __file__


def test_a_fit_warns_once_at_most(rng):
    """Here of two things, with several starts."""
    data = rng.normal(size=(200, 2)) * 1e-3
    with pytest.warns(UserWarning, match=r"did not converge.* Besides: reg_covar=1e-06 is absolute") as caught:
        GaussianMixture(3, max_iter=2, tol=0.0, n_init=3, random_state=0).fit(data)
    assert len(caught) == 1
    assert isinstance(caught[0].message, errors.ConvergenceWarning)


def test_a_large_regularization_alone_is_a_warning_of_its_own(rng):
    data = rng.normal(size=(200, 1)) * 1e-3
    with pytest.warns(errors.RegularizationWarning) as caught:
        GaussianMixture().fit(data)
    expected = {"reg_covar": 1e-6, "smallest_variance": pytest.approx(data.var()), "components": (0,)}
    assert vars(caught[0].message) == expected


def test_no_score_warns_whatever_its_rows(rng):
    mixture = GaussianMixture(2, random_state=0).fit(rng.normal(size=(200, 2)))
    absurd = np.array([[1.7e308, -1.7e308], [5e-324, 0.0], [1e155, 1e155]])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for rows in (absurd, np.asfortranarray(absurd), np.clip(absurd, -3e38, 3e38).astype(np.float32)):
            for score in (mixture.predict, mixture.predict_proba, mixture.score_samples, mixture.score):
                score(rows)
        mixture.bic(absurd[1:2])
        mixture.sample(10)
