"""``select_components``: the choice among numbers of components of mixtures of counts and categories."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Generic, Literal, Protocol, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastgmm.data.counts import SparseMatrix
from fastgmm.estimator.discrete_methods import log_certainty, scored
from fastgmm.estimator.ranges import checked_numbers
from fastgmm.fit import rules
from fastgmm.fit.options import InvalidParameterError, Option, check_options
from fastgmm.model import criteria

_CRITERIA = ("bic", "aic", "icl")
_OPTIONS = {"criterion": Option("bic", rules.choice(_CRITERIA))}
_LINE = [(name, np.float64) for name in ("log_likelihood", *_CRITERIA)]


class Selectable(Protocol):
    """What can be fitted with several numbers of components, and says how good that is."""

    def fit(self, X: Any, y: object = None, sample_weight: Any = None) -> Any: ...


Mixture = TypeVar("Mixture", bound=Selectable)


@dataclass(frozen=True, eq=False)
class ComponentSelection(Generic[Mixture]):
    """What :func:`fastgmm.select_components` found.

    Attributes
    ----------
    best_ : mixture
        The one of the lowest criterion, fitted.
    table_ : structured ndarray of shape (n_candidates,)
        ``n_components, n_parameters, log_likelihood, bic, aic, icl, converged``, in the order of the candidates.
    models_ : dict
        All fits, by their number of components.
    criterion : str
    """

    best_: Mixture
    table_: NDArray[Any]
    models_: dict[int, Mixture]
    criterion: str


def select_components(
    mixture: Mixture,
    X: "ArrayLike | SparseMatrix",
    n_components: int | Iterable[int],
    criterion: Literal["bic", "aic", "icl"] = "bic",
) -> ComponentSelection[Mixture]:
    """Fit a mixture of counts or categories with several numbers of components, and choose among them.

    Parameters
    ----------
    mixture : BernoulliMixture, PoissonMixture, MultinomialMixture or CategoricalMixture
        Not fitted itself: copies of it are.
    X : array-like or sparse matrix of shape (n_samples, n_features)
    n_components : int or iterable of int
        The candidates, of which a number n means 1 to n; those beyond the number of rows are left out.
    criterion : {'bic', 'aic', 'icl'}, default='bic'

    Returns
    -------
    ComponentSelection
        With ``best_``, ``table_`` and ``models_``.

    Raises
    ------
    ValueError
        Without candidates, for another criterion, and as ``fit``.

    Examples
    --------
    >>> from fastgmm import BernoulliMixture, select_components
    >>> X = [[1, 1, 1, 0, 0, 0]] * 40 + [[0, 0, 0, 1, 1, 1]] * 40
    >>> select_components(BernoulliMixture(random_state=0), X, range(1, 5)).best_.n_components
    2
    """
    check_options({"criterion": criterion}, "select_components", _OPTIONS)
    candidates = checked_numbers(n_components, "select_components")
    n_rows = X.shape[0] if hasattr(X, "shape") else len(np.asarray(X))
    candidates = tuple(number for number in candidates if number <= n_rows)
    if not candidates:
        raise InvalidParameterError("n_components of select_components must name a number of at most the rows of X")
    models = {number: _fitted(mixture, X, number) for number in candidates}
    table = np.zeros(
        len(models), [("n_components", np.int64), ("n_parameters", np.int64), *_LINE, ("converged", np.bool_)]
    )
    for line, (number, model) in zip(table, models.items(), strict=True):
        found: Any = model
        score, n_counted, n_parameters = worth = scored(found, X, None, None)
        bic = criteria.bic(*worth)
        values = score * n_counted, bic, criteria.aic(*worth), criteria.icl(bic, log_certainty(found, X))
        line["n_components"], line["n_parameters"], line["converged"] = number, n_parameters, found.converged_
        for name, value in zip(("log_likelihood", *_CRITERIA), values, strict=True):
            line[name] = value
    best = int(table["n_components"][np.argmin(table[criterion])])
    return ComponentSelection(models[best], table, models, criterion)


def _fitted(mixture: Mixture, X: Any, n_components: int) -> Mixture:
    own: Any = mixture
    own = type(own)(**own.get_params(deep=False)).set_params(n_components=n_components)
    fitted: Mixture = own.fit(X)
    return fitted
