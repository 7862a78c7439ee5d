"""Who trains which runs of a store at this moment, so that no run is ever written by two.

One process has the store's own lock and decides what is trained.  Workers that it starts, here or on other machines,
hold a lock each for the runs that they write, beside the checkpoints::

    populations/<unit>.lock   held by a worker; says which runs it writes
    populations/<unit>.news   what it showed last (see execution/news.py)
    populations/<session>.stop   the workers of this session are to save and stop

A lock is the operating system's: it goes with its process, however that ends.  So a worker whose driver was killed
still keeps others from its runs until it has saved.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import random
import socket
import time
from collections.abc import Callable, Collection
from pathlib import Path
from typing import IO

from anglewise.lab.store.layout import checked, read_bytes, writing
from anglewise.lab.store.lock import is_lock, opened

LOCK, NEWS, STOP = ".lock", ".news", ".stop"
PAUSE = 0.3
"""Mean seconds between two attempts."""


def path_of(root: Path, name: str, ending: str) -> Path:
    """The file of a unit or a session."""
    return root / "populations" / (checked("unit", name) + ending)


def busy(root: Path, besides: Path | None = None) -> set[str]:
    """Runs that a living worker writes.

    Args:
        root: The store.
        besides: A lock that does not count.
    """
    runs: set[str] = set()
    for path in (root / "populations").glob(f"*{LOCK}"):
        if path != besides and held(path):
            with contextlib.suppress(ValueError):  # not signed yet: it looks for others once it is
                runs |= set(json.loads(read_bytes(path) or b"")["runs"])
    return runs


def held(path: Path) -> bool:
    """Whether a process holds the lock of a file, as far as this machine can see."""
    try:
        with path.open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def hold(root: Path, unit: str, runs: Collection[str], give_up: Callable[[], bool]) -> IO[str] | None:
    """Take the lock for some runs, once nobody else writes any of them.

    Who takes a lock signs it first and looks for others then, so of two who want the same run one sees the other.

    Args:
        root: The store.
        unit: Names the lock.
        runs: What is to be written.
        give_up: Asked between attempts.

    Returns:
        The open file; closing it gives the lock back.  None where it was given up.
    """
    path = path_of(root, unit, LOCK)
    while not give_up():
        with writing(path):
            lock = opened(path)
            if _taken(lock, path):
                lock.truncate(0)
                lock.write(json.dumps({"process": os.getpid(), "host": socket.gethostname(), "runs": sorted(runs)}))
                lock.flush()
                if not busy(root, besides=path) & set(runs):
                    return lock
                path.unlink(missing_ok=True)
            lock.close()
        time.sleep(random.uniform(0.5, 1.5) * PAUSE)
    return None


def _taken(lock: IO[str], path: Path) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return is_lock(lock, path)


def sweep(root: Path) -> None:
    """Remove what workers that are gone have left; called by the process that holds the store's lock."""
    folder = root / "populations"
    for path in folder.glob(f"*{LOCK}"):
        if not held(path):
            path.unlink(missing_ok=True)
    for path in (*folder.glob(f"*{NEWS}*"), *folder.glob(f"*{STOP}")):
        if not path.with_name(path.name.partition(".")[0] + LOCK).exists():
            path.unlink(missing_ok=True)
