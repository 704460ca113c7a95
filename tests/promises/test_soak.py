"""Small calls leave nothing behind, whether they succeed or raise; ``bench/soak.py`` runs more of them."""

import gc
import sys
import warnings

import pytest

from bench.soak import KINDS, growth, repeat
from tests.conftest import BACKENDS

COMPILED = [name for name in BACKENDS if name != "numpy"]
# Of the numbers of bench/soak.py.
SHARE = 0.04


@pytest.fixture(autouse=True)
def _no_warnings():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
@pytest.mark.parametrize("backend", COMPILED)
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_resident_memory_does_not_grow(kind, backend):
    """Over 800 fits or 40,000 scores, of which 26 bytes a call would be seen."""
    n_calls, raises = KINDS[kind]
    assert growth(kind(backend), int(SHARE * n_calls), raises) <= 1.0


@pytest.mark.slow
@pytest.mark.parametrize("backend", COMPILED)
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_not_even_every_other_call_leaves_an_object_behind(kind, backend):
    call, raises, n_calls = kind(backend), KINDS[kind][1], 300
    for _ in range(2):  # the first time Python keeps objects of its own
        gc.collect()
        before = sys.getallocatedblocks()
        repeat(call, n_calls, raises)
        gc.collect()
        left = sys.getallocatedblocks() - before
    assert left < n_calls / 2
