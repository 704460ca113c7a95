"""Graphs of ONNX say what the estimator says: compared by onnxruntime, near zero and far from it."""

import json

import numpy as np
import pytest

from fastgmm import GaussianMixture
from fastgmm.families import CovarianceFamily
from tests.model.test_incomplete_scores import model_of
from tests.problems import Problem, assert_close, draw_problem

pytest.importorskip("onnx")
runtime = pytest.importorskip("onnxruntime")


@pytest.fixture
def problem(family: CovarianceFamily) -> Problem:
    return draw_problem(family.name, 200, 5, 4)


def answers(model: GaussianMixture, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels, probabilities and log-densities of rows by the graph in their dtype."""
    options = runtime.SessionOptions()
    options.intra_op_num_threads = 1
    content = model.to_onnx(str(rows.dtype)).SerializeToString()
    session = runtime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    return tuple(session.run(["label", "probabilities", "score_samples"], {"X": rows}))


@pytest.mark.parametrize("far", [0.0, 1e6])
def test_double_precision_gives_what_the_estimator_does(problem: Problem, far: float) -> None:
    model, rows = model_of(problem).transformed(1.0, np.full(5, far)), problem.values + far
    labels, probabilities, log_densities = answers(model, rows)
    assert labels.dtype == np.int64
    assert np.array_equal(labels, model.predict(rows))
    np.testing.assert_allclose(log_densities, model.score_samples(rows), rtol=1e-12)
    np.testing.assert_allclose(probabilities, model.predict_proba(rows), rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("far", [0.0, 1e6])
def test_single_precision_loses_no_digits_of_its_rows(problem: Problem, far: float) -> None:
    """What float32 makes of rows at 1,000,000 is much, and the graph makes no more of it."""
    model = model_of(problem).transformed(1.0, np.full(5, far))
    rows = (problem.values + far).astype(np.float32)
    labels, probabilities, log_densities = answers(model, rows)
    assert log_densities.dtype == probabilities.dtype == np.float32
    exact = rows.astype(np.float64)
    assert np.array_equal(labels, model.predict(exact))
    assert_close(log_densities, model.score_samples(exact), 2e-6)
    assert_close(probabilities, model.predict_proba(exact), 5e-6)


@pytest.mark.parametrize("n_rows", [1, 0])
def test_any_number_of_rows_is_taken(problem: Problem, n_rows: int) -> None:
    model, rows = model_of(problem), problem.values[:n_rows]
    labels, probabilities, log_densities = answers(model, rows)
    assert (labels.shape, probabilities.shape, log_densities.shape) == ((n_rows,), (n_rows, 4), (n_rows,))


def test_rows_beyond_the_range_of_densities_have_finite_answers(problem: Problem, dtype: str) -> None:
    largest = np.finfo(dtype).max / 4
    labels, probabilities, log_densities = answers(model_of(problem), np.full((1, 5), largest, dtype))
    assert log_densities[0] < -1e38
    assert np.isfinite(log_densities).all()
    assert_close(probabilities.sum(axis=1), [1.0], 1e-6)
    assert labels[0] in range(4)


def test_a_component_of_no_weight_has_no_part(dtype: str) -> None:
    model = GaussianMixture.from_parameters([0.0, 1.0], [[0.0], [1.0]], [1.0, 1.0], "spherical")
    labels, probabilities, log_densities = answers(model, np.zeros((1, 1), dtype))
    assert labels.tolist() == [1]
    assert probabilities.tolist() == [[0.0, 1.0]]
    assert_close(log_densities, model.score_samples([[0.0]]), 1e-6)


def test_names_of_features_are_in_the_metadata(problem: Problem) -> None:
    model = model_of(problem)
    assert not model.to_onnx().metadata_props
    model.feature_names_in_ = np.array(list("abcde"), object)
    (found,) = model.to_onnx().metadata_props
    assert (found.key, json.loads(found.value)) == ("feature_names", list("abcde"))


@pytest.mark.parametrize(("means", "variance"), [([[1e39]], 1.0), ([[0.0]], 1e-40)])
def test_what_single_precision_cannot_hold_is_refused(means: list[list[float]], variance: float) -> None:
    model = GaussianMixture.from_parameters([1.0], means, [variance], "spherical")
    with pytest.raises(ValueError, match=r"float32 cannot hold .* take dtype='float64'"):
        model.to_onnx("float32")
    assert answers(model, np.array(means))[0].tolist() == [0]


def test_other_precisions_are_refused(problem: Problem) -> None:
    with pytest.raises(ValueError, match="dtype must be 'float64' or 'float32'; got 'float16'"):
        model_of(problem).to_onnx("float16")
