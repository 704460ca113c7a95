"""Options and results as JSON has them."""

from typing import Any

import numpy as np
import pytest

from fastgmm import Prior
from fastgmm.files.plain import plain, with_prior


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (np.float64(0.5), 0.5),
        ((np.int64(1), (True, "a", None)), [1, [True, "a", None]]),
        ({"weights", "covariances", "means"}, ["covariances", "means", "weights"]),
        ({"means": np.array([0, 2]), "weights": range(2)}, {"means": [0, 2], "weights": [0, 1]}),
        (Prior(np.float32(2), (0, 1)), {"mean_precision": 2.0, "mean": [0.0, 1.0], "weight_concentration": 1.0}),
        (max, None),
        (np.random.RandomState(0), None),
    ],
)
def test_values_are_what_json_has(value: Any, expected: Any) -> None:
    found = plain(value)
    assert found == expected
    assert repr(found) == repr(expected)


def test_a_prior_comes_back_with_arrays_that_cannot_be_changed() -> None:
    given = Prior(3.0, [1.0, 2.0], 4.0, [[2.0, 0.1], [0.1, 2.0]], [1.0, 1.5])
    found = with_prior({"tol": 0.1, "prior": plain(given)})
    assert found["tol"] == 0.1
    assert (found["prior"].mean_precision, found["prior"].degrees_of_freedom) == (3.0, 4.0)
    for name in ("mean", "covariance", "weight_concentration"):
        array = getattr(found["prior"], name)
        assert np.array_equal(array, getattr(given, name))
        assert not array.flags.writeable
    assert with_prior({"prior": "default"}) == {"prior": "default"}
