"""Covariance families: what distinguishes full, tied, diag and spherical, one file each, registered here.

Families whose components share volume, shape or axes, mclust's fourteen, are these four with another end of the M-step.

A family turns parameters into what kernels read (*prepare*), moments into covariances (*maximize*), and knows the
shape of its covariances and how many free numbers they hold. Everything else in fastgmm is the same for all.
May be imported: ``FAMILIES``, ``FOUR`` and ``FOURTEEN``, the names of these,
``CovarianceFamily``, and from ``check.py`` what tells whether arrays make a mixture.
"""

from fastgmm.families.diag import DIAG
from fastgmm.families.family import CovarianceFamily
from fastgmm.families.full import FULL
from fastgmm.families.shapes import SHAPES
from fastgmm.families.spherical import SPHERICAL
from fastgmm.families.tied import TIED

FAMILIES: dict[str, CovarianceFamily] = {family.name: family for family in (FULL, TIED, DIAG, SPHERICAL, *SHAPES)}

# Those with a kernel of their own, and mclust's.
FOUR = (FULL.name, TIED.name, DIAG.name, SPHERICAL.name)
FOURTEEN = tuple(family.name for family in SHAPES)

__all__ = ["FAMILIES", "FOUR", "FOURTEEN", "CovarianceFamily"]
