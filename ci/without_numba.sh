#!/usr/bin/env bash
# The suite on C alone, as the README installs it where Numba cannot be: numpy and scipy are all there is.
source "$(dirname "$0")/common.sh"
copy_of_the_sources "$work/without-numba-sources"
fresh_environment without-numba
python -m pip install --quiet numpy scipy pytest pytest-benchmark hypothesis
python -m pip install --no-deps -e .
must_be_missing numba sklearn pandas matplotlib tqdm pyarrow
must_choose c
# The README's command runs what has a backend as its parameter on C as well.
python -m pytest -m 'not slow' "${other_environment[@]}" --ignore tests/kernels --ignore tests/families --ignore tests/laws \
    --ignore tests/model --ignore tests/sweeps
fastgmm demo
