"""Writing a file: whole or not at all."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

BESIDE = ".tmp"
"""Ending of what is written beside a file before it takes the file's place; the next write of that file reuses it."""


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


def sync(folder: Path) -> None:
    """Make names that were added to a folder survive a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
