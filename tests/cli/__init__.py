"""Tests of ``fastgmm/cli/``."""
