"""``GaussianMixtureSelection``, an estimator of scikit-learn's kind."""

import copy
import pickle
import warnings

import numpy as np
import pytest

import fastgmm
from fastgmm import GaussianMixtureSelection
from fastgmm.data.datasets import load_old_faithful

FAITHFUL = load_old_faithful()


def test_it_answers_as_the_model_that_it_has_chosen():
    selector = GaussianMixtureSelection(4, random_state=0).fit(FAITHFUL)
    best = selector.best_estimator_
    assert best.get_params()["n_components"] == 3
    np.testing.assert_array_equal(selector.predict(FAITHFUL), best.predict(FAITHFUL))
    np.testing.assert_array_equal(selector.predict_proba(FAITHFUL), best.predict_proba(FAITHFUL))
    np.testing.assert_array_equal(selector.score_samples(FAITHFUL), best.score_samples(FAITHFUL))
    assert selector.score(FAITHFUL) == best.score(FAITHFUL)
    assert selector.bic(FAITHFUL) == best.bic(FAITHFUL)


def test_it_chooses_what_select_does():
    selector = GaussianMixtureSelection(4, criterion="icl", random_state=0).fit(FAITHFUL)
    chosen = fastgmm.select(FAITHFUL, 4, criterion="icl", random_state=0)
    assert selector.selection_.best_params_ == chosen.best_params_
    np.testing.assert_array_equal(selector.best_estimator_.means_, chosen.best_.means_)


def test_it_is_pickled_and_copied():
    selector = GaussianMixtureSelection(4, random_state=0).fit(FAITHFUL)
    for other in (pickle.loads(pickle.dumps(selector)), copy.deepcopy(selector)):
        np.testing.assert_array_equal(other.predict(FAITHFUL), selector.predict(FAITHFUL))
        assert str(other.selection_) == str(selector.selection_)


def test_an_unfitted_one_says_so():
    with pytest.raises(fastgmm.errors.NotFittedError, match="GaussianMixtureSelection"):
        GaussianMixtureSelection().predict(FAITHFUL)


def test_blocks_are_for_select():
    with pytest.raises(TypeError, match=r"fastgmm\.select"):
        GaussianMixtureSelection().fit(fastgmm.blocks_of([FAITHFUL]))


def test_errors_name_the_estimator():
    with pytest.raises(ValueError, match="'criterion' parameter of GaussianMixtureSelection"):
        GaussianMixtureSelection(criterion="best").fit(FAITHFUL)


def test_numbers_that_can_be_read_once_are_refused():
    """A second fit, and a clone, would find none left."""
    with pytest.raises(ValueError, match="an iterator can be read once"):
        GaussianMixtureSelection(iter([1, 2])).fit([[0.0], [1.0], [2.0]])


@pytest.mark.filterwarnings("ignore::fastgmm.errors.SelectionAtEdgeWarning")
def test_check_estimator_passes():
    checks = pytest.importorskip("sklearn.utils.estimator_checks")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        results = checks.check_estimator(GaussianMixtureSelection(2, random_state=0), on_fail=None)
    assert not {each["check_name"]: each["exception"] for each in results if each["status"] == "failed"}
