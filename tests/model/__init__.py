"""Tests of ``fastgmm/model/``."""
