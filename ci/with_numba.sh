#!/usr/bin/env bash
# The suite with Numba doing all the work that `auto` would give to C. Tests that go through all backends themselves ran
# with the README's commands.
source "$(dirname "$0")/common.sh"
copy_of_the_sources "$work/with-numba-sources"
fresh_environment with-numba
python -m pip install --quiet -e '.[test]'
export FASTGMM_BACKEND=numba
must_choose numba
python -m pytest -m 'not slow' "${without_files[@]}" --ignore tests/kernels --ignore tests/test_backends_agree.py \
    --ignore tests/test_processes.py --ignore tests/test_threads_and_models.py
