#!/usr/bin/env bash
# The README's own commands in a fresh virtual environment.
source "$(dirname "$0")/common.sh"
fresh_environment readme
touch "$work/readme/begun"
trap 'rm -f "$work/readme/begun"' EXIT
# `|| exit 1`, because a failure on the left of && does not end a script.
python -m pip install . && fastgmm demo --picture "$work/fastgmm-demo.png" || exit 1
python -m pip install -e '.[test]' && touch "$work/readme/complete" && python -m pytest -n auto --dist loadfile -m 'not slow' || exit 1
