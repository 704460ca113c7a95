#!/usr/bin/env bash
# The suite with Numba doing all the work that `auto` would give to C.
source "$(dirname "$0")/common.sh"
# Kernels are cached by path: what the README's command has compiled is not compiled anew.
environment_of_the_readme
export FASTGMM_BACKEND=numba
must_choose numba
# Left out besides is what asks for its backends by name, and so runs the same everywhere.
python -m pytest -p no:cacheprovider -m 'not slow' "${other_environment[@]}" "${other_backend[@]}" \
    --ignore tests/kernels/test_cache.py --ignore tests/kernels/test_choice.py --ignore tests/estimator/test_doors.py \
    --ignore tests/estimator/test_front.py --ignore tests/promises/test_memory.py --ignore tests/show
