"""Tests of ``fastgmm.selection``."""
