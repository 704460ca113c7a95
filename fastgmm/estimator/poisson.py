"""``PoissonMixture``: mixtures of counts."""

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
from fastgmm.parameters import FloatArray, Names


class PoissonMixture:
    """A mixture of Poisson components, for counts, fitted by expectation-maximization.

    Within a component features are independent of each other; NaN is a missing value, of which nothing is said. X is
    dense or sparse, not negative; uint8, float32 and float64 are read without a copy.

    Parameters
    ----------
    n_components : int, default=1
        The number of components.
    alpha : float, default=1.0
        Smoothing: so many rows at the rates of all rows beside those of each component; 0 is maximum likelihood.
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
    rates_init : array-like of shape (n_components, n_features), optional
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
    rates_ : ndarray of shape (n_components, n_features)
        Expected counts.
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
    log p(x) = log Σₖ πₖ Πⱼ λₖⱼ^xⱼ exp(−λₖⱼ)/xⱼ! [1]_ [2]_. With mⱼ the mean of all rows the M-step is
    λₖⱼ = (Σ rx + αmⱼ)/(Σ r + α), the mode under a Gamma(1 + αmⱼ, α).

    References
    ----------
    .. [1] G. McLachlan and D. Peel, "Finite Mixture Models", Wiley 2000, section 5.
    .. [2] A. Rau, C. Maugis-Rabusseau, M.-L. Martin-Magniette and G. Celeux, "Co-expression analysis of high-throughput
       transcriptome sequencing data with Poisson mixture models", Bioinformatics 31 (2015).

    Examples
    --------
    >>> import numpy as np
    >>> from fastgmm import PoissonMixture
    >>> rng = np.random.RandomState(0)
    >>> X = rng.poisson(np.where(np.arange(600)[:, np.newaxis] < 200, [2.0, 9.0], [8.0, 1.0]))
    >>> mixture = PoissonMixture(2, random_state=0).fit(X)
    >>> np.sort(mixture.rates_[:, 0]).round(0)
    array([2., 8.])
    """

    _kind = discrete_calls.POISSON

    weights_: FloatArray
    rates_: FloatArray
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
        rates_init: "ArrayLike | None" = None,
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
        self.rates_init = rates_init
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
    sample = discrete_methods.sample
    save = discrete_saving.save

    @classmethod
    def load(cls, path: AnyPath) -> Self:
        """Read a mixture that ``save`` wrote.

        Parameters
        ----------
        path : str or path-like

        Returns
        -------
        PoissonMixture
            Fitted; it predicts to the bit what the saved one did on the same backend.

        Raises
        ------
        FileNotFoundError
        ModelFormatError
            Where the file is damaged, truncated, newer than this version, or of another class. Nothing is unpickled.

        Examples
        --------
        >>> import tempfile
        >>> from fastgmm import PoissonMixture
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     PoissonMixture(alpha=0).fit([[1], [3]]).save(f"{folder}/model.npz")
        ...     PoissonMixture.load(f"{folder}/model.npz").rates_
        array([[2.]])
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
