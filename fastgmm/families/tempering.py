"""Joint densities raised to a power, in the form that kernels read."""

import math

from fastgmm.parameters import Prepared, PreparedFactor, PreparedSpherical, PreparedTied


def tempered(prepared: Prepared, exponent: float) -> Prepared:
    """(wₖ N(x | k))^β for every component k: β·cₖ − ½‖√β L⁻¹ₖ(x − μₖ)‖²."""
    constants = prepared.log_constants * exponent
    if isinstance(prepared, PreparedSpherical):
        return prepared._replace(log_constants=constants, precisions=prepared.precisions * exponent)
    if isinstance(prepared, PreparedFactor):  # whose factors z stay what they are
        return prepared._replace(log_constants=constants, halves=prepared.halves * exponent)
    root = math.sqrt(exponent)
    if isinstance(prepared, PreparedTied):
        return prepared._replace(
            log_constants=constants,
            inverse_cholesky=prepared.inverse_cholesky * root,
            whitened_means=prepared.whitened_means * root,
        )
    return type(prepared)(constants, prepared.means, prepared[2] * root)
