#!/usr/bin/env bash
# The suite with Numba doing all the work that `auto` would give to C.
source "$(dirname "$0")/common.sh"
environment_of_developers
# Of the sources in place, since kernels are cached by path: what the README's command has compiled is not compiled anew.
cd "$root"
export PYTHONPATH="$root" FASTGMM_BACKEND=numba
must_choose numba
python -m pytest -p no:cacheprovider -m 'not slow' "${other_environment[@]}" "${other_backend[@]}"
