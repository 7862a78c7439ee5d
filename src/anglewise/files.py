"""Writing a file: whole or not at all."""

from __future__ import annotations

import contextlib
import ctypes
import os
import platform
import re
import sys
from collections.abc import Collection, Mapping
from pathlib import Path

BESIDE = ".tmp"
"""Ending of what is written beside a file before it takes the file's place; the next write of that file reuses it."""
MANY = 32
"""Files from which on one sync of the whole file system is faster than one of each: 4 ms each, 50 to 250 ms for all."""


def put(path: Path, data: bytes) -> None:
    """Write beside, sync, rename, sync the folder: a crash at any moment leaves the old file or the new one.

    What a symbolic link points to is replaced, not the link.  What is there and is no regular file (a device, a pipe)
    is written into.

    Args:
        path: Where to; its folder is there.
        data: The whole content.

    Raises:
        OSError: If the disk does not take it; the old file is then as it was.
    """
    path = path.resolve() if path.is_symlink() else path
    if path.exists() and not path.is_file():
        with path.open("wb") as file:
            file.write(data)
        return
    beside = path.with_name(path.name + BESIDE)
    try:
        with beside.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
    except OSError:
        with contextlib.suppress(OSError):
            beside.unlink()
        raise
    sync(path.parent)


def sync(path: Path) -> None:
    """Make a file's content, or the names that were added to a folder, survive a power cut."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def put_all(files: Mapping[Path, bytes]) -> None:
    """:func:`put` for many files, with two syncs in all: a crash leaves of each the old file or the new one.

    Args:
        files: The whole content of each; their folders are there.

    Raises:
        OSError: If the disk does not take one; what was not yet renamed is then as it was.
    """
    beside = {path: path.with_name(path.name + BESIDE) for path in files}
    try:
        for path, data in files.items():
            beside[path].write_bytes(data)
        settle(beside.values())
        for path, other in beside.items():
            os.replace(other, path)
    except OSError:
        for other in beside.values():
            with contextlib.suppress(OSError):
                other.unlink()
        raise
    settle({path.parent for path in files})


def settle(paths: Collection[Path]) -> None:
    """Make files and folders that were written survive a power cut; of what is not there, nothing.

    Raises:
        OSError: If the disk did not take them.
    """
    if len(paths) >= MANY and _sync_file_system(next(iter(paths)).parent):
        return
    for path in paths:
        with contextlib.suppress(FileNotFoundError):
            sync(path)


def _sync_file_system(folder: Path) -> bool:
    """Sync everything on the disk of a folder, where the system can and says whether it failed (Linux from 5.8 on)."""
    release = [int(digits) for digits in re.findall(r"\d+", platform.release())[:2]]
    if sys.platform != "linux" or release < [5, 8]:
        return False
    handle = os.open(folder, os.O_RDONLY)
    try:
        if ctypes.CDLL(None, use_errno=True).syncfs(handle):
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), str(folder))
    finally:
        os.close(handle)
    return True
