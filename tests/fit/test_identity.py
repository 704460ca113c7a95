"""Which fit it is: whatever its result depends on makes another one."""

from functools import partial
from typing import Any

import numpy as np
import pytest

from fastgmm import Prior
from fastgmm.fit.identity import OF_NO_EFFECT, identity_of
from fastgmm.fit.options import OPTIONS, Options

K, D = 4, 3


def start_of(shift: float) -> Any:
    return lambda X, n_components, random_state: X[:n_components] + shift


def first_rows(X: np.ndarray, n_components: int, random_state: Any) -> np.ndarray:
    return X[:n_components]


def last_rows(X: np.ndarray, n_components: int, random_state: Any) -> np.ndarray:
    return X[-n_components:]


GIVEN = {
    "weights_init": np.full(K, 1 / K),
    "means_init": np.random.RandomState(0).standard_normal((K, D)),
    "precisions_init": np.tile(np.eye(D), (K, 1, 1)),
}
NEAR = {name: np.nextafter(array, 2 * array) for name, array in GIVEN.items()}
# Of each option two values, which make two fits.
PAIRS: dict[str, list[tuple[Any, Any]]] = {
    "covariance_type": [("full", "diag")],
    "tol": [(0, 1e-5)],
    "reg_covar": [(1e-6, 1e-5), (1e-6, "relative")],
    "max_iter": [(12, 13)],
    "n_init": [(1, 2)],
    "init_params": [
        ("kmeans", "random"),
        (first_rows, last_rows),
        (start_of(0.0), start_of(0.1)),
        (partial(np.add, 1), partial(np.add, 2)),
    ],
    **{name: [(GIVEN[name], NEAR[name]), (list(GIVEN[name]), list(NEAR[name])), (None, GIVEN[name])] for name in GIVEN},
    "random_state": [(5, 6), (np.int64(5), np.int64(6)), (5, None)],
    "backend": [("numpy", "c")],
    "accelerate": [(None, "squarem")],
    "prior": [
        (None, "default"),
        (Prior(weight_concentration=2.0), Prior(weight_concentration=2.5)),
        (Prior(1.0, [0.0, 0.0, 0.0]), Prior(1.0, [0.0, 0.0, 1e-9])),
    ],
    "fixed": [((), ("means",)), ({"means": [0]}, {"means": [1]})],
    "assignment": [("soft", "hard")],
    "annealing": [(None, 0.5)],
    "noise": [(None, "box"), ("box", 8.0)],
    "rank": [(1, 2)],
}
# The number of components by itself, and a warm start by the fit that it continues.
ELSEWHERE = {"n_components", "warm_start"}


def test_each_option_that_matters_is_tried() -> None:
    assert {*PAIRS, *ELSEWHERE, *OF_NO_EFFECT} == {*OPTIONS}
    assert not PAIRS.keys() & set(OF_NO_EFFECT)


@pytest.mark.parametrize(("name", "pair"), [(name, pair) for name, pairs in PAIRS.items() for pair in pairs])
def test_another_option_makes_another_fit(name: str, pair: tuple[Any, Any]) -> None:
    one, other = (identity(Options(**{name: value})) for value in pair)
    assert one != other


def identity(options: Options) -> str:
    return identity_of(options, b"", backend=options.backend)


def test_the_same_numbers_make_the_same_fit() -> None:
    for one, other in [
        ({"means_init": GIVEN["means_init"].tolist()}, {"means_init": np.asfortranarray(GIVEN["means_init"])}),
        ({"random_state": 5, "tol": 0, "n_init": 2}, {"random_state": np.int32(5), "tol": 0.0, "n_init": np.int64(2)}),
        ({"fixed": {"means", "weights", "covariances"}}, {"fixed": {"covariances", "weights", "means"}}),
        ({"init_params": start_of(0.5)}, {"init_params": start_of(0.5)}),
    ]:
        assert identity(Options(**one)) == identity(Options(**other))


def test_a_function_that_calls_itself_has_an_identity() -> None:
    def start(X: np.ndarray, n_components: int, random_state: Any) -> np.ndarray:
        return start(X, n_components, random_state)

    assert identity(Options(init_params=start)) != identity(Options(init_params=first_rows))
