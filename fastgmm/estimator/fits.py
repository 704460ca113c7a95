"""Fitting, as methods of the estimator."""

from collections.abc import Iterator
from typing import Any, TypeVar, cast

from numpy.typing import ArrayLike

from fastgmm.data.blocks.block import Blocks, is_blocks
from fastgmm.estimator.batches import checked_step
from fastgmm.estimator.calls import checked_fit, checked_fit_of_blocks
from fastgmm.estimator.of_blocks import evaluated
from fastgmm.machine.whole_file import AnyPath
from fastgmm.model.scoring import adopt, make_scorer, scorer_of
from fastgmm.parameters import IntArray

Estimator = TypeVar("Estimator")


def fit(
    self: Estimator,
    X: "ArrayLike | Blocks",
    y: object = None,
    sample_weight: "ArrayLike | None" = None,
    *,
    labels: "ArrayLike | None" = None,
    errors: "ArrayLike | None" = None,
    checkpoint: AnyPath | None = None,
) -> Estimator:
    """Estimate the parameters.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features), or blocks
        float32 and float64 arrays are read in place unless a stride is negative. NaN is missing. Rows beyond memory
        come as ``fastgmm.blocks_of(...)``, whose columns hold weights and labels, too.
    y : ignored
        With a warning where it may be meant as weights.
    sample_weight : array-like of shape (n_samples,), optional
        A weight of 0 is the row removed, an integer weight the row repeated.
    labels : array-like of shape (n_samples,) or (n_samples, n_components), optional
        What is known of the components of rows: component numbers, -1 or missing where unknown; or, of dtype bool,
        whether a row may belong to each component; or numbers not below 0, how much it is believed to. The last
        multiply the component's weight for that row, and the largest of a row counts as 1: only ratios within a row
        matter, for ``lower_bound_`` as well. Components keep the numbers that labels give them, and one that
        ``max(32, 8 * n_features)`` rows name starts at their moments, unless the start is given. Where clusters are
        not what labels mean, unlabelled rows mislead: give them less ``sample_weight``. Rows without any observed
        value count towards the weights; not at all, where nothing is known of their components. Rows of beliefs that
        are mostly distinct are kept in 8 bytes for each component.
    errors : array-like of shape (n_samples, n_features) or (n_samples, n_features, n_features), optional
        What is known of the errors of X: their variances (not standard deviations), or covariances, of each row its
        own. The mixture is then that of the true values v, where x = v + e and e ~ N(0, S) with the row's S [1]_: its
        covariances come out without the errors, and so do ``means_`` and ``weights_``. Scores take ``errors`` as well.
        An infinite variance says that the value is missing; 0 that there is no error. Of one feature (n_samples,) will
        do. float32 or float64 arrays in C order are read in place.
    checkpoint : str or path-like, optional
        A file that keeps the fit, written at most every half second and at the end, whole or not at all: a fit that was
        killed goes on from there, to the same bits, when it is begun again with the same rows and options. So does one
        that a callback or the deadline had ended; one that had ended by itself is not repeated. Another fit is refused.

    Returns
    -------
    GaussianMixture
        The estimator itself. After any exception, Ctrl-C included, it is what it was before.

    Raises
    ------
    ValueError
        For infinity, integers that float64 does not hold, wrong shapes, a feature without any observed value, fewer
        rows than components, errors that are no variances or covariances or are given beside blocks, labels that leave
        a row without a component or a component without rows, or a checkpoint of another fit; ``TypeError`` for labels
        that are names.
    DegenerateComponentError
        A ``ValueError``: a covariance is not positive definite, in every start.
    ModelFormatError, OSError
        For a checkpoint that is damaged or no such file, and one that cannot be written.

    References
    ----------
    .. [1] J. Bovy, D. W. Hogg and S. T. Roweis, "Extreme deconvolution: inferring complete distribution functions from
       noisy, heterogeneous and incomplete observations", Annals of Applied Statistics 5 (2011).

    Examples
    --------
    >>> import numpy as np
    >>> from fastgmm import GaussianMixture
    >>> GaussianMixture().fit([[0.0], [4.0]], sample_weight=[3, 1]).means_
    array([[1.]])

    Two rows whose component is known:

    >>> X = [[0.0], [1.0], [2.0], [8.0], [9.0], [10.0]]
    >>> GaussianMixture(2).fit(X, labels=[-1, 1, -1, -1, 0, -1]).means_.ravel().round(3)
    array([9., 1.])

    Measurements of which some are ten times as exact as others, and the spread of what was measured:

    >>> rng, std = np.random.RandomState(0), np.repeat([0.2, 2.0], 200)
    >>> measured = rng.normal(5.0, 1.0, 400) + rng.normal(0.0, std)
    >>> mixture = GaussianMixture(tol=1e-6).fit(measured[:, np.newaxis], errors=std**2)
    >>> mixture.covariances_.ravel().round(1), float(measured.var().round(1))
    (array([1.]), 2.8)
    """
    if is_blocks(X):
        adopt(self, checked_fit_of_blocks(self, X, sample_weight, labels, errors, checkpoint))
        return self
    _, fitted = checked_fit(self, cast("ArrayLike", X), y, sample_weight, labels, errors, checkpoint)
    adopt(self, fitted)
    return self


