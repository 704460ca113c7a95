"""What was fitted, in words and as HTML."""

import re
import sys
from base64 import b64decode

import numpy as np
import pytest

from fastgmm import GaussianMixture, blocks_of
from fastgmm.data.datasets import OLD_FAITHFUL_COLUMNS, load_old_faithful
from fastgmm.data.table import Table
from fastgmm.errors import NotFittedError


def fitted(**options: object) -> GaussianMixture:
    table = Table(load_old_faithful(), OLD_FAITHFUL_COLUMNS)
    return GaussianMixture(**{"n_components": 2, "random_state": 0, "backend": "numpy"} | options).fit(table)


def facts_of(summary: str) -> dict[str, str]:
    """Lines between the heading and the table, by name."""
    return dict(re.split(r" {2,}", line, maxsplit=1) for line in summary.split("\n\n")[1].splitlines())


def test_the_fit_alone_is_told_without_rows() -> None:
    gm = fitted()
    summary = gm.summary()
    assert summary.startswith("Gaussian mixture of 2 components, full covariances\n")
    assert facts_of(summary) == {
        "fit": f"{gm.n_iter_} iterations, converged",
        "log-likelihood": f"{gm.lower_bound_:.6g} per row, before the last iteration",
        "free parameters": "11",
    }
    assert "mean eruptions" in summary


def test_of_rows_it_tells_the_criteria_and_how_many_each_component_has() -> None:
    gm, X = fitted(), load_old_faithful()
    summary = gm.summary(Table(X, OLD_FAITHFUL_COLUMNS))
    told = facts_of(summary)
    named = Table(X, OLD_FAITHFUL_COLUMNS)
    icl = gm.bic(named) - 2.0 * np.log(gm.predict_proba(named).max(axis=1)).sum()
    assert told["rows"] == "272"
    assert told["log-likelihood"] == f"{272 * gm.score(named):.6g}, {gm.score(named):.6g} per row"
    assert (told["BIC"], told["AIC"]) == (f"{gm.bic(named):,.6g}", f"{gm.aic(named):,.6g}")
    assert told["ICL"] == f"{icl:,.6g}"
    counts = [line.split()[2] for line in summary.split("\n\n")[2].splitlines()[1:]]
    assert counts == np.bincount(gm.predict(named)).astype(str).tolist()


def test_a_whole_weight_is_the_row_repeated_and_a_row_without_values_none() -> None:
    gm = GaussianMixture.from_parameters([0.5, 0.5], [[0.0, 0.0], [3.0, 3.0]], [1.0, 2.0], "spherical")
    X = np.array([[0.0, 1.0], [np.nan, 3.0], [2.0, 2.0], [np.nan, np.nan]])
    weighted = gm.summary(X, sample_weight=[3.0, 1.0, 0.0, 5.0])
    assert weighted == gm.summary(X[[0, 0, 0, 1]])
    assert facts_of(weighted)["rows"] == "4"


def test_what_is_wrong_with_a_fit_is_told() -> None:
    X = np.array([[0.0, 0.0]] * 5 + [[1.0, 2.0], [3.0, 1.0], [2.0, np.nan]])
    with pytest.warns(UserWarning, match="collapsed"):
        gm = GaussianMixture(2, max_iter=50, random_state=0, backend="numpy").fit(X)
    told = facts_of(gm.summary())
    assert told["degenerate"].endswith("the likelihood is that of reg_covar")
    assert told["missing values"] == "1"


def test_what_a_table_leaves_out_is_counted() -> None:
    many = GaussianMixture.from_parameters(np.full(60, 1 / 60), np.zeros((60, 6)), np.ones(60), "spherical")
    assert many.summary().endswith(
        "... and 10 more components and 2 more features; weights_, means_ and covariances_ hold all\n"
    )


def test_it_needs_a_fit_and_rows_in_memory() -> None:
    with pytest.raises(NotFittedError):
        GaussianMixture().summary()
    with pytest.raises(TypeError, match="summary"):
        fitted().summary(blocks_of([load_old_faithful()]))


def test_a_notebook_shows_facts_components_and_a_picture_after_a_fit() -> None:
    pytest.importorskip("matplotlib")
    shown = fitted()._repr_html_()
    assert "<b>Gaussian mixture of 2 components, full covariances</b>" in shown
    assert "<th>mean waiting</th>" in shown
    (picture,) = re.findall(r'src="data:image/png;base64,([^"]+)"', shown)
    assert b64decode(picture).startswith(b"\x89PNG")


def test_names_of_features_are_no_markup() -> None:
    X = Table(load_old_faithful(), ("<script>", "waiting"))
    shown = GaussianMixture(2, random_state=0, backend="numpy").fit(X)._repr_html_()
    assert "<script>" not in shown.split("<img")[0].rsplit("<table>", 1)[1]
    assert "mean &lt;script&gt;" in shown


def test_there_is_no_picture_without_matplotlib_and_of_too_many_components(monkeypatch: pytest.MonkeyPatch) -> None:
    many = GaussianMixture.from_parameters(np.full(60, 1 / 60), np.zeros((60, 6)), np.ones(60), "spherical")
    assert "<img" not in many._repr_html_()
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    assert "<img" not in fitted()._repr_html_()


def test_parameters_that_make_no_mixture_are_shown_as_text() -> None:
    gm = fitted()
    gm.weights_ = np.array([-1.0, 2.0])
    assert "weights_ should be finite and not negative" in gm._repr_html_()
