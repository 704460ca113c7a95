"""``GaussianHMM``: hidden Markov models with Gaussian emissions, behind the interface of hmmlearn."""

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastgmm.errors import ModelFormatError
from fastgmm.estimator import chain_answers, chain_calls
from fastgmm.estimator import protocol as estimator_protocol
from fastgmm.estimator.chain_calls import Algorithm, Monitor
from fastgmm.files.chain_file import load_chain
from fastgmm.fit.options import RegCovar
from fastgmm.fit.steps import Observer, Step, StopReason
from fastgmm.kernels import BackendName
from fastgmm.machine.whole_file import AnyPath
from fastgmm.parameters import FloatArray, IntArray


class GaussianHMM:
    """A hidden Markov model whose states emit Gaussian points, fitted by Baum and Welch's EM algorithm.

    Rows are steps of one sequence, or of several that stand one after the other. Behind each step is a state, which
    depends on the state before alone; what is seen depends on the state alone [1]_, [2]_. Parameters, methods and
    attributes are those of :class:`hmmlearn.hmm.GaussianHMM` where it has them.

    Parameters
    ----------
    n_components : int, default=1
        The number of states.
    covariance_type : {'diag', 'full', 'tied', 'spherical'} or a model of mclust, default='diag'
        As of :class:`fastgmm.GaussianMixture`.
    startprob_prior : float or array-like of shape (n_components,), default=1.0
        Concentration of the Dirichlet prior of first states, from 1: as though each state had been first
        ``startprob_prior - 1`` times more.
    transmat_prior : float or array-like of shape (n_components, n_components), default=1.0
        The same of the transitions, by the state they come from.
    tol : float, default=1e-4
        EM stops when the mean log-likelihood of a step rises by less.
    reg_covar : float or 'relative', default=1e-6
    max_iter : int, default=100
    n_init : int, default=1
        Starts to try, of which the likeliest fit is kept.
    params : str, default='stmc'
        What is estimated: ``'s'`` the probabilities of first states, ``'t'`` those of transitions, ``'m'`` means,
        ``'c'`` covariances. The rest stays as it is in the start.
    init_params : str, default='stmc'
        What a start is found for: a mixture of Gaussians by k-means, and a chain that remembers nothing. The rest must
        have been set before ``fit``, or is what an earlier fit has left.
    algorithm : {'viterbi', 'map'}, default='viterbi'
        What ``predict`` and ``decode`` find: the most probable path, or the most probable state of every step.
    random_state : int, RandomState or None, default=None
        Seeds the start, and ``sample``.
    n_threads : int, optional
    backend : {'auto', 'c', 'numba', 'numpy'}, default='auto'
    verbose : int, default=0
    verbose_interval : int, default=10
    deadline : float, optional
    callbacks : list of callables, optional
        All as of :class:`fastgmm.GaussianMixture`.

    Attributes
    ----------
    startprob_ : ndarray of shape (n_components,)
        Probabilities of the state of a first step.
    transmat_ : ndarray of shape (n_components, n_components)
        Of the next state, in columns, by the last one.
    means_ : ndarray of shape (n_components, n_features)
    covariances_ : ndarray
        full (K, d, d), tied (d, d), diag (K, d), spherical (K,). All arrays are float64 and read-only; set others.
    covars_ : ndarray of shape (n_components, n_features, n_features)
        hmmlearn's name: a matrix for each state. It is set in the shape of ``covariances_``.
    converged_ : bool
    stop_reason_ : {'converged', 'max_iter', 'deadline', 'callback'}
    n_iter_ : int
    lower_bound_ : float
        Mean log-likelihood of a step before the last M-step, with the logarithms of the priors.
    lower_bounds_ : list of float
        One for each iteration of the best start.
    history_ : tuple of Step
        Every iteration of every start.
    monitor_ : Monitor
        hmmlearn's ``history``, of all sequences together, ``iter`` and ``converged``.
    degenerate_components_ : tuple of int
    n_missing_ : int
    n_features_in_ : int
    feature_names_in_ : ndarray of str
        Only where X has column names.

    Notes
    -----
    With αₜ(j) = p(x₁…xₜ, state j) and βₜ(i) = p(xₜ₊₁…x_T | state i), posteriors are γₜ(j) ∝ αₜ(j)βₜ(j), and those of
    two states in a row ξₜ(i, j) ∝ αₜ(i)Aᵢⱼbₜ₊₁(j)βₜ₊₁(j), where A is ``transmat_`` and b are the densities. An
    iteration sets A to Σξ, row by row divided by its sum, and takes the M-step of a mixture with γ for
    responsibilities. NaN is a missing value, which is averaged over; a step without any value says nothing of its
    state. A pass keeps what some sequences need at a time; of a long one that is 32 bytes for each step and state.

    References
    ----------
    .. [1] L. E. Baum, T. Petrie, G. Soules and N. Weiss, "A maximization technique occurring in the statistical
       analysis of probabilistic functions of Markov chains", Annals of Mathematical Statistics 41 (1970).
    .. [2] L. R. Rabiner, "A tutorial on hidden Markov models and selected applications in speech recognition",
       Proceedings of the IEEE 77 (1989).

    Examples
    --------
    >>> import numpy as np
    >>> from fastgmm import GaussianHMM
    >>> states = np.repeat([0, 1, 0, 1], 50)
    >>> X = np.random.RandomState(0).normal(6.0 * states)[:, np.newaxis]
    >>> hmm = GaussianHMM(2, random_state=0).fit(X)
    >>> np.sort(hmm.means_.ravel()).round()
    array([0., 6.])
    >>> np.sort(np.diag(hmm.transmat_)).round(2)
    array([0.98, 0.99])
    """

    startprob_: FloatArray
    transmat_: FloatArray
    means_: FloatArray
    covariances_: FloatArray
    converged_: bool
    stop_reason_: StopReason | None
    n_iter_: int
    lower_bound_: float
    lower_bounds_: list[float]
    history_: tuple[Step, ...]
    monitor_: Monitor
    degenerate_components_: tuple[int, ...]
    n_missing_: int
    n_features_in_: int
    feature_names_in_: NDArray[np.object_]

    @estimator_protocol.with_advice
    def __init__(
        self,
        n_components: int = 1,
        covariance_type: str = "diag",
        *,
        startprob_prior: "ArrayLike" = 1.0,
        transmat_prior: "ArrayLike" = 1.0,
        tol: float = 1e-4,
        reg_covar: RegCovar = 1e-6,
        max_iter: int = 100,
        n_init: int = 1,
        params: str = "stmc",
        init_params: str = "stmc",
        algorithm: Algorithm = "viterbi",
        random_state: int | np.random.RandomState | None = None,
        n_threads: int | None = None,
        backend: BackendName = "auto",
        verbose: int = 0,
        verbose_interval: int = 10,
        deadline: float | None = None,
        callbacks: Sequence[Observer] | None = None,
    ) -> None:
        self.n_components, self.covariance_type = n_components, covariance_type
        self.startprob_prior, self.transmat_prior = startprob_prior, transmat_prior
        self.tol, self.reg_covar = tol, reg_covar
        self.max_iter, self.n_init = max_iter, n_init
        self.params, self.init_params = params, init_params
        self.algorithm = algorithm
        self.random_state = random_state
        self.n_threads, self.backend = n_threads, backend
        self.verbose, self.verbose_interval = verbose, verbose_interval
        self.deadline, self.callbacks = deadline, callbacks

    def fit(self, X: "ArrayLike", lengths: "ArrayLike | None" = None) -> Self:
        """Estimate the parameters.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            All sequences, one after the other. NaN is missing.
        lengths : array-like of int, shape (n_sequences,), optional
            Of the sequences, which sum to n_samples. By default X is a single one.

        Returns
        -------
        GaussianHMM
            The estimator itself. After any exception, Ctrl-C included, it is what it was before.

        Raises
        ------
        ValueError
            For lengths that do not fit X, parameters set by hand that make no chain, and as
            :meth:`fastgmm.GaussianMixture.fit`.
        DegenerateComponentError
            A ``ValueError``: a covariance is not positive definite, in every start.

        Examples
        --------
        >>> from fastgmm import GaussianHMM
        >>> hmm = GaussianHMM(2, random_state=0).fit([[0.0], [0.1], [5.0], [5.2], [0.2], [5.1]], lengths=[4, 2])
        >>> hmm.startprob_.max() > 0.99
        np.True_
        """
        chain_calls.adopt(self, chain_calls.checked_fit(self, X, lengths))
        return self

    def score(self, X: "ArrayLike", lengths: "ArrayLike | None" = None) -> float:
        """The log-likelihood of all sequences together, as hmmlearn has it.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        lengths : array-like of int, shape (n_sequences,), optional

        Returns
        -------
        float
            −∞ where a sequence cannot be.

        Raises
        ------
        NotFittedError
        ValueError

        Examples
        --------
        >>> from fastgmm import GaussianHMM
        >>> round(GaussianHMM().fit([[-1.0], [1.0]]).score([[0.0], [0.0]]), 3)
        -1.838
        """
        return chain_calls.likelihood(self, X, lengths)[0]

    def score_samples(self, X: "ArrayLike", lengths: "ArrayLike | None" = None) -> tuple[float, FloatArray]:
        """The log-likelihood of all sequences together, and the posteriors of ``predict_proba``.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        lengths : array-like of int, shape (n_sequences,), optional

        Returns
        -------
        log_likelihood : float
        posteriors : ndarray of shape (n_samples, n_components)

        Raises
        ------
        NotFittedError
        ValueError

        Examples
        --------
        >>> from fastgmm import GaussianHMM
        >>> GaussianHMM().fit([[-1.0], [1.0]]).score_samples([[0.0]])[1]
        array([[1.]])
        """
        return chain_calls.likelihood_and_posteriors(self, X, lengths)

    def predict_proba(self, X: "ArrayLike", lengths: "ArrayLike | None" = None) -> FloatArray:
        """The probabilities of the states of every step, given all of its sequence.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        lengths : array-like of int, shape (n_sequences,), optional

        Returns
        -------
        ndarray of shape (n_samples, n_components)
            Equal ones where a sequence cannot be.

        Raises
        ------
        NotFittedError
        ValueError

        Examples
        --------
        >>> from fastgmm import GaussianHMM
        >>> GaussianHMM().fit([[-1.0], [1.0]]).predict_proba([[0.0], [1.0]])
        array([[1.],
               [1.]])
        """
        return chain_calls.likelihood_and_posteriors(self, X, lengths)[1]

    def decode(
        self, X: "ArrayLike", lengths: "ArrayLike | None" = None, algorithm: Algorithm | None = None
    ) -> tuple[float, IntArray]:
        """The states behind the steps, and how good they are.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        lengths : array-like of int, shape (n_sequences,), optional
        algorithm : {'viterbi', 'map'}, optional
            That of the estimator by default.

        Returns
        -------
        log_probability : float
            Of the paths and the sequences together; of ``'map'``, as in hmmlearn, the expected number of right states.
        states : ndarray of int64, shape (n_samples,)

        Raises
        ------
        NotFittedError
        ValueError

        Notes
        -----
        A. Viterbi, "Error bounds for convolutional codes and an asymptotically optimum decoding algorithm", IEEE
        Transactions on Information Theory 13 (1967).

        Examples
        --------
        >>> from fastgmm import GaussianHMM
        >>> GaussianHMM().fit([[-1.0], [1.0]]).decode([[0.0], [0.0]])[1]
        array([0, 0])
        """
        return chain_calls.decoded(self, X, lengths, algorithm)

    def predict(self, X: "ArrayLike", lengths: "ArrayLike | None" = None) -> IntArray:
        """The states that ``decode`` finds.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        lengths : array-like of int, shape (n_sequences,), optional

        Returns
        -------
        ndarray of int64, shape (n_samples,)

        Raises
        ------
        NotFittedError
        ValueError

        Examples
        --------
        >>> from fastgmm import GaussianHMM
        >>> GaussianHMM().fit([[-1.0], [1.0]]).predict([[0.0], [5.0]])
        array([0, 0])
        """
        return chain_calls.decoded(self, X, lengths, None)[1]

    aic = chain_answers.aic
    bic = chain_answers.bic
    get_stationary_distribution = chain_answers.get_stationary_distribution
    sample = chain_answers.sample
    save = chain_answers.save

    @classmethod
    def load(cls, path: AnyPath) -> Self:
        """Read a model that :meth:`save` wrote, without unpickling anything.

        Parameters
        ----------
        path : str or path-like

        Returns
        -------
        GaussianHMM
            Fitted. Random states, ``backend``, ``n_threads`` and callbacks belong to the process, and are not in files.

        Raises
        ------
        FileNotFoundError
        ModelFormatError
            Where the file is damaged, truncated, newer than this version, or no hidden Markov model.

        Examples
        --------
        >>> from fastgmm import GaussianHMM
        >>> GaussianHMM.load("no-such-file.npz")
        Traceback (most recent call last):
            ...
        FileNotFoundError: [Errno 2] No such file or directory: 'no-such-file.npz'
        """
        saved = load_chain(path)
        try:
            options, attributes = chain_calls.options_and_attributes(saved)
        except ValueError as error:
            raise ModelFormatError(str(error), "unsound", str(path)) from error
        estimator = cls(**options)
        chain_calls.adopt(estimator, attributes)
        return estimator

    covars_: Any = property(chain_answers.matrices, chain_answers.set_covariances)

    get_params = estimator_protocol.get_params
    set_params = estimator_protocol.set_params
    __repr__ = estimator_protocol.representation
    _repr_html_ = property(estimator_protocol.html_representation)
    __sklearn_tags__ = estimator_protocol.sklearn_tags
    __getstate__ = chain_answers.get_state
