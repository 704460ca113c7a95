#!/usr/bin/env bash
# The kernels' tests with the JIT off: the same kernels as plain Python.
source "$(dirname "$0")/common.sh"
fresh_environment readme
python -m pip install --quiet '.[test]'
NUMBA_DISABLE_JIT=1 python -m pytest tests/kernels
