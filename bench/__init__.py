"""Benchmarks: ``python -m bench`` prints the table of the README, ``pytest bench`` tracks regressions.

``problems.py`` names the shapes, ``yardstick.py`` measures what the machine can do in the same run, ``rivals.py`` runs
everyone from the same start. Not part of the package.
"""
