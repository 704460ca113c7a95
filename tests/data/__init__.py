"""Tests of ``fastgmm/data/``."""
