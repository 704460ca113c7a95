#!/usr/bin/env bash
# Style, types, and the wheel: what it must hold is inside.
source "$(dirname "$0")/common.sh"
environment_of_the_readme
python -m pip install --quiet 'mypy>=1.13' 'ruff>=0.9' # of the extra dev, which would build this checkout anew
ruff check .
ruff format --check .
mypy
copy_of_the_sources "$work/wheel-sources"
python -m pip wheel --quiet --no-deps --wheel-dir "$work/wheels" .
python -m zipfile --list "$work"/wheels/fastgmm-*.whl >"$work/wheel-contents"
for member in fastgmm/py.typed fastgmm/data/old_faithful.csv 'fastgmm/kernels/c/_kernels\.\(abi3\.so\|pyd\)'; do
    grep -q "$member" "$work/wheel-contents" || { echo "$member is missing from the wheel"; exit 1; }
done
