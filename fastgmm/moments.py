"""Sufficient statistics of one pass over the data: what the M-step needs, whatever the number of rows."""

from dataclasses import dataclass

from fastgmm.parameters import FloatArray


@dataclass(frozen=True, eq=False)
class Moments:
    """Moments of every component about the means it had when the rows were read, in float64.

    With w the weight of a row and r its responsibility:

    Attributes
    ----------
    counts : ndarray of shape (n_components,)
        N = Σ wr
    first : ndarray of shape (n_components, n_features)
        s = Σ wr(x − μ)
    second : ndarray
        S = Σ wr(x − μ)(x − μ)ᵀ in the shape of the family: full (K, d, d), of which only the lower triangles
        count; tied (d, d), summed over components;
        diag (K, d), the diagonals; spherical (K,), the traces.
    total_weight : float
        Σ w
    log_likelihood : float
        Σ w log p(x)

    Notes
    -----
    About the current means, and not about zero: with data at an offset of 1e8 standard deviations Σ xxᵀ keeps no
    digit of the covariance. Moments about the same means add up.
    """

    counts: FloatArray
    first: FloatArray
    second: FloatArray
    total_weight: float
    log_likelihood: float

    def __add__(self, other: "Moments") -> "Moments":
        return Moments(
            self.counts + other.counts,
            self.first + other.first,
            self.second + other.second,
            self.total_weight + other.total_weight,
            self.log_likelihood + other.log_likelihood,
        )
