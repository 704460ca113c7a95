"""A save that is killed, or finds the disk full, leaves the old model or the new one."""

import errno
import io
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from fastgmm.files.model_file import load_model, save_model
from tests.model_files import encoded, make_model, same

MODELS = [make_model("full"), make_model("diag", feature_names=None)]

# In a process of its own, which forks: a child begins at once, with everything imported.
SAVES_AND_KILLS = """
import os, random, signal, sys, time
from fastgmm.files.model_file import load_model, save_model
from tests.model_files import same
from tests.machine.test_whole_file import MODELS

path, rng = sys.argv[1], random.Random(20240229)
save_model(path, MODELS[0])
for _ in range(200):
    child = os.fork()
    if child == 0:
        while True:
            for model in reversed(MODELS):
                save_model(path, model)
    time.sleep(rng.uniform(0.0, 0.03))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    held = load_model(path)
    print([same(held, model) for model in MODELS].index(True))
"""


@pytest.mark.slow
@pytest.mark.soak
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork and kill -9")
def test_after_each_of_200_kills_the_file_holds_the_old_or_the_new_model(tmp_path: Path) -> None:
    command = [sys.executable, "-c", SAVES_AND_KILLS, str(tmp_path / "model.npz")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    found = done.stdout.split()
    assert len(found) == 200
    assert set(found) == {"0", "1"}  # saves were going on


# --- a full disk -----------------------------------------------------------------------------------------------------

FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    save_model(tmp_path / "model.npz", MODELS[0])
    return tmp_path / "model.npz"


def refused_save(path: Path) -> int:
    """Save another model, which fails and leaves nothing behind; the number of the error."""
    before = path.read_bytes()
    with pytest.raises(OSError, match=r"\S") as caught:
        save_model(path, MODELS[1])
    assert path.read_bytes() == before
    assert os.listdir(path.parent) == [path.name]
    assert caught.value.errno is not None
    return caught.value.errno


def test_a_disk_that_is_full_after_any_number_of_bytes_leaves_the_old_model(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class FullDisk(io.FileIO):
        """Takes so many bytes, as a disk does: first all, then some, then none."""

        room = 0

        def write(self, content: Any) -> int:
            fits = memoryview(content)[: self.room - self.tell()]
            if not fits:
                raise FULL
            return super().write(fits)

    def open_file(name: Path, mode: str) -> io.BufferedWriter:
        return io.BufferedWriter(FullDisk(name, mode.replace("b", "")))

    monkeypatch.setattr("fastgmm.machine.whole_file.open", open_file, raising=False)
    size = len(encoded(MODELS[1]))
    for FullDisk.room in range(size):
        assert refused_save(path) == errno.ENOSPC
    FullDisk.room = size
    save_model(path, MODELS[1])
    assert same(load_model(path), MODELS[1])


@pytest.mark.parametrize("name", ["open", "fsync", "chmod", "replace"])
def test_a_disk_that_is_full_at_any_other_call_leaves_the_old_model(
    path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    def fail(*arguments: object) -> None:
        raise FULL

    target = "fastgmm.machine.whole_file.open" if name == "open" else f"os.{name}"
    monkeypatch.setattr(target, fail, raising=False)
    assert refused_save(path) == errno.ENOSPC


LIMITED = """
import errno, os, resource, sys
from fastgmm.files.model_file import load_model, save_model
from tests.model_files import encoded, same
from tests.machine.test_whole_file import MODELS

path = sys.argv[1]
_, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
for limit in range(0, len(encoded(MODELS[1])), 50):
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        save_model(path, MODELS[1])
    except OSError as error:
        assert error.errno == errno.EFBIG
    else:
        raise AssertionError(f"saved within {limit} bytes")
    assert same(load_model(path), MODELS[0])
    assert os.listdir(os.path.dirname(path)) == [os.path.basename(path)]
"""


@pytest.mark.skipif(os.name != "posix", reason="needs limits of the process")
def test_a_limit_on_the_size_of_files_leaves_the_old_model(path: Path) -> None:
    """Nothing stands in for the system here: it writes what fits and refuses the rest."""
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(path)], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
