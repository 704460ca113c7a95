"""Exceptions and warnings, with what a program may want to know of them as attributes.

Where scikit-learn is loaded, ours are also its own, so that either name catches them.
"""

import functools
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, TypeAlias

__all__ = [
    "BackendUnavailableError",
    "ColumnsLeftOutWarning",
    "ConvergenceWarning",
    "DegenerateComponentError",
    "DegenerateComponentWarning",
    "FastGMMError",
    "MergedComponentsWarning",
    "ModelFormatError",
    "NotFittedError",
    "RegularizationWarning",
    "SelectionAtEdgeWarning",
    "SelectionIncompleteWarning",
    "UnobservedPairWarning",
]

ModelProblem: TypeAlias = Literal["foreign", "damaged", "newer", "unsound"]

# In the words of a warning.
_MOST_NAMED = 10


def __dir__() -> list[str]:
    """What callers catch, for completion."""
    return __all__


class FastGMMError(Exception):
    """The base of the exceptions that only fastgmm raises."""


class DegenerateComponentError(FastGMMError, ValueError):
    """A covariance is not positive definite.

    Attributes
    ----------
    component : int
        The component, counted from 0; ``-1`` for the covariance that tied components share.
    effective_points : float
        The total of its weighted responsibilities; NaN where unknown.
    smallest_eigenvalue : float
        Of its covariance (in the units of the data, squared).
    cause : str
        The probable cause, in words.
    n_observed_pairs : int or None
        How few rows have values of both features of the worst pair; None where the rows are not known.
    """

    def __init__(
        self,
        message: str,
        component: int,
        effective_points: float,
        smallest_eigenvalue: float,
        cause: str,
        n_observed_pairs: int | None = None,
    ) -> None:
        super().__init__(message)
        self.component = component
        self.effective_points = effective_points
        self.smallest_eigenvalue = smallest_eigenvalue
        self.cause = cause
        self.n_observed_pairs = n_observed_pairs

    def __reduce__(self) -> tuple[Any, ...]:
        numbers = self.component, self.effective_points, self.smallest_eigenvalue
        return type(self), (str(self), *numbers, self.cause, self.n_observed_pairs)


class ModelFormatError(FastGMMError, ValueError):
    """A model, or moments, cannot be read: damaged, truncated, or no such file; or not written, being unsound.

    Attributes
    ----------
    problem : {'foreign', 'damaged', 'newer', 'unsound'}
        No model of fastgmm; not what was written; written by a later version; parameters that make no mixture.
    reason : str
        The message without the path.
    path : str or None
        Of the file, where there is one.
    """

    def __init__(self, reason: str, problem: ModelProblem = "damaged", path: str | None = None) -> None:
        super().__init__(reason if path is None else f"{path}: {reason}")
        self.problem = problem
        self.reason = reason
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.reason, self.problem, self.path)


class BackendUnavailableError(FastGMMError, ImportError):
    """A backend was asked for by name and cannot be used; the cause is chained.

    Attributes
    ----------
    backend : str
        Its name.
    reason : str
        Why it cannot be used, in words.
    """

    def __init__(self, backend: str, reason: str) -> None:
        super().__init__(f"the {backend} backend cannot be used: {reason}")
        self.backend = backend
        self.reason = reason

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.backend, self.reason)


class NotFittedError(FastGMMError, ValueError, AttributeError):
    """The estimator has no parameters yet, or not all of them.

    Attributes
    ----------
    estimator : str
        The name of its class.
    missing : tuple of str
        The attributes that were not set by hand, where others were; empty where none was.
    """

    def __init__(self, estimator: str, missing: Sequence[str] = ()) -> None:
        super().__init__(
            f"This {estimator} instance has no {', and no '.join(missing)}, though other parameters were set by hand. "
            f"Make a mixture of known parameters by {estimator}.from_parameters(weights, means, covariances)."
            if missing
            else f"This {estimator} instance is not fitted yet. Call 'fit' with appropriate arguments before using "
            "this estimator."
        )
        self.estimator = estimator
        self.missing = tuple(missing)

    def __reduce__(self) -> tuple[Any, ...]:
        return NotFittedError, (self.estimator, self.missing)


class ColumnsLeftOutWarning(UserWarning):
    """Some columns of a table are not read, since they hold no numbers and those that do were asked for.

    Attributes
    ----------
    source : str
        The file, or what a frame is called.
    columns : dict of str
        What each of them holds instead, by its name.
    """

    def __init__(self, source: str, columns: Mapping[str, str]) -> None:
        super().__init__(f"{source}: left out are columns without numbers: {in_words(columns)}")
        self.source = source
        self.columns = dict(columns)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.source, self.columns)


class ConvergenceWarning(UserWarning):
    """EM stopped at ``max_iter`` before the log-likelihood had settled.

    Attributes
    ----------
    n_iter : int
        Iterations of the best start.
    change : float
        Of the lower bound in the last of them.
    tol : float
        What it should have been less than.
    """

    def __init__(self, message: str, n_iter: int, change: float, tol: float) -> None:
        super().__init__(message)
        self.n_iter = n_iter
        self.change = change
        self.tol = tol

    def __reduce__(self) -> tuple[Any, ...]:
        return ConvergenceWarning, (str(self), self.n_iter, self.change, self.tol)


