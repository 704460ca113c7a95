"""Exceptions and warnings. Where scikit-learn is loaded, ours are also its own, so that either name catches them."""

import functools
import sys
from typing import Any


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
    """

    def __init__(
        self, message: str, component: int, effective_points: float, smallest_eigenvalue: float, cause: str
    ) -> None:
        super().__init__(message)
        self.component = component
        self.effective_points = effective_points
        self.smallest_eigenvalue = smallest_eigenvalue
        self.cause = cause

    def __reduce__(self) -> tuple[Any, ...]:
        fields = (str(self), self.component, self.effective_points, self.smallest_eigenvalue, self.cause)
        return type(self), fields


class ModelFormatError(FastGMMError, ValueError):
    """A model file is damaged, truncated, or not a fastgmm model."""


class BackendUnavailableError(FastGMMError, ImportError):
    """A backend was asked for by name and cannot be used; the cause is chained."""


class NotFittedError(ValueError, AttributeError):
    """The estimator has no parameters yet."""


class ConvergenceWarning(UserWarning):
    """EM stopped at ``max_iter`` before the log-likelihood had settled."""


def _also(own: Any, name: str) -> Any:
    """``own``, or a subclass of it and of scikit-learn's class of that name where scikit-learn is loaded already.

    A caller who never imported scikit-learn cannot be catching its classes, so it is not imported for them.
    """
    exceptions = sys.modules.get("sklearn.exceptions")
    return own if exceptions is None else _subclass_of_both(own, getattr(exceptions, name))


@functools.cache
def _subclass_of_both(own: Any, foreign: Any) -> Any:
    # Unpickled where scikit-learn may be missing, it is our own again.
    members = {"__module__": __name__, "__doc__": own.__doc__, "__reduce__": lambda self: (own, self.args)}
    return type(own.__name__, (own, foreign), members)


def not_fitted(estimator: object) -> Exception:
    name = type(estimator).__name__
    error: Exception = _also(NotFittedError, "NotFittedError")(
        f"This {name} instance is not fitted yet. Call 'fit' with appropriate arguments before using this estimator."
    )
    return error


def convergence_warning() -> type[Warning]:
    category: type[Warning] = _also(ConvergenceWarning, "ConvergenceWarning")
    return category
