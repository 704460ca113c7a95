"""A fit of whatever rows with whatever holes ends in a sound model or in a documented error, too."""

import warnings
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from fastgmm import GaussianMixture
from fastgmm.errors import DegenerateComponentError, UnobservedPairWarning
from fastgmm.parameters import Array, FloatArray
from tests.laws.test_any_input import TOO_FEW_ROWS, Draw, assert_sound, draws, fit_or_refusal, options

REFUSALS = (TOO_FEW_ROWS, "without any observed value", "no observed value in X", "row(s) with an observed value")


def with_holes(values: Array, share: float, seed: int) -> Array:
    """Missing at random, or in one of three patterns."""
    rng = np.random.default_rng(seed)
    if share < 0:
        is_missing = (rng.random((3, values.shape[1])) < 0.5)[rng.integers(3, size=len(values))]
    else:
        is_missing = rng.random(values.shape) < share
    return np.where(is_missing, np.nan, values).astype(values.dtype)


def refused(call: Any, *arguments: Any) -> GaussianMixture | None:
    try:
        return call(*arguments)
    except DegenerateComponentError:
        return None
    except ValueError as error:
        if any(words in str(error) for words in REFUSALS):
            return None
        raise


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    draw=draws,
    options=options,
    share=st.sampled_from([-1.0, 0.01, 0.3, 0.3, 0.6, 0.9]),
    prior=st.sampled_from([None, None, None, "default"]),
)
def test_any_rows_with_holes_give_a_sound_model_or_a_documented_error(
    draw: Draw, options: dict[str, Any], share: float, prior: Any
) -> None:
    whole, weights = draw.values(), draw.sample_weight()
    values = with_holes(whole, share, draw.seed)
    means: FloatArray | None = draw.means_init(whole, options["n_components"])
    options = options | {"means_init": means, "prior": prior}
    before = values.tobytes()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnobservedPairWarning)
        model = refused(fit_or_refusal, values, weights, options)
    assert values.tobytes() == before
    if model is not None:
        assert_sound(model, values)
        assert_sound(model, whole)
