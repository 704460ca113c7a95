"""A whole fit has the same bits on any number of threads, every time, whatever else runs beside it."""

import hashlib
import os
import subprocess
import sys
import threading
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

import fastgmm
from fastgmm import GaussianMixture
from fastgmm.sweeps import bounded as bounds
from tests.conftest import BACKENDS
from tests.problems import assert_close
from tests.promises.test_backends_agree import ARRAYS, from_a_given_start

N_THREADS = (1, 2, 3, 7, 16, 64)
REPEATS = 10
# One chunk and more for each of 64 threads, and so many components so far apart that sweeps have bounds.
N_ROWS, N_COMPONENTS = 66 * 1024, 8
ON_THREADS = [name for name in ("c", "numba") if name in BACKENDS]


def clusters(n_rows, dtype="float64", seed=0):
    random = np.random.default_rng(seed)
    centers = 12.0 * np.array([divmod(k, 3) for k in range(N_COMPONENTS)])
    labels = random.integers(N_COMPONENTS, size=n_rows)
    return (centers[labels] + random.normal(size=(n_rows, 2))).astype(dtype), random.integers(0, 3, n_rows)


def digest(backend, data, n_threads, weighted=False, **options):
    """Of all that a fit has found; too few iterations to converge, so that every bit is still in motion."""
    X, weights = data
    model = GaussianMixture(
        N_COMPONENTS, backend=backend, n_threads=n_threads, random_state=0, tol=0.0, max_iter=6, **options
    )
    model.fit(X, sample_weight=weights if weighted else None)
    found = [getattr(model, name) for name in (*ARRAYS, "lower_bounds_")]
    return hashlib.sha256(b"".join(np.asarray(each).tobytes() for each in found)).hexdigest()


@contextmanager
def fits_beside():
    """Other fits, of either backend, one after the other until the block ends; at least one of each."""
    ended, errors, all_run = threading.Event(), [], threading.Barrier(len(ON_THREADS) + 1)

    def work(backend):
        try:
            data = clusters(4000, seed=1)
            expected, first = digest(backend, data, 2), True
            while not ended.wait(0.05):
                assert digest(backend, data, 3) == expected
                if first:
                    all_run.wait(500)
                    first = False
        except BaseException as error:
            errors.append(error)
            all_run.abort()

    threads = [threading.Thread(target=work, args=(name,)) for name in ON_THREADS]
    for thread in threads:
        thread.start()
    try:
        all_run.wait(500)
        yield
    finally:
        ended.set()
        for thread in threads:
            thread.join(500)
        assert not errors


FITS = {
    "full": {},
    "tied, accelerated": {"covariance_type": "tied", "accelerate": "squarem"},
    "diag, float32": {"covariance_type": "diag", "dtype": "float32"},
    "spherical, weighted": {"covariance_type": "spherical", "weighted": True},
}


@pytest.mark.slow
@pytest.mark.soak
@pytest.mark.filterwarnings("ignore:Best performing initialization did not converge")
@pytest.mark.parametrize("fit", FITS)
@pytest.mark.parametrize("backend", ON_THREADS)
def test_ten_fits_on_each_of_1_to_64_threads_beside_others_are_one_fit(backend, fit, monkeypatch):
    options = dict(FITS[fit])
    data = clusters(N_ROWS, options.pop("dtype", "float64"))
    bounded, first_bounds = [], bounds.first_bounds
    monkeypatch.setattr(bounds, "first_bounds", lambda *args: bounded.append(1) or first_bounds(*args))
    expected = digest(backend, data, 1, **options)
    assert bounded, "no sweep had bounds"
    with fits_beside():
        found = {digest(backend, data, n, **options) for n in N_THREADS for _ in range(REPEATS)}
    assert found == {expected}


def output_of(script, **environment):
    """Of a script in a process that imports the same fastgmm and these tests."""
    path = os.pathsep.join([str(Path(fastgmm.__file__).parents[1]), str(Path(__file__).parents[2])])
    environment = os.environ | {"PYTHONPATH": path} | environment
    command = [sys.executable, "-P", "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=600, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


ON_ALL_NUMBERS_OF_THREADS = """
from fastgmm.kernels import contract
contract._THREAD_WORK = 1.0
from tests.promises.test_same_bits import N_THREADS, clusters, digest
data = clusters(20_000)
found = {digest("numba", data, n) for n in N_THREADS for _ in range(2)}
import numba
print(numba.threading_layer(), numba.config.NUMBA_NUM_THREADS, *found)
"""


@pytest.mark.slow
@pytest.mark.skipif("numba" not in BACKENDS, reason="needs Numba")
@pytest.mark.parametrize(("layer", "most"), [("default", "1"), ("default", "64"), ("workqueue", "64")])
@pytest.mark.filterwarnings("ignore:Best performing initialization did not converge")
def test_numbas_own_number_of_threads_and_layer_change_no_bit(layer, most):
    """More threads may be asked for than Numba has: the same chunks are shared among fewer."""
    environment = {"NUMBA_NUM_THREADS": most, "NUMBA_THREADING_LAYER": layer}
    used_layer, n_threads, *found = output_of(ON_ALL_NUMBERS_OF_THREADS, **environment)
    assert used_layer == layer or layer == "default"
    assert n_threads == most
    assert found == [digest("numba", clusters(20_000), 2)]


SMALLER_MACHINE = {
    "NUMBA_CPU_NAME": "haswell",
    "NUMBA_CPU_FEATURES": "+avx,+avx2,+fma,+bmi,+bmi2,+popcnt,+sse4.2",
}
# A single chunk: one kernel to compile.
SMALL_FIT = "numba", "full", "float64", (400, 13, 3)
FIT_FOR_A_SMALLER_MACHINE = """
import os
import numpy as np
from fastgmm.kernels.numba_.lowering import VECTOR_BYTES
from tests.promises.test_same_bits import SMALL_FIT, arrays_of, from_a_given_start
assert VECTOR_BYTES == 32
np.savez(os.environ["FITTED"], **arrays_of(from_a_given_start(*SMALL_FIT)))
"""


def arrays_of(model):
    return {name: np.array(getattr(model, name)) for name in (*ARRAYS, "lower_bounds_")}


@pytest.mark.slow
@pytest.mark.skipif("numba" not in BACKENDS, reason="needs Numba")
@pytest.mark.skipif(os.environ.get("NUMBA_DISABLE_JIT") == "1", reason="nothing is compiled")
def test_numba_compiles_fifty_iterations_for_a_smaller_machine_to_the_same_model(tmp_path):
    """With the vectors of AVX2, here and on machines that have AVX-512."""
    import llvmlite.binding

    if not llvmlite.binding.get_host_cpu_features().get("avx2"):
        pytest.skip("needs AVX2")
    path = str(tmp_path / "fit.npz")
    output_of(FIT_FOR_A_SMALLER_MACHINE, FITTED=path, **SMALLER_MACHINE)
    expected = arrays_of(from_a_given_start(*SMALL_FIT))
    with np.load(path) as found:
        assert set(found) == set(expected)
        for name in found:
            assert_close(found[name], expected[name], 1e-10)
