"""What was fitted, in words for a terminal and as HTML for a notebook, as methods of the estimator."""

import sys
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from html import escape
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from fastgmm.data.validation import have_observed
from fastgmm.data.weights import check_sample_weight
from fastgmm.errors import names as listed
from fastgmm.estimator import protocol
from fastgmm.estimator.calls import checked_score, ready_to_score, require_fitted
from fastgmm.estimator.of_blocks import refuse_blocks
from fastgmm.machine.pieces import pieces
from fastgmm.model import criteria
from fastgmm.model.attributes import missing_parameters, parameters_of
from fastgmm.model.scoring import scorer_of
from fastgmm.parameters import FloatArray, Parameters
from fastgmm.show.figures import new_figure, png_of
from fastgmm.show.mixture_display import Kind, MixtureDisplay
from fastgmm.show.reports import ending_of, facts_text, left_out_of_table, mixture_table, mixture_text, objective_of

_WHERE_ALL_ARE = "weights_, means_ and covariances_ hold all"
_INCHES_OF_PICTURE = (4.0, 3.0)
_MOST_DRAWN_COMPONENTS = 20


def summary(self: Any, X: "ArrayLike | None" = None, *, sample_weight: "ArrayLike | None" = None) -> str:
    """What was fitted, as a text to print: family, parameters, how the fit ended, and what it is worth on rows.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features), optional
        Rows, most often those of the fit, for their log-likelihood, the criteria, and how many of them each component
        has. BIC and AIC are those of ``bic`` and ``aic``; ICL = BIC − 2 Σ log max p is larger the more the components
        overlap [1]_. Of all the lowest is best; R's mclust has the opposite sign.
    sample_weight : array-like of shape (n_samples,), optional
        See ``bic``.

    Returns
    -------
    str

    Raises
    ------
    NotFittedError
    ValueError
        As ``score``.

    References
    ----------
    .. [1] C. Biernacki, G. Celeux and G. Govaert, "Assessing a mixture model for clustering with the integrated
       completed likelihood", IEEE Transactions on Pattern Analysis and Machine Intelligence 22 (2000).

    Examples
    --------
    >>> from fastgmm import GaussianMixture
    >>> gm = GaussianMixture.from_parameters([0.5, 0.5], [[0.0], [8.0]], [1.0, 1.0], "spherical")
    >>> print(gm.summary([[0.0], [1.0], [8.0]]))
    Gaussian mixture of 2 components, spherical covariances
    <BLANKLINE>
    fit              none: the parameters were given
    free parameters  5
    rows             3
    log-likelihood   -5.33626, -1.77875 per row
    BIC              16.1656
    AIC              20.6725
    ICL              16.1656
    <BLANKLINE>
    component  weight  rows  mean x0  std x0
            0  0.5000     2        0       1
            1  0.5000     1        8       1
    <BLANKLINE>
    """
    attributes = require_fitted(self)
    parameters, names = parameters_of(attributes), attributes.get("feature_names_in_")
    of_rows = None if X is None else _of_rows(self, X, sample_weight)
    facts = facts_text(_facts(attributes) | ({} if of_rows is None else of_rows.facts()))
    n_rows = None if of_rows is None else of_rows.n_rows_of_components.tolist()
    table = mixture_text(parameters, names, n_rows, _WHERE_ALL_ARE)
    return f"{_heading(parameters)}\n\n{facts}\n{table}"


def _heading(parameters: Parameters) -> str:
    plural = "" if parameters.n_components == 1 else "s"
    return f"Gaussian mixture of {parameters.n_components} component{plural}, {parameters.covariance_type} covariances"


def _facts(attributes: dict[str, Any]) -> dict[str, str]:
    """What the estimator knows of its fit, in words."""
    facts = {"fit": "none: the parameters were given"}
    if attributes.get("n_iter_"):
        facts["fit"] = f"{attributes['n_iter_']} iterations, {ending_of(attributes)[0]}"
        facts[objective_of(attributes)] = f"{attributes['lower_bound_']:.6g} per row, before the last iteration"
    facts["free parameters"] = str(scorer_of(attributes).n_parameters)
    if attributes.get("noise_weight_"):
        facts["noise"] = f"{attributes['noise_weight_']:.4f} of all rows, the weights are of the others"
    if attributes.get("n_missing_"):
        facts["missing values"] = f"{attributes['n_missing_']:,}"
    if attributes.get("degenerate_components_"):
        facts["degenerate"] = f"{listed(attributes['degenerate_components_'])}: the likelihood is that of reg_covar"
    return facts


