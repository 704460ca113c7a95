"""Fits and scores in forked and spawned processes, whatever the parent was doing, and from many threads at once.

Every test is a script in a process of its own: a fork of pytest would be a fork of all that ran before.
"""

import contextlib
import multiprocessing
import os
import signal
import subprocess
import sys

import pytest

from tests.conftest import BACKENDS

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")

# Backends, and Numba's threading layer where it matters. NumPy has no threads of ours, and takes six times as long.
COMPILED = [pytest.param(backend, "default", id=backend) for backend in BACKENDS if backend != "numpy"]
ENGINES = [
    *COMPILED,
    *([pytest.param("numba", "workqueue", marks=pytest.mark.slow)] if "numba" in BACKENDS else []),
    pytest.param("numpy", "default", id="numpy", marks=pytest.mark.slow),
]
# Sixty seconds are some hundred times what a child needs.
SETUP = """
import faulthandler, hashlib, multiprocessing, os, select, signal, sys, threading, time, traceback, warnings
from concurrent.futures import ThreadPoolExecutor
import numpy as np
from fastgmm import GaussianMixture

warnings.simplefilter("ignore")
BACKEND = sys.argv[1]
FAMILIES = ["full", "tied", "diag", "spherical"]
# Twenty chunks, and work for seven threads.
data = np.random.default_rng(0).standard_normal((20_000, 6))


def fit(seed=0, family="full", values=data):
    options = dict(random_state=seed, max_iter=3, tol=0.0, n_threads=2, backend=BACKEND)
    return GaussianMixture(3, covariance_type=family, **options).fit(values)


def bits(seed=0, family="full", values=data):
    "A digest of a fit and its scores."
    model = fit(seed, family, values)
    arrays = model.means_, model.covariances_, model.score_samples(values), model.predict_proba(values[:1])
    return hashlib.sha256(b"".join(array.tobytes() for array in arrays)).hexdigest()


def leave_at_once(code):
    os._exit(code)


def forked(work, leave=leave_at_once, seconds=60):
    "What work() returns in a forked child."
    reading, writing = os.pipe()
    faulthandler.cancel_dump_traceback_later()  # its thread would be missing in the child
    child = os.fork()
    if child == 0:
        faulthandler.dump_traceback_later(seconds - 5)  # says where a child hangs
        code = 1
        try:
            os.write(writing, work().encode())
            code = 0
        except BaseException:
            traceback.print_exc()
        leave(code)
    os.close(writing)
    deadline = time.monotonic() + seconds
    while not (ended := os.waitpid(child, os.WNOHANG))[0] and time.monotonic() < deadline:
        select.select([reading], [], [], 0.005)
        time.sleep(0.005)
    if not ended[0]:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        raise SystemExit("a child hangs")
    assert os.waitstatus_to_exitcode(ended[1]) == 0
    answer = os.read(reading, 1000).decode()
    os.close(reading)
    return answer


def require_threads():
    "Without which a test of forks would say little."
    if BACKEND == "c":
        stacks = [traceback.walk_stack(frame) for frame in sys._current_frames().values()]
        assert any("launch.py" in frame.f_code.co_filename for stack in stacks for frame, _ in stack)
    if BACKEND == "numba":
        import numba

        numba.threading_layer()  # raises where no parallel kernel has run


class InTheBackground(threading.Thread):
    "Repeats something until the end of the block."

    def __init__(self, work):
        super().__init__(daemon=True)
        self.work, self.ended, self.error = work, False, None

    def run(self):
        while not self.ended:
            try:
                self.work()
            except BaseException as error:
                self.error = error
                raise

    def __enter__(self):
        self.start()

    def __exit__(self, *_):
        self.ended = True
        self.join()
        assert self.error is None
"""
FAMILY_TREE = """
def in_child_and_grandchild():
    found = bits()
    assert forked(bits) == found
    return found


def in_grandchild_alone():
    return forked(bits)
"""
PARENT_NEVER_FITTED = """
found = [forked(bits), forked(in_child_and_grandchild), forked(in_grandchild_alone), forked(bits, leave=sys.exit)]
expected = bits()
require_threads()
assert found == [expected] * 4
"""
PARENT_HAD_FITTED = """
expected = bits()
require_threads()
assert forked(bits) == expected
assert forked(in_child_and_grandchild) == expected
assert forked(in_grandchild_alone) == expected
assert forked(bits, leave=sys.exit) == expected
assert bits() == expected
"""
FORK_FROM_A_THREAD = """
expected = bits()
with ThreadPoolExecutor(1) as pool:
    assert pool.submit(forked, in_child_and_grandchild).result() == expected
"""
FORK_FROM_A_CALLBACK = """
expected, found = bits(), []
gm = fit()
gm.set_params(callbacks=[lambda step: found.append(forked(in_child_and_grandchild))]).fit(data)
assert found == [expected] * 3
"""
WHILE_ANOTHER_THREAD_FITS = """
def work():
    bits(seed=1)
    # Without a seed, starts are drawn under the lock of NumPy's global generator.
    GaussianMixture(3, init_params="random", max_iter=1, backend=BACKEND).fit(data)


def in_child():
    found = bits()
    np.random.random_sample()
    return found


expected = bits()
moments = np.random.default_rng(1).uniform(0.0, 0.03, 8)
with InTheBackground(work):
    for seconds in moments:
        time.sleep(seconds)
        assert forked(in_child) == expected
require_threads()
"""
WHILE_ANOTHER_THREAD_FITS_FOR_THE_FIRST_TIME = """
first = threading.Thread(target=bits)
first.start()
time.sleep(float(sys.argv[2]))
found = forked(in_child_and_grandchild)
first.join()
assert found == bits()
"""
# Kernels that the other thread compiles, and the child too.
WHILE_ANOTHER_THREAD_COMPILES = """
# What compiles soonest, and what the child needs first of all.
todo = [("spherical", data), ("spherical", data.astype("float32")), ("diag", data)]


def means(family, values):
    "Of a fit that needs no other kernels than those of sweeps."
    precisions = np.ones((2, 6) if family == "diag" else 2)
    start = {"weights_init": [0.5, 0.5], "means_init": values[:2], "precisions_init": precisions}
    fitted = GaussianMixture(2, covariance_type=family, max_iter=3, tol=0.0, n_threads=2, backend=BACKEND, **start)
    return fitted.fit(values).means_.tobytes().hex()


state = {"compiled": 0}


def compile_everything():
    for task in todo:
        means(*task)
        state["compiled"] += 1


def in_child():
    return means(*todo[0])


random, found = np.random.default_rng(int(sys.argv[2])), []
other = threading.Thread(target=compile_everything)
other.start()
while other.is_alive():
    time.sleep(random.uniform(0.0, 2.0))
    found.append((state["compiled"], forked(in_child, seconds=150)))
other.join()
assert state["compiled"] == len(todo)
assert len({compiled for compiled, _ in found}) > 1, "no fork met a compilation"
assert {means_of_child for _, means_of_child in found} == {means(*todo[0])}
"""
# Python looks for signals where a function begins and where one written in C returns. Ctrl-C at the nth such moment in
# the code that shares work among threads, for every n there is.
INTERRUPTED = """
rows = data[:9000]
FILES = (os.sep + "launch.py", os.sep + "threading.py", os.sep + "queue.py", "futures" + os.sep)


def interrupted(n):
    "Whether there was an nth one."
    left = n

    def count(frame, event, argument):
        nonlocal left
        if event in ("call", "c_return") and any(name in frame.f_code.co_filename for name in FILES):
            left -= 1
            if left == 0:
                sys.setprofile(None)
                raise KeyboardInterrupt

    sys.setprofile(count)
    try:
        model.predict(rows)
    except KeyboardInterrupt:
        return True
    finally:
        sys.setprofile(None)
    return False


def in_child():
    if sys.argv[2] == "warm":
        model.predict(rows)
    there_was_one = interrupted(n)
    return bits(values=rows) + "+" * there_was_one


model = fit(values=rows[:1000]).set_params(n_threads=2)  # fitted on one thread, since rows so few are one chunk
expected = forked(lambda: bits(values=rows))
n = 1
while (found := forked(in_child, seconds=20)) == expected + "+":
    n += 1
assert found == expected, n
assert n > 5, "nothing was interrupted"
"""
INTERRUPTED_FORK = """
from fastgmm.machine import forks

held, moment = threading.RLock(), threading.Event()
forks.hold_across_forks(held)


def hold():
    with held:
        moment.set()
        time.sleep(1.0)


threading.Thread(target=hold, daemon=True).start()
moment.wait()
lost = []
sys.unraisablehook = lambda event: lost.append(event.exc_type)


def raise_timeout(number, frame):
    raise TimeoutError


signal.signal(signal.SIGALRM, signal.default_int_handler if sys.argv[2] == "Ctrl-C" else raise_timeout)
signal.setitimer(signal.ITIMER_REAL, 0.2)
try:
    child = os.fork()
    if child == 0:
        os._exit(0 if held.acquire(timeout=20) and np.random.random_sample() < 1 else 1)
    time.sleep(1.0)
    assert sys.argv[2] != "Ctrl-C", "it was lost"
    assert lost == [TimeoutError]
except KeyboardInterrupt:
    pass
assert os.waitstatus_to_exitcode(os.waitpid(-1, 0)[1]) == 0
free = []
other = threading.Thread(target=lambda: free.append(held.acquire(timeout=20) and forks.IMPORTING.acquire(timeout=20)))
other.start()
other.join()
assert free == [True] and np.random.random_sample() < 1
"""
# Any function of Python may begin with a handler that raises, and any call of one in C end with it.
INTERRUPTED_HOOKS = """
from fastgmm.machine import forks

LOCKS = [forks.IMPORTING, np.random.mtrand._rand._bit_generator.lock]


def are_free():
    "As another thread sees it."
    def look():
        for lock in LOCKS:
            found.append(lock.acquire(timeout=10))
            lock.release()

    found = []
    other = threading.Thread(target=look)
    other.start()
    other.join()
    return found == [True, True]


def raise_at(moment):
    def look(frame, event, argument):
        nonlocal moment
        if frame.f_code.co_filename.endswith("forks.py") and event in ("call", "c_call", "c_return"):
            moment -= 1
            if moment == 0:
                sys.setprofile(None)
                raise TimeoutError

    return look


sys.unraisablehook = lambda event: None
n_moments, was_raised = 0, True
while was_raised:
    n_moments += 1
    sys.setprofile(raise_at(n_moments))
    child = os.fork()
    was_raised = sys.getprofile() is None
    sys.setprofile(None)
    if child == 0:
        os._exit(0 if are_free() else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0, n_moments
    assert are_free(), n_moments
assert n_moments > 10
"""
POOL = """
def score(model):
    return hashlib.sha256(model.score_samples(data).tobytes()).hexdigest()


if __name__ == "__main__":
    seeds = range(6)
    expected, models = list(map(bits, seeds)), list(map(fit, seeds))
    require_threads()
    with multiprocessing.get_context(sys.argv[2]).Pool(2) as pool:
        assert pool.map_async(bits, seeds).get(timeout=200) == expected
        assert pool.map_async(score, models).get(timeout=200) == list(map(score, models))
    with multiprocessing.get_context(sys.argv[2]).Pool(2) as pool:
        returned = pool.map_async(fit, seeds).get(timeout=200)
    assert list(map(score, returned)) == list(map(score, models))
"""
MANY_THREADS = """
tasks = [(seed, family, values) for seed in range(2) for family in FAMILIES for values in (data, data[:9000, :2])]
expected = [bits(*task) for task in tasks]
require_threads()
sys.setswitchinterval(1e-5)
for _ in range(1 if BACKEND == "numpy" else 2):
    with ThreadPoolExecutor(len(tasks)) as pool:
        assert list(pool.map(lambda task: bits(*task), tasks)) == expected
"""


