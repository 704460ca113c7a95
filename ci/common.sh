# Sourced by the scripts beside it: a fresh virtual environment, and caches of this run alone.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
root="$PWD"
work="${CI_WORK:-$(mktemp -d)}"
export CI_WORK="$work"
export NUMBA_CACHE_DIR="$work/numba-cache"
# A C extension that does not build is an error here, whatever an installation would make of it.
export FASTGMM_REQUIRE_C=1

fresh_environment() { # name
    if [ ! -x "$work/$1/bin/python" ]; then
        "${PYTHON:-python3}" -m venv "$work/$1"
        "$work/$1/bin/python" -m pip install --quiet --upgrade pip
    fi
    export PATH="$work/$1/bin:$PATH"
}

copy_of_the_sources() { # folder: without anything that was built, or is being built beside this
    mkdir -p "$1"
    git ls-files -z --cached --others --exclude-standard >"$work/sources"
    git ls-files --deleted >"$work/deleted"
    grep -z -v -x -F -f "$work/deleted" "$work/sources" | tar --null --files-from=- -c | tar -x -C "$1"
    cd "$1"
}

# The README's commands run all tests. Elsewhere those are left out that go through all backends by themselves or touch
# none, and of the second kind all but C alone leave out what may depend on what else is installed.
other_environment=() other_backend=()
for name in kernels/test_{panels,groups,c_fuzz,c_instruction_sets,c_process,contract,elementary,huge,log_density,sweep} \
    kernels/test_{incomplete,incomplete_backends,c_incomplete,c_refusals} kernels/test_{chains,linear,uncertain,c_uncertain,c_factor} \
    laws/test_{any_input,any_incomplete_input,em_laws,fits,incomplete_fits} files/test_{archive,damaged_files,hostile_files} fit/test_partitions machine/test_whole_file test_moments \
    promises/test_{accuracy,own_family,backends_agree,falls,invariance,out_of_memory,process_state,processes,same_bits,soak} \
    promises/test_{incomplete,incomplete_accuracy,threads_and_models,fourteen_models,noise,errors_of_rows,factor_analyzers,own_discrete_family} data/test_origin sweeps/test_{bounded,in_memory} model/test_{joint,incomplete_scores} \
    estimator/test_{moments,partial_fit} fit/test_{checkpoint,stepwise} sweeps/test_{on_dask,on_spark,placement}; do
    other_environment+=(--ignore "tests/$name.py")
done
for name in cli data files machine show promises/test_{imports,options,pages,public,readme,security,service,signals}.py \
    estimator/test_{interchange,metadata_routing,pickles,sklearn_mistakes,discrete,discrete_selecting,errors_of_rows,hidden_markov}.py sweeps/test_over_blocks.py; do
    other_backend+=(--ignore "tests/$name")
done
for ignored in "${other_environment[@]}" "${other_backend[@]}"; do
    [ "$ignored" = --ignore ] || [ -e "$ignored" ] || { echo "there is no $ignored"; exit 1; }
done

environment_of_the_readme() { # this checkout, installed once: others may run what is built here
    fresh_environment readme
    # Where the README's own commands run beside this they are about to install it.
    while [ -e "$work/readme/begun" ] && [ ! -e "$work/readme/complete" ]; do sleep 1; done
    [ -e "$work/readme/complete" ] || python -m pip install --quiet -e '.[test]'
    touch "$work/readme/complete"
}

must_be_missing() { # modules
    for module in "$@"; do
        if python -c "import $module" 2>/dev/null; then echo "$module is installed here"; exit 1; fi
    done
}

must_choose() { # backend
    python -c "from fastgmm.kernels import get_backend; print(get_backend().name)" | grep -qx "$1"
}
