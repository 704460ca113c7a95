"""Tests of ``fastgmm/machine/``."""
