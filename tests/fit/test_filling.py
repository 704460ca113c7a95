"""Rows of a sample without holes: what is filled, and what is left over."""

import tracemalloc

import numpy as np
import pytest

from fastgmm.data.facts import Facts
from fastgmm.families import FAMILIES
from fastgmm.fit.filling import filled, single_gaussian
from fastgmm.kernels import get_backend
from fastgmm.rows import Rows
from fastgmm.sweeps.incomplete import IncompleteSweep, suited_to_missing


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("covariance_type", ["full", "diag"])
def test_a_row_is_filled_by_what_is_expected_given_what_it_has(
    covariance_type: str, weighted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Row by row, by the formula; patterns of one shape are computed two at a time."""
    rng = np.random.default_rng(0)
    values = rng.normal(size=(90, 4)) @ rng.normal(size=(4, 4))
    values[rng.random(values.shape) < 0.4] = np.nan
    values = np.concatenate([values[~np.isnan(values).all(axis=1)], values[~np.isnan(values).any(axis=1)]])
    weights = rng.uniform(0.5, 2.0, len(values)) if weighted else None
    facts = Facts(Rows(values, weights, has_missing=True))
    sweep = suited_to_missing(facts, FAMILIES[covariance_type], get_backend("numpy"), 1)
    assert isinstance(sweep, IncompleteSweep)
    gaussian = single_gaussian(sweep, facts, facts.sample)
    monkeypatch.setattr("fastgmm.machine.pieces._PIECE_BYTES", 2 * 8 * 4 * 5)
    sample = filled(sweep, np.arange(len(values)))
    mean, covariance = gaussian.means[0], np.eye(4) * gaussian.covariances[0]
    if covariance_type == "full":
        covariance = gaussian.covariances[0]
    left_over, expected = np.zeros((4, 4)), values.copy()
    for row, weight in zip(expected, np.ones(len(values)) if weights is None else weights, strict=True):
        missing, observed = np.isnan(row), ~np.isnan(row)
        slopes = covariance[np.ix_(missing, observed)] @ np.linalg.inv(covariance[np.ix_(observed, observed)])
        row[missing] = mean[missing] + slopes @ (row[observed] - mean[observed])
        rest = covariance[np.ix_(missing, missing)] - slopes @ covariance[np.ix_(observed, missing)]
        left_over[np.ix_(missing, missing)] += weight * rest
    np.testing.assert_allclose(sample.rows.values, expected, rtol=1e-9, atol=1e-10)
    total = len(values) if weights is None else weights.sum()
    np.testing.assert_allclose(sample.left_over, left_over / total, rtol=1e-9, atol=1e-12)


def test_rows_without_holes_stay() -> None:
    values = np.arange(12.0).reshape(6, 2) ** 2
    facts = Facts(Rows(values, has_missing=True))
    sweep = suited_to_missing(facts, FAMILIES["full"], get_backend("numpy"), 1)
    assert isinstance(sweep, IncompleteSweep)
    sample = filled(sweep, np.arange(6))
    assert np.array_equal(sample.rows.values, values)
    assert not sample.left_over.any()


def test_what_is_filled_takes_little_more_than_its_own_memory() -> None:
    values = np.random.default_rng(0).normal(size=(4000, 50))
    values[np.random.default_rng(1).random(values.shape) < 0.2] = np.nan
    sweep = suited_to_missing(Facts(Rows(values, has_missing=True)), FAMILIES["diag"], get_backend("numpy"), 1)
    assert isinstance(sweep, IncompleteSweep)
    tracemalloc.start()
    try:
        filled(sweep, np.arange(len(values)))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak <= 3.0 * values.nbytes
