#!/usr/bin/env bash
# The suite with Numba doing all the work that `auto` would give to C.
source "$(dirname "$0")/common.sh"
fresh_environment readme
python -m pip install --quiet -e '.[test]'
export FASTGMM_BACKEND=numba
must_choose numba
python -m pytest
