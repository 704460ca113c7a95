"""What tests run over: the backends that this machine has, the covariance families, the dtypes."""

import os
import signal
import sys
from collections.abc import Callable, Generator, Iterator

import numpy as np
import pytest

import fastgmm
from fastgmm.families import FAMILIES, FOUR, CovarianceFamily
from fastgmm.kernels import available_backends, get_backend
from fastgmm.kernels.backend import Backend

# A shell that starts tests in the background has them ignore Ctrl-C, and what they start: some wait for its effect.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

BACKENDS = [name for name, state in available_backends().items() if state == "available"]


def pytest_collection_finish(session: pytest.Session) -> None:
    """Processes that share the tests compile for one another: each would compile all of Numba's kernels otherwise."""
    number = getattr(session.config, "workerinput", {}).get("workerid", "")[2:]
    dtypes = ["float64", "float32"]
    if number and int(number) < len(dtypes) and "numba" in BACKENDS and os.environ.get("NUMBA_DISABLE_JIT") != "1":
        fastgmm.warmup(dtypes=dtypes[int(number)], backend="numba", n_threads=2)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A test fails if anything is printed that it does not read with ``capsys``, unless it is marked to print."""
    report = yield
    printed = [text for name, text in report.sections if name.startswith("Captured std") and name.endswith(report.when)]
    if report.passed and any(printed) and item.get_closest_marker("prints") is None:
        report.outcome, report.longrepr = "failed", f"printed: {printed}"
    return report


@pytest.fixture(autouse=True)
def _threads_even_for_small_problems(monkeypatch: pytest.MonkeyPatch) -> None:
    """Share the small problems of tests among threads, as only large ones are otherwise."""
    monkeypatch.setattr("fastgmm.kernels.contract._THREAD_WORK", 1.0)


@pytest.fixture
def nobody_watches() -> Iterator[None]:
    """As the tracer of coverage does, for which work stays where it is."""
    tracer = sys.gettrace()
    sys.settrace(None)
    yield
    sys.settrace(tracer)


@pytest.fixture
def signal_after() -> Iterator[Callable[[float, Callable[..., object]], None]]:
    """Have a handler called in the main thread after some seconds."""

    def schedule(seconds: float, handler: Callable[..., object]) -> None:
        signal.signal(signal.SIGALRM, handler)
        signal.setitimer(signal.ITIMER_REAL, seconds)

    before = signal.getsignal(signal.SIGALRM)
    yield schedule
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture(scope="session", params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> Iterator[Backend]:
    # Compiled kernels overflow in silence; with NUMBA_DISABLE_JIT=1 they run on NumPy, which would warn.
    silence = {"all": "ignore"} if request.param == "numba" and os.environ.get("NUMBA_DISABLE_JIT") == "1" else {}
    with np.errstate(**silence):
        yield get_backend(request.param)


@pytest.fixture(scope="session", params=FOUR)
def family(request: pytest.FixtureRequest) -> CovarianceFamily:
    return FAMILIES[request.param]


@pytest.fixture(scope="session", params=["float64", "float32"])
def dtype(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(20240229)
