"""Tests of ``fastgmm/fit/``."""
