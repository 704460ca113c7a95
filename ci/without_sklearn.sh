#!/usr/bin/env bash
# The suite where scikit-learn, pandas, matplotlib, tqdm and pyarrow are not installed.
source "$(dirname "$0")/common.sh"
fresh_environment without-sklearn
python -m pip install --quiet '.[test-core]'
if python -c "import sklearn" 2>/dev/null; then echo "scikit-learn is installed here"; exit 1; fi
python -m pytest
