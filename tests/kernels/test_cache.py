"""Compiled kernels on disk: found again, never believed when damaged, and never a reason to fail."""

import logging
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import fastgmm

numba = pytest.importorskip("numba")
if numba.config.DISABLE_JIT:
    pytest.skip("nothing is compiled", allow_module_level=True)

from fastgmm.kernels.numba_ import bounded, cache, drivers, jit  # noqa: E402

on_posix = pytest.mark.skipif(os.name != "posix", reason="owners and modes of POSIX")


def double(x):
    return x + x


def add(x, y):
    return x + y


@pytest.fixture
def base(monkeypatch, tmp_path):
    """Where the cache is to be, as at the start of a process."""
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path / "base"))
    cache._directory_in_use.cache_clear()
    yield tmp_path / "base"
    cache._directory_in_use.cache_clear()


@pytest.fixture
def warnings_of(caplog):
    """The log's warnings since the last call."""

    def since():
        messages = [record.getMessage() for record in caplog.records if record.name == "fastgmm"]
        caplog.clear()
        return messages

    with caplog.at_level(logging.WARNING, logger="fastgmm"):
        yield since


def is_found(function=double, arguments=(3.0,), expected=6.0):
    """Use a kernel as a new process does, and say whether its code was on disk."""
    kernel = jit.entry(parallel=False)(function)
    assert kernel(*arguments) == expected
    return sum(kernel.stats.cache_hits.values()) == 1


def files_in(folder):
    return sorted(path for path in folder.rglob("*") if path.is_file())


def test_a_kernel_is_found_again_for_its_own_signature(base, warnings_of):
    for arguments, expected in ((3.0,), 6.0), ((np.float32(3),), 6.0), ((3,), 6):
        assert not is_found(double, arguments, expected)
        assert is_found(double, arguments, expected)
    assert not is_found(add, (3.0, 4.0), 7.0)
    assert len(files_in(base)) == 4
    assert warnings_of() == []


def test_every_kernel_that_python_calls_is_kept(base):
    """And its code is looked for with the digest first."""
    kernels = [getattr(module, name) for module in (drivers, bounded) for name in dir(module)
               if name.endswith(("_chunks", "_parallel"))]  # fmt: skip
    assert len({id(kernel) for kernel in kernels}) == 6
    assert all(type(kernel._cache) is cache.KernelCache for kernel in kernels)


# Damage


