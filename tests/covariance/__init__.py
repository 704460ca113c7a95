"""Tests of the covariance families."""
