"""Tests of ``fastgmm/estimator/``."""
