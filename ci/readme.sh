#!/usr/bin/env bash
# The README's own two commands in a fresh virtual environment.
source "$(dirname "$0")/common.sh"
fresh_environment readme
python -m pip install . && fastgmm demo --picture "$work/fastgmm-demo.png"
python -m pip install '.[test]' && python -m pytest
