"""How Numba's kernels are started on several threads."""

import os

import numpy as np
import pytest

pytest.importorskip("numba")
if os.environ.get("NUMBA_DISABLE_JIT") == "1":
    pytest.skip("nothing runs on threads", allow_module_level=True)

from numba.np.ufunc import parallel

from fastgmm import GaussianMixture


class Taken:
    """A lock that nobody should want."""

    def __enter__(self) -> None:
        raise AssertionError("a lock that Ctrl-C may leave taken")

    def __exit__(self, *error: object) -> None: ...


def test_a_sweep_takes_no_lock_that_an_interruption_would_leave_taken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    X = np.random.default_rng(0).normal(size=(5000, 8))
    options = {"backend": "numba", "n_threads": 2, "random_state": 0, "tol": 0.1}
    expected = GaussianMixture(9, **options).fit(X).lower_bounds_  # compiled, and threads launched
    monkeypatch.setattr(parallel, "_backend_init_process_lock", Taken())
    assert GaussianMixture(9, **options).fit(X).lower_bounds_ == expected
