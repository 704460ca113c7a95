"""``fastgmm regress`` and ``outliers``: features of points from others of theirs, and which points are odd."""

import math
from argparse import Namespace
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from fastgmm.cli.commands import rows_report, slices
from fastgmm.cli.inputs import features_of, forms_of, points_for, require_rows_output
from fastgmm.data.features import indices_of
from fastgmm.data.tables import read_points
from fastgmm.estimator.front import load
from fastgmm.estimator.mixture import GaussianMixture
from fastgmm.parameters import Array, Names
from fastgmm.show.reports import Report, facts_text, table_text

# So many of the rows that are drawn are expected to be outliers: the share of outliers is then known to a third of it.
_OUTLIERS_AMONG_DRAWS = 10
_FEWEST_DRAWS = 100_000


# --- regress ---------------------------------------------------------------------------------------------------------


def regress(arguments: Namespace) -> Report:
    """``fastgmm regress``: what some features are expected to be where others are given."""
    require_rows_output(arguments)
    mixture = load(arguments.model)
    n_features, names = mixture.n_features_in_, getattr(mixture, "feature_names_in_", None)
    given = _features(arguments.given, n_features, names, "--given")
    target = [each for each in range(n_features) if each not in given]
    if arguments.target is not None:
        target = _features(arguments.target, n_features, names, "--target")
    if both := sorted(set(given) & set(target)):
        raise ValueError(f"--target names what is given: {', '.join(_names_of(both, names))}")
    if not target:
        raise ValueError("--given names all features of the model: there is none left to be found")
    values = _given_values(arguments, mixture, given)
    found = mixture.marginal([*given, *target]).regress(values, range(len(given)), return_std=arguments.std)
    columns, table = _names_of(target, names), found
    if isinstance(found, tuple):
        columns, table = [*columns, *(f"{name}_std" for name in columns)], np.concatenate(found, axis=1)
    assert isinstance(table, np.ndarray)
    facts: dict[str, object] = {"points": len(table), "columns": columns}
    form = len(table), table.shape[1:], table.dtype, columns
    return rows_report(arguments, "means", slices(table), *form, lambda: facts)


def _features(wanted: Sequence[str], n_features: int, names: Names | None, flag: str) -> list[int]:
    """Features of the model by their names, or else their numbers."""
    indices: NDArray[np.intp] = indices_of(features_of(wanted, names), n_features, names, flag)
    return [int(each) for each in indices]


def _names_of(features: Sequence[int], names: Names | None) -> list[str]:
    return [f"column_{each}" if names is None else str(names[each]) for each in features]


def _given_values(arguments: Namespace, mixture: GaussianMixture, given: Sequence[int]) -> Array:
    """The columns of the points that are given: by name, or else the points have these alone, or all of the model."""
    names, (form, _) = getattr(mixture, "feature_names_in_", None), forms_of(arguments)
    if_named = None if names is None else _names_of(given, names)
    values = read_points(arguments.points, arguments.columns, if_named, form).values
    n_columns, n_features = values.shape[1], mixture.n_features_in_
    if n_columns == len(given):
        return values
    if n_columns != n_features:
        raise ValueError(
            f"{arguments.points}: {n_columns} columns are neither the {len(given)} that are given nor all {n_features} "
            "of the model: choose some by --columns"
        )
    return values[:, given]


# --- outliers --------------------------------------------------------------------------------------------------------


def outliers(arguments: Namespace) -> Report:
    """``fastgmm outliers``: the points that are less probable than nearly all that the model would draw."""
    require_rows_output(arguments)
    mixture, alpha = load(arguments.model), arguments.alpha
    n_draws = arguments.draws or max(_FEWEST_DRAWS, math.ceil(_OUTLIERS_AMONG_DRAWS / alpha))
    if len(mixture.weights_) > 1 and alpha * (n_draws + 1) <= 1:
        raise ValueError(f"no p-value is less than {alpha:g} of {n_draws} draws: give more --draws")
    points = points_for(mixture, arguments)
    p_values = mixture.outlier_p_values(points, n_samples=n_draws, random_state=arguments.random_state)
    rows = np.flatnonzero(p_values < alpha)
    rows = rows[np.argsort(p_values[rows], kind="stable")]
    facts: dict[str, object] = {"points": len(p_values), "alpha": alpha, "outliers": rows.tolist()}
    if arguments.output is not None:
        form = len(p_values), (), p_values.dtype, ["p_value"]
        return rows_report(arguments, "p-values", slices(p_values), *form, lambda: facts)
    text = facts_text({"points": f"{len(p_values):,}", "outliers": f"{len(rows):,} with p-values less than {alpha:g}"})
    listed = [(str(row), f"{p_values[row]:.3g}") for row in rows.tolist()]
    listing = ["\n", table_text(["row", "p-value"], listed)] if listed else []
    return Report([text, *listing], facts | {"p_values": p_values[rows].tolist()})
