"""What goes over large arrays piece by piece gives what it gives in one piece."""

import numpy as np
import pytest

import fastgmm.machine.pieces
from fastgmm import GaussianMixture
from fastgmm.data.facts import Facts, summary_of
from fastgmm.data.validation import check_rows
from fastgmm.data.weights import check_sample_weight
from fastgmm.fit.degenerate import _constant_columns
from fastgmm.machine.pieces import pieces, places_of_nonzero
from fastgmm.model import attributes as fitted
from fastgmm.model import criteria
from fastgmm.model.sampling import sample
from fastgmm.rows import Rows
from tests.problems import draw_parameters


@pytest.fixture
def small_pieces(monkeypatch):
    """Of five features as many rows as a prime: no length is a multiple of it."""
    monkeypatch.setattr(fastgmm.machine.pieces, "_PIECE_BYTES", 7 * 5 * 8)
    monkeypatch.setattr("fastgmm.data.validation._FEW_NUMBERS", 0)


@pytest.mark.parametrize(("length", "n_bytes"), [(0, 8), (1, 0), (10**9, 8), (10**5, 16_000), (100, 10**9)])
def test_pieces_cover_everything_once_and_are_small_or_one_item(length, n_bytes):
    end = 0
    for part in pieces(length, n_bytes):
        assert part.start == end < part.stop
        end = part.stop
        assert (part.stop - part.start) * n_bytes <= 2**20 or part.stop - part.start == 1
    assert end == length


def test_a_piece_may_be_asked_to_hold_more():
    assert list(pieces(10, 10**9, at_least=4)) == [slice(0, 4), slice(4, 8), slice(8, 10)]


@pytest.mark.parametrize("dtype", [np.int32, np.intp])
def test_places_of_what_is_not_zero(small_pieces, dtype):
    array = np.random.default_rng(0).integers(3, size=1000)
    found = places_of_nonzero(array, dtype)
    assert found.dtype == dtype
    assert np.array_equal(found, np.flatnonzero(array))


@pytest.mark.parametrize("name", ["full", "tied", "diag", "spherical"])
def test_points_are_drawn_alike_in_pieces(rng, monkeypatch, name):
    parameters = draw_parameters(rng, name, 5, 3)
    points, labels = sample(parameters, 1000, np.random.RandomState(0))
    monkeypatch.setattr(fastgmm.machine.pieces, "_PIECE_BYTES", 280)
    again, labels_again = sample(parameters, 1000, np.random.RandomState(0))
    np.testing.assert_allclose(again, points, rtol=1e-12, atol=1e-12)
    assert np.array_equal(labels, labels_again)


@pytest.mark.parametrize("name", ["full", "tied", "diag", "spherical"])
def test_a_fit_with_every_component_a_piece_is_the_same_to_the_bit(rng, monkeypatch, name):
    data = np.concatenate([rng.normal(30 * k, 1 + k, (400, 3)) for k in range(8)])
    options = {"n_components": 8, "covariance_type": name, "random_state": 0, "tol": 1e-9, "accelerate": "squarem"}
    whole = GaussianMixture(**options).fit(data)
    given = (whole.weights_, whole.means_, whole.covariances_, name)

    def one_by_one(length, n_bytes):
        return (slice(k, k + 1) for k in range(length))

    for module in ("fastgmm.machine.pieces", "fastgmm.families.full"):
        monkeypatch.setattr(f"{module}.pieces", one_by_one)
    in_pieces = GaussianMixture(**options).fit(data)
    for model in (in_pieces, GaussianMixture.from_parameters(*given)):
        for attribute in fitted.ARRAYS:
            assert np.array_equal(getattr(model, attribute), getattr(whole, attribute)), attribute
    assert in_pieces.n_iter_ == whole.n_iter_


@pytest.mark.parametrize("row", [0, 6, 7, 999])
@pytest.mark.usefixtures("small_pieces")
def test_what_is_wrong_is_found_in_any_piece(row):
    values, weights = np.zeros((1000, 5)), np.ones(1000)
    assert not check_rows(values, "GaussianMixture").has_missing
    values[row, 3] = np.nan
    assert check_rows(values, "GaussianMixture").has_missing
    values[row, 3], weights[row] = np.inf, np.inf
    with pytest.raises(ValueError, match=f"row {row}, column 3"):
        check_rows(values, "GaussianMixture")
    with pytest.raises(ValueError, match=f"NaN or infinity. The first is at row {row}"):
        check_sample_weight(weights, 1000)
    weights[row] = -1
    with pytest.raises(ValueError, match=f"Negative .* row {row}"):
        check_sample_weight(weights, 1000)


@pytest.mark.usefixtures("small_pieces")
def test_statistics_of_rows_add_up_over_pieces(rng):
    values, weights = rng.normal(size=(1000, 5)), rng.integers(0, 3, 1000).astype(float)
    spread = np.average(np.square(values - np.average(values, axis=0, weights=weights)), axis=0, weights=weights)
    np.testing.assert_allclose(summary_of(Rows(values, weights)).variances, spread, rtol=1e-12)
    assert criteria.mean(values[:, 0], weights) == pytest.approx(np.average(values[:, 0], weights=weights), rel=1e-12)
    assert criteria.mean(values[:, 0].astype(np.float32), None) == pytest.approx(values[:, 0].mean(), rel=1e-5)


@pytest.mark.usefixtures("small_pieces")
def test_a_feature_is_constant_where_it_is_in_every_piece():
    values, weights = np.zeros((1000, 5)), np.ones(1000)
    values[500, 1], values[999, 3] = 1.0, 1.0
    assert _constant_columns(Facts(Rows(values))) == "constant columns 0, 2, 4"
    weights[999] = 0.0
    assert _constant_columns(Facts(Rows(values, weights))) == "constant columns 0, 2, 3, 4"


def test_a_weighted_score_copies_no_rows(rng, monkeypatch):
    """Not even those that count."""
    values = rng.normal(size=(1000, 5))
    estimator = GaussianMixture(2, random_state=0, tol=0.1).fit(values)
    weights = rng.integers(0, 3, 1000)
    seen = []
    evaluate = type(vars(estimator)["_scorer"]).evaluate
    monkeypatch.setattr(
        type(vars(estimator)["_scorer"]), "evaluate", lambda *args: seen.append(args[1].values) or evaluate(*args)
    )
    estimator.score(values, sample_weight=weights)
    assert all(np.shares_memory(each, values) for each in seen)
