"""``Backend.log_density``: rows into log-densities, labels, joint log-densities and responsibilities."""

import dataclasses
import math

import numpy as np
import pytest

from fastgmm.kernels.contract import Outputs, Section
from tests.kernels.test_sweep import SHAPES
from tests.problems import (
    TOLERANCE,
    assert_close,
    draw_problem,
    oracle_joint,
    oracle_log_density,
    oracle_responsibilities,
)


def evaluate(backend, problem, dtype="float64", section=None, *, wanted=("log_density", "labels", "joint"), **options):
    """The outputs that are ``wanted``; the others have length 0."""
    n_rows, n_components = len(problem.values), len(problem.parameters.means)
    section = section or Section(n_chunks=1, chunk_rows=768, tile_rows=256, start=0, stop=n_rows)
    outputs = Outputs(
        np.full(n_rows if "log_density" in wanted else 0, np.nan, dtype),
        np.full(n_rows if "labels" in wanted else 0, -1, np.int64),
        np.full((n_rows if "joint" in wanted else 0, n_components), np.nan, dtype),
        normalize=options.get("normalize", False),
    )
    rows = problem.rows(dtype)
    backend.log_density(rows, problem.prepared(dtype), section, outputs, options.get("n_threads", 1))
    return outputs


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_densities_are_those_of_the_oracle(backend, family, dtype, shape):
    problem = draw_problem(family.name, *shape)
    outputs = evaluate(backend, problem, dtype)
    joint, tolerance = oracle_joint(problem), TOLERANCE[dtype]
    assert_close(outputs.joint, joint, tolerance)
    assert_close(outputs.log_density, oracle_log_density(problem), tolerance)
    # The component of the label is the best one, or one that rounding cannot tell from it.
    assert_close(np.take_along_axis(joint, outputs.labels[:, np.newaxis], 1)[:, 0], joint.max(axis=1), tolerance)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_responsibilities_are_those_of_the_oracle(backend, family, dtype, shape):
    problem = draw_problem(family.name, *shape)
    outputs = evaluate(backend, problem, dtype, normalize=True)
    assert_close(outputs.joint, oracle_responsibilities(problem), TOLERANCE[dtype], scale=1.0)
    assert_close(outputs.joint.sum(axis=1), np.ones(len(outputs.joint)), 4 * np.finfo(dtype).eps)


@pytest.mark.parametrize("normalize", [False, True], ids=["joint", "responsibilities"])
@pytest.mark.parametrize("wanted", ["log_density", "labels", "joint"])
def test_an_output_does_not_depend_on_which_others_are_wanted(backend, family, dtype, wanted, normalize):
    problem = draw_problem(family.name, 257, 5, 3)
    together = evaluate(backend, problem, dtype, normalize=normalize)
    alone = evaluate(backend, problem, dtype, wanted=(wanted,), normalize=normalize)
    assert np.array_equal(getattr(together, wanted), getattr(alone, wanted))


@pytest.mark.parametrize("n_threads", [1, 2, 3, 7])
def test_chunks_tiles_and_threads_change_no_bit(backend, family, n_threads):
    problem = draw_problem(family.name, 600, 2, 2)
    cut = Section(n_chunks=5, chunk_rows=128, tile_rows=64, start=0, stop=128)
    at_once, in_pieces = evaluate(backend, problem), evaluate(backend, problem, section=cut, n_threads=n_threads)
    assert all(np.array_equal(one, other) for one, other in zip(at_once[:3], in_pieces[:3], strict=True))


def test_a_section_fills_its_own_rows_only(backend, family):
    problem = draw_problem(family.name, 600, 2, 2)
    part = evaluate(backend, problem, section=Section(n_chunks=2, chunk_rows=512, tile_rows=64, start=64, stop=128))
    filled = np.flatnonzero(~np.isnan(part.log_density))
    assert filled.tolist() == [*range(64, 128), *range(576, 600)]
    assert np.array_equal(part.labels >= 0, ~np.isnan(part.log_density))


def test_of_equal_components_the_first_is_the_label(backend, family, dtype):
    problem = draw_problem(family.name, 7, 2, 3)
    equal = dataclasses.replace(
        problem.parameters,
        weights=np.full(3, 1 / 3),
        means=np.zeros((3, 2)),
        covariances=np.ones(family.covariance_shape(3, 2)) * (np.eye(2) if family.name in ("full", "tied") else 1.0),
    )
    outputs = evaluate(backend, dataclasses.replace(problem, parameters=equal), dtype)
    assert not outputs.labels.any()


def test_a_component_of_weight_zero_has_no_share_in_any_row(backend, family, dtype):
    problem = draw_problem(family.name, 7, 2, 3)
    lost = dataclasses.replace(problem.parameters, weights=np.array([0.0, 0.5, 0.5]))
    outputs = evaluate(backend, dataclasses.replace(problem, parameters=lost), dtype, normalize=True)
    assert not outputs.joint[:, 0].any()
    assert np.isfinite(outputs.log_density).all()
    assert (outputs.labels > 0).all()


def test_the_weights_of_rows_do_not_touch_their_densities(backend, family):
    problem = draw_problem(family.name, 7, 2, 3)
    weights = np.array([0.0, 1.0, 0.0, 2.0, 0.5, 0.0, 1e9])
    weighted = evaluate(backend, dataclasses.replace(problem, weights=weights))
    unweighted = evaluate(backend, problem)
    assert all(np.array_equal(one, other) for one, other in zip(weighted[:3], unweighted[:3], strict=True))


@pytest.mark.parametrize("n_components", [2, 32, 1024])
def test_responsibilities_sum_to_one_however_many_they_are(backend, family, dtype, n_components):
    """To 4 units of the last place; overlapping components, so that all of them count."""
    outputs = evaluate(
        backend, draw_problem(family.name, 300, 2, n_components), dtype, wanted=("joint",), normalize=True
    )
    for row in outputs.joint.astype(np.float64).tolist():
        assert abs(math.fsum(row) - 1.0) <= 4 * np.finfo(dtype).eps
