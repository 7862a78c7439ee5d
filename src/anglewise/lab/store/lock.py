"""The lock of a store: one process writes, and notices when the lock or the store is taken away from it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from anglewise.errors import StoreError
from anglewise.lab.store.layout import writing


@contextlib.contextmanager
def locked(root: Path) -> Iterator[None]:
    """Keep others from writing to a folder, whether or not it is a whole store.

    Raises:
        StoreError: If another process writes to it.
    """
    with writing(root):
        if (root / "lock").is_symlink() or not (root / "runs").is_dir():
            yield
            return
        lock = opened(root / "lock")
    with lock:
        take(lock, root)
        yield


def opened(path: Path) -> IO[str]:
    """The lock file, made if it is not there; never what a link points to, which may be anybody's."""
    if path.is_symlink():
        raise StoreError(f"{path} is a symbolic link, expected a file: remove it and run again")
    return os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o644), "a+")


def is_lock(lock: IO[str], path: Path) -> bool:
    """Whether the open file is the one that lies at a path."""
    try:
        there, ours = os.stat(path, follow_symlinks=False), os.fstat(lock.fileno())
    except OSError:
        return False
    return (there.st_dev, there.st_ino) == (ours.st_dev, ours.st_ino)


def take(lock: IO[str], root: Path) -> None:
    """Take the lock and sign it, or say who has it."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if not is_lock(lock, root / "lock"):
            raise BlockingIOError
    except BlockingIOError:
        lock.seek(0)
        owner = lock.read().strip() or "another process"
        raise StoreError(f"{root} is being written by {owner}: wait until it ends, or choose another folder") from None
    lock.truncate(0)
    lock.write(f"process {os.getpid()} on {socket.gethostname()}\n")
    lock.flush()
