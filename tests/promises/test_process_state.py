"""What fastgmm does to the process that imports it: nothing that outlasts a call, and nothing on its screen.

Every test is a script in a process of its own, which takes stock of all there is, goes through everything that fastgmm
can do or refuse, and takes stock again. Threads that C's kernels and Numba keep for the next fit are all that stays.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import fastgmm
from tests.conftest import BACKENDS

pytestmark = pytest.mark.skipif(os.name != "posix", reason="POSIX's process state")
by_backend = pytest.mark.parametrize("backend", BACKENDS)

STOCK = """
import gc, locale, logging, os, random, resource, signal, sys, threading, time, warnings
from pathlib import Path
import numpy as np
import scipy.linalg

try:
    import threadpoolctl
except ImportError:
    threadpoolctl = None
BACKEND, FOLDER = sys.argv[1:]
warnings.filterwarnings("ignore", "Best performing initialization did not converge")


def umask():
    mask = os.umask(0)
    os.umask(mask)
    return mask


def stock():
    "What a library could change, by name."
    numpy_random = np.random.get_state()
    return {
        "environment": dict(os.environ),
        "working directory": os.getcwd(),
        "umask": umask(),
        "locale": locale.setlocale(locale.LC_ALL),
        "signal handlers": {number: signal.getsignal(number) for number in signal.valid_signals()},
        "blocked signals": signal.pthread_sigmask(signal.SIG_BLOCK, []),
        "timers": [signal.getitimer(each) for each in (signal.ITIMER_REAL, signal.ITIMER_VIRTUAL, signal.ITIMER_PROF)],
        "hooks": (sys.excepthook, sys.unraisablehook, sys.displayhook, threading.excepthook),
        "tracing": (sys.gettrace(), sys.getprofile()),
        "streams": (sys.stdin, sys.stdout, sys.stderr),
        "open files": len(os.listdir("/dev/fd")),
        "imports": (list(sys.path), list(sys.meta_path), list(sys.path_hooks)),
        "interpreter": (sys.getrecursionlimit(), sys.getswitchinterval(), sys.get_int_max_str_digits()),
        "garbage collection": (gc.isenabled(), gc.get_threshold(), gc.get_debug()),
        "stack of threads": threading.stack_size(),
        "threads of Python": threads_of_python(),
        "warnings": (list(warnings.filters), warnings.showwarning, warnings.formatwarning),
        "logging": (list(logging.root.handlers), logging.root.level, logging.root.manager.disable, logging.lastResort),
        "random": random.getstate(),
        "numpy.random": (numpy_random[1].tobytes(), *numpy_random[2:]),
        "numpy's errors": (np.geterr(), np.geterrcall(), np.getbufsize()),
        "numpy's printing": np.get_printoptions(),
        "priority": os.getpriority(os.PRIO_PROCESS, 0),
        "affinity": os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else None,
        "limits": [resource.getrlimit(each) for each in (resource.RLIMIT_AS, resource.RLIMIT_STACK)],
        "threads of BLAS": threads_of_blas(),
        "floating point": floating_point(),
        "numba": numba_settings(),
    }


def threads_of_python():
    "Without those that have answered and are about to end."
    for thread in threading.enumerate():
        if thread.name == "fastgmm-work":
            thread.join(10)
    return [thread for thread in threading.enumerate() if not isinstance(thread, threading.Timer)]


def threads_of_blas():
    if threadpoolctl is not None:
        return {each["filepath"]: each["num_threads"] for each in threadpoolctl.threadpool_info()
                if each["user_api"] == "blas"}


def floating_point():
    "How this thread rounds and whether it keeps subnormal numbers: once by their effect, once by x86's register."
    tiny, smallest = np.array([1e-310, 5e-324]), np.array([1e-40], np.float32)
    kept = (tiny / 2 > 0).tolist(), (tiny * 1.0 > 0).tolist(), (smallest / 2 > 0).tolist()
    rounded = [float(a + b) for a, b in ((np.float64(1), np.float64(2**-53)), (np.float64(-1), np.float64(-(2**-53))))]
    return kept, rounded, control_bits()


def control_bits():
    if sys.platform == "linux" and os.uname().machine == "x86_64":
        import ctypes
        try:
            libm = ctypes.CDLL("libm.so.6")
        except OSError:  # not glibc
            return None
        environment = (ctypes.c_uint32 * 64)()
        libm.fegetenv(environment)
        return environment[7] & ~0x3F  # MXCSR without its notes of what has happened


def numba_settings():
    numba = sys.modules.get("numba")
    if numba is not None:
        config = {name: value for name, value in vars(numba.config).items() if name.isupper()}
        return config, numba.get_num_threads()


def assert_same(before, after, but=()):
    for name in before.keys() - set(but):
        assert before[name] == after[name], f"{name}: {before[name]}\\n{after[name]}"
"""

EVERYTHING = """
def refused(errors, call, *arguments, **options):
    try:
        call(*arguments, **options)
    except errors:
        return
    raise AssertionError("not refused")


