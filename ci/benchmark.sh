#!/usr/bin/env bash
# The regression gate: a short set of figures beside the committed baseline of this model of CPU. Two minutes.
source "$(dirname "$0")/common.sh"
fresh_environment readme
python -m pip install --quiet -e '.[test]'
python -m bench.gate "$@"
