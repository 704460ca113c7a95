"""Ctrl-C in the middle of a fit; how soon it is answered is measured in ``bench/interruption.py``."""

import signal
import threading
import time
from dataclasses import replace

import pytest

from fastgmm import GaussianMixture, blocks_of
from fastgmm.model.scoring import Scorer

pytestmark = pytest.mark.skipif(
    not hasattr(signal, "setitimer") or threading.current_thread() is not threading.main_thread(),
    reason="needs a timer that interrupts the main thread",
)


# Of our threads.
NAMES = {"fastgmm-work", "fastgmm-ahead"}


@pytest.fixture
def interrupt_after(signal_after):
    """Raise KeyboardInterrupt in the main thread after some seconds."""

    def handler(signum, frame):
        raise KeyboardInterrupt

    return lambda seconds: signal_after(seconds, handler)


@pytest.mark.parametrize("covariance_type", ["full", "tied", "diag", "spherical"])
@pytest.mark.parametrize("seconds", [0.05, 0.6])
def test_an_interrupted_fit_leaves_the_estimator_as_it_was(interrupt_after, rng, covariance_type, seconds):
    data = rng.standard_normal((300_000, 16))
    estimator = GaussianMixture(2, covariance_type=covariance_type, random_state=0, tol=1.0).fit(data[:5000])
    before = {name: value for name, value in vars(estimator).items() if name.endswith("_")}
    estimator.set_params(n_components=40, max_iter=10_000, tol=0.0)
    interrupt_after(seconds)
    with pytest.raises(KeyboardInterrupt):
        estimator.fit(data)
    after = {name: value for name, value in vars(estimator).items() if name.endswith("_")}
    assert after.keys() == before.keys()
    assert all(after[name] is before[name] for name in before)


def test_any_exception_in_a_callback_leaves_the_estimator_as_it_was(rng):
    def fail(step):
        raise RuntimeError("stop here")

    estimator = GaussianMixture(2, callbacks=[fail])
    with pytest.raises(RuntimeError, match="stop here"):
        estimator.fit(rng.standard_normal((100, 2)))
    assert not hasattr(estimator, "means_")


def test_an_interruption_of_the_labels_of_a_fit_leaves_the_estimator_as_it_was(rng, monkeypatch):
    """They are computed when EM has ended."""
    data = rng.standard_normal((1000, 2))
    estimator = GaussianMixture(2, random_state=0, tol=1.0).fit(data)
    before = dict(vars(estimator))

    def interrupt(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(Scorer, "evaluate", interrupt)
    with pytest.raises(KeyboardInterrupt):
        estimator.fit_predict(data)
    assert vars(estimator) == before


@pytest.mark.parametrize("seconds", [0.05, 0.6])
@pytest.mark.parametrize("source", ["list", "function", "decoded ahead"])
def test_an_interrupted_fit_of_rows_in_blocks_leaves_nothing_behind(interrupt_after, rng, seconds, source):
    data = rng.standard_normal((300_000, 16))
    parts = [data[begin : begin + 50_000] for begin in range(0, len(data), 50_000)]
    blocks = blocks_of((lambda: iter(parts)) if source == "function" else parts, block_rows=40_000)
    if source == "decoded ahead":
        blocks = replace(blocks, reader=replace(blocks.reader, is_ready=False))
    estimator = GaussianMixture(40, random_state=0, max_iter=10_000, tol=0.0)
    before = dict(vars(estimator))
    interrupt_after(seconds)
    with pytest.raises(KeyboardInterrupt):
        estimator.fit(blocks)
    assert vars(estimator) == before
    end = time.monotonic() + 60
    while (left := {each.name for each in threading.enumerate()} & NAMES) and time.monotonic() < end:
        time.sleep(0.01)
    assert not left
