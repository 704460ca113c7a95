"""``GaussianMixtureSelection``: the choice of a model as an estimator, for pipelines."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastgmm.errors import not_fitted
from fastgmm.estimator import metadata_routing
from fastgmm.estimator import protocol as estimator_protocol
from fastgmm.estimator.mixture import GaussianMixture
from fastgmm.estimator.of_blocks import refuse_blocks
from fastgmm.estimator.selecting import Selection, choose
from fastgmm.fit.options import InvalidParameterError, RegCovar
from fastgmm.kernels import BackendName
from fastgmm.parameters import FloatingArray, IntArray
from fastgmm.selection.candidate import Candidate
from fastgmm.selection.criteria import CriterionName

Selector = TypeVar("Selector", bound="GaussianMixtureSelection")


class GaussianMixtureSelection:
    """A Gaussian mixture whose number of components and covariances are chosen in its fit: :func:`fastgmm.select`.

    Parameters
    ----------
    n_components : int or iterable of int, default=10
        A number n means 1 to n.
    covariance_type : {'all', 'mclust'} or a family or an iterable of families, default='all'
    rank : int or iterable of int, default=1
    criterion : {'bic', 'aic', 'icl', 'nec', 'cv'} or callable, default='bic'
    reg_covar : float or 'relative', default=1e-6
    exact : bool, default=False
    deadline : float, optional
    random_state : int, RandomState or None, default=None
    n_threads : int, optional
    backend : {'auto', 'c', 'numba', 'numpy'}, default='auto'
        All as of :func:`fastgmm.select`.

    Attributes
    ----------
    best_estimator_ : GaussianMixture
        What the methods ask.
    selection_ : Selection
        All candidates.
    n_features_in_ : int
    feature_names_in_ : ndarray of str
        Only where X has column names.

    Examples
    --------
    >>> from fastgmm import GaussianMixtureSelection
    >>> from fastgmm.data.datasets import load_old_faithful
    >>> selector = GaussianMixtureSelection(5, random_state=0).fit(load_old_faithful())
    >>> selector.best_estimator_.get_params()["n_components"]
    3
    """

    best_estimator_: GaussianMixture
    selection_: Selection
    n_features_in_: int
    feature_names_in_: NDArray[np.object_]

    @estimator_protocol.with_advice
    def __init__(
        self,
        n_components: "int | Iterable[int]" = 10,
        *,
        covariance_type: "str | Iterable[str]" = "all",
        rank: "int | Iterable[int]" = 1,
        criterion: "CriterionName | Callable[[Candidate], float]" = "bic",
        reg_covar: RegCovar = 1e-6,
        exact: bool = False,
        deadline: float | None = None,
        random_state: int | np.random.RandomState | None = None,
        n_threads: int | None = None,
        backend: BackendName = "auto",
    ) -> None:
        self.n_components = n_components
        self.covariance_type = covariance_type
        self.rank = rank
        self.criterion = criterion
        self.reg_covar = reg_covar
        self.exact = exact
        self.deadline = deadline
        self.random_state = random_state
        self.n_threads = n_threads
        self.backend = backend

    def fit(self: Selector, X: "ArrayLike", y: object = None, sample_weight: "ArrayLike | None" = None) -> Selector:
        """Choose a model and fit it.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            NaN is missing. For blocks there is :func:`fastgmm.select`.
        y : ignored
        sample_weight : array-like of shape (n_samples,), optional
            A weight of 0 is the row removed, an integer weight the row repeated.

        Returns
        -------
        GaussianMixtureSelection
            The estimator itself. After any exception it is what it was before.

        Raises
        ------
        ValueError
            As ``select``.

        Examples
        --------
        >>> from fastgmm import GaussianMixtureSelection
        >>> X = [[0.0], [1.0], [2.0], [3.0], [10.0], [11.0], [12.0], [13.0]]
        >>> GaussianMixtureSelection([1, 2, 3], covariance_type="tied", random_state=0).fit(X).predict([[2.0]]).shape
        (1,)
        """
        name = type(self).__name__
        refuse_blocks(X, name, "hand them to fastgmm.select")
        if isinstance(self.n_components, Iterator):
            raise InvalidParameterError(
                f"The 'n_components' parameter of {name} must be a range or a list, since an iterator can be read once."
            )
        selection = choose(name, X, sample_weight=sample_weight, **self.get_params(deep=False))
        fitted: dict[str, Any] = {
            "best_estimator_": selection.best_,
            "selection_": selection,
            "n_features_in_": selection.best_.n_features_in_,
        }
        names = getattr(selection.best_, "feature_names_in_", None)
        kept = {each: value for each, value in vars(self).items() if each != "feature_names_in_"}
        self.__dict__ = kept | fitted | ({} if names is None else {"feature_names_in_": names})
        return self

    def predict(self, X: "ArrayLike") -> IntArray:
        """The most probable component of every row.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        ndarray of int64, shape (n_samples,)

        Raises
        ------
        NotFittedError
        ValueError
            As :meth:`fastgmm.GaussianMixture.predict`.

        Examples
        --------
        >>> from fastgmm import GaussianMixtureSelection
        >>> GaussianMixtureSelection(1).fit([[0.0], [1.0], [2.0]]).predict([[1.0]])
        array([0])
        """
        result: IntArray = _best_of(self, X).predict(X)
        return result

    def predict_proba(self, X: "ArrayLike") -> FloatingArray:
        """The responsibilities of all components for every row.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples, n_components of the best)

        Raises
        ------
        NotFittedError
        ValueError
            As :meth:`fastgmm.GaussianMixture.predict_proba`.

        Examples
        --------
        >>> from fastgmm import GaussianMixtureSelection
        >>> GaussianMixtureSelection(1).fit([[0.0], [1.0], [2.0]]).predict_proba([[1.0]])
        array([[1.]])
        """
        result: FloatingArray = _best_of(self, X).predict_proba(X)
        return result

    def score_samples(self, X: "ArrayLike") -> FloatingArray:
        """The log-density of every row.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples,)

        Raises
        ------
        NotFittedError
        ValueError
            As :meth:`fastgmm.GaussianMixture.score_samples`.

        Examples
        --------
        >>> from fastgmm import GaussianMixtureSelection
        >>> GaussianMixtureSelection(1).fit([[0.0], [1.0], [2.0]]).score_samples([[1.0]]).round(2)
        array([-0.72])
        """
        result: FloatingArray = _best_of(self, X).score_samples(X)
        return result

    def score(self, X: "ArrayLike", y: object = None) -> float:
        """The mean log-density of the rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : ignored

        Returns
        -------
        float

        Raises
        ------
        NotFittedError
        ValueError
            As :meth:`fastgmm.GaussianMixture.score`.

        Examples
        --------
        >>> from fastgmm import GaussianMixtureSelection
        >>> round(GaussianMixtureSelection(1).fit([[0.0], [1.0], [2.0]]).score([[1.0]]), 2)
        -0.72
        """
        return float(_best_of(self, X).score(X))

    def bic(self, X: "ArrayLike") -> float:
        """The Bayesian information criterion of the best model on rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        float
            The lower, the better.

        Raises
        ------
        NotFittedError
        ValueError
            As :meth:`fastgmm.GaussianMixture.bic`.

        Examples
        --------
        >>> from fastgmm import GaussianMixtureSelection
        >>> X = [[0.0], [1.0], [2.0]]
        >>> round(GaussianMixtureSelection(1).fit(X).bic(X), 2)
        9.49
        """
        return float(_best_of(self, X).bic(X))

    get_params = estimator_protocol.get_params
    set_params = estimator_protocol.set_params
    __repr__ = estimator_protocol.representation
    _repr_html_ = property(estimator_protocol.html_representation)
    __sklearn_tags__ = estimator_protocol.sklearn_tags
    get_metadata_routing = metadata_routing.get_metadata_routing
    set_fit_request = metadata_routing.set_fit_request_of_weights
    _metadata_request = property(metadata_routing.get_metadata_routing, metadata_routing.keep_requests)


def _best_of(selector: GaussianMixtureSelection, X: "ArrayLike") -> Any:
    """The mixture that was chosen, for rows in memory."""
    best = vars(selector).get("best_estimator_")
    if best is None:
        raise not_fitted(type(selector).__name__, ())
    refuse_blocks(X, type(selector).__name__, "ask its best_estimator_")
    return best
