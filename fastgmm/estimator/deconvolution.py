"""The true values behind measurements of known errors, as a method of the estimator."""

from functools import partial
from typing import Any

from numpy.typing import ArrayLike

from fastgmm.estimator.calls import ready_to_score
from fastgmm.estimator.of_blocks import refuse_blocks
from fastgmm.kernels.contract import work_of
from fastgmm.machine.waiting import attended
from fastgmm.model.denoise import expected_values
from fastgmm.parameters import FloatArray, FloatingArray


def denoise(
    self: Any, X: "ArrayLike", errors: "ArrayLike", *, return_cov: bool = False
) -> "FloatingArray | tuple[FloatingArray, FloatArray]":
    """What the true values behind measurements are expected to be: E[v | x], with x = v + e and v of this mixture.

    Each measurement is drawn towards the components that it may come from, the more the larger its error is: estimates
    of this kind, empirical Bayes, have a smaller mean squared error than the measurements. Taken together they vary too
    little, as means do: the distribution of the true values is the mixture itself.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
        NaN is missing, and expected to be as other features and the mixture say.
    errors : array-like of shape (n_samples, n_features) or (n_samples, n_features, n_features)
        Variances or covariances of the errors of X, as ``fit`` takes them.
    return_cov : bool, default=False
        Whether to return the covariances that are left as well.

    Returns
    -------
    ndarray of shape (n_samples, n_features), in the dtype of X
        With ``return_cov`` a pair of this and of Cov[v | x], float64 of shape (n_samples, n_features, n_features).

    Raises
    ------
    NotFittedError
    ValueError
        As ``fit``. ``TypeError`` for blocks.

    Notes
    -----
    A component of mean μ and covariance Σ says v ~ N(μ + ΣT⁻¹(x − μ), Σ − ΣT⁻¹Σ) with T = Σ + S [1]_; the
    responsibilities of the components, for what was measured, mix these.

    References
    ----------
    .. [1] J. Bovy, D. W. Hogg and S. T. Roweis, "Extreme deconvolution: inferring complete distribution functions from
       noisy, heterogeneous and incomplete observations", Annals of Applied Statistics 5 (2011), equation 15.

    Examples
    --------
    >>> import numpy as np
    >>> from fastgmm import GaussianMixture
    >>> gm = GaussianMixture.from_parameters([1.0], [[0.0]], [1.0], "spherical")
    >>> gm.denoise([[4.0], [4.0], [4.0]], [[0.0], [1.0], [np.inf]])
    array([[4.],
           [2.],
           [0.]])
    """
    refuse_blocks(X, "denoise", "call it with one array of rows after another")
    scorer, rows = ready_to_score(self, X, errors)
    n_components, n_features = scorer.shape
    work = partial(expected_values, rows, scorer, self.n_threads)
    expected, left = attended(work, n_features * work_of(rows.shape[0], n_features, n_components))
    return (expected, left) if return_cov else expected
