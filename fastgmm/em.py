"""Where pickles of 0.1.0 find the steps of a fit."""

from fastgmm.fit.steps import Step

__all__ = ["Step"]
