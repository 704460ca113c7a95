"""What is believed of the parameters before the data are seen: conjugate priors [1]_, [2]_, and the two usual ones.

References
----------
.. [1] C. Fraley and A. E. Raftery, "Bayesian regularization for normal mixture estimation and model-based clustering",
   Journal of Classification 24 (2007).
.. [2] D. A. Reynolds, T. F. Quatieri and R. B. Dunn, "Speaker verification using adapted Gaussian mixture models",
   Digital Signal Processing 10 (2000).
"""

from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from fastgmm.data.facts import Facts
from fastgmm.data.origin import less_origin
from fastgmm.errors import not_fitted
from fastgmm.families import FAMILIES, CovarianceFamily
from fastgmm.families.check import check_covariances
from fastgmm.families.family import NotPositiveDefiniteError
from fastgmm.fit.filling import single_gaussian
from fastgmm.parameters import FloatArray
from fastgmm.sweeps.in_memory import InMemory
from fastgmm.sweeps.incomplete import IncompleteSweep
from fastgmm.sweeps.over_blocks import MeasuredSweep

# That of mclust's `priorControl`.
_DEFAULT_MEAN_PRECISION = 0.01


class Mixture(Protocol):
    """A fitted estimator, this or scikit-learn's."""

    covariance_type: str
    weights_: FloatArray
    means_: FloatArray
    covariances_: FloatArray


@dataclass(frozen=True, eq=False)
class Prior:
    """A conjugate prior of the parameters of a mixture, for ``GaussianMixture(prior=...)``.

    μ given Σ is normal with mean ``mean`` and covariance Σ/``mean_precision``; Σ is inverse-Wishart with
    ``degrees_of_freedom`` and the scale matrix ``covariance``; of diag and spherical mixtures every σ² is
    inverse-gamma with half of each; weights are Dirichlet. A fit then finds the mode of the posterior density. What
    ``fit`` cannot use it refuses.

    Parameters
    ----------
    mean_precision : float, default=0.0
        For how many rows the prior of a mean counts; 0 leaves means free.
    mean : array-like of shape (n_features,) or (n_components, n_features), optional
        For all components, or for each.
    degrees_of_freedom : float, optional
        It goes with ``covariance``.
    covariance : array-like, optional
        The scale: for all components in the shape of one's covariance, full and tied (d, d), diag (d,), spherical a
        number; or for each, in the shape of ``covariances_``. Without it covariances are free.
    weight_concentration : float or array-like of shape (n_components,), default=1.0
        At least 1, which leaves weights free.

    Examples
    --------
    Covariances that a few rows cannot make singular:

    >>> from fastgmm import GaussianMixture, Prior
    >>> prior = Prior(degrees_of_freedom=4, covariance=[[1.0, 0.0], [0.0, 1.0]])
    >>> gm = GaussianMixture(reg_covar=0, prior=prior).fit([[0.0, 0.0], [2.0, 2.0]])
    >>> gm.covariances_[0].round(3)
    array([[0.333, 0.222],
           [0.222, 0.333]])
    """

    mean_precision: float = 0.0
    mean: "ArrayLike | None" = None
    degrees_of_freedom: float | None = None
    covariance: "ArrayLike | None" = None
    weight_concentration: "float | ArrayLike" = 1.0

    @classmethod
    def from_model(cls, gm: "Mixture", relevance_factor: float = 16.0) -> "Prior":
        """The prior that is worth ``relevance_factor`` rows of each component of a fitted model.

        Its mode is the model. Fitting with it adapts a background model to a few rows: each mean becomes
        αx̄ + (1 − α)μ with α = N/(N + relevance_factor), and covariances follow as though the component had had so
        many rows more. Weights, too, are drawn to those of the model.

        Parameters
        ----------
        gm : GaussianMixture
            Of the ``covariance_type`` and ``n_components`` that are to be fitted.
        relevance_factor : float, default=16.0
            With 0 it is no prior at all.

        Returns
        -------
        Prior

        Raises
        ------
        NotFittedError
        TypeError
            For what is no mixture.
        ValueError
            For a relevance factor that is negative or not finite.

        Examples
        --------
        >>> from fastgmm import GaussianMixture, Prior
        >>> background = GaussianMixture.from_parameters([1.0], [[0.0]], [[1.0]], "diag")
        >>> prior = Prior.from_model(background, relevance_factor=2)
        >>> GaussianMixture(covariance_type="diag", prior=prior).fit([[3.0], [3.0]]).means_
        array([[1.5]])
        """
        if not _is_size(relevance_factor):
            raise ValueError(f"relevance_factor must be a finite number that is not negative; got {relevance_factor!r}")
        if not hasattr(gm, "covariance_type"):
            raise TypeError(f"gm must be a fitted GaussianMixture; got {gm!r}")
        needed = ("weights_", "means_", "covariances_")
        missing = [name for name in needed if not hasattr(gm, name)]
        if missing:
            raise not_fitted(type(gm).__name__, missing if len(missing) < len(needed) else ())
        rows = float(relevance_factor)
        if rows == 0.0:
            return cls()
        family = FAMILIES[gm.covariance_type]
        weights, means, covariances = (np.array(each, np.float64) for each in (gm.weights_, gm.means_, gm.covariances_))
        n_components, n_features = means.shape
        worth = numbers_of_a_row(family, n_components, n_features)
        return cls(
            mean_precision=rows,
            mean=means,
            degrees_of_freedom=worth * rows - _least_exponent(family, n_components, n_features, rows),
            covariance=worth * rows * covariances,
            weight_concentration=1.0 + rows * len(weights) * weights,
        )


