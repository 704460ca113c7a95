"""What commands say: a text for people and the same facts for programs."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fastgmm.families.component import component_matrix
from fastgmm.fit.steps import Step
from fastgmm.parameters import Parameters

_MOST_COMPONENTS = 50
_MOST_FEATURES = 4


@dataclass(frozen=True, eq=False)
class Report:
    """The result of a command.

    Attributes
    ----------
    text : iterable of str
        Pieces of text, ends of line included.
    facts : dict
        The same, as JSON has it.
    exit_code : int
    """

    text: Iterable[str]
    facts: dict[str, object]
    exit_code: int = 0


def printable(text: str) -> str:
    """The text without what a terminal would obey rather than show: names in a model file may come from anyone."""
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)


def facts_text(facts: Mapping[str, str]) -> str:
    """Lines of a name and a value, the values under each other."""
    width = max(map(len, facts), default=0)
    return "".join(f"{name:<{width}}  {value}\n" for name, value in facts.items())


def table_text(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns under their headings, to the right, since they hold numbers."""
    widths = [max(len(row[column]) for row in (header, *rows)) for column in range(len(header))]
    lines = ["  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in (header, *rows)]
    return "".join(f"{line}\n" for line in lines)


def mixture_text(
    parameters: Parameters,
    names: Sequence[str] | None = None,
    n_rows: Sequence[float] | None = None,
    where_all_are: str = "--json shows all",
) -> str:
    """A mixture as a table: a component a row with weight, means, standard deviations, and, of two features, r.

    Where it is known how many rows each component has, the table says that too.
    """
    text = table_text(*mixture_table(parameters, names, n_rows))
    left_out = left_out_of_table(parameters)
    return f"{text}... and {left_out}; {where_all_are}\n" if left_out else text


def mixture_table(
    parameters: Parameters, names: Sequence[str] | None = None, n_rows: Sequence[float] | None = None
) -> tuple[list[str], list[list[str]]]:
    """The headings and the cells of that table."""
    n_components, n_features = parameters.means.shape
    shown_components, shown_features = min(n_components, _MOST_COMPONENTS), min(n_features, _MOST_FEATURES)
    names = [f"x{feature}" for feature in range(shown_features)] if names is None else names[:shown_features]
    names = [printable(name) for name in names]
    header = ["component", "weight", *([] if n_rows is None else ["rows"])]
    header += [f"mean {name}" for name in names]
    header += [f"std {name}" for name in names]
    if n_features == 2:
        header.append("correlation")
    lines = []
    for component in range(shown_components):
        matrix = component_matrix(parameters, component)
        deviations = np.sqrt(np.diagonal(matrix))
        numbers = [*parameters.means[component, :shown_features], *deviations[:shown_features]]
        line = [str(component), f"{parameters.weights[component]:.4f}"]
        line += [] if n_rows is None else [f"{n_rows[component]:,.10g}"]
        line += [f"{number:.5g}" for number in numbers]
        if n_features == 2:
            line.append(f"{matrix[0, 1] / (deviations[0] * deviations[1]):.4f}")
        lines.append(line)
    return header, lines


def left_out_of_table(parameters: Parameters) -> str:
    """What the table leaves out, in words; empty where it is nothing."""
    counts = parameters.n_components - _MOST_COMPONENTS, parameters.n_features - _MOST_FEATURES
    left_out = [f"{n} more {noun}" for n, noun in zip(counts, ("components", "features"), strict=True) if n > 0]
    return " and ".join(left_out)


def objective_of(attributes: Mapping[str, Any], has_labels: bool = False) -> str:
    """What the iterations of a fit make rise, in a word; ``attributes`` are its options by name, and may be more."""
    is_likelihood = attributes.get("prior") is None and attributes.get("annealing") is None and not has_labels
    return "log-likelihood" if is_likelihood and attributes.get("assignment") != "hard" else "objective"


def ending_of(attributes: Mapping[str, Any]) -> tuple[str, bool]:
    """How a fit ended, in words, and whether it has done what was asked; ``attributes`` are those of its estimator."""
    if attributes.get("converged_"):
        return "converged", True
    # Stochastic EM has done so once it has taken all of its iterations.
    is_stochastic = attributes.get("assignment") == "stochastic" and attributes.get("n_iter_", 0) > 0
    has_wandered = is_stochastic and attributes.get("stop_reason_") == "max_iter"
    return ("of which the best was kept", True) if has_wandered else ("NOT converged", False)


def parameter_facts(parameters: Parameters) -> dict[str, object]:
    """The parameters as JSON has them."""
    return {
        "covariance_type": parameters.covariance_type,
        "weights": parameters.weights.tolist(),
        "means": parameters.means.tolist(),
        "covariances": parameters.covariances.tolist(),
    }


def typical_seconds(steps: Sequence[Step]) -> float:
    """The median duration of an iteration, which the first one with its compilation does not disturb; NaN of none."""
    return float(np.median([step.seconds for step in steps])) if steps else math.nan


def duration(seconds: float) -> str:
    """Seconds in a unit that suits them."""
    if math.isnan(seconds):
        return "-"
    if seconds < 1e-3:
        return f"{seconds * 1e6:.0f} us"
    if seconds < 1:
        return f"{seconds * 1e3:.3g} ms"
    return f"{seconds:.3g} s" if seconds < 100 else f"{seconds / 60:.1f} min"


def rate(n_points: int, seconds: float) -> str:
    """Points per second."""
    if not seconds > 0:
        return "-"
    per_second = n_points / seconds
    return f"{per_second / 1e6:.3g} million points/s" if per_second >= 1e6 else f"{per_second:,.0f} points/s"


def json_ready(value: Any) -> Any:
    """``value`` with None in place of floats that are not finite, which JSON does not have."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: json_ready(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [json_ready(item) for item in value]
    return value
