"""``Backend.sweep``: rows into slots of moments."""

import dataclasses

import numpy as np
import pytest

from fastgmm.kernels.contract import Section, Slots
from fastgmm.moments import Moments
from tests import naive
from tests.problems import (
    TOLERANCE,
    Problem,
    assert_close,
    assert_close_moments,
    draw_problem,
    oracle_moments,
    slot_shapes,
    with_both_triangles,
)

# Tiles are partial or full, the panels of four features likewise: (rows, features, components).
SHAPES = [
    (1, 1, 1),
    (1, 16, 2),
    (7, 2, 3),
    (255, 3, 2),
    (256, 4, 1),
    (257, 5, 3),
    (600, 1, 7),
    (600, 2, 2),
    (100, 8, 3),
    (40, 11, 2),
    (33, 16, 7),
]


def empty_slots(problem: Problem, n_chunks: int) -> Slots:
    n_components, n_features = problem.parameters.means.shape
    shapes = slot_shapes(problem.family.kernel, n_components, n_features)
    return Slots(*(np.zeros((n_chunks, *shape)) for shape in shapes))


def sweep(backend, problem, section, dtype="float64", slots=None, n_threads=1) -> Slots:
    slots = empty_slots(problem, section.n_chunks) if slots is None else slots
    backend.sweep(problem.rows(dtype), problem.prepared(dtype), section, slots, n_threads)
    return slots


def whole(n_rows: int, tile_rows: int = 256) -> Section:
    """All rows as one chunk."""
    return Section(n_chunks=1, chunk_rows=768, tile_rows=tile_rows, start=0, stop=n_rows)


def moments_of(slots: Slots, chunk: int, problem: Problem) -> Moments:
    """A slot as moments."""
    moments = dataclasses.replace(
        oracle_moments(problem),
        counts=slots.counts[chunk],
        first=slots.first[chunk],
        second=slots.second[chunk],
        total_weight=slots.totals[chunk, 0],
        log_likelihood=slots.totals[chunk, 1],
    )
    return with_both_triangles(moments, problem.family)


@pytest.mark.parametrize("weighted", [False, True], ids=["unweighted", "weighted"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_a_sweep_collects_the_moments_of_the_oracle(backend, family, dtype, shape, weighted):
    problem = draw_problem(family.name, *shape, weighted=weighted)
    slots = sweep(backend, problem, whole(shape[0]), dtype)
    assert_close_moments(moments_of(slots, 0, problem), oracle_moments(problem), TOLERANCE[dtype])


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_a_tied_sweep_collects_no_second_moments_into_an_array_of_length_zero(backend, dtype, shape):
    """And the others all the same."""
    problem = draw_problem("tied", *shape, weighted=True)
    room = empty_slots(problem, 1)
    found = sweep(backend, problem, whole(shape[0]), dtype, room._replace(second=room.second[:0]))
    expected = oracle_moments(problem)
    moments = moments_of(found._replace(second=expected.second[np.newaxis]), 0, problem)
    assert_close_moments(moments, expected, TOLERANCE[dtype])


@pytest.mark.parametrize("tile_rows", [32, 64, 128])
def test_the_size_of_a_tile_changes_nothing_but_rounding(backend, family, dtype, tile_rows):
    problem = draw_problem(family.name, 257, 5, 3)
    slots = sweep(backend, problem, whole(257, tile_rows), dtype)
    assert_close_moments(moments_of(slots, 0, problem), oracle_moments(problem), TOLERANCE[dtype])


def test_a_slot_holds_the_rows_of_its_chunk(backend, family):
    problem = draw_problem(family.name, 600, 2, 2)
    slots = sweep(backend, problem, Section(n_chunks=3, chunk_rows=256, tile_rows=256, start=0, stop=256))
    for chunk in range(3):
        rows = problem.values[256 * chunk : 256 * (chunk + 1)]
        expected = naive.moments(problem.mixture, rows.tolist())
        assert_close(slots.counts[chunk], np.array(expected.counts), 1e-12)
        assert_close(slots.first[chunk], np.array(expected.first), 1e-12, len(rows))
        assert_close(slots.totals[chunk], np.array([expected.total_weight, expected.log_likelihood]), 1e-12)


def test_chunks_beyond_the_last_row_stay_empty(backend, family):
    problem = draw_problem(family.name, 7, 2, 3)
    slots = sweep(backend, problem, Section(n_chunks=4, chunk_rows=256, tile_rows=256, start=0, stop=256))
    assert all(not field[1:].any() for field in slots)


@pytest.mark.parametrize("section_rows", [64, 128, 192])
def test_where_sections_begin_changes_no_bit(backend, family, dtype, section_rows):
    problem = draw_problem(family.name, 600, 2, 2, weighted=True)
    at_once = sweep(backend, problem, Section(3, 256, 64, 0, 256), dtype)
    in_sections = empty_slots(problem, 3)
    for start in range(0, 256, section_rows):
        section = Section(3, 256, 64, start, min(start + section_rows, 256))
        sweep(backend, problem, section, dtype, in_sections)
    assert all(np.array_equal(one, other) for one, other in zip(at_once, in_sections, strict=True))


def test_a_sweep_adds_to_what_the_slots_hold(backend, family):
    problem = draw_problem(family.name, 7, 2, 3)
    once = sweep(backend, problem, whole(7))
    twice = sweep(backend, problem, whole(7), slots=sweep(backend, problem, whole(7)))
    assert all(np.allclose(2 * one, two, rtol=1e-15) for one, two in zip(once, twice, strict=True))


@pytest.mark.parametrize("n_threads", [2, 3, 7])
def test_any_number_of_threads_fills_the_slots_with_the_same_bits(backend, family, n_threads):
    problem = draw_problem(family.name, 600, 2, 2, weighted=True)
    section = Section(n_chunks=5, chunk_rows=128, tile_rows=64, start=0, stop=128)
    alone, together = (sweep(backend, problem, section, n_threads=threads) for threads in (1, n_threads))
    assert all(np.array_equal(one, other) for one, other in zip(alone, together, strict=True))


def test_a_component_of_weight_zero_collects_nothing(backend, family, dtype):
    problem = draw_problem(family.name, 7, 2, 3)
    lost = dataclasses.replace(problem.parameters, weights=np.array([0.5, 0.0, 0.5]))
    slots = sweep(backend, dataclasses.replace(problem, parameters=lost), whole(7), dtype)
    assert slots.counts[0, 1] == 0.0
    assert not slots.first[0, 1].any()
    assert np.isfinite(slots.totals).all()


@pytest.mark.parametrize("period", [1, 8, 150])
def test_rows_that_one_component_holds_alone_stand_among_those_of_several(backend, family, dtype, period):
    """Vectors of rows of the first kind take a way of their own, to the same moments."""
    problem = draw_problem(family.name, 300, 3, 4, weighted=True)
    means = problem.parameters.means * np.array([[1.0], [1.0], [30.0], [60.0]])
    centers = means[np.where(np.arange(300) // period % 2, 0, 2)]
    values = (centers + 0.1 * problem.values).astype(np.float32).astype(np.float64)
    parameters = dataclasses.replace(problem.parameters, means=means)
    problem = dataclasses.replace(problem, parameters=parameters, values=values)
    moments = moments_of(sweep(backend, problem, whole(300), dtype), 0, problem)
    assert_close_moments(moments, oracle_moments(problem), 10 * TOLERANCE[dtype])
