"""Experiments with kernels: each is checked against a reference, then timed in one run, and says what it taught.

``python -m bench.lab.tile_rows`` and so on. Nothing here is used by the package or by other benchmarks.
"""
