"""Files of mixtures of counts and categories hold sound models, and nothing else is read."""

from types import SimpleNamespace

import numpy as np
import pytest

from fastgmm.errors import ModelFormatError
from fastgmm.files import members
from fastgmm.files.discrete_file import FORMAT, SavedDiscrete, load_discrete, save_discrete
from fastgmm.parameters import Parameters


def model(family="categorical", weights=(0.25, 0.75), means=((0.5, 0.5, 1.0), (0.1, 0.9, 1.0)), **more):
    means = np.array(means)
    parameters = Parameters(family, np.array(weights), means, np.empty((len(weights), 0)))
    return SavedDiscrete(parameters, np.array([2, 1]) if family == "categorical" else None, **more)


def test_what_was_saved_is_loaded(tmp_path):
    saved = model(options={"alpha": 0.5}, fit={"n_iter": 3, "lower_bounds": [-1.0, -0.5]}, feature_names=("a", "b"))
    save_discrete(tmp_path / "model", saved)
    loaded = load_discrete(tmp_path / "model")
    assert (loaded.parameters.means == saved.parameters.means).all()
    assert (loaded.parameters.weights == saved.parameters.weights).all()
    assert loaded.n_categories.tolist() == [2, 1]
    assert loaded.options == {"alpha": 0.5}
    assert loaded.fit == {"n_iter": 3, "lower_bounds": [-1.0, -0.5]}
    assert loaded.feature_names == ("a", "b")
    save_discrete(tmp_path / "again", loaded)
    assert (tmp_path / "again").read_bytes() == (tmp_path / "model").read_bytes()


@pytest.mark.parametrize(
    "unsound",
    [
        model(weights=(0.5, 0.6)),
        model(means=((0.5, 0.6, 1.0), (0.1, 0.9, 1.0))),
        model("bernoulli", means=((1.5, 0.5), (0.1, 0.9))),
        model("poisson", means=((-1.0, 0.5), (0.1, 0.9))),
        model("poisson", means=((np.inf, 0.5), (0.1, 0.9))),
        model("multinomial", means=((0.3, 0.5), (0.1, 0.9))),
        model(options={"alpha": -1}),
        model(fit={"n_iter": "many"}),
        model(feature_names=("a",)),
    ],
)
def test_what_is_unsound_is_not_written(unsound, tmp_path):
    with pytest.raises(ModelFormatError):
        save_discrete(tmp_path / "model", unsound)
    assert not (tmp_path / "model").exists()


@pytest.mark.parametrize(
    "change",
    [
        {"family": "geometric"},
        {"family": 7},
        {"n_means": 4},
        {"categories": [2.0]},
        {"categories": [1.5, 1.5]},
        {"categories": [3.0, 0.0]},
        {"categories": [[2.0, 1.0]]},
        {"weights": [0.5, np.nan]},
        {"options": []},
        {"feature_names": {"a": 1}},
        {"fit": {"lower_bound": True}},
    ],
)
def test_what_another_program_may_have_written_is_refused(change, tmp_path):
    header = {"family": "categorical", "n_components": 2, "n_means": 3, "feature_names": None, "options": {}, "fit": {}}
    arrays = {"weights": [0.25, 0.75], "means": [[0.5, 0.5, 1.0], [0.1, 0.9, 1.0]], "categories": [2.0, 1.0]}
    content = SimpleNamespace(**{name: change.get(name, value) for name, value in arrays.items()})
    fields = {name: change.get(name, value) for name, value in header.items()}
    (tmp_path / "model").write_bytes(b"".join(members.encode(FORMAT, fields, content)))
    with pytest.raises(ModelFormatError):
        load_discrete(tmp_path / "model")