PriorOption: TypeAlias = Literal["default"] | Prior


def numbers_of_a_row(family: CovarianceFamily, n_components: int, n_features: int) -> int:
    """For how many numbers a row of every component counts in a covariance."""
    return {"tied": n_components, "spherical": n_features}.get(family.kernel, 1)


def _least_exponent(family: CovarianceFamily, n_components: int, n_features: int, mean_precision: float) -> float:
    """The power of |Σ|^−½, or 1/σ, in a prior density of no degrees of freedom; the prior of the means has a share."""
    own = n_features + 1 if family.has_matrices else 2
    return own + (numbers_of_a_row(family, n_components, n_features) if mean_precision > 0 else 0)


@dataclass(frozen=True, eq=False)
class LogPrior:
    """A prior as an M-step takes it, for K components of a family; the mean is less the rows' origin.

    P = Σ excess·log π − ½Σ(exponent·log|Σ| + tr(Σ⁻¹ scatter) + mean_precision·(μ − means)ᵀΣ⁻¹(μ − means))

    Attributes
    ----------
    mean_precision : float
    means : ndarray of shape (K, d)
    exponent : float
        By how much the denominators of covariances grow: of spherical ones those of Nd, of tied ones that of ΣN.
    scatter : ndarray in the shape of the family, or None
        None where covariances have no prior.
    excess : ndarray of shape (K,)
        By how much the counts grow where they become weights.
    holds_covariances : bool
        Whether the scatter is positive definite, so that no few rows make a covariance singular.
    """

    mean_precision: float
    means: FloatArray
    exponent: float
    scatter: FloatArray | None
    excess: FloatArray
    holds_covariances: bool = False

    def scaled(self, unit: float) -> "LogPrior":
        """The same prior beside rows that weigh ``unit`` times as much."""
        if unit == 1.0:
            return self
        scatter = None if self.scatter is None else unit * self.scatter
        pull, exponent = unit * self.mean_precision, unit * self.exponent
        return replace(self, mean_precision=pull, exponent=exponent, scatter=scatter, excess=unit * self.excess)


def log_prior_of(
    prior: Prior | None, family: CovarianceFamily, n_components: int, n_features: int, origin: FloatArray | None
) -> LogPrior:
    """A checked prior as an M-step takes it; of None nothing is believed."""
    prior = Prior() if prior is None else prior
    shape = n_components, n_features
    means, scatter, exponent, holds = np.zeros(shape), None, 0.0, False
    if prior.mean is not None:
        means = np.broadcast_to(less_origin(np.asarray(prior.mean, np.float64), origin), shape)
    if prior.covariance is not None:
        scatter = np.broadcast_to(np.asarray(prior.covariance, np.float64), family.covariance_shape(*shape))
        with suppress(NotPositiveDefiniteError):
            holds = bool(family.precisions_cholesky(scatter).size)
        assert prior.degrees_of_freedom is not None
        exponent = prior.degrees_of_freedom + _least_exponent(family, *shape, prior.mean_precision)
    elif prior.mean_precision > 0:
        exponent = float(numbers_of_a_row(family, *shape))
    excess = np.broadcast_to(np.asarray(prior.weight_concentration, np.float64) - 1.0, (n_components,))
    return LogPrior(float(prior.mean_precision), means, exponent, scatter, excess, holds)


def resolved_prior(
    option: PriorOption | None,
    family: CovarianceFamily,
    n_components: int,
    facts: Facts,
    sweep: MeasuredSweep,
    unit: float,
) -> Prior | None:
    """The prior of a fit, with means among the values of the data; the default one is found from all rows.

    What weighs 1 as users count weighs ``unit`` among these rows. Raises ``ValueError`` for one that does not fit them.
    """
    if option is None:
        return None
    if isinstance(option, Prior):
        return checked_prior(option, family, n_components, facts.rows.shape[1])
    return default_prior(family, n_components, facts, sweep, unit)


