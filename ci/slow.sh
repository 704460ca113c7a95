#!/usr/bin/env bash
# The tests that the README's command leaves out, but those that repeat for long what others do a few times.
source "$(dirname "$0")/common.sh"
environment_of_the_readme
python -m pytest -n auto --dist loadfile -m 'slow and not soak'