def fit_predict(
    self: Any,
    X: "ArrayLike | Blocks",
    y: object = None,
    sample_weight: "ArrayLike | None" = None,
    *,
    labels: "ArrayLike | None" = None,
    errors: "ArrayLike | None" = None,
    checkpoint: AnyPath | None = None,
) -> "IntArray | Iterator[IntArray]":
    """Estimate the parameters, and return the labels that ``predict`` then gives, but for those that are known.

    Parameters
    ----------
    X, y, sample_weight, labels, errors, checkpoint
        As for ``fit``.

    Returns
    -------
    ndarray of int64, shape (n_samples,)
        Of blocks an iterator, as :meth:`predict`.

    Raises
    ------
    ValueError
        As ``fit``, ``DegenerateComponentError`` among them.

    Examples
    --------
    >>> from fastgmm import GaussianMixture
    >>> GaussianMixture(2, means_init=[[0.0], [8.0]]).fit_predict([[0.0], [1.0], [8.0], [9.0]])
    array([0, 0, 1, 1])
    >>> GaussianMixture(2).fit_predict([[0.0], [1.0], [2.0], [8.0], [9.0]], labels=[1, -1, 0, 0, -1])
    array([1, 1, 0, 0, 0])
    """
    if is_blocks(X):
        adopt(self, checked_fit_of_blocks(self, X, sample_weight, labels, errors, checkpoint))
        return evaluated(scorer_of(vars(self)), X, self.n_threads, "labels")
    rows, fitted = checked_fit(self, cast("ArrayLike", X), y, sample_weight, labels, errors, checkpoint)
    labels = make_scorer(vars(self) | fitted).evaluate(rows, self.n_threads, "labels")
    adopt(self, fitted)
    return labels


def partial_fit(
    self: Estimator, X: "ArrayLike", y: object = None, sample_weight: "ArrayLike | None" = None
) -> Estimator:
    """Move the parameters by a batch of rows: for rows that come one batch after another, or do not fit into memory.

    The first batch makes the start of a fit, and takes a step of EM from there. Then each batch takes a step [1]_: the
    moments of its rows under the model so far have a share g of all that is known, the moments before it 1 − g, and
    both together are maximized into the next model, with g = (t + ``learning_offset``)^(−``learning_decay``) for t = 0,
    1, ... A batch that weighs less than those before it on average has so much less of a share. Between batches nothing
    is kept but moments. After a fit, or of parameters that were given, ``partial_fit`` goes on from there with t =
    ``n_iter_`` − 1, but 0 at least; set a larger ``learning_offset`` where these are worth more than some batches.

    Batches should be alike, each a sample of all rows: sorted or drifting ones lead the parameters after them. One pass
    ends some thousandths of a nat a row below what a fit finds, and no number of passes closes the last thousandth:
    where all rows are at hand, ``gm.set_params(warm_start=True, tol=1e-5).fit(X)`` does.

    There is one start (``n_init``), and ``tol``, ``max_iter``, ``accelerate``, ``deadline``, ``callbacks`` and
    ``verbose`` have no part in a step. A ``prior`` counts beside the rows of all batches; ``'default'`` is that of the
    first one, and so is what ``reg_covar='relative'`` adds.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
        Of the first batch as many rows as components, and better hundreds for each; then at least one. NaN is missing.
    y : ignored
        With a warning where it may be meant as weights.
    sample_weight : array-like of shape (n_samples,), optional
        A weight of 0 is the row removed, an integer weight the row repeated.

    Returns
    -------
    GaussianMixture
        The estimator itself. After any exception, Ctrl-C included, it is what it was before.

    Raises
    ------
    ValueError
        As ``fit``; for rows of another number of features than before; where ``n_components`` or ``covariance_type`` is
        another than before, ``assignment`` is not 'soft', or ``annealing`` is given. ``TypeError`` for blocks.
    DegenerateComponentError
        A ``ValueError``: a covariance is not positive definite.

    References
    ----------
    .. [1] O. Cappé and E. Moulines, "On-line expectation-maximization algorithm for latent data models", JRSS B 71
       (2009).

    Examples
    --------
    >>> import numpy as np
    >>> from fastgmm import GaussianMixture
    >>> rng, gm = np.random.RandomState(0), GaussianMixture(2, covariance_type="diag", random_state=0)
    >>> for _ in range(20):
    ...     gm = gm.partial_fit(rng.normal(size=(500, 1)) + rng.choice([2.0, 8.0], size=(500, 1)))
    >>> np.sort(gm.means_.ravel()).round(1), gm.n_iter_
    (array([2., 8.]), 20)
    """
    adopt(self, checked_step(self, X, y, sample_weight))
    return self
