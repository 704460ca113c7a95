"""Fits from many threads at once, and in forked children."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

SETUP = """
import multiprocessing, sys, warnings
from concurrent.futures import ThreadPoolExecutor
import numpy as np
from fastgmm import GaussianMixture

warnings.simplefilter("ignore")
data = np.random.default_rng(0).standard_normal((20_000, 3))

def means(seed=0):
    return GaussianMixture(3, random_state=seed, max_iter=5, tol=0.0, n_threads=2).fit(data).means_
"""
FORK = (
    SETUP
    + """
expected = means()
def child(queue):
    queue.put(means())
context = multiprocessing.get_context("fork")
queue = context.Queue()
process = context.Process(target=child, args=(queue,))
process.start()
found = queue.get(timeout=120)
process.join()
assert process.exitcode == 0
assert (found == expected).all()
"""
)
THREADS = (
    SETUP
    + """
expected = [means(seed) for seed in range(8)]
with ThreadPoolExecutor(8) as pool:
    found = list(pool.map(means, range(8)))
assert all((one == other).all() for one, other in zip(expected, found))
"""
)


def run(script: str, **environment: str) -> None:
    finished = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, env=os.environ | environment, timeout=300
    )
    assert finished.returncode == 0, finished.stderr


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize("layer", ["default", "workqueue"])
def test_a_forked_child_fits_to_the_same_bits(layer):
    run(FORK, NUMBA_THREADING_LAYER=layer, NUMBA_NUM_THREADS="2")


@pytest.mark.parametrize("layer", ["default", "workqueue"])
def test_many_threads_fit_at_once_to_the_same_bits(layer):
    run(THREADS, NUMBA_THREADING_LAYER=layer, NUMBA_NUM_THREADS="2")


@pytest.mark.parametrize("family", ["full", "diag"])
def test_many_threads_score_one_model_to_the_same_bits(rng, family):
    from fastgmm import GaussianMixture

    data = rng.standard_normal((5000, 3))
    model = GaussianMixture(3, covariance_type=family, random_state=0).fit(data)
    expected = model.score_samples(data)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: model.score_samples(data), range(32)))
    assert all((each == expected).all() for each in found)
