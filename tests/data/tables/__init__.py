"""Tests of points out of files and results into files."""
