"""Output files that appear whole or not at all."""

import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, TypeAlias

AnyPath: TypeAlias = str | os.PathLike[str]


@contextmanager
def whole_file(path: AnyPath, is_durable: bool = True) -> Iterator[BinaryIO]:
    """Open a binary file for writing that takes its name only when the block ends without an exception.

    Until then the bytes go to a temporary file in the same directory; on any exception, Ctrl-C included, that one is
    removed and what stood at ``path`` stays. The name is used as it is: no suffix is added.

    Parameters
    ----------
    path : path-like
        A symbolic link is followed. A device or pipe, which cannot be half a file, is written directly.
    is_durable : bool, default=True
        Whether it waits for the disk, so that the file is there after a failure of the machine as well.

    Yields
    ------
    file : binary file object

    Raises
    ------
    OSError
        Where the file cannot be created; it names ``path``, not the temporary file.
    """
    target = Path(os.path.realpath(path))
    if _is_special(target):
        with open(target, "wb") as file:
            yield file
        return
    temporary = _name_beside(target)
    try:
        with _create(temporary, target) as file:
            yield file
            file.flush()
            if is_durable:
                os.fsync(file.fileno())
        if target.exists():
            os.chmod(temporary, stat.S_IMODE(target.stat().st_mode))
        os.replace(temporary, target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def require_writable(path: AnyPath) -> None:
    """Raise now the ``OSError`` that ``whole_file(path)`` would raise after hours of work."""
    target = Path(os.path.realpath(path))
    if _is_special(target):
        return
    if target.is_dir():
        raise IsADirectoryError(f"cannot write {target}: it is a directory")
    temporary = _name_beside(target)
    try:
        _create(temporary, target).close()
    finally:
        temporary.unlink(missing_ok=True)


def _is_special(target: Path) -> bool:
    return target.exists() and not target.is_file() and not target.is_dir()


def _name_beside(target: Path) -> Path:
    # In the same directory, because a rename is only atomic within a file system.
    return target.with_name(f".fastgmm-{secrets.token_hex(8)}.tmp")


def _create(temporary: Path, target: Path) -> BinaryIO:
    try:
        return open(temporary, "xb")
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(target)) from None
