"""Benchmarks: ``python -m bench`` measures the README's table, ``pytest bench`` parts, ``ci/benchmark.sh`` is a gate.

``problems.py`` names the shapes, ``rivals/`` holds everyone who fits them, ``timing.py`` times one iteration,
``agreement.py`` judges the outcome, ``yardstick.py`` measures what the machine can do in the same run. Not part of the
package.
"""
