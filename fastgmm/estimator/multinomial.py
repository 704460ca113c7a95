"""``MultinomialMixture``: mixtures of shares of counts, such as words in documents."""

from collections.abc import Sequence
from typing import Self

import numpy as np
from numpy.typing import ArrayLike

from fastgmm.estimator import discrete_calls, discrete_methods, discrete_saving, metadata_routing
from fastgmm.estimator import protocol as estimator_protocol
from fastgmm.fit.discrete_options import DiscreteStart
from fastgmm.fit.steps import Observer, Step, StopReason
from fastgmm.kernels import BackendName
from fastgmm.machine.whole_file import AnyPath
from fastgmm.model.algebra_common import whole_number
from fastgmm.parameters import Array, FloatArray, IntArray, Names


class MultinomialMixture:
    """A mixture of multinomial components, for counts given their total, fitted by expectation-maximization.

    What a component says of is which share of a row's total each feature has, such as a word of a document's words; of
    the totals it says nothing. X is dense or sparse, not negative, without missing values; uint8, float32 and float64
    are read without a copy.

    Parameters
    ----------
    n_components : int, default=1
        The number of components.
    alpha : float, default=1.0
        Smoothing: so many counts of each feature beside those of each component; 0 is maximum likelihood.
    tol : float, default=1e-3
        EM stops when the mean log-likelihood of a row, and of the prior, rises by less.
    max_iter : int, default=100
        The most iterations of EM; 0 keeps the start.
    n_init : int, default=1
        Starts to try, of which the likeliest fit is kept.
    init_params : {'auto', 'k-means++', 'random', 'random_from_data'}, default='auto'
        The start. ``'k-means++'``: components about rows that are far apart, half-way between each and the mean of all.
        ``'auto'``: the likeliest of four such after a few iterations on a sample. ``'random'``: responsibilities that
        are drawn. ``'random_from_data'``: components about rows that are drawn.
    weights_init : array-like of shape (n_components,), optional
    probabilities_init : array-like of shape (n_components, n_features), optional
        A start; ``init_params`` then has no part in it.
    random_state : int, RandomState or None, default=None
        Seeds the start, and ``sample``.
    warm_start : bool, default=False
        Continue from the last fit.
    verbose : int, default=0
        1 prints restarts and iterations, 2 times as well.
    verbose_interval : int, default=10
    n_threads : int, optional
        By default every CPU that this process may use; the number changes no bit of a result.
    backend : {'auto', 'c', 'numba', 'numpy'}, default='auto'
    deadline : float, optional
        Seconds, after which a fit ends with the best so far.
    callbacks : list of callables, optional
        Each is given a :class:`fastgmm.Step` after every iteration; one that raises ``StopIteration`` ends the run.

    Attributes
    ----------
    weights_ : ndarray of shape (n_components,)
    probabilities_ : ndarray of shape (n_components, n_features)
        They sum to 1 in each component.
    converged_ : bool
    stop_reason_ : {'converged', 'max_iter', 'deadline', 'callback'}
    n_iter_ : int
    lower_bound_ : float
        The mean log-likelihood of a row under the last parameters but one, and with ``alpha`` the log-prior over the
        weight of all rows.
    lower_bounds_ : list of float
    history_ : tuple of Step
        The iterations of all starts.
    n_features_in_ : int
    feature_names_in_ : ndarray of str
        Only where X has column names.

    Notes
    -----
    log p(x) = log Σₖ πₖ (Σxⱼ)! Πⱼ pₖⱼ^xⱼ/xⱼ! [1]_. The M-step is pₖⱼ = (Σ rxⱼ + α)/Σⱼ(Σ rxⱼ + α), the mode under a
    Dirichlet(1 + α), sums over rows.

    References
    ----------
    .. [1] K. Nigam, A. McCallum, S. Thrun and T. Mitchell, "Text classification from labeled and unlabeled documents
       using EM", Machine Learning 39 (2000).

    Examples
    --------
    >>> import numpy as np
    >>> from fastgmm import MultinomialMixture
    >>> rng = np.random.RandomState(0)
    >>> X = np.concatenate([rng.multinomial(20, [0.8, 0.1, 0.1], 100), rng.multinomial(50, [0.1, 0.1, 0.8], 200)])
    >>> mixture = MultinomialMixture(2, random_state=0).fit(X)
    >>> np.sort(mixture.probabilities_[:, 0]).round(1)
    array([0.1, 0.8])
    """

    _kind = discrete_calls.MULTINOMIAL

    weights_: FloatArray
    probabilities_: FloatArray
    converged_: bool
    stop_reason_: StopReason | None
    n_iter_: int
    lower_bound_: float
    lower_bounds_: list[float]
    history_: tuple[Step, ...]
    n_features_in_: int
    feature_names_in_: Names

    @estimator_protocol.with_advice
    def __init__(
        self,
        n_components: int = 1,
        *,
        alpha: float = 1.0,
        tol: float = 1e-3,
        max_iter: int = 100,
        n_init: int = 1,
        init_params: DiscreteStart = "auto",
        weights_init: "ArrayLike | None" = None,
        probabilities_init: "ArrayLike | None" = None,
        random_state: "int | np.random.RandomState | None" = None,
        warm_start: bool = False,
        verbose: int = 0,
        verbose_interval: int = 10,
        n_threads: int | None = None,
        backend: BackendName = "auto",
        deadline: float | None = None,
        callbacks: Sequence[Observer] | None = None,
    ) -> None:
        self.n_components = n_components
        self.alpha = alpha
        self.tol = tol
        self.max_iter = max_iter
        self.n_init = n_init
        self.init_params = init_params
        self.weights_init = weights_init
        self.probabilities_init = probabilities_init
        self.random_state = random_state
        self.warm_start = warm_start
        self.verbose = verbose
        self.verbose_interval = verbose_interval
        self.n_threads = n_threads
        self.backend = backend
        self.deadline = deadline
        self.callbacks = callbacks

    fit = discrete_methods.fit
    fit_predict = discrete_methods.fit_predict
    predict = discrete_methods.predict
    predict_proba = discrete_methods.predict_proba
    score_samples = discrete_methods.score_samples
    score = discrete_methods.score
    bic = discrete_methods.bic
    aic = discrete_methods.aic
    icl = discrete_methods.icl

    def sample(self, n_samples: int = 1, total: int = 100) -> "tuple[Array, IntArray]":
        """Random rows from the mixture, in the order of their components.

        Parameters
        ----------
        n_samples : int, default=1
        total : int, default=100
            Of the counts in each row, which the mixture says nothing of.

        Returns
        -------
        X : ndarray of int64, shape (n_samples, n_features)
        labels : ndarray of int64, shape (n_samples,)

        Raises
        ------
        NotFittedError
        ValueError
            For fewer than one.

        Examples
        --------
        >>> from fastgmm import MultinomialMixture
        >>> MultinomialMixture(alpha=0, random_state=0).fit([[3, 0], [2, 0]]).sample(2, total=7)
        (array([[7, 0],
               [7, 0]]), array([0, 0]))
        """
        return discrete_methods.draws(self, n_samples, whole_number(total, "total", "sample"))

    save = discrete_saving.save

    @classmethod
    def load(cls, path: AnyPath) -> Self:
        """Read a mixture that ``save`` wrote.

        Parameters
        ----------
        path : str or path-like

        Returns
        -------
        MultinomialMixture
            Fitted; it predicts to the bit what the saved one did on the same backend.

        Raises
        ------
        FileNotFoundError
        ModelFormatError
            Where the file is damaged, truncated, newer than this version, or of another class. Nothing is unpickled.

        Examples
        --------
        >>> import tempfile
        >>> from fastgmm import MultinomialMixture
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     MultinomialMixture(alpha=0).fit([[1, 3]]).save(f"{folder}/model.npz")
        ...     MultinomialMixture.load(f"{folder}/model.npz").probabilities_
        array([[0.25, 0.75]])
        """
        return discrete_saving.load(cls, path)

    get_params = estimator_protocol.get_params
    set_params = estimator_protocol.set_params
    __repr__ = estimator_protocol.representation
    _repr_html_ = property(estimator_protocol.html_representation)
    __sklearn_tags__ = discrete_methods.sklearn_tags
    get_metadata_routing = metadata_routing.get_metadata_routing
    set_fit_request = metadata_routing.set_fit_request
    set_score_request = metadata_routing.set_score_request
    _metadata_request = property(metadata_routing.get_metadata_routing, metadata_routing.keep_requests)
