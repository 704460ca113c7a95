"""``GaussianMixture``: hyper-parameters, methods, fitted attributes; ``calls.py`` and ``fitting.py`` wire a fit."""

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastgmm.estimator import answers, deconvolution, fits, interchange, metadata_routing, one_step, summaries
from fastgmm.estimator import protocol as estimator_protocol
from fastgmm.estimator.calls import ready_to_score, require_fitted
from fastgmm.fit.fixed import FixedOption
from fastgmm.fit.options import Acceleration, Assignment, NoiseOption, RegCovar, StartMethod
from fastgmm.fit.prior import Prior, PriorOption
from fastgmm.fit.starts import StartFunction
from fastgmm.fit.steps import Observer, Step, StopReason
from fastgmm.kernels import BackendName
from fastgmm.model import algebra, joint
from fastgmm.model.attributes import loadings_of, uniquenesses_of
from fastgmm.model.scoring import deep_copy, get_state, set_state, shallow_copy
from fastgmm.parameters import FloatArray
from fastgmm.show import mixture_display


class GaussianMixture:
    """A Gaussian mixture fitted by expectation-maximization.

    A drop-in for :class:`sklearn.mixture.GaussianMixture` (scikit-learn 1.9): the same parameters, methods,
    attributes and errors; scikit-learn itself is not needed.

    Parameters
    ----------
    n_components : int, default=1
        The number of components.
    covariance_type : {'full', 'tied', 'diag', 'spherical'} or a model of mclust, default='full'
        Every component has its own matrix; all share one; own variances without correlations; one own variance. Or
        ``'EII'`` to ``'VVV'``: whether volumes, shapes and axes are equal (E), vary (V), or are those of a unit matrix.
        Or ``'factor'`` and ``'ppca'``, of ``rank`` directions, for hundreds of features.
    tol : float, default=1e-3
        EM stops when the mean log-likelihood of a point rises by less, be it on a plateau: see :class:`fastgmm.Step`
        for how ``history_`` shows that. A fall (``Step.fell``), due to ``reg_covar``, does not stop it.
    reg_covar : float or 'relative', default=1e-6
        Added to the diagonal of covariances, in squared units of the data; ``'relative'`` adds a millionth of
        each feature's variance instead.
    max_iter : int, default=100
        The most iterations of EM; 0 keeps the start.
    n_init : int, default=1
        Starts to try. The fit of highest likelihood is kept among those without degenerate components.
    init_params : {'auto', 'kmeans', 'k-means++', 'random', 'random_from_data'} or callable, default='auto'
        The start. ``'auto'``: k-means with features measured in scales of their own, so that a fit does not depend on
        their units (but for spherical, which does by itself); of many rows in several scales, the likeliest of which
        is kept. ``'kmeans'``: k-means in the units of X, as in scikit-learn. A callable ``f(X, n_components,
        random_state)`` returns means (n_components, n_features) or integer labels (n_samples,).
    weights_init : array-like of shape (n_components,), optional
    means_init : array-like of shape (n_components, n_features), optional
        Weights and covariances that are not given follow from assigning rows to the nearest of these means.
    precisions_init : array-like, optional
        Inverse covariances, in the shape of ``covariances_``.
    random_state : int, RandomState or None, default=None
        Seeds the start, what ``assignment="stochastic"`` draws, and ``sample``.
    warm_start : bool, default=False
        Continue from the last fit, or from parameters that were set by hand, of this ``n_components`` and
        ``covariance_type``.
    verbose : int, default=0
        1 prints restarts and iterations, 2 also the time and the change of the bound.
    verbose_interval : int, default=10
        Iterations between two prints.
    progress : bool, default=False
        Show a bar while ``fit`` runs, in notebooks and terminals, by tqdm where that is installed, else lines.
    n_threads : int, optional
        By default ``FASTGMM_NUM_THREADS``, or every CPU this process may use. It changes no bit of the result.
    backend : {'auto', 'c', 'numba', 'numpy'}, default='auto'
        ``'auto'`` is ``FASTGMM_BACKEND``, else C for scoring and most fits, Numba for heavy ones: see
        :func:`fastgmm.kernels.get_backend`.
    accelerate : {'squarem'}, optional
        Extrapolate the path of EM, which takes fewer iterations where it converges slowly. From iterates θ₀, θ₁, θ₂
        in a row, with r = θ₁ − θ₀ and v = θ₂ − θ₁ − r, a sweep tries θ₀ − 2αr + α²v, α = −‖r‖/‖v‖ [2]_, in
        coordinates without constraints and independent of the features' units. Where that falls short of the
        likelihood of θ₁, EM goes on from θ₂. Every sweep counts as an iteration; ``tol`` is compared with plain steps
        of EM only, and with two in a row after an extrapolation. Of several maxima it may find another than plain EM.
        A start that ends in a degenerate component is run again without, and its iterations count from 1 again.
    deadline : float, optional
        Seconds from the call of ``fit`` after which it ends with the best it has found, be it the start. The start,
        what a covariance family computes once of all rows, and the first pass over rows in blocks are finished first.
    callbacks : list of callables, optional
        Each is called with a :class:`fastgmm.Step` after every iteration. One that raises ``StopIteration`` ends the
        fit with the best it has found.
    prior : 'default' or Prior, optional
        What is believed of the parameters beforehand, of which the fit then finds the posterior mode: see
        :class:`fastgmm.Prior`. ``'default'`` is that of R's mclust [3]_, vague, with covariances from those of all rows
        of X: it keeps them from being singular, as long as X has no column that is constant or follows from others.
        Set ``reg_covar=0`` beside it.
    fixed : tuple of {'weights', 'means', 'covariances'}, or dict of component numbers by these names, default=()
        What stays as ``weights_init``, ``means_init`` and ``precisions_init`` say, or as a fit that ``warm_start``
        continues has left it: to the bit, without ``reg_covar``, and no free parameter of ``bic`` and ``aic``.
    assignment : {'soft', 'hard', 'stochastic'}, default='soft'
        ``'soft'``: rows count for all components, by their responsibilities. ``'hard'``: for the most probable one, z
        [4]_; a start ends by ``tol``, or once counts of components stay, and ``lower_bound_`` is the mean of
        log(π_z N(x | z)), instead of the log-likelihood. Components that overlap come out too tight and too equal.
        ``'stochastic'``: for one drawn by the responsibilities [5]_, which may leave a poor maximum; a start takes
        ``max_iter`` iterations, and ends with the likeliest parameters visited of which no component has collapsed,
        or holds very few rows, as long as there are such.
    annealing : float in (0, 1], optional
        For soft assignments: densities are raised to this exponent, which grows by half as often as ``tol`` or
        ``max_iter`` ends a run of EM, up to 1 [6]_. Flat densities have fewer maxima; near 0 all components become
        one, and stay together, which a ``MergedComponentsWarning`` says. Below 1 the lower bound of a step is the mean
        of log(Σ(πN)ᵇ)/b for an exponent b, and that of a fit cut short there is -inf.
    noise : 'box' or float, optional
        Rows of no component, spread evenly over the box that holds all rows, or over this volume [8]_. Their share is
        estimated, ``predict`` labels them -1, and the last column of ``predict_proba`` is theirs. For complete rows
        without labels, and for families of which no component shares all of its covariance with the others.
    rank : int, default=1
        Of ``'factor'``, factor analyzers [9]_, whose covariances are ΛΛᵀ + diag(ψ) with loadings Λ (n_features, rank),
        and ``'ppca'``, probabilistic principal components [10]_, ΛΛᵀ + σ²I: below n_features. No matrix is made of
        them. They take neither missing values nor a ``prior``, and ``reg_covar`` is the least that ψ may be.
    learning_decay : float, default=0.7
        Of the share (t + ``learning_offset``)^(−``learning_decay``) that ``partial_fit`` gives to a batch t [7]_. Above
        0.5, and up to 1, the model settles; the smaller, the sooner it forgets its start.
    learning_offset : float, default=2.0
        At least 1; the larger, the less the first batches move the model.

    Attributes
    ----------
    weights_ : ndarray of shape (n_components,)
    means_ : ndarray of shape (n_components, n_features)
    covariances_ : ndarray
        full (K, d, d), tied (d, d), diag (K, d), spherical (K,); factor and ppca (K, d, rank + 1), ``loadings_`` and
        then ``uniquenesses_``. Always float64 and read-only, as all fitted arrays.
    precisions_, precisions_cholesky_ : ndarray
        Inverse covariances, and U with precision UUᵀ (1/σ for diag and spherical). Where a mixture is set by hand,
        ``precisions_cholesky_`` may be any root of the precisions, and either it or ``covariances_`` may be missing.
        Of factor and ppca, (K, d, rank + 1): V and 1/ψ with precision diag(1/ψ) − VVᵀ; Λ/√ψ and 1/√ψ.
    loadings_, uniquenesses_ : ndarray of shape (n_components, n_features, rank), (n_components, n_features)
        Of factor and ppca: Λ, up to a rotation of the factors, and ψ.
    converged_ : bool
        Whether the best start did.
    stop_reason_ : {'converged', 'max_iter', 'deadline', 'callback'}
        What ended the fit, be it after the best start had converged; None where the parameters were given.
    n_iter_ : int
        Iterations of the best start, and the batches of ``partial_fit`` since.
    lower_bound_ : float
        Mean log-likelihood of a point before the last M-step, as in scikit-learn; with ``prior`` the logarithm of its
        density, but of weights that are fixed, divided by the sum of the rows' weights. A row without any value counts
        where ``labels`` say something of it. With ``assignment='hard'`` it is another: see there. After ``partial_fit``
        that of all batches, each by its share and under its own model.
    lower_bounds_ : list of float
        One for each iteration of the best start; after ``partial_fit`` the last one.
    history_ : tuple of Step
        Every iteration of every start.
    degenerate_components_ : tuple of int
        Components that collapsed onto so few distinct points that their likelihood is that of the regularization; all,
        where all rows lie in a plane. Where values are missing also those that hold fewer than two values of some
        feature. A ``DegenerateComponentWarning`` names them. Not known after ``partial_fit``.
    prior_ : Prior or None
        The one that was fitted with, with what the data have to say for ``'default'``; None without.
    n_fixed_parameters_ : int
        How many numbers were fixed: that ``bic`` and ``aic`` do not count.
    n_missing_ : int
        How many values of X were missing; of the last one after ``partial_fit``.
    noise_weight_ : float
        The share of all rows that are noise; 0 without. ``weights_`` are of the others, and sum to 1.
    noise_log_volume_ : float or None
        The logarithm of the volume that noise is spread over.
    noise_box_ : ndarray of shape (2, n_features) or None
        The smallest and the largest value of each feature, where ``noise='box'``.
    n_features_in_ : int
    feature_names_in_ : ndarray of str
        Only where X has column names.

    Notes
    -----
    Moments are collected about the current means in one pass over the rows, and maximized in closed form [1]_;
    responsibilities of all rows are never stored.

    References
    ----------
    .. [1] A. P. Dempster, N. M. Laird and D. B. Rubin, "Maximum likelihood from incomplete data via the EM
       algorithm", JRSS B 39 (1977).
    .. [2] R. Varadhan and C. Roland, "Simple and globally convergent methods for accelerating the convergence of any
       EM algorithm", Scandinavian Journal of Statistics 35 (2008).
    .. [3] C. Fraley and A. E. Raftery, "Bayesian regularization for normal mixture estimation and model-based
       clustering", Journal of Classification 24 (2007).
    .. [4] G. Celeux and G. Govaert, "A classification EM algorithm for clustering and two stochastic versions",
       Computational Statistics & Data Analysis 14 (1992).
    .. [5] G. Celeux and J. Diebolt, "The SEM algorithm", Computational Statistics Quarterly 2 (1985).
    .. [6] N. Ueda and R. Nakano, "Deterministic annealing EM algorithm", Neural Networks 11 (1998).
    .. [7] O. Cappé and E. Moulines, "On-line expectation-maximization algorithm for latent data models", JRSS B 71
       (2009).
    .. [8] C. Fraley and A. E. Raftery, "How many clusters? Which clustering method? Answers via model-based cluster
       analysis", The Computer Journal 41 (1998).
    .. [9] Z. Ghahramani and G. E. Hinton, "The EM algorithm for mixtures of factor analyzers", University of Toronto
       CRG-TR-96-1 (1996).
    .. [10] M. E. Tipping and C. M. Bishop, "Mixtures of probabilistic principal component analyzers", Neural
       Computation 11 (1999).

    Examples
    --------
    >>> import numpy as np
    >>> from fastgmm import GaussianMixture
    >>> X = np.array([[1, 2], [0, 4], [2, 4], [1, 0], [10, 2], [9, 4], [11, 4], [10, 0]])
    >>> gm = GaussianMixture(n_components=2, random_state=0).fit(X)
    >>> np.sort(gm.means_[:, 0])
    array([ 1., 10.])
    >>> bool(gm.predict([[0, 0]])[0] == gm.predict([[2, 2]])[0])
    True
    """

    weights_: FloatArray
    means_: FloatArray
    covariances_: FloatArray
    precisions_: FloatArray
    precisions_cholesky_: FloatArray
    converged_: bool
    stop_reason_: StopReason | None
    n_iter_: int
    lower_bound_: float
    lower_bounds_: list[float]
    history_: tuple[Step, ...]
    degenerate_components_: tuple[int, ...]
    prior_: Prior | None
    n_fixed_parameters_: int
    n_missing_: int
    noise_weight_: float
    noise_log_volume_: float | None
    noise_box_: FloatArray | None
    n_features_in_: int
    feature_names_in_: NDArray[np.object_]

    @estimator_protocol.with_advice
    def __init__(
        self,
        n_components: int = 1,
        *,
        covariance_type: str = "full",
        tol: float = 1e-3,
        reg_covar: RegCovar = 1e-6,
        max_iter: int = 100,
        n_init: int = 1,
        init_params: "StartMethod | StartFunction" = "auto",
        weights_init: "ArrayLike | None" = None,
        means_init: "ArrayLike | None" = None,
        precisions_init: "ArrayLike | None" = None,
        random_state: int | np.random.RandomState | None = None,
        warm_start: bool = False,
        verbose: int = 0,
        verbose_interval: int = 10,
        progress: bool = False,
        n_threads: int | None = None,
        backend: BackendName = "auto",
        accelerate: Acceleration | None = None,
        deadline: float | None = None,
        callbacks: Sequence[Observer] | None = None,
        prior: PriorOption | None = None,
        fixed: FixedOption = (),
        assignment: Assignment = "soft",
        annealing: float | None = None,
        noise: NoiseOption | None = None,
        rank: int = 1,
        learning_decay: float = 0.7,
        learning_offset: float = 2.0,
    ) -> None:
        self.n_components = n_components
        self.covariance_type, self.rank = covariance_type, rank
        self.tol = tol
        self.reg_covar = reg_covar
        self.max_iter = max_iter
        self.n_init = n_init
        self.init_params = init_params
        self.weights_init, self.means_init, self.precisions_init = weights_init, means_init, precisions_init
        self.random_state = random_state
        self.warm_start = warm_start
        self.verbose, self.verbose_interval, self.progress = verbose, verbose_interval, progress
        self.n_threads, self.backend = n_threads, backend
        self.accelerate = accelerate
        self.deadline, self.callbacks = deadline, callbacks
        self.prior = prior
        self.fixed = fixed
        self.assignment, self.annealing, self.noise = assignment, annealing, noise
        self.learning_decay, self.learning_offset = learning_decay, learning_offset

    # Fitting

    fit = fits.fit
    fit_predict = fits.fit_predict
    partial_fit = fits.partial_fit

    # Its two halves, for rows in several places

    moments = one_step.moments
    maximized = one_step.maximized

    # What a fitted model answers

    predict = answers.predict
    predict_proba = answers.predict_proba
    predict_joint_log_proba = joint.predict_joint_log_proba
    score_samples = answers.score_samples
    score = answers.score
    bic = answers.bic
    aic = answers.aic
    sample = answers.sample
    impute = answers.impute
    denoise = deconvolution.denoise
    # scikit-learn's, which are private and called all the same
    _estimate_weighted_log_prob = joint.predict_joint_log_proba
    _estimate_log_prob = joint.estimate_log_prob
    _estimate_log_weights = joint.estimate_log_weights
    _n_parameters = joint.n_parameters

    # Its algebra

    marginal = algebra.marginal
    condition = algebra.condition
    regress = algebra.regress
    sample_conditional = algebra.sample_conditional
    transformed = algebra.transformed
    product = algebra.product
    cdf = algebra.cdf
    quantile = algebra.quantile
    decision_points = algebra.decision_points
    density_region = algebra.density_region
    outlier_p_values = algebra.outlier_p_values
    mahalanobis = algebra.mahalanobis
    merged = algebra.merged
    reduced = algebra.reduced
    clusters = algebra.clusters
    component_kl = algebra.component_kl
    component_bhattacharyya = algebra.component_bhattacharyya
    kl_divergence = algebra.kl_divergence

    # What it looks like

    plot = mixture_display.plot
    summary = summaries.summary

    _fitted = require_fitted
    _ready_to_score = ready_to_score
    loadings_ = property(loadings_of)
    uniquenesses_ = property(uniquenesses_of)

    # Exchange with files and other libraries

    @classmethod
    @estimator_protocol.documented_by(interchange.from_parameters)
    def from_parameters(
        cls,
        weights: "ArrayLike",
        means: "ArrayLike",
        covariances: "ArrayLike",
        covariance_type: str = "full",
        **options: Any,
    ) -> Self:
        return interchange.from_parameters(cls, weights, means, covariances, covariance_type, **options)

    @classmethod
    @estimator_protocol.documented_by(interchange.from_sklearn)
    def from_sklearn(cls, estimator: object, **options: Any) -> Self:
        return interchange.from_sklearn(cls, estimator, **options)

    to_sklearn = interchange.to_sklearn
    to_onnx = interchange.to_onnx
    save = interchange.save

    # The estimator protocol: scikit-learn's, without inheriting from it

    get_params = estimator_protocol.get_params
    set_params = estimator_protocol.set_params
    __repr__ = estimator_protocol.representation
    _repr_html_ = property(summaries.html_representation)
    __sklearn_tags__ = estimator_protocol.sklearn_tags
    get_metadata_routing = metadata_routing.get_metadata_routing
    set_fit_request = metadata_routing.set_fit_request
    set_partial_fit_request = metadata_routing.set_partial_fit_request
    set_score_request = metadata_routing.set_score_request
    # scikit-learn's ``clone`` and its scorers read and set it.
    _metadata_request = property(metadata_routing.get_metadata_routing, metadata_routing.keep_requests)
    __copy__ = shallow_copy
    __deepcopy__ = deep_copy
    __getstate__ = get_state
    __setstate__ = set_state
