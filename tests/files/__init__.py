"""Tests of ``fastgmm/files/``."""
