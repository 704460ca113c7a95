"""A model file that was damaged, or forged, is refused or is the same: no other exception, no warning, no crash."""

import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import fastgmm
from fastgmm.errors import ModelFormatError
from fastgmm.files.model_file import SavedModel, load_model
from fastgmm.parameters import Parameters
from tests import damage
from tests.model_files import FAMILY_NAMES, encoded, make_model, same, writer

MODELS = {encoded(model): model for model in map(make_model, FAMILY_NAMES)}


@pytest.fixture
def load(tmp_path: Path) -> Callable[[bytes], fastgmm.GaussianMixture | None]:
    """The model in these bytes, or None where they are refused."""
    put = writer(tmp_path / "model.npz")

    def load(content: bytes) -> fastgmm.GaussianMixture | None:
        try:
            return fastgmm.load(put(content))
        except ModelFormatError:
            return None

    return load


@pytest.mark.slow
@pytest.mark.soak
@pytest.mark.parametrize("covariance_type", FAMILY_NAMES)
def test_every_flipped_bit_is_refused(load, covariance_type: str) -> None:
    content = bytearray(encoded(make_model(covariance_type)))
    assert load(content) is not None
    for position in range(len(content)):
        for bit in range(8):
            content[position] ^= 1 << bit
            assert load(content) is None, (position, bit)
            content[position] ^= 1 << bit


@pytest.mark.slow
@pytest.mark.soak
def test_a_hundred_thousand_damages_are_refused_or_leave_the_same_model(tmp_path: Path) -> None:
    put, rng, contents = writer(tmp_path / "model.npz"), random.Random(20240229), list(MODELS)
    refused = 0
    for number in range(100_000):
        content = damage.damaged(contents, rng)
        try:
            model = load_model(put(content))
        except ModelFormatError:
            refused += 1
        else:
            assert content in MODELS, number
            assert same(model, MODELS[content]), number
    assert refused > 90_000


def is_sound(model: fastgmm.GaussianMixture, path: Path) -> bool:
    """Whether it scores, and comes back from a file as it is."""
    probabilities = model.predict_proba(model.means_)
    model.save(path)
    again = fastgmm.load(path)
    return (
        bool(np.isfinite(probabilities).all())
        and bool((np.abs(probabilities.sum(axis=1) - 1) < 1e-12).all())
        and all(np.array_equal(getattr(model, name), getattr(again, name)) for name in ("weights_", "means_"))
        and np.array_equal(model.predict_proba(model.means_), again.predict_proba(model.means_))
    )


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:X does not have valid feature names")
def test_a_file_changed_on_purpose_is_refused_or_makes_a_sound_model(load, tmp_path: Path) -> None:
    rng, contents = random.Random(20240229), list(MODELS)
    sound = 0
    for number in range(5_000):
        model = load(damage.forged(rng.choice(contents), rng))
        if model is not None:
            assert is_sound(model, tmp_path / "again.npz"), number
            sound += 1
    assert 500 < sound < 2_500  # the changes reach both ends


@pytest.mark.parametrize(
    ("covariance_type", "covariance", "is_sound"),
    [
        ("spherical", 1e-90, True),  # its precision is beyond float32
        ("diag", [1e-310, 1.0], False),  # subnormal
        ("tied", [[5e-324, 1e-8], [5e-324, 0.5]], False),
        ("full", [[1.7e308, -1.7e308], [1.7e308, 1.7e308]], False),
    ],
)
def test_numbers_at_the_ends_of_their_range_that_forgeries_found(
    load, covariance_type: str, covariance: object, is_sound: bool
) -> None:
    covariances = np.array(covariance if covariance_type == "tied" else [covariance])
    parameters = Parameters(covariance_type, np.ones(1), np.zeros((1, 2)), covariances)
    assert (load(encoded(SavedModel(parameters))) is not None) == is_sound
