#!/usr/bin/env bash
# Tests of Numba's kernels with the JIT off: the same kernels as plain Python, which a debugger and a tracer can enter.
source "$(dirname "$0")/common.sh"
environment_of_the_readme
NUMBA_DISABLE_JIT=1 python -m pytest -p no:cacheprovider tests/kernels/test_{sweep,log_density,groups,incomplete,elementary,panels}.py -k 'not c- and not test_c_ and not numpy-'
