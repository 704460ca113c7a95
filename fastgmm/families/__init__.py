"""Covariance families: what distinguishes full, tied, diag and spherical, one file each, registered here.

Families whose components share volume, shape or axes, mclust's fourteen, are these four with another end of the M-step.
``noise.py`` is the component that is none.

A family turns parameters into what kernels read (*prepare*), moments into covariances (*maximize*), and knows the
shape of its covariances and how many free numbers they hold. Everything else in fastgmm is the same for all.
May be imported: ``FAMILIES``, ``CovarianceFamily``, the names of some families, ``FOUR``, ``FOURTEEN`` and
``TWO_OF_ONE_FEATURE``, and from ``check.py`` what tells whether arrays make a mixture.
"""

from fastgmm.families.diag import DIAG
from fastgmm.families.family import CovarianceFamily
from fastgmm.families.full import FULL
from fastgmm.families.shapes import SHAPES, SHAPES_OF_ONE_FEATURE
from fastgmm.families.spherical import SPHERICAL
from fastgmm.families.tied import TIED

FAMILIES: dict[str, CovarianceFamily] = {
    family.name: family for family in (FULL, TIED, DIAG, SPHERICAL, *SHAPES, *SHAPES_OF_ONE_FEATURE)
}

# Those with a kernel of their own, and mclust's: of several features, and of one.
FOUR = (FULL.name, TIED.name, DIAG.name, SPHERICAL.name)
FOURTEEN = tuple(family.name for family in SHAPES)
TWO_OF_ONE_FEATURE = tuple(family.name for family in SHAPES_OF_ONE_FEATURE)

__all__ = ["FAMILIES", "FOUR", "FOURTEEN", "TWO_OF_ONE_FEATURE", "CovarianceFamily"]
