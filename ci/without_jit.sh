#!/usr/bin/env bash
# The kernels' tests with the JIT off: the same Numba kernels as plain Python. Those of C and NumPy know no JIT.
source "$(dirname "$0")/common.sh"
environment_of_developers
NUMBA_DISABLE_JIT=1 python -m pytest tests/kernels -k 'not c- and not test_c_ and not numpy-'
