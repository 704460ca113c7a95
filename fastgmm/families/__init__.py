"""Covariance families: what distinguishes full, tied, diag and spherical, one file each, registered here.

A family turns parameters into what kernels read (*prepare*), moments into covariances (*maximize*), and knows the
shape of its covariances and how many free numbers they hold. Everything else in fastgmm is the same for all.
May be imported: ``FAMILIES``, ``CovarianceFamily``, and from ``check.py`` what tells whether arrays make a mixture.
"""

from fastgmm.families.diag import DIAG
from fastgmm.families.family import CovarianceFamily
from fastgmm.families.full import FULL
from fastgmm.families.spherical import SPHERICAL
from fastgmm.families.tied import TIED

FAMILIES: dict[str, CovarianceFamily] = {family.name: family for family in (FULL, TIED, DIAG, SPHERICAL)}

__all__ = ["FAMILIES", "CovarianceFamily"]