def run(folder, script, *arguments, layer="default", seconds=300, **environment):
    """Run a script to its end; whatever it started and left is ended with it."""
    path = folder / "script.py"
    path.write_text(SETUP + FAMILY_TREE + script)
    environment = os.environ | {"NUMBA_THREADING_LAYER": layer, "NUMBA_NUM_THREADS": "2"} | environment
    # Output goes to a file: a pipe would be held open by children that hang.
    with open(folder / "output.txt", "w+") as output:
        process = subprocess.Popen(
            [sys.executable, path, *arguments],
            stdout=output,
            stderr=subprocess.STDOUT,
            env=environment,
            start_new_session=True,
        )
        try:
            code = process.wait(seconds)
        except subprocess.TimeoutExpired:
            code = "hangs"
        finally:
            end_group(process)
        output.seek(0)
        assert code == 0, f"{code}\n{output.read()}"


def end_group(process):
    if hasattr(os, "killpg"):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    elif process.poll() is None:
        process.kill()
    process.wait()


@needs_fork
@pytest.mark.parametrize(("backend", "layer"), ENGINES)
@pytest.mark.parametrize("script", [PARENT_NEVER_FITTED, PARENT_HAD_FITTED], ids=["never-fitted", "had-fitted"])
def test_forked_children_and_grandchildren_fit_and_score_to_the_same_bits(tmp_path, backend, layer, script):
    run(tmp_path, script, backend, layer=layer)


