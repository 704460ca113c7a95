#!/usr/bin/env bash
# The tests that the README's command leaves out.
source "$(dirname "$0")/common.sh"
environment_of_the_readme
python -m pytest -n auto --dist loadfile -m slow
