"""Tests of ``fastgmm/sweeps/``."""