@needs_fork
@pytest.mark.parametrize(("backend", "layer"), ENGINES)
@pytest.mark.parametrize("script", [FORK_FROM_A_THREAD, FORK_FROM_A_CALLBACK], ids=["thread", "callback"])
def test_any_thread_and_any_callback_may_fork(tmp_path, backend, layer, script):
    run(tmp_path, script, backend, layer=layer)


@needs_fork
@pytest.mark.parametrize(("backend", "layer"), ENGINES)
def test_a_fork_while_another_thread_fits_gives_a_child_that_fits(tmp_path, backend, layer):
    run(tmp_path, WHILE_ANOTHER_THREAD_FITS, backend, layer=layer)


@needs_fork
@pytest.mark.slow
@pytest.mark.parametrize(("backend", "layer"), COMPILED)
@pytest.mark.parametrize("seconds", ["0", "0.1", "0.5"])
def test_a_fork_while_another_thread_loads_the_backend_gives_a_child_that_fits(tmp_path, backend, layer, seconds):
    run(tmp_path, WHILE_ANOTHER_THREAD_FITS_FOR_THE_FIRST_TIME, backend, seconds, layer=layer)


@needs_fork
@pytest.mark.slow
@pytest.mark.soak
@pytest.mark.skipif("numba" not in BACKENDS, reason="needs Numba")
def test_a_fork_while_another_thread_compiles_gives_a_child_that_fits(tmp_path):
    cache = str(tmp_path / "cache")
    run(tmp_path, WHILE_ANOTHER_THREAD_COMPILES, "numba", "0", seconds=600, NUMBA_CACHE_DIR=cache)


