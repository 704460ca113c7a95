"""Tests of fastgmm, in the order of the package; ``naive.py`` is the oracle, ``problems.py`` what there is to solve."""
