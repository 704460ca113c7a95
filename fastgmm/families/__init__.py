"""Covariance families: what distinguishes full, tied, diag and spherical, one file each, registered here.

Families whose components share volume, shape or axes, mclust's fourteen, are these four with another end of the M-step.
Factor analyzers are a family for every rank (``factor_analyzers.py``), which ``FAMILIES`` makes when it is asked for.
``noise.py`` is the component that is none.

A family turns parameters into what kernels read (*prepare*), moments into covariances (*maximize*), and knows the
shape of its covariances and how many free numbers they hold. Everything else in fastgmm is the same for all.
May be imported: ``FAMILIES``, ``CovarianceFamily``, the names of some families, ``FOUR``, ``FOURTEEN`` and
``TWO_OF_ONE_FEATURE``, ``name_of`` and ``options_of_name``, and from ``check.py`` what tells whether arrays make a
mixture.
"""

from fastgmm.families.diag import DIAG
from fastgmm.families.factor_analyzers import NAMES as OF_A_RANK
from fastgmm.families.factor_analyzers import family_named, family_of_rank
from fastgmm.families.family import CovarianceFamily
from fastgmm.families.full import FULL
from fastgmm.families.shapes import SHAPES, SHAPES_OF_ONE_FEATURE
from fastgmm.families.spherical import SPHERICAL
from fastgmm.families.tied import TIED


class Families(dict[str, CovarianceFamily]):
    """Families by name, those of any rank among them, ``"factor(3)"``; of ``"factor"`` alone that of one factor."""

    def __missing__(self, name: str) -> CovarianceFamily:
        family = family_named(name)
        if family is None:
            raise KeyError(name)
        return family

    def __contains__(self, name: object) -> bool:
        return super().__contains__(name) or family_named(name) is not None


FAMILIES: dict[str, CovarianceFamily] = Families(
    {family.name: family for family in (FULL, TIED, DIAG, SPHERICAL, *SHAPES, *SHAPES_OF_ONE_FEATURE)}
    | {name: family_of_rank(name, 1) for name in OF_A_RANK}
)

# Those with a kernel of their own, and mclust's: of several features, and of one.
FOUR = (FULL.name, TIED.name, DIAG.name, SPHERICAL.name)
FOURTEEN = tuple(family.name for family in SHAPES)
TWO_OF_ONE_FEATURE = tuple(family.name for family in SHAPES_OF_ONE_FEATURE)


def name_of(covariance_type: str, rank: int) -> str:
    """That of a family: of factor analyzers with their rank, ``"factor(3)"``; any other is its own."""
    return f"{covariance_type}({rank})" if covariance_type in OF_A_RANK else covariance_type


def options_of_name(name: str) -> dict[str, str | int]:
    """``covariance_type`` of a family's name, and ``rank`` where it has one: the inverse of ``name_of``."""
    covariance_type, _, rank = name.partition("(")
    if covariance_type not in OF_A_RANK or not rank:
        return {"covariance_type": name}
    return {"covariance_type": covariance_type, "rank": int(rank.removesuffix(")"))}


__all__ = [
    "FAMILIES",
    "FOUR",
    "FOURTEEN",
    "OF_A_RANK",
    "TWO_OF_ONE_FEATURE",
    "CovarianceFamily",
    "name_of",
    "options_of_name",
]