class DegenerateComponentWarning(UserWarning):
    """The fit has components whose likelihood is that of ``reg_covar``, not of the data.

    Attributes
    ----------
    components : tuple of int
        The components, counted from 0.
    cause : str
        Why they are degenerate, in words: ``'few points'`` that hold each of them, or why all rows lie in a plane.
    """

    def __init__(self, message: str, components: tuple[int, ...], cause: str) -> None:
        super().__init__(message)
        self.components = components
        self.cause = cause

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (str(self), self.components, self.cause)


class MergedComponentsWarning(UserWarning):
    """A fit with ``annealing`` has components that are the same one but for their weights.

    Attributes
    ----------
    components : tuple of tuple of int
        Groups of such components, counted from 0.
    annealing : float
        The exponent that it began with, which was too small.
    """

    def __init__(self, message: str, components: tuple[tuple[int, ...], ...], annealing: float) -> None:
        super().__init__(message)
        self.components = components
        self.annealing = annealing

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (str(self), self.components, self.annealing)


class RegularizationWarning(UserWarning):
    """What ``reg_covar`` adds is felt in some components: it makes them wider than their points.

    Attributes
    ----------
    reg_covar : float or 'relative'
    smallest_variance : float
        The smallest variance of these components in any direction, without what was added; 0 where they are flat but
        for rounding. In squared units of the data, or, where ``reg_covar`` is ``'relative'``, of each feature's spread.
    components : tuple of int
        Those of which more than a tenth was added, counted from 0.
    """

    def __init__(self, reg_covar: float | str, smallest_variance: float, components: tuple[int, ...] = ()) -> None:
        if isinstance(reg_covar, str):
            what = f"reg_covar={reg_covar!r} is a millionth of each feature's variance, and"
            remedy = "Set a number, a thousandth of their smallest variances."
        else:
            what = f"reg_covar={reg_covar:g} is absolute, and"
            remedy = f"Scale the data, or set a smaller reg_covar, such as {1e-3 * smallest_variance:.0e}."
        if smallest_variance == 0:
            remedy = "Flat ones are as wide as reg_covar makes them."
        super().__init__(
            f"{what} more than a tenth of the smallest variance of {names(components)}, which is "
            f"{smallest_variance:.3g} without it: it makes them wider than their points. {remedy}"
        )
        self.reg_covar = reg_covar
        self.smallest_variance = smallest_variance
        self.components = components

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.reg_covar, self.smallest_variance, self.components)


class SelectionAtEdgeWarning(UserWarning):
    """The best of several models has the most components that were allowed: more may be better.

    Attributes
    ----------
    n_components : int
    """

    def __init__(self, n_components: int) -> None:
        super().__init__(
            f"The best model has {n_components} components, the most that were allowed: more may be better. Of many "
            "rows BIC often falls with every component; ICL, or components merged into clusters, say more of groups."
        )
        self.n_components = n_components

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.n_components,)


class SelectionIncompleteWarning(UserWarning):
    """A choice among several models did not look at all that were asked for.

    Attributes
    ----------
    reason : str
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class UnobservedPairWarning(UserWarning):
    """No row has values of both of two features, so that data say nothing of how they go together.

    Attributes
    ----------
    features : tuple of int
        The first such pair, counted from 0.
    n_pairs : int
        How many there are.
    """

    def __init__(self, message: str, features: tuple[int, int], n_pairs: int) -> None:
        super().__init__(message)
        self.features = features
        self.n_pairs = n_pairs

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (str(self), self.features, self.n_pairs)


def names(components: tuple[int, ...]) -> str:
    """Components in words, not too many of them."""
    if len(components) <= 1:
        return f"component {components[0]}" if components else "a component"
    shown = ", ".join(map(str, components[:_MOST_NAMED]))
    others = len(components) - _MOST_NAMED
    return f"components {shown}" if others <= 0 else f"components {shown} and {others} more"


def _also(own: Any, name: str) -> Any:
    """``own``, or a subclass of it and of scikit-learn's class of that name where scikit-learn is loaded already.

    A caller who never imported scikit-learn cannot be catching its classes, so it is not imported for them.
    """
    exceptions = sys.modules.get("sklearn.exceptions")
    foreign = getattr(exceptions, name, None)  # None too while it is being imported
    return own if foreign is None else _subclass_of_both(own, foreign)


@functools.cache
def _subclass_of_both(own: Any, foreign: Any) -> Any:
    # Unpickled where scikit-learn may be missing, it is our own again: see their ``__reduce__``.
    return type(own.__name__, (own, foreign), {"__module__": __name__, "__doc__": own.__doc__})


def not_fitted(estimator: str, missing: Sequence[str] = ()) -> NotFittedError:
    error: NotFittedError = _also(NotFittedError, "NotFittedError")(estimator, missing)
    return error


def convergence_warning(message: str, n_iter: int, change: float, tol: float) -> ConvergenceWarning:
    warning: ConvergenceWarning = _also(ConvergenceWarning, "ConvergenceWarning")(message, n_iter, change, tol)
    return warning


def in_words(columns: Mapping[str, str]) -> str:
    """Columns and what they hold, not too many of them."""
    shown = [f"{name!r} ({held})" for name, held in columns.items()]
    return ", ".join(shown[:_MOST_NAMED]) + (", ..." if len(shown) > _MOST_NAMED else "")


def listed(columns: Iterable[object]) -> str:
    """Names of columns, not too many of them."""
    shown = list(map(repr, columns))
    return ", ".join(shown[:_MOST_NAMED]) + (", ..." if len(shown) > _MOST_NAMED else "")