def test_no_flipped_bit_and_no_prefix_of_a_file_is_unpickled(base, warnings_of, monkeypatch):
    assert not is_found()
    kernel = jit.entry(parallel=False)(double)
    signature, context = (numba.float64,), kernel.targetctx
    assert kernel._cache.load_overload(signature, context) is not None
    [path] = files_in(base)
    whole = path.read_bytes()
    monkeypatch.setattr("pickle.loads", refuse)
    damaged = [whole[:n] for n in (0, 1, 31, 32, 33, 40, len(whole) // 2, len(whole) - 1)]
    for at in (*range(64), *range(64, len(whole), 101), len(whole) - 1):
        damaged.append(whole[:at] + bytes([whole[at] ^ (1 << at % 8)]) + whole[at + 1 :])
    for content in damaged:
        path.write_bytes(content)
        assert kernel._cache.load_overload(signature, context) is None
        [message] = warnings_of()
        assert "ignoring an unreadable kernel cache" in message
        assert "damaged" in message


def refuse(*_):
    raise AssertionError("not to be called")


def test_a_damaged_file_is_replaced_by_one_that_is_whole(base, warnings_of):
    is_found()
    [path] = files_in(base)
    path.write_bytes(path.read_bytes()[:-1])
    assert not is_found()
    assert len(warnings_of()) == 1
    assert is_found()
    assert warnings_of() == []


# No place to keep anything


def test_a_file_in_place_of_the_directory_costs_one_warning(base, warnings_of):
    base.write_text("not a directory")
    assert not is_found()
    assert not is_found()
    assert not is_found(add, (3.0, 4.0), 7.0)
    [message] = warnings_of()
    assert "compiled kernels will not be kept on disk" in message
    assert base.read_text() == "not a directory"
    assert "compiled kernels are kept nowhere: " in jit.describe()[1]


@on_posix
def test_a_user_without_a_home_costs_one_warning(base, warnings_of, monkeypatch):
    import pwd

    def nobody(user):
        raise KeyError(user)

    monkeypatch.setattr(numba.config, "CACHE_DIR", "")
    monkeypatch.setattr(pwd, "getpwuid", nobody)
    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert not is_found()
    assert not is_found(add, (3.0, 4.0), 7.0)
    [message] = warnings_of()
    assert "home" in message
    assert "nowhere: Could not determine home directory" in jit.describe()[1]


@pytest.mark.parametrize("elsewhere", ["", "relative/path"])
def test_a_cache_home_that_is_no_whole_path_does_not_count(base, monkeypatch, tmp_path, elsewhere):
    """As the XDG specification says."""
    monkeypatch.setattr(numba.config, "CACHE_DIR", "")
    monkeypatch.setattr(Path, "home", lambda: tmp_path / "home")
    monkeypatch.setenv("XDG_CACHE_HOME", elsewhere)
    monkeypatch.chdir(tmp_path)
    assert not is_found()
    assert len(files_in(tmp_path / "home/.cache/fastgmm")) == len(files_in(tmp_path)) == 1
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache.cache_directory().parent == tmp_path / "xdg/fastgmm"


# Whose directory it is


@on_posix
def test_every_directory_that_is_made_is_for_its_user_alone(base):
    before = os.umask(0)
    try:
        is_found()
    finally:
        os.umask(before)
    made = [base, *(each for each in base.rglob("*") if each.is_dir())]
    assert len(made) == 3
    assert {each.stat().st_mode & 0o777 for each in made} == {0o700}


def give_to_another_user(directory, monkeypatch):
    if os.geteuid() == 0:
        os.chown(directory, 12345, 12345)
    else:
        monkeypatch.setattr(os, "geteuid", lambda: 12345)


STRANGE = {
    "of another user": (give_to_another_user, "belongs to another user"),
    "open to a group": (lambda directory, monkeypatch: directory.chmod(0o770), "others may write to"),
    "open to all": (lambda directory, monkeypatch: directory.chmod(0o1707), "others may write to"),
}


@on_posix
@pytest.mark.parametrize("strange", STRANGE)
@pytest.mark.parametrize("level", ["fastgmm", "fastgmm/*"])
def test_code_is_neither_kept_in_nor_loaded_from_a_directory_others_may_write_to(
    base, warnings_of, monkeypatch, strange, level
):
    is_found()
    assert is_found()
    before = files_in(base)
    [directory] = base.glob(level)
    make_strange, complaint = STRANGE[strange]
    make_strange(directory, monkeypatch)
    cache._directory_in_use.cache_clear()
    assert not is_found()
    assert not is_found(add, (3.0, 4.0), 7.0)
    [message] = warnings_of()
    assert complaint in message
    assert str(directory) in message or strange == "of another user"
    assert files_in(base) == before


# In processes of their own

SETUP = """
import logging, sys, warnings
import numpy as np
messages, handler = [], logging.Handler()
handler.emit = lambda record: messages.append(record.getMessage())
logging.getLogger("fastgmm").addHandler(handler)
from fastgmm.kernels.numba_ import jit
from tests.kernels.test_cache import add, double, is_found
"""
FULL_DISK = """
import resource

resource.setrlimit(resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))
assert not is_found()
assert not is_found()
assert len(messages) == 2 and all("could not be kept" in each for each in messages), messages
"""
# Root may write anywhere, but not past a hook.
READ_ONLY = """
import errno, importlib.util, os, pathlib, sys
package = str(pathlib.Path(importlib.util.find_spec("fastgmm").origin).parent)
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT

def read_only(event, arguments):
    writes = event in ("os.mkdir", "os.remove", "os.rename") or event == "open" and arguments[2] & WRITES
    if writes and str(arguments[0]).startswith((package, os.environ["NUMBA_CACHE_DIR"])):
        raise OSError(errno.EROFS, "Read-only file system", arguments[0])

sys.addaudithook(read_only)
"""
FILLED = """
assert is_found()
assert messages == [], messages  # a cache that cannot be written to is one all the same
assert not is_found(add, (3.0, 4.0), 7.0)
assert len(messages) == 1 and "could not be kept" in messages[0], messages
"""
EMPTY = """
assert not is_found()
assert not is_found(add, (3.0, 4.0), 7.0)
assert len(messages) == 1 and "will not be kept on disk" in messages[0], messages
"""
AT_ONCE = """
import time
numbers = [np.float64(3), np.float32(3), np.int64(3)]
first = int(sys.argv[1])
time.sleep(max(0.0, float(sys.argv[2]) - time.time()))
for number in numbers[first:] + numbers[:first]:
    is_found(double, (number,), 6)
assert messages == [], messages
"""


def start(script, base, *arguments):
    root = Path(fastgmm.__file__).parents[1], Path(__file__).parents[2]
    environment = {"PYTHONPATH": os.pathsep.join(map(str, root)), "NUMBA_CACHE_DIR": str(base)}
    return subprocess.Popen(
        [sys.executable, "-P", "-c", script, *map(str, arguments)],
        env=os.environ | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def finish(process):
    output, _ = process.communicate(timeout=300)
    assert process.returncode == 0, output
    assert output == ""


@on_posix
def test_a_full_disk_costs_warnings_and_leaves_nothing_half_written(base):
    finish(start(SETUP + FULL_DISK, base))
    assert files_in(base) == []


def test_a_read_only_package_and_cache_are_enough(base):
    is_found()
    before = files_in(base)
    finish(start(READ_ONLY + SETUP + FILLED, base))
    assert files_in(base) == before
    finish(start(READ_ONLY + SETUP + EMPTY, base.with_name("other")))
    assert not base.with_name("other").exists()


def test_processes_that_compile_at_once_keep_what_each_of_them_compiled(base, warnings_of):
    soon = time.time() + 3.0
    for process in [start(SETUP + AT_ONCE, base, number, soon) for number in range(3)]:
        finish(process)
    assert len(files_in(base)) == 3
    for number in (np.float64(3), np.float32(3), np.int64(3)):
        assert is_found(double, (number,), 6)
    assert warnings_of() == []
