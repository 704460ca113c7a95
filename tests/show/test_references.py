"""Every kind of picture looks as its reference does, which somebody has looked at."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest

from fastgmm import GaussianMixture
from fastgmm.data.datasets import OLD_FAITHFUL_COLUMNS, load_old_faithful
from fastgmm.data.table import Table
from tests.show.pictures import coarse, difference, save_reference

pytest.importorskip("matplotlib")

# Without its ellipses a picture differs by 3.4 at least, from another one by 8.4; other letters change nothing.
NEAR = 2.5


def geyser(**options: Any) -> tuple[GaussianMixture, Table]:
    points = Table(load_old_faithful(), OLD_FAITHFUL_COLUMNS)
    return GaussianMixture(**{"n_components": 2, "random_state": 0, "backend": "numpy"} | options).fit(points), points


def of_features(n_features: int, n_rows: int) -> tuple[GaussianMixture, np.ndarray]:
    rng = np.random.RandomState(0)
    weights, means = np.full(4, 0.25), 4.0 * rng.normal(size=(4, n_features))
    gm = GaussianMixture.from_parameters(weights, means, np.ones((4, n_features)), "diag", random_state=0)
    return gm, gm.sample(n_rows)[0]


def drawn(model: tuple[GaussianMixture, Any], **options: Any) -> Any:
    return model[0].plot(model[1], **options).figure_


PICTURES: Mapping[str, Callable[[], Any]] = {
    "classification": lambda: drawn(geyser()),
    "uncertainty": lambda: drawn(geyser(n_components=3, covariance_type="tied"), kind="uncertainty"),
    "density": lambda: drawn(geyser(), kind="density"),
    "histogram": lambda: drawn(geyser(), features="waiting"),
    "path": lambda: drawn(geyser(), kind="path"),
    "pairs": lambda: drawn(of_features(4, 1_000)),
    "discriminants": lambda: drawn(of_features(10, 1_000)),
    "many_rows": lambda: drawn(of_features(2, 50_000)),
    "many_uncertain_rows": lambda: drawn(of_features(2, 50_000), kind="uncertainty"),
    "many_components": lambda: drawn((GaussianMixture(20, random_state=0, backend="numpy").fit(geyser()[1]), None)),
}


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_is_like_its_reference_and_like_no_other(name: str) -> None:
    picture = coarse(PICTURES[name]())
    assert difference(picture, name) < NEAR
    assert all(difference(picture, other) > NEAR for other in PICTURES if other != name)


if __name__ == "__main__":
    for each, draw in PICTURES.items():
        save_reference(draw(), each)
