"""Features of one number where some of its values are missing: refused as they are where none is.

Of complete rows the first M-step finds a variance of 0, which has no factor. Where components average over what is
missing, an M-step leaves of a variance the share of the rows that lack the feature: it falls for ever, and what is
fitted on the way is of no use.
"""

from dataclasses import replace

import numpy as np

from fastgmm.fit.degenerate import explanation_of
from fastgmm.fit.posterior import Constraints
from fastgmm.fit.update import NoModelError
from fastgmm.parameters import FloatArray, Parameters
from fastgmm.sweeps.sweep import Sweep


def require_variances(
    sweep: Sweep, start: Parameters, regularization: FloatArray, constraints: Constraints | None
) -> None:
    """Raise ``DegenerateComponentError`` where nothing keeps the variance of a constant feature from 0.

    ``regularization`` (d,) does, and so do a prior of covariances, and covariances that are fixed.
    """
    family, facts = sweep.family, sweep.facts
    if facts.has_errors_all_over:  # which leave something of every variance
        return
    if not (facts.rows.has_missing and family.has_matrices) or (regularization > 0).all():
        return
    for feature in facts.constant_features:
        is_kept = np.full(start.n_components, regularization[feature] > 0)
        if constraints is not None:
            is_kept |= constraints.kept_variances[:, feature]
        if not is_kept.all():
            covariances = start.covariances.copy()
            covariances[..., feature, :] = covariances[..., :, feature] = 0.0
            component = -1 if family.is_shared else int(np.argmin(is_kept))
            error = NoModelError(component, replace(start, covariances=covariances), None)
            raise explanation_of(sweep, error, "" if constraints is None else constraints.advice)
