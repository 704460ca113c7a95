#!/usr/bin/env bash
# The suite with Numba doing all the work that `auto` would give to C.
source "$(dirname "$0")/common.sh"
environment_of_developers
export FASTGMM_BACKEND=numba
must_choose numba
python -m pytest -m 'not slow' "${other_environment[@]}" "${other_backend[@]}"
