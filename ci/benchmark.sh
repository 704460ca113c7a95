#!/usr/bin/env bash
# The regression gate: a short set of figures beside the committed baseline of this model of CPU. Two minutes.
source "$(dirname "$0")/common.sh"
environment_of_the_readme
python -m bench.gate "$@"
