"""Models as graphs of ONNX, which runtimes in other languages evaluate.

The graph is arithmetic about the means, as that of our kernels: with U a root of the precisions, Σ⁻¹ = UUᵀ,

    zₖ = (x − μₖ) Uₖ,   log wₖ N(x | k) = cₖ − ½‖zₖ‖²,   log p(x) = m + log Σ exp(log wₖ N(x | k) − m),   m the largest

To expand the square into x² − 2xμ + μ² would lose the digits of rows far from zero. In single precision even the means
have too few digits there: each is the sum of a number of float32 and of what that one leaves of it, and both are
subtracted, the first without rounding where x is near.
"""

import json
from typing import Any, Literal, TypeAlias

import numpy as np

from fastgmm.families.family import CovarianceFamily
from fastgmm.parameters import Array, FloatArray, Names
from fastgmm.version import __version__

Precision: TypeAlias = Literal["float64", "float32"]

# Those of 2022, which runtimes since then read.
_OPERATORS, _FORMAT = 17, 8


def onnx_model(
    family: CovarianceFamily,
    log_constants: FloatArray,
    means: FloatArray,
    root: FloatArray,
    names: Names | None,
    dtype: Precision,
) -> Any:
    """The ``onnx.ModelProto`` of a mixture; ``ImportError`` where onnx is not installed.

    Parameters
    ----------
    log_constants : ndarray of float64, shape (n_components,)
        cₖ = log wₖ + log |Uₖ| − (d/2) log 2π
    means : ndarray of float64, shape (n_components, n_features)
    root : ndarray of float64
        U in the shape of the family's covariances, or 1/σ.
    """
    try:
        from onnx import TensorProto, checker, helper
    except ImportError as error:
        raise ImportError("ONNX needs onnx: pip install 'fastgmm[onnx]'") from error
    n_components, n_features = means.shape
    number = TensorProto.DOUBLE if dtype == "float64" else TensorProto.FLOAT
    outputs = [
        helper.make_tensor_value_info("label", TensorProto.INT64, ["rows"]),
        helper.make_tensor_value_info("probabilities", number, ["rows", n_components]),
        helper.make_tensor_value_info("score_samples", number, ["rows"]),
    ]
    constants = _constants(family, log_constants, means, root, dtype)
    graph = helper.make_graph(
        _nodes("MatMul" if family.has_matrices else "Mul", is_split="remainders" in constants),
        "gaussian_mixture",
        [helper.make_tensor_value_info("X", number, ["rows", n_features])],
        outputs,
        [_tensor(name, values) for name, values in constants.items()],
    )
    model = helper.make_model(
        graph,
        opset_imports=[helper.make_opsetid("", _OPERATORS)],
        ir_version=_FORMAT,
        producer_name="fastgmm",
        producer_version=__version__,
    )
    if names is not None:
        helper.set_model_props(model, {"feature_names": json.dumps(list(names))})
    checker.check_model(model)
    return model


def _constants(
    family: CovarianceFamily, log_constants: FloatArray, means: FloatArray, root: FloatArray, dtype: Precision
) -> dict[str, Array]:
    """What the nodes take: components first, then room for rows, then features."""
    scales = root
    if not family.has_matrices:
        scales = root.reshape(len(means), 1, -1)  # 1/σ of every feature, or of all
    centers = means.astype(dtype)
    constants = {
        "means": centers[:, np.newaxis],
        "scales": scales.astype(dtype),
        "log_constants": log_constants[:, np.newaxis].astype(dtype),
        "minus_half": np.array(-0.5, dtype),
        "lowest": np.array(np.finfo(dtype).min, dtype),
        "axis_0": np.array([0]),
        "axis_1": np.array([1]),
        "axis_2": np.array([2]),
    }
    if dtype == "float32":
        constants["remainders"] = (means - centers)[:, np.newaxis].astype(dtype)
    return constants


def _tensor(name: str, values: Array) -> Any:
    from onnx import numpy_helper

    return numpy_helper.from_array(np.ascontiguousarray(values).reshape(values.shape), name)


def _nodes(scale: str, is_split: bool) -> list[Any]:
    """The graph: (K, n, d) up to the squares, then (K, n), and (n, K) from ``joint`` on."""
    from onnx import helper

    def node(operator: str, inputs: str, output: str, **attributes: Any) -> Any:
        return helper.make_node(operator, inputs.split(), [output], **attributes)

    differences = [node("Unsqueeze", "X axis_0", "rows"), node("Sub", "rows means", "differences")]
    if is_split:
        differences.append(node("Sub", "differences remainders", "whole_differences"))
    return [
        *differences,
        node(scale, f"{'whole_differences' if is_split else 'differences'} scales", "whitened"),
        node("Mul", "whitened whitened", "squares"),
        node("ReduceSum", "squares axis_2", "distances", keepdims=0),
        node("Mul", "distances minus_half", "exponents"),
        node("Add", "exponents log_constants", "log_densities"),
        node("Transpose", "log_densities", "of_rows", perm=[1, 0]),
        # Where all are −∞ their differences would be no numbers.
        node("Max", "of_rows lowest", "joint"),
        node("ArgMax", "joint", "label", axis=1, keepdims=0),
        node("ReduceMax", "joint", "largest", axes=[1], keepdims=1),
        node("Sub", "joint largest", "below_largest"),
        node("Exp", "below_largest", "shares"),
        node("ReduceSum", "shares axis_1", "total", keepdims=1),
        node("Div", "shares total", "probabilities"),
        node("Log", "total", "log_total"),
        node("Add", "largest log_total", "log_density"),
        node("Squeeze", "log_density axis_1", "score_samples"),
    ]
