#!/usr/bin/env bash
# The kernels' tests with the JIT off: the same Numba kernels as plain Python.
source "$(dirname "$0")/common.sh"
fresh_environment readme
python -m pip install --quiet -e '.[test]'
NUMBA_DISABLE_JIT=1 python -m pytest tests/kernels -k 'not c-'
