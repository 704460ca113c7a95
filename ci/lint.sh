#!/usr/bin/env bash
# Style, types, and the wheel: what it must hold is inside.
source "$(dirname "$0")/common.sh"
environment_of_developers
ruff check .
ruff format --check .
mypy
python -m pip wheel --quiet --no-deps --wheel-dir "$work/wheels" .
python -m zipfile --list "$work"/wheels/fastgmm-*.whl >"$work/wheel-contents"
for member in fastgmm/py.typed fastgmm/data/old_faithful.csv 'fastgmm/kernels/c/_kernels\.\(abi3\.so\|pyd\)'; do
    grep -q "$member" "$work/wheel-contents" || { echo "$member is missing from the wheel"; exit 1; }
done
