#!/usr/bin/env bash
# The suite on C alone, as the README installs it where Numba cannot be: numpy and scipy are all there is.
source "$(dirname "$0")/common.sh"
copy_of_the_sources "$work/without-numba-sources"
fresh_environment without-numba
python -m pip install --quiet numpy scipy pytest pytest-benchmark hypothesis
python -m pip install --no-deps -e .
must_be_missing numba sklearn pandas matplotlib tqdm pyarrow
must_choose c
python -m pytest -m 'not slow' "${other_environment[@]}"
fastgmm demo
