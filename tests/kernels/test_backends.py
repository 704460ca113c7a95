"""Which backend is chosen, and what happens where one is broken."""

import logging
import sys
from pathlib import Path

import pytest

from fastgmm import show_backend
from fastgmm.errors import BackendUnavailableError
from fastgmm.kernels import available_backends, get_backend

STATES = {"c": "available", "numba": "available", "numpy": "available"}


@pytest.fixture
def broken(monkeypatch):
    """Compiled kernels cannot be imported, as where Numba does not know the installed NumPy."""
    monkeypatch.setattr("fastgmm.kernels._state_of", STATES.__getitem__)
    monkeypatch.delenv("FASTGMM_BACKEND", raising=False)

    def break_backend(*modules):
        for module in modules:
            monkeypatch.setitem(sys.modules, f"fastgmm.kernels.{module}", None)

    return break_backend


def test_auto_falls_back_to_numpy_and_says_so(broken, caplog):
    broken("c", "numba_")
    with caplog.at_level(logging.WARNING, logger="fastgmm"):
        assert get_backend("auto").name == "numpy"
    assert "the c backend cannot be used" in caplog.text
    assert "the numba backend cannot be used" in caplog.text


def test_a_backend_asked_for_by_name_is_that_or_an_error(broken):
    broken("numba_")
    with pytest.raises(BackendUnavailableError, match="numba"):
        get_backend("numba")


def test_the_environment_chooses_where_the_caller_does_not(monkeypatch):
    monkeypatch.setenv("FASTGMM_BACKEND", "numpy")
    assert get_backend("auto").name == "numpy"
    monkeypatch.setenv("FASTGMM_BACKEND", "cuda")
    with pytest.raises(ValueError, match="FASTGMM_BACKEND must be one of"):
        get_backend("auto")


@pytest.mark.skipif(available_backends()["numba"] != "available", reason="needs numba")
def test_a_change_of_what_kernels_read_by_position_leaves_no_stale_kernel(monkeypatch, tmp_path):
    from fastgmm.kernels import contract
    from fastgmm.kernels.numba_ import cache

    digest = cache._source_digest.__wrapped__
    before = digest()
    changed = tmp_path / "contract.py"
    changed.write_bytes(Path(contract.__file__).read_bytes() + b"# changed")
    monkeypatch.setattr(contract, "__file__", str(changed))
    assert digest() != before


@pytest.mark.skipif(available_backends()["numba"] != "available", reason="needs numba")
def test_show_backend_works_without_a_home(monkeypatch, capsys):
    from fastgmm.kernels.numba_ import jit

    def no_home():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(jit, "cache_directory", no_home)
    monkeypatch.setenv("FASTGMM_BACKEND", "numba")
    show_backend()
    assert "kept nowhere" in capsys.readouterr().out
