"""What passes between the library and a backend where rows have known errors: x = v + e, v of the mixture, e ~ N(0, S).

For a row and a component, with O the features that are observed, δ = x − μ, Σ = RRᵀ the component's covariance, and A
the exponent of ``Model``, 1 as a rule:

    L Lᵀ = T = (Σ + S)_OO,  y = L⁻¹δ_O,  joint log-density = A·(log w − ½(|O| log 2π + 2 Σ log L_jj + yᵀy)) + log-prior
    V = L⁻¹R_O,  E[v | x] = μ + R·Vᵀy,  Cov[v | x] = R(I − VᵀV)Rᵀ

Kernels collect moments in units of the component, of b = Vᵀy and bbᵀ − VᵀV, from which those of v follow by products
with R for all rows at once. So digits are lost by the condition of T alone: where errors vanish V is I but for
rounding, in all directions alike, and the M-step, which adds I to the mean of these, stays within the cone [1]_.
Missing features have no part in L, y and V, as though their error were infinite.

A row's numbers depend on the row and the parameters alone, to the last bit, whatever stands next to it. All arithmetic
is in float64, whatever the dtype of rows and errors.

References
----------
.. [1] J. Bovy, D. W. Hogg and S. T. Roweis, "Extreme deconvolution: inferring complete distribution functions from
   noisy, heterogeneous and incomplete observations", Annals of Applied Statistics 5 (2011). Their EM is this one, with
   b and B = R(I − VᵀV)Rᵀ.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from fastgmm.kernels.contract import Outputs, Section
from fastgmm.kernels.incomplete import Order
from fastgmm.parameters import FloatArray, PreparedUncertain
from fastgmm.rows import Rows


class UncertainSlots(NamedTuple):
    """One slot for each chunk, as ``contract.Slots``; of matrices kernels fill the lower triangles.

    ``counts`` (n_chunks, K) = Σwr, ``first`` (n_chunks, K, d) = Σwr·b, ``second`` = Σwr(bbᵀ − VᵀV), of shape
    (n_chunks, K, d, d); summed over components that share a covariance (n_chunks, 1, d, d), or of variances the
    diagonals (n_chunks, K, d).
    ``totals`` (n_chunks, 2) are Σw and Σw·log Σₖ exp(joint).
    """

    counts: FloatArray
    first: FloatArray
    second: FloatArray
    totals: FloatArray


@dataclass(frozen=True)
class UncertainKernels:
    """Those of a backend, for rows with ``errors``; variances alone where the parameters are variances.

    Where there is an ``order``, a sweep visits the rows that it names, each once.
    """

    sweep: Callable[[Rows, PreparedUncertain, Order | None, Section, UncertainSlots, int], None]
    log_density: Callable[[Rows, PreparedUncertain, Section, Outputs, int], None]
