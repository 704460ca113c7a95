"""Tests of the kernels, every backend against the oracle."""
