"""Benchmarks: ``python -m bench`` measures everyone, ``pytest bench`` parts, ``ci/benchmark.sh`` is a gate.

What ``python -m bench`` finds is the table of ``docs/benchmarks.md``.

``problems.py`` names the shapes, ``rivals/`` holds everyone who fits them, ``timing.py`` times one iteration,
``agreement.py`` judges the outcome, ``yardstick.py`` measures what the machine can do in the same run. Not part of the
package.
"""
