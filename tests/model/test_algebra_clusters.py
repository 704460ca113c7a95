"""Clusters of components: the hierarchy is the one that brute force finds, and the elbow that of two fitted lines."""

import itertools
import math
import pickle
import tracemalloc

import numpy as np
import pytest

import fastgmm
from fastgmm import GaussianMixture
from fastgmm.families import CovarianceFamily
from fastgmm.model.algebra_clusters import _elbow
from tests.model.test_incomplete_scores import model_of, with_holes
from tests.problems import Problem, assert_close, draw_problem


@pytest.fixture
def problem(family: CovarianceFamily) -> Problem:
    return draw_problem(family.name, 60, 3, 6)


def entropy(responsibilities: list[list[float]], groups: list[tuple[int, ...]], weights: list[float]) -> float:
    """The oracle: the mean of −Σ t log t, by one sum after another."""
    terms = []
    for row, weight in zip(responsibilities, weights, strict=True):
        of_groups = [math.fsum(row[k] for k in group) for group in groups]
        terms += [-weight * t * math.log(t) for t in of_groups if t > 0]
    return math.fsum(terms) / math.fsum(weights)


def hierarchy(
    responsibilities: list[list[float]], weights: list[float]
) -> tuple[list[list[tuple[int, ...]]], list[float]]:
    """The oracle: of K, ..., 1 clusters which components make them, and the entropy of these."""
    groups: list[tuple[int, ...]] = [(k,) for k in range(len(responsibilities[0]))]
    steps, entropies = [groups], [entropy(responsibilities, groups, weights)]
    while len(groups) > 1:
        candidates = []
        for i, j in itertools.combinations(range(len(groups)), 2):
            others = [group for place, group in enumerate(groups) if place not in (i, j)]
            candidates.append(sorted([*others, tuple(sorted(groups[i] + groups[j]))]))
        groups = min(candidates, key=lambda each: entropy(responsibilities, each, weights))
        steps.append(groups)
        entropies.append(entropy(responsibilities, groups, weights))
    return steps, entropies


@pytest.mark.parametrize("weighted", [False, True])
def test_each_step_merges_the_pair_that_lowers_the_entropy_most(problem: Problem, weighted: bool) -> None:
    model = model_of(problem)
    weights = np.random.default_rng(0).uniform(0, 3, 60) if weighted else None
    of_rows = np.ones(60) if weights is None else weights
    steps, entropies = hierarchy(model.predict_proba(problem.values).tolist(), of_rows.tolist())
    found = model.clusters(problem.values, sample_weight=weights)
    assert [found.components_of(n) for n in range(6, 0, -1)] == [tuple(groups) for groups in steps]
    assert_close(found.entropies[::-1], entropies, 1e-13)


def test_rows_belong_to_the_cluster_that_has_most_of_them(problem: Problem) -> None:
    model = model_of(problem)
    of_components = model.predict_proba(problem.values)
    found = model.clusters(problem.values, 3)
    assert found.n_clusters == len(found.components) == 3
    shares = np.stack([of_components[:, group].sum(axis=1) for group in found.components], axis=1)
    assert_close(found.responsibilities, shares, 1e-15)
    assert np.array_equal(found.labels, shares.argmax(axis=1))
    assert np.array_equal(found.labels_of(3), found.labels)
    assert np.array_equal(found.labels_of(6), model.predict(problem.values))
    assert not found.labels_of(1).any()


def test_clusters_are_in_the_order_of_their_first_components(problem: Problem) -> None:
    found = model_of(problem).clusters(problem.values)
    for n_clusters in range(1, 7):
        groups = found.components_of(n_clusters)
        assert len(groups) == n_clusters
        assert sorted(groups) == list(groups)
        assert sorted(itertools.chain(*groups)) == list(range(6))
    assert all(one < other for one, other in found.merges)


def test_a_whole_weight_is_the_row_repeated(problem: Problem) -> None:
    model, counts = model_of(problem), np.random.default_rng(0).integers(0, 4, 60)
    weighted = model.clusters(problem.values, sample_weight=counts)
    repeated = model.clusters(np.repeat(problem.values, counts, axis=0))
    assert weighted.merges == repeated.merges
    assert_close(weighted.entropies, repeated.entropies, 1e-13)
    assert len(weighted.labels) == 60


@pytest.mark.parametrize("factor", [1e-300, 1e300])
def test_the_unit_of_weights_does_not_matter(problem: Problem, factor: float) -> None:
    model, weights = model_of(problem), np.random.default_rng(0).uniform(1, 3, 60)
    plain, scaled = (model.clusters(problem.values, sample_weight=each) for each in (weights, factor * weights))
    assert plain.merges == scaled.merges
    assert_close(plain.entropies, scaled.entropies, 1e-13)


def test_rows_without_any_value_have_a_label_and_no_part_in_the_entropies(problem: Problem) -> None:
    model, rows = model_of(problem), with_holes(problem.values)
    found, without = model.clusters(rows), model.clusters(rows[:-1])
    assert np.isnan(rows[-1]).all()
    assert found.merges == without.merges
    assert_close(found.entropies, without.entropies, 1e-14)
    assert np.array_equal(found.labels[:-1], without.labels)
    with pytest.raises(ValueError, match="observed value"):
        model.clusters(rows[-1:])