def default_prior(
    family: CovarianceFamily,
    n_components: int,
    facts: Facts,
    sweep: MeasuredSweep,
    unit: float,
) -> Prior:
    """mclust's: as vague as it can be while covariances keep from being singular.

    Variances are those of all rows, and small where there are many components to share these.
    """
    summary, d = facts.summary, facts.rows.shape[1]
    n_rows = max(summary.total_weight / unit, 2.0)  # weights in another unit may sum to less
    share = n_rows / (n_rows - 1.0) / n_components ** (2.0 / d)
    variances = summary.variances * share
    covariance: FloatArray
    if family.has_matrices and facts.rows.has_missing:
        assert not isinstance(sweep, InMemory)
        covariance = single_gaussian(sweep, facts).covariances[0] * share
        constant = list(facts.constant_features)
        covariance[constant] = covariance[:, constant] = 0.0  # which steps of EM do not arrive at
    elif family.has_matrices:
        assert not isinstance(sweep, IncompleteSweep)
        scatter = sweep.total_scatter()
        shift = scatter.moments.first[0] / scatter.moments.total_weight
        covariance = (scatter.moments.second[0] / scatter.moments.total_weight - np.outer(shift, shift)) * share
    elif family.kernel == "diag":
        covariance = np.full(d, variances.mean())
    else:
        covariance = np.array(variances.mean())
    return Prior(_DEFAULT_MEAN_PRECISION, _read_only(summary.means), d + 2.0, _read_only(covariance))


# --- soundness -------------------------------------------------------------------------------------------------------


def checked_prior(prior: Prior, family: CovarianceFamily, n_components: int, n_features: int) -> Prior:
    """A copy with read-only arrays of float64; ``ValueError`` where it is none of such a mixture."""
    shape = n_components, n_features
    if not _is_size(prior.mean_precision):
        raise ValueError(
            f"prior.mean_precision must be a finite number that is not negative; got {prior.mean_precision!r}"
        )
    if prior.mean_precision > 0 and prior.mean is None:
        raise ValueError("prior.mean_precision > 0 needs prior.mean.")
    if prior.covariance is not None and prior.degrees_of_freedom is None:
        raise ValueError("prior.covariance needs prior.degrees_of_freedom.")
    if prior.covariance is None and prior.degrees_of_freedom is not None:
        raise ValueError("prior.degrees_of_freedom needs prior.covariance.")
    if prior.degrees_of_freedom is not None:
        least = -_least_exponent(family, *shape, prior.mean_precision)
        if not (_is_number(prior.degrees_of_freedom) and prior.degrees_of_freedom > least):
            raise ValueError(
                f"prior.degrees_of_freedom must be a finite number above {least:g} for a posterior mode; got "
                f"{prior.degrees_of_freedom!r}"
            )
    return replace(
        prior,
        mean=None if prior.mean is None else _checked_mean(prior.mean, *shape),
        covariance=None if prior.covariance is None else _checked_covariance(prior.covariance, family, *shape),
        weight_concentration=_checked_concentration(prior.weight_concentration, n_components),
    )


def _checked_mean(mean: Any, n_components: int, n_features: int) -> FloatArray:
    array = _read_only(mean)
    if array.shape[-1:] != (n_features,):
        raise ValueError(f"prior.mean has shape {array.shape}, X has {n_features} features.")
    if array.shape not in ((n_features,), (n_components, n_features)):
        raise ValueError(f"prior.mean has shape {array.shape}, there are {n_components} components.")
    if not np.isfinite(array).all():
        raise ValueError("prior.mean must be finite.")
    return array


def _checked_covariance(covariance: Any, family: CovarianceFamily, n_components: int, n_features: int) -> FloatArray:
    array, of_all = _read_only(covariance), family.covariance_shape(n_components, n_features)
    allowed = [of_all] if family.is_shared else [of_all[1:], of_all]
    if array.shape not in allowed:
        raise ValueError(
            f"prior.covariance has shape {array.shape}; of {n_components} {family.name} components and {n_features} "
            f"features it is {' or '.join(map(str, allowed))}."
        )
    try:
        check_covariances(family, np.broadcast_to(array, of_all), n_components, n_features)
    except ValueError:
        requirement = "symmetric, positive-definite" if family.has_matrices else "positive"
        raise ValueError(f"prior.covariance must be {requirement} and finite.") from None
    return array


def _checked_concentration(concentration: Any, n_components: int) -> FloatArray | float:
    array = _read_only(concentration)
    if array.shape not in ((), (n_components,)):
        raise ValueError(f"prior.weight_concentration has shape {array.shape}, there are {n_components} components.")
    is_sound = (array >= 1.0) & np.isfinite(array)
    if not is_sound.all():
        raise ValueError(
            f"prior.weight_concentration must be at least 1 for a posterior mode; got {array[~is_sound].flat[0]:g} "
            "(BayesianGaussianMixture takes less)."
        )
    return array if array.ndim else float(array)


def _read_only(values: Any) -> FloatArray:
    array = np.array(values, np.float64)
    array.flags.writeable = False
    return array


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | np.integer | np.floating) and bool(np.isfinite(value))


def _is_size(value: Any) -> bool:
    return _is_number(value) and value >= 0