@needs_fork
@pytest.mark.parametrize("signal", ["Ctrl-C", "another signal"])
def test_an_interrupt_while_a_fork_waits_comes_after_it_and_leaves_no_lock_taken(tmp_path, signal):
    run(tmp_path, INTERRUPTED_FORK, BACKENDS[0], signal)


@needs_fork
def test_an_interrupt_at_any_moment_of_the_hooks_of_a_fork_leaves_no_lock_taken(tmp_path):
    run(tmp_path, INTERRUPTED_HOOKS, BACKENDS[0])


@needs_fork
@pytest.mark.skipif("c" not in BACKENDS, reason="needs the C kernels")
@pytest.mark.parametrize("threads", ["cold", "warm"])
def test_an_interrupt_at_any_moment_leaves_threads_that_work(tmp_path, threads):
    run(tmp_path, INTERRUPTED, "c", threads)


@pytest.mark.slow
@pytest.mark.parametrize(("backend", "layer"), COMPILED)
@pytest.mark.parametrize("method", multiprocessing.get_all_start_methods())
def test_a_pool_of_processes_fits_and_scores_to_the_same_bits(tmp_path, method, backend, layer):
    run(tmp_path, POOL, backend, method, layer=layer)


@pytest.mark.parametrize(("backend", "layer"), ENGINES)
def test_many_threads_fit_at_once_to_the_same_bits(tmp_path, backend, layer):
    run(tmp_path, MANY_THREADS, backend, layer=layer)