def everything():
    import copy, pickle
    import fastgmm
    from fastgmm.errors import FastGMMError

    random = np.random.RandomState(0)
    data = random.normal(size=(4000, 3)) + 10.0 * (np.arange(4000) % 10)[:, np.newaxis]

    def model(**options):
        usual = {"n_components": 3, "random_state": 0, "backend": BACKEND, "n_threads": 3, "max_iter": 5}
        return fastgmm.GaussianMixture(**usual | options)

    for family in ("full", "tied", "diag", "spherical"):
        for X in (data, data.astype(np.float32)):
            fitted = model(covariance_type=family).fit(X, sample_weight=random.uniform(size=4000))
            for rows in (X, X[:1]):
                fitted.predict(rows), fitted.predict_proba(rows), fitted.score_samples(rows), fitted.score(rows)
            fitted.bic(X), fitted.aic(X), fitted.sample(10)
            fitted.save(f"{FOLDER}/model.npz")
            fastgmm.load(f"{FOLDER}/model.npz").score(X)
            copy.deepcopy(fitted), pickle.loads(pickle.dumps(fitted))
    for start in ("kmeans", "k-means++", "random", "random_from_data"):
        model(init_params=start, n_init=2).fit(data[:500])
    model(n_components=10, max_iter=50).fit(data)
    model(accelerate="squarem", warm_start=True).fit(data).fit(data)
    model(reg_covar="relative", deadline=60.0).fit(data)
    model(n_init=10**6, deadline=0.02).fit(data)

    refused(ValueError, model().fit, np.full((10, 3), np.nan))
    refused(ValueError, model(n_components=20).fit, data[:10])
    refused(ValueError, model(tol=-1).fit, data)
    refused(ValueError, model(covariance_type="round").fit, data)
    refused(Exception, model().predict, data)
    refused(ValueError, fitted.predict, data[:, :2])
    refused(OSError, fastgmm.load, f"{FOLDER}/none.npz")
    Path(f"{FOLDER}/damaged.npz").write_bytes(Path(f"{FOLDER}/model.npz").read_bytes()[:-50])
    refused(FastGMMError, fastgmm.load, f"{FOLDER}/damaged.npz")
    refused(OSError, fitted.save, f"{FOLDER}/none/model.npz")
    try:
        model(reg_covar=0.0, n_components=8).fit(np.repeat(data[:9], 20, axis=0))
    except FastGMMError:
        pass

    logging.getLogger("fastgmm").warning("nobody has asked for the log, so Python would print this")

    def stop(step):
        raise StopIteration

    model(callbacks=[stop]).fit(data)
    refused(RuntimeError, model(callbacks=[raising(RuntimeError)]).fit, data)
    refused(KeyboardInterrupt, model(callbacks=[raising(KeyboardInterrupt)]).fit, data)
    refused(KeyboardInterrupt, model(callbacks=[lambda step: signal.raise_signal(signal.SIGINT)]).fit, data)
    errors = []
    def work():
        try:
            model().fit(data).predict(data)
        except BaseException as error:
            errors.append(error)
    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors


def raising(error):
    def callback(step):
        raise error
    return callback


def n_threads():
    for thread in threading.enumerate():
        if isinstance(thread, threading.Timer):  # calls again after a tenth of a second, should a Ctrl-C get lost
            thread.join()
    if not os.path.exists("/proc/self/task"):
        return 0
    # A thread that has been joined may take a moment to go.
    return min(len(os.listdir("/proc/self/task")) for _ in range(20) if time.sleep(0.01) is None)
"""

UNTOUCHED = """
if threadpoolctl is not None:
    threadpoolctl.threadpool_limits(1)  # the user's own wish, which is to stay
before = stock()
import fastgmm
assert_same(before, stock())
everything()
# Numba reads its settings when it is loaded.
assert_same(before, stock(), but=["numba"])
if BACKEND == "numba":
    import numba
    numba.set_num_threads(1)
threads, before = n_threads(), stock()
everything()
assert_same(before, stock())
assert n_threads() == threads, (n_threads(), threads)
"""

WITHOUT_A_SEED = """
import fastgmm
rows = np.random.RandomState(0).normal(size=(60, 2))
fastgmm.GaussianMixture(2, random_state=0, backend=BACKEND).fit(rows).sample()
before = stock()
fastgmm.GaussianMixture(2, backend=BACKEND, init_params="random").fit(rows)
assert_same(before, stock(), but=["numpy.random"])
assert stock()["numpy.random"] != before["numpy.random"]
"""

WORKERS = """
everything()
expected, found = floating_point(), []
if BACKEND == "c":
    from fastgmm.kernels.c import launch
    launch.share_out(lambda next_chunk: (found.append(floating_point()), time.sleep(0.2)), 3)
    assert found == [expected] * 3, found
else:
    import numba

    @numba.njit(parallel=True)
    def halves_of(smallest):
        results = np.zeros_like(smallest)
        for i in numba.prange(len(smallest)):
            results[i] = 0.5 * smallest[i]
        return results

    assert numba.get_num_threads() == 3
    assert (halves_of(np.full(3000, 1e-310)) > 0.0).all()
    assert (halves_of(np.full(3000, 1e-40, np.float32)) > 0.0).all()
"""


def run(script, backend, folder):
    root = [str(Path(fastgmm.__file__).parents[1])]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(root), "NUMBA_NUM_THREADS": "3"}
    command = [sys.executable, "-P", "-W", "error", "-c", STOCK + EVERYTHING + script, backend, folder]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=500, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout == done.stderr == ""


@by_backend
def test_fits_scores_files_and_refusals_leave_the_process_as_it_was_and_print_nothing(backend, tmp_path):
    run(UNTOUCHED, backend, tmp_path)


@by_backend
def test_without_a_seed_numpys_global_generator_is_drawn_from_and_nothing_else_is_touched(backend, tmp_path):
    """As in scikit-learn, so that ``numpy.random.seed`` repeats a fit."""
    run(WITHOUT_A_SEED, backend, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("backend", [name for name in ("c", "numba") if name in BACKENDS])
def test_threads_that_have_worked_for_a_fit_still_know_subnormal_numbers(backend, tmp_path):
    run(WORKERS, backend, tmp_path)
