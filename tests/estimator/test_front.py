"""The front door: ``load``, ``warmup`` and ``show_backend``."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import fastgmm
from fastgmm.errors import BackendUnavailableError, ModelFormatError
from fastgmm.families import FOUR
from tests.conftest import BACKENDS


@pytest.mark.parametrize("kind", [str, Path])
def test_load_reads_what_save_wrote(tmp_path: Path, kind: type) -> None:
    X = np.random.RandomState(0).normal(size=(50, 2))
    path = kind(tmp_path / "model.npz")
    fitted = fastgmm.GaussianMixture().fit(X)
    fitted.save(path)
    loaded = fastgmm.load(path)
    assert type(loaded) is fastgmm.GaussianMixture
    assert np.array_equal(loaded.score_samples(X), fitted.score_samples(X))


def test_load_says_what_is_wrong(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        fastgmm.load(tmp_path / "missing.npz")
    (tmp_path / "text.npz").write_text("weights, means")
    with pytest.raises(ModelFormatError, match="not a fastgmm model"):
        fastgmm.load(tmp_path / "text.npz")


@pytest.mark.parametrize("backend", [*BACKENDS, "auto"])
def test_warmup_takes_names_and_backends(backend: str) -> None:
    fastgmm.warmup("diag", dtypes=["float32", np.float64], backend=backend, n_threads=1)
    fastgmm.warmup(["tied", "full"], backend=backend)


def test_warmup_takes_one_dtype_by_name() -> None:
    fastgmm.warmup("diag", dtypes="float32", backend="numpy")


def test_warmup_refuses_what_it_does_not_know() -> None:
    with pytest.raises(ValueError, match="covariance_types must be among 'full'"):
        fastgmm.warmup("diagonal")
    with pytest.raises(ValueError, match="backend must be one of 'auto', 'c', 'numba', 'numpy'"):
        fastgmm.warmup(backend="cuda")


def test_warmup_refuses_dtypes_that_no_data_can_have() -> None:
    with pytest.raises(ValueError, match="float32"):
        fastgmm.warmup("diag", dtypes=["int64"], backend="numpy")


_COMPILES_NOTHING_MORE = """
import numpy as np, fastgmm
fastgmm.warmup({family!r}, dtypes=[{dtype!r}], backend="numba", n_threads=2)
from fastgmm.kernels.numba_ import bounded, drivers
kernels = [drivers.sweep_chunks, drivers.sweep_parallel, drivers.log_density_chunks, drivers.log_density_parallel]
kernels += [bounded.bounded_chunks, bounded.bounded_parallel]
before = [len(kernel.signatures) for kernel in kernels]
X = np.random.RandomState(0).normal(size=(5000, 3)).astype({dtype!r})
for data in (X, np.asfortranarray(X), X[:50]):
    for start in ("kmeans", "random"):
        gm = fastgmm.GaussianMixture(
            2, covariance_type={family!r}, init_params=start, n_threads=2, backend="numba", tol=1, random_state=0
        )
        gm.fit(data, sample_weight=np.ones(len(data)))
        gm.fit(data), gm.predict(data), gm.predict_proba(data), gm.score(data)
# Clusters far from one another, of which sweeps leave out most.
X += 50 * np.arange(5000).astype({dtype!r})[:, np.newaxis] % 10
for n_threads in (1, 2):
    gm.set_params(n_components=10, means_init=X[:10], max_iter=9, tol=1e-9, n_threads=n_threads).fit(X)
assert gm.n_iter_ > 4
assert [len(kernel.signatures) for kernel in kernels] == before, "compiled more"
"""


@pytest.mark.skipif("numba" not in BACKENDS, reason="needs numba")
@pytest.mark.parametrize(("family", "dtype"), [(family, "float64") for family in FOUR] + [("full", "float32")])
def test_after_warmup_a_fit_compiles_nothing(family: str, dtype: str) -> None:
    script = _COMPILES_NOTHING_MORE.format(family=family, dtype=dtype)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_show_backend_tells_versions_backends_and_threads(capsys: pytest.CaptureFixture) -> None:
    fastgmm.show_backend()
    shown = capsys.readouterr().out
    assert shown.startswith(f"fastgmm {fastgmm.__version__}, Python ")
    assert "backend c: " in shown
    assert "backend numba: " in shown
    assert "backend numpy: available\n" in shown
    assert "chosen by 'auto': " in shown
    assert shown.endswith("\n")


def test_show_backend_follows_the_environment(capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FASTGMM_BACKEND", "numpy")
    monkeypatch.setenv("FASTGMM_NUM_THREADS", "3")
    fastgmm.show_backend()
    assert "chosen by 'auto': numpy; 3 threads\n" in capsys.readouterr().out


def test_show_backend_tells_why_the_one_that_is_asked_for_cannot_be_used(
    capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "fastgmm.kernels.numba_", None)
    monkeypatch.setenv("FASTGMM_BACKEND", "numba")
    fastgmm.show_backend()
    assert "chosen by 'auto': none, the numba backend cannot be used: " in capsys.readouterr().out


def test_a_backend_that_is_asked_for_and_absent_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "fastgmm.kernels.numba_", None)
    with pytest.raises(BackendUnavailableError, match="the numba backend cannot be used: ") as caught:
        fastgmm.GaussianMixture(backend="numba").fit(np.eye(4))
    assert isinstance(caught.value.__cause__, ImportError)
    assert isinstance(caught.value, ImportError)
