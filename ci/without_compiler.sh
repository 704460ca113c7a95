#!/usr/bin/env bash
# The suite on NumPy alone: no Numba, and a C compiler that fails. The installation works and says what is missing.
source "$(dirname "$0")/common.sh"
copy_of_the_sources "$work/without-compiler-sources"
fresh_environment without-compiler
python -m pip install --quiet numpy scipy pytest pytest-benchmark hypothesis
FASTGMM_REQUIRE_C=0 CC=no-such-compiler python -m pip install --no-deps -e .
must_be_missing numba fastgmm.kernels.c._kernels
must_choose numpy
python -c "import fastgmm; fastgmm.show_backend()" | grep "backend c: its extension was not built: .*no-such-compiler"
# What a fit does with its sums is tested in the other environments.
python -m pytest -m 'not slow' "${other_environment[@]}" "${other_backend[@]}" tests/{families,model,sweeps,estimator,kernels}
fastgmm demo
