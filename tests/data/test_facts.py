"""What is known of rows at a look: right for weights, for offsets, and for any order of memory."""

from itertools import pairwise

import numpy as np
import pytest

from fastgmm.data.facts import Facts, Summary, quantile_ranges, summary_of
from fastgmm.rows import Rows


@pytest.mark.parametrize("offset", [0.0, 1e8])
def test_variances_survive_an_offset(offset: float) -> None:
    values = np.random.RandomState(1).normal(size=(70_000, 2)) * [1.0, 3.0] + offset
    weights = np.random.RandomState(2).randint(0, 3, 70_000).astype(float)
    np.testing.assert_allclose(summary_of(Rows(values)).variances, values.var(axis=0), rtol=1e-7)
    repeated = np.repeat(values, weights.astype(int), axis=0)
    np.testing.assert_allclose(summary_of(Rows(values, weights)).variances, repeated.var(axis=0), rtol=1e-7)


@pytest.mark.parametrize("order", ["C", "F"])
def test_extreme_rows_are_those_of_the_smallest_and_largest_numbers_that_count(order: str) -> None:
    rng = np.random.default_rng(0)
    values = np.asarray(rng.normal(size=(70_000, 3)), order=order)
    weights = rng.integers(0, 2, len(values)).astype(float)
    expected = {*values.argmin(axis=0), *values.argmax(axis=0)}
    assert set(Facts(Rows(values)).extreme_rows) == expected
    counted = np.flatnonzero(weights)
    expected = {*counted[values[counted].argmin(axis=0)], *counted[values[counted].argmax(axis=0)]}
    assert set(Facts(Rows(values, weights)).extreme_rows) == expected


@pytest.mark.parametrize("order", ["C", "F"])
def test_quantiles_lie_among_the_numbers_in_order(order: str) -> None:
    values = np.asarray(np.random.default_rng(0).permuted(np.arange(303.0).reshape(3, 101), axis=1).T, order=order)
    before = values.copy()
    assert quantile_ranges(Rows(values), 0.25, 0.75).tolist() == [50.0, 50.0, 50.0]
    assert np.array_equal(values, before)


def test_a_whole_weight_is_a_row_repeated_for_quantiles() -> None:
    rng = np.random.default_rng(0)
    values, weights = rng.normal(size=(50, 2)), rng.integers(0, 4, 50)
    repeated = Rows(np.repeat(values, weights, axis=0))
    assert np.array_equal(
        quantile_ranges(Rows(values, weights.astype(float)), 0.1, 0.9), quantile_ranges(repeated, 0.1, 0.9)
    )


def test_facts_are_computed_once() -> None:
    facts = Facts(Rows(np.random.default_rng(0).normal(size=(50, 2))))
    assert facts.robust_variances is facts.robust_variances


def about_equal(one: Summary, other: Summary) -> bool:
    return all(np.allclose(a, b, rtol=1e-12, atol=1e-12) for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize("weighted", [False, True])
def test_summaries_of_parts_merge_to_that_of_the_whole(weighted: bool) -> None:
    rng = np.random.default_rng(0)
    values, weights = rng.normal(size=(1000, 3)) * [1.0, 1e-3, 1e3] + 5.0, rng.integers(0, 3, 1000).astype(float)
    weights[:10] = 0.0
    cuts = [0, 10, 11, 700, 1000]  # the first part counts nothing where rows have weights
    parts = [slice(*ends) for ends in pairwise(cuts)]
    whole = Rows(values, weights if weighted else None)
    merged = summary_of(whole.take(parts[0]))
    for part in parts[1:]:
        merged = merged.merged(summary_of(whole.take(part)))
    assert about_equal(merged, summary_of(whole))
    counted, w = (values[weights > 0], weights[weights > 0]) if weighted else (values, np.ones(1000))
    means = np.average(counted, axis=0, weights=w)
    variances = np.average(np.square(counted - means), axis=0, weights=w)
    assert about_equal(
        merged,
        Summary(
            len(counted),
            w.sum(),
            np.full(values.shape[1], w.sum()),
            counted.min(axis=0),
            counted.max(axis=0),
            means,
            variances,
        ),
    )


@pytest.mark.parametrize("n_features", [2, 64, 10_000])
def test_a_sample_is_so_many_rows_or_twice_as_many(n_features: int) -> None:
    rows = Rows(np.broadcast_to(np.float32(0), (70_000, n_features)))
    wanted = {2: 4096, 64: 1024, 10_000: 512}[n_features]
    assert wanted <= Facts(rows).sample.shape[0] < 2 * wanted


@pytest.mark.parametrize("offset", [0.0, 1e8])
def test_the_center_lies_amid_the_rows(offset: float) -> None:
    values = np.random.default_rng(0).normal(size=(20_000, 3)) + offset
    assert np.abs(Facts(Rows(values)).center - offset).max() < 0.1
    assert np.abs(Facts(Rows(values, origin=np.full(3, offset))).center).max() < 0.1


def test_the_center_of_rows_without_weight_is_some_number() -> None:
    rows = Rows(np.random.default_rng(0).normal(size=(10, 3)), np.zeros(10))
    assert np.isfinite(Facts(rows).center).all()


def test_what_is_no_fact_cannot_be_known_of_rows() -> None:
    with pytest.raises(TypeError, match="'n_rowz' is no fact about rows"):
        Facts.of_all(Rows(np.zeros((2, 1))), n_rowz=7)
