#!/usr/bin/env bash
# The C kernels: warnings are errors, small frames, every compiler at hand, the code for machines without vectors, and
# the kernels' tests under AddressSanitizer and UBSan.
source "$(dirname "$0")/common.sh"
fresh_environment without-numba
python -m pip install --quiet numpy scipy pytest pytest-benchmark hypothesis 'setuptools>=77'
strict="-Wall -Wextra -Wconversion -Werror -Wframe-larger-than=16384"

build_and_test() { # name, flags, environment of the tests...
    (
        copy_of_the_sources "$work/c-kernels-$1"
        CFLAGS="$2" LDFLAGS="$2" python setup.py --quiet build_ext --inplace
        export "${@:3}"
        must_choose c
        python -m pytest tests/kernels -m 'not slow' -k "$tests"
    )
}

translate() { # source, more flags...
    $compiler -std=c11 -O3 -ffp-contract=fast $strict "${@:2}" -c "$1" -o /dev/null
}

for compiler in gcc clang; do
    command -v $compiler >/dev/null || continue
    echo "--- $compiler"
    for source in fastgmm/kernels/c/float*.c fastgmm/kernels/c/dispatch.c; do
        translate "$source"
    done
    # Without vectors the other instances are the same code.
    for source in fastgmm/kernels/c/float*_baseline.c; do
        translate "$source" -DFASTGMM_NO_VECTORS
    done
    headers="$(python -c "import sysconfig; print(sysconfig.get_path('include'))")"
    for source in fastgmm/kernels/c/*module.c; do
        translate "$source" -isystem "$headers"
    done
done
echo "--- without vectors"
tests='c- or test_c_incomplete' # what is refused, and by whom, is the same without vectors
build_and_test scalar "-DFASTGMM_NO_VECTORS" FASTGMM_BACKEND=c
echo "--- AddressSanitizer and UBSan"
tests='c- or test_c'
# The two that are left out would double the time of compilation: what they find AddressSanitizer mostly finds as well.
sanitizers="-fsanitize=address,undefined -fno-sanitize=null,pointer-overflow -fno-sanitize-recover=all -g"
build_and_test sanitized "$sanitizers" FASTGMM_BACKEND=c LD_PRELOAD="$(gcc -print-file-name=libasan.so)" \
    ASAN_OPTIONS=detect_leaks=0:allocator_may_return_null=1:max_allocation_size_mb=4096 PYTHONMALLOC=malloc
