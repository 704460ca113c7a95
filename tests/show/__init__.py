"""Tests of ``fastgmm/show/``."""
