# Sourced by the scripts beside it: a fresh virtual environment, and caches of this run alone.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
work="${CI_WORK:-$(mktemp -d)}"
export CI_WORK="$work"
export NUMBA_CACHE_DIR="$work/numba-cache"

fresh_environment() { # name
    if [ ! -x "$work/$1/bin/python" ]; then
        "${PYTHON:-python3}" -m venv "$work/$1"
        "$work/$1/bin/python" -m pip install --quiet --upgrade pip
    fi
    export PATH="$work/$1/bin:$PATH"
}
