"""scikit-learn's estimator protocol, without scikit-learn."""

import inspect
import sys
from collections.abc import Callable

import numpy as np
import pytest

from fastgmm import GaussianMixture
from fastgmm.estimator.protocol import _NAMES_ELSEWHERE, get_params, parameter_names, representation, set_params


class Estimator:
    def __init__(self, size: int = 1, *, name: str = "a", start: object = None) -> None:
        self.size, self.name, self.start = size, name, start


def test_parameters_are_those_of_the_constructor_sorted() -> None:
    assert parameter_names(Estimator()) == ["name", "size", "start"]
    assert get_params(Estimator(3)) == {"name": "a", "size": 3, "start": None}


def test_parameters_are_set_all_or_none() -> None:
    estimator = Estimator()
    assert set_params(estimator, size=2, start=[1]) is estimator
    assert (estimator.size, estimator.start) == (2, [1])
    with pytest.raises(ValueError, match=r"^Invalid parameter 'sise' for .* Valid parameters are: \['name', "):
        set_params(estimator, size=5, sise=5)
    assert estimator.size == 2


def test_the_representation_is_the_call_with_what_is_not_default() -> None:
    assert representation(Estimator()) == "Estimator()"
    assert representation(Estimator(1, name="b")) == "Estimator(name='b')"
    assert representation(Estimator(start=np.zeros(2))) == "Estimator(start=array([0., 0.]))"


def test_the_estimator_keeps_what_it_is_given_untouched() -> None:
    means = [[0.0, 0.0]]
    estimator = GaussianMixture(means_init=means, tol=1)
    assert estimator.get_params()["means_init"] is means
    assert estimator.get_params(deep=False) == estimator.get_params()
    assert estimator.set_params(tol=2) is estimator
    assert estimator.set_params() is estimator
    assert repr(estimator) == "GaussianMixture(tol=2, means_init=[[0.0, 0.0]])"
    estimator.fit(np.random.RandomState(0).normal(size=(20, 2)))
    assert estimator.means_init is means


MEANT = {
    "n_jobs": "n_threads",
    "n_clusters": "n_components",
    "k": "n_components",
    "K": "n_components",
    "n_component": "n_components",
    "max_iterations": "max_iter",
    "n_iter": "max_iter",
    "maxiter": "max_iter",
    "covariance": "covariance_type",
    "cov_type": "covariance_type",
    "eps": "tol",
    "tolerance": "tol",
    "seed": "random_state",
    "weights": "weights_init",
    "init": "init_params",
    "callback": "callbacks",
    "timeout": "deadline",
}


@pytest.mark.parametrize(("name", "meant"), MEANT.items())
@pytest.mark.parametrize("ask", [GaussianMixture, GaussianMixture().set_params], ids=["constructor", "set_params"])
def test_a_name_from_elsewhere_and_a_misspelled_one_are_answered_with_ours(
    ask: Callable[..., object], name: str, meant: str
) -> None:
    with pytest.raises((TypeError, ValueError), match=rf"'{name}'.* Did you mean '{meant}'\?$"):
        ask(**{name: 2})


def test_names_are_answered_wherever_they_go_to_the_constructor() -> None:
    class Named(GaussianMixture):
        def __init__(self, n_components: int = 2, **options: object) -> None:
            super().__init__(n_components, **options)

    with pytest.raises(TypeError, match=r"'n_jobs'\. Did you mean 'n_threads'\?$"):
        GaussianMixture.from_parameters([1.0], [[0.0]], [[[1.0]]], n_jobs=2)
    with pytest.raises(TypeError, match=r"'n_jobs'\. Did you mean 'n_threads'\?$"):
        Named(3, n_jobs=2)


@pytest.mark.parametrize("name", ["foo", "metric", "weight_concentration_prior", "p"])
def test_no_name_is_guessed(name: str) -> None:
    # Some versions of Python guess for themselves.
    with pytest.raises(TypeError, match=rf"GaussianMixture\.__init__\(\) got an unexpected keyword argument '{name}'"):
        GaussianMixture(**{name: 2})
    with pytest.raises(ValueError, match=r"Valid parameters are: \[.*\]\.$"):
        GaussianMixture().set_params(**{name: 2})


def test_advice_is_given_in_the_names_of_the_estimator_that_is_asked() -> None:
    with pytest.raises(ValueError, match=r"Did you mean 'size'\?$"):
        set_params(Estimator(), sizes=2)
    with pytest.raises(ValueError, match=r"Valid parameters are: \[.*\]\.$"):
        set_params(Estimator(), n_jobs=2)


def test_every_advice_is_a_parameter_and_no_parameter_is_advised_against() -> None:
    ours, elsewhere = set(parameter_names(GaussianMixture())), _NAMES_ELSEWHERE
    assert elsewhere.keys() <= ours
    others = [name for names in elsewhere.values() for name in names]
    assert not ours & set(others)
    assert len(others) == len(set(others))


def test_the_constructor_shows_its_own_signature() -> None:
    assert list(inspect.signature(GaussianMixture).parameters)[:2] == ["n_components", "covariance_type"]


def test_a_subclass_may_add_parameters() -> None:
    class Mixture(GaussianMixture):
        def __init__(self, n_components: int = 2, extra: int = 0) -> None:
            super().__init__(n_components)
            self.extra = extra

    assert Mixture(extra=3).get_params() == {"n_components": 2, "extra": 3}
    assert repr(Mixture(extra=3)) == "Mixture(extra=3)"


def test_a_subclass_may_call_its_parameters_as_it_likes() -> None:
    class Mixture(GaussianMixture):
        def __init__(self, estimator: object = None) -> None:
            super().__init__()
            self.estimator = estimator

    assert Mixture().set_params(estimator=3).get_params() == {"estimator": 3}


def test_a_subclass_may_leave_parameters_out() -> None:
    class Pair(GaussianMixture):
        def __init__(self, random_state: int = 0) -> None:
            super().__init__(2, random_state=random_state)

    X = np.random.RandomState(0).normal(size=(50, 2))
    assert np.array_equal(Pair().fit(X).means_, GaussianMixture(2, random_state=0).fit(X).means_)


def test_a_subclass_may_take_keywords_of_any_name() -> None:
    class Named(GaussianMixture):
        def __init__(self, n_components: int = 2, **options: object) -> None:
            super().__init__(n_components, **options)

    assert Named(3).get_params() == {"n_components": 3}
    assert repr(Named(3)) == "Named(n_components=3)"


@pytest.mark.parametrize("loaded", [{}, {"sklearn": None}])
def test_a_notebook_shows_text_where_scikit_learn_is_not_loaded(
    loaded: dict[str, None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "sklearn", raising=False)
    for name, module in loaded.items():
        monkeypatch.setitem(sys.modules, name, module)
    assert not hasattr(GaussianMixture(), "_repr_html_")
    assert sys.modules.get("sklearn") is None, "it is not imported to show an estimator"
