"""Model files and pickles of earlier versions are read for ever, to the bit.

``tests/files/data/model-0.1.0-*.npz`` were written by fastgmm 0.1.0 with ``write_golden_files("0.1.0")``, and
``tests/files/data/pickle-0.1.0-*.pkl`` are fits of it by ``pickle.dumps(..., protocol=4)``. They are never written
again: a later version adds files of its own.
"""

import pickle
from pathlib import Path

import numpy as np
import pytest

import fastgmm
from fastgmm.files.model_file import SavedModel, load_model, save_model
from fastgmm.parameters import Parameters

DATA = Path(__file__).parent / "data"
WEIGHTS = [0.1, 0.9]
MEANS = [[1 / 3, -1e3], [5e-324, 0.1]]
COVARIANCES = {
    "full": [[[2.0, 0.1], [0.1, 1 / 3]], [[1e-8, 0.0], [0.0, 1e8]]],
    "tied": [[2.0, 0.1], [0.1, 1 / 3]],
    "diag": [[2.0, 1 / 3], [1e-8, 1e8]],
    "spherical": [1 / 3, 1e8],
}
OPTIONS = {"n_components": 2, "tol": 1e-05, "reg_covar": "relative", "max_iter": 300, "random_state": 4}
FIT = {
    "converged": True,
    "stop_reason": "converged",
    "n_iter": 3,
    "lower_bound": -1.1,
    "lower_bounds": [float("-inf"), -1.2, -1.1],
    "degenerate_components": [1],
}
NAMES = ("eruptions", "Dauer in µs")
POINTS = [[0.0, 0.0], [0.5, -1e3], [-3.0, 0.25]]
# From 60 digits.
LOG_DENSITIES = {
    "full": [-1.9432375821171717, -3.937222983849812, -1524118.6474598707],
    "tied": [-1.7481766355040045, -3.937222983849812, -4.120004046671517],
    "diag": [-1.9432375821171717, -3.944674049793753, -1500756.8092573832],
    "spherical": [-20.363918326069538, -3.083516506281564, -20.363918371132037],
}
LABELS = {"full": [1, 0, 0], "tied": [1, 0, 1], "diag": [1, 0, 0], "spherical": [1, 0, 1]}


def write_golden_files(version: str) -> None:
    for name, covariances in COVARIANCES.items():
        parameters = Parameters(name, np.array(WEIGHTS), np.array(MEANS), np.array(covariances))
        save_model(DATA / f"model-{version}-{name}.npz", SavedModel(parameters, OPTIONS, FIT, NAMES))


@pytest.mark.parametrize("covariance_type", COVARIANCES)
@pytest.mark.parametrize("version", ["0.1.0"])
def test_a_file_of_an_earlier_version_is_read_to_the_bit(version: str, covariance_type: str) -> None:
    model = load_model(DATA / f"model-{version}-{covariance_type}.npz")
    found = [getattr(model.parameters, name).tolist() for name in ("weights", "means", "covariances")]
    assert found == [WEIGHTS, MEANS, COVARIANCES[covariance_type]]
    assert model.parameters.covariance_type == covariance_type
    assert (model.options, model.fit, model.feature_names, model.dtype) == (OPTIONS, FIT, NAMES, "float64")


@pytest.mark.filterwarnings("ignore:X does not have valid feature names")
@pytest.mark.parametrize("covariance_type", COVARIANCES)
def test_a_model_of_an_earlier_version_scores_as_it_should(covariance_type: str) -> None:
    model = fastgmm.load(DATA / f"model-0.1.0-{covariance_type}.npz")
    np.testing.assert_allclose(model.score_samples(POINTS), LOG_DENSITIES[covariance_type], rtol=1e-13)
    assert model.predict(POINTS).tolist() == LABELS[covariance_type]
    assert model.lower_bounds_ == FIT["lower_bounds"]
    assert model.degenerate_components_ == (1,)
    assert list(model.feature_names_in_) == list(NAMES)


# Waiting times at a geyser.
ERUPTIONS = [[3.6, 79.0], [1.8, 54.0], [3.333, 74.0], [2.283, 62.0], [4.533, 85.0], [2.883, 55.0], [4.7, 88.0]]
PICKLED_BOUNDS = {
    "full": [-3.913183552373696, -3.913183568803231, -3.913183568821467, -3.913183568821484],
    "tied": [-3.9372249687363903, -3.93722497434364, -3.9372249743515413, -3.9372249743515493],
    "diag": [-4.112956515729765, -4.112956517747163, -4.1129565177472465],
    "spherical": [-5.709039706011662, -5.7090397060126135],
}


@pytest.mark.filterwarnings("ignore:X does not have valid feature names")
@pytest.mark.parametrize("covariance_type", PICKLED_BOUNDS)
def test_a_pickle_of_an_earlier_version_is_a_whole_estimator(covariance_type: str) -> None:
    model = pickle.loads((DATA / f"pickle-0.1.0-{covariance_type}.pkl").read_bytes())
    bounds = PICKLED_BOUNDS[covariance_type]
    assert isinstance(model, fastgmm.GaussianMixture)
    assert model.get_params()["reg_covar"] == 1e-3
    assert (model.lower_bounds_, model.lower_bound_, model.n_iter_) == (bounds, bounds[-1], len(bounds))
    assert all(type(step) is fastgmm.Step for step in model.history_)
    assert [step.lower_bound for step in model.history_] == bounds
    assert list(model.feature_names_in_) == ["eruptions", "waiting"]
    assert model.predict(ERUPTIONS).tolist() == [1, 0, 1, 0, 1, 0, 1]
    assert pickle.loads(pickle.dumps(model)).lower_bounds_ == bounds
