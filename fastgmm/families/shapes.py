"""Mixtures whose components share volume, shape or axes: the fourteen models of mclust, each a family.

A covariance is Σₖ = λₖDₖAₖDₖᵀ: the volume λₖ = |Σₖ|^(1/d), the shape Aₖ, diagonal and of determinant 1, and the axes Dₖ
[1]_, [2]_. A model's name says of each, in this order, whether it is equal (E) in all components, varies (V), or is the
unit matrix (I): ``"VEV"`` has one shape, turned and blown up as each component likes. Four of them have been here by
another name: VVV is ``"full"``, EEE ``"tied"``, VVI ``"diag"`` and VII ``"spherical"``.

The other ten borrow the kernel of the smallest of these four that holds them, and its M-step. What that finds, Sₖ from
the counts nₖ, they then constrain: to those covariances that minimize Σₖ nₖ(log|Σₖ| + tr(Σₖ⁻¹Sₖ)), which is all that
the expected log-likelihood knows of them. So regularization and a prior, which enlarge Sₖ before, leave the constraint
as it is. Given axes it is a matter of variances (``spectra.py``): along the features; along the components' own axes,
those of Sₖ, in the order of their variances; or along common ones (``axes.py``). VEE and EVV stand for themselves.

References
----------
.. [1] G. Celeux and G. Govaert, "Gaussian parsimonious clustering models", Pattern Recognition 28 (1995).
.. [2] L. Scrucca, C. Fraley, T. B. Murphy and A. E. Raftery, "Model-Based Clustering, Classification, and Density
   Estimation Using mclust in R" (2023), chapter 2.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np

from fastgmm.families.axes import common_axes
from fastgmm.families.diag import DIAG
from fastgmm.families.factors import symmetric_from_lower, times_transpose
from fastgmm.families.family import Constrain, CovarianceFamily
from fastgmm.families.full import FULL
from fastgmm.families.spectra import MOST_ITERATIONS, SETTLED, SPECTRA, volumes_of
from fastgmm.families.spherical import SPHERICAL
from fastgmm.families.tied import TIED
from fastgmm.parameters import FloatArray


def n_covariance_parameters(model: str, n_components: int, n_features: int) -> int:
    """The free numbers of volumes, of shapes and of axes, each those of one component, of all, or none."""
    volume, shape, axes = ({"E": 1, "V": n_components, "I": 0}[letter] for letter in model)
    return volume + shape * (n_features - 1) + axes * n_features * (n_features - 1) // 2


def _of_round_ones(variances: FloatArray, counts: FloatArray, before: FloatArray | None) -> FloatArray:
    """EII: λ = Σₖ nₖsₖ/n."""
    return np.full(variances.shape, counts @ variances / counts.sum())


def _along_features(model: str, variances: FloatArray, counts: FloatArray, before: FloatArray | None) -> FloatArray:
    """EEI, VEI and EVI."""
    return SPECTRA[model[:2]](variances, counts, None if before is None else volumes_of(before))


def _along_own_axes(model: str, covariances: FloatArray, counts: FloatArray, before: FloatArray | None) -> FloatArray:
    """EEV and VEV: Sₖ = DₖΩₖDₖᵀ, of which Dₖ is kept and the variances Ωₖ, in ascending order, are constrained."""
    variances, axes = np.linalg.eigh(covariances)
    return _with_axes(axes, SPECTRA[model[:2]](variances, counts, None if before is None else _volumes(before)))


def _along_common_axes(
    model: str, covariances: FloatArray, counts: FloatArray, before: FloatArray | None
) -> FloatArray:
    """EVE and VVE, from the axes before."""
    spectrum = SPECTRA[model[:2]]
    if not (np.diagonal(covariances, axis1=1, axis2=2) > 0).all():
        return covariances
    return _with_axes(*common_axes(covariances, counts, spectrum, before))


def _of_one_form(covariances: FloatArray, counts: FloatArray, before: FloatArray | None) -> FloatArray:
    """VEE, Σₖ = λₖC: in turn C = Σₖ nₖSₖ/(nλₖ) and λₖ = tr(C⁻¹Sₖ)/d, either of which is the best for the other.

    It remains Σₖ nₖ(log λₖ + log|C|/d), which has a single minimum: it is convex along the geodesics of matrices.
    """
    n_features, total = covariances.shape[-1], counts.sum()
    scales = np.trace(covariances, axis1=1, axis2=2) / n_features if before is None else _volumes(before)
    if not (scales > 0).all():
        return covariances
    least, form = np.inf, covariances[0]
    for _ in range(MOST_ITERATIONS):
        form = np.tensordot(counts / (total * scales), covariances, 1)
        scales = np.einsum("ij,kij->k", np.linalg.inv(form), covariances) / n_features
        reached = counts @ np.log(scales) / total + np.linalg.slogdet(form)[1] / n_features
        if not reached < least - SETTLED:
            break
        least = reached
    found: FloatArray = scales[:, np.newaxis, np.newaxis] * form
    return found


def _of_one_volume(covariances: FloatArray, counts: FloatArray, before: FloatArray | None) -> FloatArray:
    """EVV: λ = Σₖ nₖ|Sₖ|^(1/d)/n, the volume that all of them get."""
    own = _volumes(covariances)
    found: FloatArray = covariances * (counts @ own / counts.sum() / own)[:, np.newaxis, np.newaxis]
    return found


def _volumes(covariances: FloatArray) -> FloatArray:
    """λ (K,) of matrices (K, d, d); 0 of one that is singular."""
    signs, logarithms = np.linalg.slogdet(covariances)
    volumes: FloatArray = np.where(signs > 0, np.exp(logarithms / covariances.shape[-1]), 0.0)
    return volumes


def _with_axes(axes: FloatArray, variances: FloatArray) -> FloatArray:
    """DₖvₖDₖᵀ (K, d, d), symmetric to the last bit, of axes (d, d) or (K, d, d) and variances (K, d)."""
    return symmetric_from_lower(times_transpose(axes * np.sqrt(variances)[:, np.newaxis, :]))


def _if_sound(constrain: Constrain) -> Constrain:
    """What is not finite stays as it is, for who factors it to say of which component it is."""

    @np.errstate(all="ignore")  # what comes of singular covariances is refused as well
    def of_sound(covariances: FloatArray, counts: FloatArray, before: FloatArray | None) -> FloatArray:
        try:
            return constrain(covariances, counts, before) if np.isfinite(covariances).all() else covariances
        except np.linalg.LinAlgError:
            return covariances

    return of_sound


def _constrained(
    model: str, like: CovarianceFamily, constrain: Constrain, is_closed_under_scaling: bool
) -> CovarianceFamily:
    """A family with the kernel of another one; extrapolated covariances are constrained as though of equal counts."""
    sound, coordinates = _if_sound(constrain), like.coordinates

    def covariances_of(position: FloatArray, reference: FloatArray, n_features: int) -> FloatArray:
        return sound(coordinates.covariances(position, reference, n_features), np.ones(len(reference)), reference)

    return replace(
        like,
        name=model,
        n_covariance_parameters=partial(n_covariance_parameters, model),
        constrain=sound,
        coordinates=replace(coordinates, covariances=covariances_of),
        is_closed_under_scaling=is_closed_under_scaling,
    )


def _by(function: Callable[..., FloatArray], model: str) -> Constrain:
    return partial(function, model)


_EII = _constrained("EII", SPHERICAL, _of_round_ones, is_closed_under_scaling=False)

SHAPES: tuple[CovarianceFamily, ...] = (
    _EII,
    replace(SPHERICAL, name="VII"),
    _constrained("EEI", DIAG, _by(_along_features, "EEI"), is_closed_under_scaling=True),
    _constrained("VEI", DIAG, _by(_along_features, "VEI"), is_closed_under_scaling=True),
    _constrained("EVI", DIAG, _by(_along_features, "EVI"), is_closed_under_scaling=True),
    replace(DIAG, name="VVI"),
    replace(TIED, name="EEE"),
    _constrained("VEE", FULL, _of_one_form, is_closed_under_scaling=True),
    _constrained("EVE", FULL, _by(_along_common_axes, "EVE"), is_closed_under_scaling=False),
    _constrained("VVE", FULL, _by(_along_common_axes, "VVE"), is_closed_under_scaling=False),
    _constrained("EEV", FULL, _by(_along_own_axes, "EEV"), is_closed_under_scaling=False),
    _constrained("VEV", FULL, _by(_along_own_axes, "VEV"), is_closed_under_scaling=False),
    _constrained("EVV", FULL, _of_one_volume, is_closed_under_scaling=True),
    replace(FULL, name="VVV"),
)

# Of a single feature there is neither shape nor axis: these two are all, by the names that mclust has for them.
SHAPES_OF_ONE_FEATURE: tuple[CovarianceFamily, ...] = (
    replace(_EII, name="E", is_of_one_feature=True),
    replace(SPHERICAL, name="V", is_of_one_feature=True),
)
