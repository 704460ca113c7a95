"""Exceptions that are also scikit-learn's, where that is loaded."""

import pickle

import numpy as np
import pytest

from fastgmm import GaussianMixture, errors


def test_a_warning_has_one_class_however_often_it_is_raised():
    assert errors.convergence_warning() is errors.convergence_warning()


def test_exceptions_survive_pickling():
    with pytest.raises(errors.NotFittedError) as caught:
        GaussianMixture().predict(np.zeros((1, 1)))
    copy = pickle.loads(pickle.dumps(caught.value))
    assert isinstance(copy, errors.NotFittedError)
    assert str(copy) == str(caught.value)


def test_a_degenerate_component_keeps_its_fields_when_pickled():
    error = errors.DegenerateComponentError("words", 1, 2.5, 1e-9, "constant column 3")
    copy = pickle.loads(pickle.dumps(error))
    assert (str(copy), vars(copy)) == (str(error), vars(error))