def test_components_far_apart_are_merged_by_what_little_they_share() -> None:
    """Nothing but a tail of 1e-30 says that the second component lies next to the first, and not to the third."""
    model = GaussianMixture.from_parameters([1 / 3] * 3, [[0.0], [20.0], [60.0]], [1.0] * 3, "spherical")
    found = model.clusters([[0.0], [20.0], [60.0]])
    assert found.merges[0] == (0, 1)
    assert 0 < found.entropies[2] < 1e-60


def test_the_same_bits_for_any_number_of_threads_and_pieces_do_not_matter(
    problem: Problem, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = np.random.default_rng(0).normal(size=(30_000, 3))
    one, other = (model_of(problem).set_params(n_threads=n).clusters(rows) for n in (1, 3))
    assert one.merges == other.merges
    assert np.array_equal(one.entropies, other.entropies)
    monkeypatch.setattr("fastgmm.machine.pieces._PIECE_BYTES", 10_000)
    again = model_of(problem).clusters(rows)
    assert one.merges == again.merges
    assert_close(one.entropies, again.entropies, 1e-12)
    assert np.array_equal(one.labels, again.labels)


def test_rows_of_single_precision_are_clustered_alike(problem: Problem) -> None:
    model = model_of(problem)
    one, other = (model.clusters(problem.values.astype(dtype)) for dtype in ("float32", "float64"))
    assert one.merges == other.merges
    assert np.array_equal(one.entropies, other.entropies)


def test_memory_grows_with_labels_and_not_with_responsibilities() -> None:
    model, peaks = model_of(draw_problem("diag", 60, 2, 12)), []
    for n_rows in (200_000, 400_000):
        rows = np.random.default_rng(0).normal(size=(n_rows, 2))
        tracemalloc.start()
        model.clusters(rows, 2)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] - peaks[0] < 24 * 200_000  # a label and what it counts are 16 bytes, 12 responsibilities 96


def test_what_is_found_cannot_be_changed_and_can_be_pickled(problem: Problem) -> None:
    found = model_of(problem).clusters(problem.values, 3)
    assert type(found) is fastgmm.Clusters
    with pytest.raises(ValueError, match="read-only"):
        found.labels[0] = 1
    read = pickle.loads(pickle.dumps(found))
    assert read.components == found.components
    assert np.array_equal(read.labels_of(4), found.labels_of(4))
    assert "components=((" in repr(found)
    assert "_members" not in repr(found)


@pytest.mark.parametrize("n_clusters", [0, 7, 1.5, True, "elbow"])
def test_the_number_of_clusters_is_auto_or_one_that_there_can_be(problem: Problem, n_clusters: object) -> None:
    with pytest.raises(ValueError, match=r"n_clusters"):
        model_of(problem).clusters(problem.values, n_clusters)


# --- the elbow -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n_clusters", range(2, 9))
def test_the_elbow_is_where_two_lines_meet(n_clusters: int) -> None:
    counts = np.arange(1, 10)
    assert _elbow(np.maximum(0.01 * (counts - 1), 0.3 * (counts - n_clusters) + 0.01 * (n_clusters - 1))) == n_clusters


def test_the_elbow_is_that_of_least_squares(rng: np.random.Generator) -> None:
    for length in range(3, 9):
        y, x = np.sort(rng.uniform(size=length)), np.arange(length)
        squares = {}
        for meet in range(1, length - 1):
            sides = (x[: meet + 1], y[: meet + 1]), (x[meet:], y[meet:])
            squares[meet + 1] = sum(
                np.square(np.polyval(np.polyfit(*side, 1), side[0]) - side[1]).sum() for side in sides
            )
        assert _elbow(y) == min(squares, key=squares.get)


@pytest.mark.parametrize("n_components", [1, 2])
def test_of_one_or_two_components_all_stay(n_components: int) -> None:
    model = GaussianMixture.from_parameters(
        np.full(n_components, 1 / n_components),
        np.arange(n_components)[:, np.newaxis],
        np.ones(n_components),
        "spherical",
    )
    assert model.clusters([[0.0], [1.0]]).n_clusters == n_components


def test_two_crosses_and_two_ellipses_are_four_clusters_of_six_components() -> None:
    """As the first example of Baudry et al. (2010), whose mixture of six components has two crosses among them."""
    bar, across = np.diag([1.0, 0.02]), np.diag([0.02, 1.0])
    turn = np.array([[np.cos(1), -np.sin(1)], [np.sin(1), np.cos(1)]])
    covariances = [bar, across, turn @ bar @ turn.T, turn @ across @ turn.T, np.eye(2) / 8, np.eye(2) / 8]
    means = [[0.0, 0.0], [0.0, 0.0], [8.0, 5.0], [8.0, 5.0], [1.0, 5.0], [8.0, 0.0]]
    truth = GaussianMixture.from_parameters([0.2] * 4 + [0.1] * 2, means, covariances, random_state=0)
    X, component = truth.sample(600)
    fitted = GaussianMixture(6, n_init=5, random_state=0).fit(X)
    found = fitted.clusters(X)
    expected = np.array([0, 0, 1, 1, 2, 3])[component]
    assert found.n_clusters == 4
    table = np.zeros((4, 4), int)
    np.add.at(table, (found.labels, expected), 1)
    assert table.max(axis=1).sum() >= 597