@dataclass(frozen=True, eq=False)
class _OfRows:
    """What a mixture is worth on rows, and how many of them each component has, all in weights."""

    n_rows: float
    score: float
    bic: float
    aic: float
    icl: float
    n_rows_of_components: FloatArray

    def facts(self) -> dict[str, str]:
        return {
            "rows": f"{self.n_rows:,.10g}",
            "log-likelihood": f"{self.score * self.n_rows:.6g}, {self.score:.6g} per row",
            "BIC": f"{self.bic:,.6g}",
            "AIC": f"{self.aic:,.6g}",
            "ICL": f"{self.icl:,.6g}",
        }


def _of_rows(estimator: Any, X: Any, sample_weight: Any) -> _OfRows:
    refuse_blocks(X, "summary", "score, bic and aic take them")
    scorer, rows = ready_to_score(estimator, X)
    scored = checked_score(scorer, rows, estimator.n_threads, None, sample_weight)
    weights = check_sample_weight(sample_weight, rows.shape[0])
    counted = np.ones(rows.shape[0]) if weights is None else weights
    if rows.has_missing:
        counted = np.where(have_observed(rows), counted, 0.0)
    log_certainty, n_rows_of_components = 0.0, np.zeros(scorer.shape[0])
    for part in pieces(rows.shape[0], 8 * scorer.shape[0]):  # responsibilities of all rows could be too many to hold
        responsibilities = scorer.evaluate(rows.take(part), estimator.n_threads, "responsibilities")
        labels = responsibilities.argmax(axis=1)
        log_certainty += float(counted[part] @ np.log(responsibilities.max(axis=1).astype(np.float64)))
        n_rows_of_components += np.bincount(labels, counted[part], scorer.shape[0])[: scorer.shape[0]]
    bic = criteria.bic(*scored)
    worth = bic, criteria.aic(*scored), criteria.icl(bic, log_certainty)
    return _OfRows(scored[1], scored[0], *worth, n_rows_of_components)


def html_representation(estimator: Any) -> Callable[[], str]:
    """What shows the estimator in a notebook: scikit-learn's diagram where that is loaded, and after a fit the mixture.

    Raises
    ------
    AttributeError
        Where ``repr`` is to be shown: before a fit where scikit-learn is not loaded, and where it is set to show text.
    """
    is_fitted = not missing_parameters(vars(estimator))
    if is_fitted and sys.modules.get("sklearn") is None:
        return partial(_html, estimator)
    diagram = protocol.html_representation(estimator)
    return (lambda: diagram() + _html(estimator)) if is_fitted else diagram


def _html(estimator: Any) -> str:
    """The facts of the fit, the table of components, and a picture where there can be one."""
    attributes = vars(estimator)
    try:
        parameters, facts = parameters_of(attributes), _facts(attributes)
    except ValueError as error:  # parameters that were set by hand may make no mixture, and are shown all the same
        return f"<pre>{escape(repr(estimator))}\n{escape(str(error))}</pre>"
    header, lines = mixture_table(parameters, attributes.get("feature_names_in_"))
    body, left_out = "".join(_row(line, "td") for line in lines), left_out_of_table(parameters)
    return "".join(
        [
            f"<div><p><b>{escape(_heading(parameters))}</b></p>",
            "".join(f"<div>{escape(name)}: {escape(value)}</div>" for name, value in facts.items()),
            f"<table><thead>{_row(header, 'th')}</thead><tbody>{body}</tbody></table>",
            f"<p>… and {left_out}; {_WHERE_ALL_ARE}</p>" if left_out else "",
            _picture(estimator, parameters),
            "</div>",
        ]
    )


def _row(cells: list[str], tag: str) -> str:
    return f"<tr>{''.join(f'<{tag}>{escape(cell)}</{tag}>' for cell in cells)}</tr>"


def _picture(estimator: Any, parameters: Parameters) -> str:
    """The components, inline; nothing where matplotlib is missing, or where they are too many to be told apart."""
    if parameters.n_components > _MOST_DRAWN_COMPONENTS:
        return ""
    try:
        axes = new_figure(_INCHES_OF_PICTURE).add_subplot()
        kind: Kind = "histogram" if parameters.n_features == 1 else "classification"
        display = MixtureDisplay.from_estimator(estimator, kind=kind, ax=axes)
    except (ImportError, ValueError):  # the latter of parameters that were set by hand
        return ""
    png = b64encode(png_of(display.figure_)).decode()
    return f'<img alt="components of the mixture" src="data:image/png;base64,{png}">'
