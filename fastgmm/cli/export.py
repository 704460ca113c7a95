"""``fastgmm export``: a model file as a graph of ONNX."""

from argparse import Namespace

from fastgmm.cli.inputs import keep_inputs
from fastgmm.estimator.front import load
from fastgmm.machine.whole_file import require_writable, whole_file
from fastgmm.show.reports import Report


def export(arguments: Namespace) -> Report:
    """``fastgmm export``: the graph of a model, for other programs."""
    require_writable(arguments.output)
    keep_inputs(arguments, arguments.model)
    content = load(arguments.model).to_onnx(arguments.dtype).SerializeToString()
    with whole_file(arguments.output) as file:
        file.write(content)
    facts: dict[str, object] = {"onnx": arguments.output, "dtype": arguments.dtype, "bytes": len(content)}
    return Report([f"{arguments.dtype} graph of {len(content):,} bytes written to {arguments.output}\n"], facts)
