#!/usr/bin/env bash
# The tests that the README's command leaves out.
source "$(dirname "$0")/common.sh"
fresh_environment readme
python -m pip install --quiet -e '.[test]'
python -m pytest -n auto --dist loadfile -m slow
