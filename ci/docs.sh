#!/usr/bin/env bash
# The site of the pages: a warning is an error, and every script of the gallery runs. Where it lies is said at the end.
source "$(dirname "$0")/common.sh"
environment_of_the_readme
# Of the extra docs, which would build this checkout anew, what is not fastgmm.
python - >"$work/docs-requirements" <<'PYTHON'
import tomllib

with open("pyproject.toml", "rb") as file:
    extras = tomllib.load(file)["project"]["optional-dependencies"]
print(*(each for each in extras["docs"] if not each.startswith("fastgmm")), sep="\n")
PYTHON
python -m pip install --quiet -r "$work/docs-requirements"
site="${SITE:-$work/site}"
MPLBACKEND=agg sphinx-build -q -W --keep-going docs "$site"
[ -s "$site/reference.html" ] && [ -s "$site/auto_gallery/plot_old_faithful.html" ]
echo "the site: $site/index.html"
