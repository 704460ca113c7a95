"""What else a fitted ``GaussianHMM`` can do, as its methods: criteria, new sequences, files."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from fastgmm.estimator import chain_calls
from fastgmm.families import FAMILIES
from fastgmm.files.chain_file import save_chain
from fastgmm.fit.options import check_n_samples, check_options, check_random_state
from fastgmm.machine.whole_file import AnyPath
from fastgmm.model import criteria
from fastgmm.model.chains import drawn, stationary
from fastgmm.parameters import FloatArray, IntArray, Parameters

# What is made of the fitted arrays, and made again where they are read back.
_OF_THE_PROCESS = ("_scorer", "_scored")


def aic(self: Any, X: "ArrayLike", lengths: "ArrayLike | None" = None) -> float:
    """Akaike's information criterion, −2·log-likelihood + 2·free parameters: the lowest is best.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
    lengths : array-like of int, shape (n_sequences,), optional

    Returns
    -------
    float

    Raises
    ------
    NotFittedError
    ValueError

    Examples
    --------
    >>> from fastgmm import GaussianHMM
    >>> round(GaussianHMM().fit([[-1.0], [1.0]]).aic([[-1.0], [1.0]]), 3)
    9.676
    """
    log_likelihood, _ = chain_calls.likelihood(self, X, lengths)
    return criteria.aic(log_likelihood, 1.0, chain_calls.n_parameters(self))


def bic(self: Any, X: "ArrayLike", lengths: "ArrayLike | None" = None) -> float:
    """The Bayesian information criterion, −2·log-likelihood + log(n_samples)·free parameters: the lowest is best.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
    lengths : array-like of int, shape (n_sequences,), optional

    Returns
    -------
    float

    Raises
    ------
    NotFittedError
    ValueError

    Examples
    --------
    >>> from fastgmm import GaussianHMM
    >>> round(GaussianHMM().fit([[-1.0], [1.0]]).bic([[-1.0], [1.0]]), 3)
    7.062
    """
    log_likelihood, n_samples = chain_calls.likelihood(self, X, lengths)
    return criteria.bic(log_likelihood / n_samples, n_samples, chain_calls.n_parameters(self))


def get_stationary_distribution(self: Any) -> FloatArray:
    """The shares of time that a long sequence spends in each state: p with p = pA.

    Returns
    -------
    ndarray of shape (n_components,)

    Raises
    ------
    NotFittedError

    Examples
    --------
    >>> from fastgmm import GaussianHMM
    >>> GaussianHMM().fit([[-1.0], [1.0]]).get_stationary_distribution()
    array([1.])
    """
    return stationary(chain_calls.ready(self).chain.transitions)


def sample(
    self: Any,
    n_samples: int = 1,
    random_state: "int | np.random.RandomState | None" = None,
    currstate: int | None = None,
) -> tuple[FloatArray, IntArray]:
    """Draw a sequence.

    Parameters
    ----------
    n_samples : int, default=1
        Its steps.
    random_state : int or RandomState, optional
        That of the estimator by default.
    currstate : int, optional
        The state before the first step. By default that is drawn by ``startprob_``.

    Returns
    -------
    X : ndarray of shape (n_samples, n_features)
    states : ndarray of int64, shape (n_samples,)

    Raises
    ------
    NotFittedError
    ValueError

    Examples
    --------
    >>> from fastgmm import GaussianHMM
    >>> X, states = GaussianHMM(random_state=0).fit([[-1.0], [1.0]]).sample(3)
    >>> X.shape, states
    ((3, 1), array([0, 0, 0]))
    """
    check_options({"random_state": random_state}, "sample")
    scorer, attributes = chain_calls.ready(self), vars(self)
    if currstate is not None and not 0 <= currstate < scorer.n_states:
        raise ValueError(f"currstate must be one of {scorer.n_states} states, numbered from 0; got {currstate!r}")
    source = check_random_state(self.random_state if random_state is None else random_state)
    means, covariances = (np.asarray(attributes[name], np.float64) for name in ("means_", "covariances_"))
    parameters = Parameters(scorer.emissions.covariance_type, np.ones(scorer.n_states), means, covariances)
    return drawn(scorer.chain, parameters, check_n_samples(n_samples), source, currstate)


def save(self: Any, path: AnyPath) -> None:
    """Write the fitted model to a file that :meth:`load` reads; the file appears whole or not at all.

    Parameters
    ----------
    path : str or path-like
        It is used as it is: no suffix is added.

    Raises
    ------
    NotFittedError
    ValueError
        Where attributes set by hand make no model.
    OSError

    Examples
    --------
    >>> import tempfile
    >>> from fastgmm import GaussianHMM
    >>> hmm = GaussianHMM().fit([[-1.0], [1.0]])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     hmm.save(f"{folder}/model.npz")
    ...     GaussianHMM.load(f"{folder}/model.npz").score([[0.0]]) == hmm.score([[0.0]])
    True
    """
    save_chain(path, chain_calls.to_saved(self))


def matrices(self: Any) -> FloatArray:
    """A covariance matrix for each state."""
    scorer = chain_calls.ready(self)
    family = FAMILIES[scorer.emissions.covariance_type]
    found = family.matrices(np.asarray(self.covariances_, np.float64), *scorer.emissions.shape)
    return np.array(found, np.float64)


def set_covariances(self: Any, covariances: "ArrayLike") -> None:
    """hmmlearn's way to set a start: in the shape of the family."""
    self.covariances_ = np.array(covariances, np.float64)


def get_state(self: Any) -> dict[str, Any]:
    """What of an estimator can be pickled or deeply copied."""
    return {name: value for name, value in vars(self).items() if name not in _OF_THE_PROCESS}
