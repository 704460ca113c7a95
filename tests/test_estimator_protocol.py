"""scikit-learn's estimator protocol, without scikit-learn."""

import sys

import numpy as np
import pytest

from fastgmm import GaussianMixture
from fastgmm.estimator_protocol import get_params, parameter_names, representation, set_params


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


def test_a_subclass_may_add_parameters() -> None:
    class Mixture(GaussianMixture):
        def __init__(self, n_components: int = 2, extra: int = 0) -> None:
            super().__init__(n_components)
            self.extra = extra

    assert Mixture(extra=3).get_params() == {"n_components": 2, "extra": 3}
    assert repr(Mixture(extra=3)) == "Mixture(extra=3)"


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
