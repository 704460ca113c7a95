#!/usr/bin/env bash
# Thousands of damages, kills, interruptions and fits at once: three minutes, for whoever has changed files, threads,
# signals or forks.
source "$(dirname "$0")/common.sh"
environment_of_the_readme
python -m pytest -n auto --dist loadfile -m soak
