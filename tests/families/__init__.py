"""Tests of ``fastgmm/families/``."""
