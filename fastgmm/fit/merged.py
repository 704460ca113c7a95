"""Components that are the same one but for their weights, as flat densities make them.

Under a small exponent rows belong to all components alike, whose parameters then run into each other. Components that
are the same have responsibilities in a fixed proportion ever after, so that no step of EM tells them apart again.
"""

import numpy as np

from fastgmm.families import FAMILIES
from fastgmm.families.component import component_variances
from fastgmm.families.low_rank import growth, whitened_rows
from fastgmm.parameters import FloatArray, Parameters

# In deviations, and as a share of a variance. Of 224 fits of four clusters with annealing from 0.01 to 0.7, components
# that had merged were nearer than 0.09 to each other, most of them nearer than 1e-3; others were farther than 0.2.
_SAME_MEAN, _SAME_VARIANCE = 0.1, 0.2


def merged_components(parameters: Parameters, precisions_cholesky: FloatArray) -> tuple[tuple[int, ...], ...]:
    """Groups of components that are as the first of their group, in order; none where all are apart.

    Each is compared with one of each group alone, and of these with the few whose means are near.
    """
    means = parameters.means
    # ‖x‖ ≤ √d max|xⱼ|, and no feature is further away in its own deviations than the whole in those of the component.
    reach = _SAME_MEAN * np.sqrt(parameters.n_features) * np.sqrt(component_variances(parameters))
    firsts, groups = np.empty(0, np.intp), list[list[int]]()
    for k in range(parameters.n_components):
        are_near = (np.abs(means[firsts] - means[k]) <= reach[firsts]).all(axis=1)
        same = [g for g in np.flatnonzero(are_near) if _are_same(parameters, precisions_cholesky, k, int(firsts[g]))]
        if same:
            groups[same[0]].append(k)
        else:
            firsts, groups = np.append(firsts, k), [*groups, [k]]
    return tuple(tuple(group) for group in groups if len(group) > 1)


def _are_same(parameters: Parameters, precisions_cholesky: FloatArray, component: int, first: int) -> bool:
    """Whether a component is as another one where that is standard normal."""
    family, difference = FAMILIES[parameters.covariance_type], parameters.means[component] - parameters.means[first]
    if family.rank is not None:
        return _have_same_loadings(precisions_cholesky[[component]], precisions_cholesky[[first]], difference)
    root = precisions_cholesky if family.is_shared else precisions_cholesky[first]
    shift = difference @ root if family.has_matrices else difference * root
    if (np.abs(shift) > _SAME_MEAN).any():
        return False
    if family.is_shared:
        return True
    covariance, unit = parameters.covariances[component], np.eye(parameters.n_features)
    change = root.T @ covariance @ root - unit if family.has_matrices else covariance * root**2 - 1.0
    return bool((np.abs(change) <= _SAME_VARIANCE).all())


def _have_same_loadings(own: FloatArray, first: FloatArray, difference: FloatArray) -> bool:
    """The same of roots (1, d, rank + 1), by how much either covariance is larger than the other."""
    if (np.abs(whitened_rows(difference[np.newaxis], first[0])) > _SAME_MEAN).any():
        return False
    return bool(max(growth(own, first)[0], growth(first, own)[0]) <= 1.0 + _SAME_VARIANCE)
