"""``fastgmm export`` writes the graph that the estimator makes."""

import json
import sys

import numpy as np
import pytest

from fastgmm import GaussianMixture
from fastgmm.cli.command_line import main
from tests.cli.test_command_line import assert_one_line_error


@pytest.fixture(autouse=True)
def model(tmp_path, monkeypatch):
    """In ``model.npz`` of an empty directory."""
    monkeypatch.chdir(tmp_path)
    model = GaussianMixture.from_parameters([0.5, 0.5], [[0.0, 1.0], [4.0, 5.0]], [1.0, 2.0], "spherical")
    model.save("model.npz")
    return model


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_export_writes_a_graph(model, dtype, capsys):
    onnx = pytest.importorskip("onnx")
    assert main(["export", "model.npz", "-o", "model.onnx", "--dtype", dtype, "--json"]) == 0
    assert onnx.load("model.onnx") == model.to_onnx(dtype)
    content = model.to_onnx(dtype).SerializeToString()
    assert json.loads(capsys.readouterr().out) == {"onnx": "model.onnx", "dtype": dtype, "bytes": len(content)}


def test_the_precision_is_double_by_default(model, capsys):
    onnx = pytest.importorskip("onnx")
    assert main(["export", "model.npz", "-o", "model.onnx"]) == 0
    assert capsys.readouterr().out.startswith("float64 graph of ")
    assert onnx.load("model.onnx") == model.to_onnx()


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["model.npz", "-o", "graph.npz"], 2, "graph.npz: expected a file name that ends in .onnx"),
        (["nothing.npz", "-o", "model.onnx"], 1, "nothing.npz: No such file or directory"),
    ],
)
def test_what_export_refuses(capsys, arguments, status, message):
    assert main(["export", *arguments]) == status
    assert message in capsys.readouterr().err


def test_a_graph_of_too_large_means_is_refused(capsys):
    pytest.importorskip("onnx")
    GaussianMixture.from_parameters([1.0], np.array([[1e39]]), [1.0], "spherical").save("far.npz")
    assert main(["export", "far.npz", "-o", "model.onnx", "--dtype", "float32"]) == 1
    assert_one_line_error(capsys, "float32 cannot hold the means")


def test_export_says_what_is_missing(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "onnx", None)
    assert main(["export", "model.npz", "-o", "model.onnx"]) == 1
    assert_one_line_error(capsys, "ONNX needs onnx: pip install 'fastgmm[onnx]'")
