"""The two nouns at the bottom of everything: what EM estimates, and the form of it that kernels read."""

from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

# What users hand in is an ``ArrayLike``, which public signatures quote: help then shows the name, not its paragraph.
Array: TypeAlias = NDArray[Any]
FloatArray: TypeAlias = NDArray[np.float64]
BoolArray: TypeAlias = NDArray[np.bool_]
IntArray: TypeAlias = NDArray[np.int64]
Names: TypeAlias = NDArray[np.object_]
# float32 or float64, as the rows are of which it says something.
FloatingArray: TypeAlias = NDArray[np.floating[Any]]

# In place of further numbers, where there are none.
NO_EXTRA = np.empty((0, 0))


@dataclass(frozen=True, eq=False)
class Parameters:
    """The parameters of a Gaussian mixture, in float64.

    Attributes
    ----------
    covariance_type : str
        The name of the covariance family.
    weights : ndarray of shape (n_components,)
        Mixing proportions, positive, summing to 1.
    means : ndarray of shape (n_components, n_features)
    covariances : ndarray
        In the family's own shape: full (K, d, d), tied (d, d), diag (K, d), spherical (K,); of factor analyzers
        (K, d, rank + 1), loadings and then uniquenesses.
    extra : ndarray of shape (n_components, e), default of shape (n_components, 0)
        Further numbers of every component, for what has some beside these.
    """

    covariance_type: str
    weights: FloatArray
    means: FloatArray
    covariances: FloatArray
    extra: FloatArray = field(default_factory=lambda: NO_EXTRA)

    def __post_init__(self) -> None:
        # Nothing is checked here: a small fit makes one of these every few microseconds.
        if self.extra is NO_EXTRA:
            object.__setattr__(self, "extra", np.empty((len(self.weights), 0)))

    @property
    def n_components(self) -> int:
        return int(self.means.shape[0])

    @property
    def n_features(self) -> int:
        return int(self.means.shape[1])


# Prepared parameters are what a kernel needs for cₖ − ½‖L⁻¹ₖ(x − μₖ)‖², with
# cₖ = log wₖ + log det L⁻¹ₖ − (d/2) log 2π. Means are float64; everything else has the dtype in which to calculate.
# The type says the family: kernels choose their arithmetic by it.


class PreparedFull(NamedTuple):
    """``log_constants`` (K,), ``means`` (K, d), ``inverse_cholesky`` (K, d, d), lower triangular."""

    log_constants: Array
    means: FloatArray
    inverse_cholesky: Array


class PreparedTied(NamedTuple):
    """As full with one ``inverse_cholesky`` (d, d), and the means it whitens: L⁻¹(μₖ − pivot), (K, d).

    Rows are whitened once, about a pivot amid the means, and then compared with every whitened mean.
    """

    log_constants: Array
    means: FloatArray
    inverse_cholesky: Array
    pivot: FloatArray
    whitened_means: FloatArray


class PreparedDiag(NamedTuple):
    """``inverse_deviations`` (K, d) = 1/σ."""

    log_constants: Array
    means: FloatArray
    inverse_deviations: Array


class PreparedSpherical(NamedTuple):
    """``precisions`` (K,) = 1/σ²."""

    log_constants: Array
    means: FloatArray
    precisions: Array


class PreparedFactor(NamedTuple):
    """Of Σ = ΛΛᵀ + Ψ: what gives cₖ − hₖ(‖Ψ^(−½)(x − μ − Λz)‖² + ‖z‖²) with z = M(x − μ).

    ``inverse_deviations`` (K, d) = 1/√ψ, ``halves`` (K,) = ½, ``loadings`` (K, d, rank) = −Ψ^(−½)Λ and ``projections``
    (K, d, rank) = Mᵀ, of which those of a feature stand together.
    """

    log_constants: Array
    means: FloatArray
    inverse_deviations: Array
    halves: Array
    loadings: Array
    projections: Array


Prepared: TypeAlias = PreparedFull | PreparedTied | PreparedDiag | PreparedSpherical | PreparedFactor


class PreparedLinear(NamedTuple):
    """Of log-densities cₖ + Σⱼ xⱼ θⱼₖ, linear in the data: ``log_constants`` (K,), ``loadings`` (n_lines, step).

    Both are float64. A line holds θⱼₖ of all components, and 0 behind them so that ``step`` is a multiple of 8.
    """

    log_constants: FloatArray
    loadings: FloatArray


def empty_loadings(n_lines: int, n_components: int) -> FloatArray:
    """Lines of loadings that are all 0."""
    return np.zeros((n_lines, -(-n_components // 8) * 8))


def scales_of(prepared: Prepared) -> Array:
    """What stands for the covariances, the third field of all: factors, inverse deviations or precisions."""
    return prepared[2]


# What kernels need for rows that lack some of their values (``kernels/incomplete.py``): covariances themselves, whose
# blocks they factor, and of matrices the factors that are known, from which rows that lack little take less. Everything
# is float64, in C order.


class IncompleteFull(NamedTuple):
    """``log_weights`` (K,), ``means`` (K, d), ``covariances`` (K, d, d), both triangles.

    ``inverse_cholesky`` (K, d, d), lower triangular, is theirs, whatever the ``exponent``: that of ``Model``.
    """

    log_weights: FloatArray
    means: FloatArray
    covariances: FloatArray
    inverse_cholesky: FloatArray
    exponent: float


class IncompleteTied(NamedTuple):
    """As full with one of ``covariances`` (d, d), and its ``inverse_cholesky``."""

    log_weights: FloatArray
    means: FloatArray
    covariances: FloatArray
    inverse_cholesky: FloatArray
    exponent: float


class IncompleteDiag(NamedTuple):
    """``covariances`` (K, d) are variances; of spherical components all of a component are the same."""

    log_weights: FloatArray
    means: FloatArray
    covariances: FloatArray
    exponent: float


PreparedIncomplete: TypeAlias = IncompleteFull | IncompleteTied | IncompleteDiag


# What kernels need for rows of known errors (``kernels/uncertain.py``): covariances, to which those of the errors are
# added, and their roots. Everything is float64, in C order.


class UncertainMatrices(NamedTuple):
    """``log_weights`` (K,), ``means`` (K, d), ``covariances`` (K, d, d), and ``roots`` L of them, lower triangular.

    Of components that share their covariance (1, d, d).
    """

    log_weights: FloatArray
    means: FloatArray
    covariances: FloatArray
    roots: FloatArray
    exponent: float


class UncertainVariances(NamedTuple):
    """``covariances`` (K, d) are variances, ``roots`` (K, d) standard deviations."""

    log_weights: FloatArray
    means: FloatArray
    covariances: FloatArray
    roots: FloatArray
    exponent: float


PreparedUncertain: TypeAlias = UncertainMatrices | UncertainVariances


@dataclass(frozen=True, eq=False)
class Model:
    """Parameters, and what was computed from them once: roots of their precisions, and the form that kernels read.

    ``precisions_cholesky`` is U with Σ⁻¹ = UUᵀ, or 1/σ (or what else the family has in its place), in float64 whatever
    the data's dtype. ``prepared`` gives joint
    densities raised to ``exponent``, which is 1 but while a fit is annealed, or assigns rows to one component each.
    """

    parameters: Parameters
    precisions_cholesky: FloatArray
    prepared: Any
    exponent: float = 1.0
