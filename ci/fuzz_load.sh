#!/usr/bin/env bash
# Two minutes of a coverage-guided fuzzer on `fastgmm.load`: it refuses with ModelFormatError, or returns a model that
# scores. An input that it found is left in the folder that is named at the end.
source "$(dirname "$0")/common.sh"
copy_of_the_sources "$work/fuzz-sources"
fresh_environment fuzz
version="$(python -c 'import platform, sys; print(platform.system(), *sys.version_info[:2])')"
case "$version" in
"Linux 3 11" | "Linux 3 12" | "Linux 3 13") ;;
*) echo "skipped: there is no atheris for $version"; exit 0 ;;
esac
python -m pip install --quiet numpy scipy atheris
python -m pip install --quiet --no-deps -e .
export FASTGMM_BACKEND=c
must_choose c
mkdir -p "$work/fuzz-corpus" "$work/fuzz-temporary"
found="$(mktemp -d -t fastgmm-fuzz.XXXXXX)"
TMPDIR="$work/fuzz-temporary" python -m tests.fuzz_load "$work/fuzz-corpus" "-artifact_prefix=$found/" \
    "-max_total_time=${FUZZ_SECONDS:-30}" -max_len=16384 -timeout=10 -rss_limit_mb=512 -verbosity=0 -print_final_stats=1 ||
    { echo "found: $found"; exit 1; }
rmdir "$found"
