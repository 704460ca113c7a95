"""How unusual a row is: the probability of rows that are no more probable, and regions of the highest density.

Both are about the distribution of log p(Y) for rows Y of the mixture. Of a single component that is known: −2 log p(Y)
is a constant and χ² with d degrees of freedom. Of others it is that of many rows that are drawn.
"""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from fastgmm.data.single_precision import as_float64
from fastgmm.fit.options import check_options, check_random_state
from fastgmm.kernels.contract import work_of
from fastgmm.machine.pieces import pieces
from fastgmm.machine.waiting import attended, import_whole
from fastgmm.model import sampling
from fastgmm.model.algebra_common import attributes_of, whole_number
from fastgmm.model.algebra_distances import require_complete, squared_distances
from fastgmm.model.scoring import Scorer, require_no_noise, scorer_of
from fastgmm.parameters import FloatArray, Parameters
from fastgmm.rows import Rows


def outlier_p_values(
    self: Any,
    X: "ArrayLike",
    *,
    n_samples: int = 100_000,
    random_state: "int | np.random.RandomState | None" = None,
) -> FloatArray:
    """The probability that a row of this mixture has a density as low as each row's: small for outliers.

    P(p(Y) ≤ p(x)) for Y from the mixture. Rows that are from it have p-values that are uniform on [0, 1], so that
    ``outlier_p_values(X) < 0.001`` takes one in a thousand of them for outliers, whatever the number of features is. Of
    one component it is that of χ², P(χ²_d > (x − μ)ᵀ Σ⁻¹ (x − μ)); of more (1 + #{p(Yᵢ) ≤ p(x)})/(N + 1), N draws [1]_.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
    n_samples : int, default=100_000
        How many rows to draw, where there are several components: no p-value is less than 1/(n_samples + 1), and a
        p-value P has a standard error of √(P(1 − P)/n_samples).
    random_state : int or RandomState, optional
        That of the estimator by default.

    Returns
    -------
    ndarray of float64, shape (n_samples,)

    Raises
    ------
    NotFittedError
    ValueError
        As ``predict``, and for missing values: densities of more and of fewer features do not compare.

    See Also
    --------
    density_region : the density below which a share of all rows lies.

    References
    ----------
    .. [1] A. C. Davison and D. V. Hinkley, "Bootstrap Methods and their Application" (1997), section 4.2.

    Examples
    --------
    >>> from fastgmm import GaussianMixture
    >>> gm = GaussianMixture.from_parameters([1.0], [[0.0]], [1.0], "spherical")
    >>> gm.outlier_p_values([[0.0], [1.96], [4.0]]).round(4)
    array([1.e+00, 5.e-02, 1.e-04])
    """
    check_options({"random_state": random_state}, "outlier_p_values")
    n_samples = whole_number(n_samples, "n_samples", "outlier_p_values")
    scorer, rows = self._ready_to_score(X)
    require_complete(rows, "outlier_p_values")
    require_no_noise(scorer, "outlier_p_values")
    if scorer.shape[0] == 1:
        return _tails_of_chi_squared(scorer, rows)
    drawn = _log_densities_of_draws(self, scorer, n_samples, random_state)
    log_density = scorer.evaluate(rows, self.n_threads, "log_density")
    result = np.empty(len(log_density))
    for part in pieces(len(result), 16):
        counts = np.searchsorted(drawn, log_density[part].astype(np.float64, copy=False), side="right")
        result[part] = (1 + counts) / (n_samples + 1)
    return result


def density_region(
    self: Any,
    level: "ArrayLike",
    *,
    n_samples: int = 100_000,
    random_state: "int | np.random.RandomState | None" = None,
) -> FloatArray:
    """The log-density at the border of the smallest region that holds a share of all rows.

    Of all regions of probability ``level``, {x : p(x) ≥ f} with P(p(Y) ≥ f) = level is the smallest [1]_. A row x is in
    it where ``score_samples(x) >= density_region(level)``. Of one component it is bounded by an ellipsoid, and f is
    known; of more it is the quantile of the log-densities of many rows that are drawn.

    Parameters
    ----------
    level : float or array-like
        Probabilities, of any shape.
    n_samples : int, default=100_000
        How many rows to draw, where there are several components; the share of rows in the region then has a
        standard error of √(level(1 − level)/n_samples).
    random_state : int or RandomState, optional
        That of the estimator by default.

    Returns
    -------
    ndarray of float64, in the shape of level
        log f; a level of 0 has the largest log-density, and one of 1 the smallest of those drawn, or −inf.

    Raises
    ------
    NotFittedError
    ValueError
        For what is no probability.

    See Also
    --------
    outlier_p_values : the share of rows outside of the region at whose border a row is.

    References
    ----------
    .. [1] R. J. Hyndman, "Computing and graphing highest density regions", The American Statistician 50 (1996).

    Examples
    --------
    >>> from fastgmm import GaussianMixture
    >>> gm = GaussianMixture.from_parameters([1.0], [[0.0]], [1.0], "spherical")
    >>> border = gm.density_region(0.95)
    >>> gm.score_samples([[-1.95], [0.0], [1.97]]) >= border
    array([ True,  True, False])
    """
    check_options({"random_state": random_state}, "density_region")
    n_samples = whole_number(n_samples, "n_samples", "density_region")
    shares = np.asarray(level, np.float64)
    if not ((shares >= 0.0) & (shares <= 1.0)).all():
        raise ValueError("level should be a probability, a number from 0 to 1.")
    scorer = scorer_of(attributes_of(self))
    require_no_noise(scorer, "density_region")
    if scorer.shape[0] == 1:
        halves = import_whole("scipy.special").gammaincinv(scorer.shape[1] / 2, shares)
        return np.asarray(float(scorer.in_double.log_constants[0]) - halves, np.float64)
    drawn = _log_densities_of_draws(self, scorer, n_samples, random_state)
    return np.asarray(np.quantile(drawn, 1.0 - shares), np.float64)


def _tails_of_chi_squared(scorer: Scorer, rows: Rows) -> FloatArray:
    """P(χ²_d > squared distance) of every row, of the only component."""
    result, upper_tail = np.empty(rows.shape[0]), import_whole("scipy.special").gammaincc
    for part in pieces(rows.shape[0], 16 * rows.shape[1]):
        squares = squared_distances(scorer, as_float64(rows.take(part)))[:, 0]
        result[part] = upper_tail(rows.shape[1] / 2, squares / 2)
    return result


def _log_densities_of_draws(estimator: Any, scorer: Scorer, n_samples: int, random_state: Any) -> FloatArray:
    """In ascending order, of rows from the mixture that scores them."""
    weights, covariances = np.asarray(scorer.weights, np.float64), scorer.family.covariances_of_root(scorer.root)
    parameters = Parameters(scorer.family.name, weights, scorer.in_double.means, covariances)
    source = check_random_state(estimator.random_state if random_state is None else random_state)

    def work() -> FloatArray:
        rows = Rows(sampling.sample(parameters, n_samples, source)[0])
        return np.sort(scorer.evaluate(rows, estimator.n_threads, "log_density"))

    return attended(work, 50.0 * n_samples * work_of(1, parameters.n_features, 1))
