"""What a machine of a cluster has, and what is missing there: asked of each machine, compared with this one."""

from __future__ import annotations

import fcntl
import importlib.metadata
import os
import platform
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

from anglewise.lab.store.working import held

LIBRARIES = ("anglewise", "jax", "jaxlib")
"""Releases that decide what a run computes: all machines are to have the same."""


def machine(probe: str | None = None) -> dict[str, Any]:
    """What this machine has, as plain values.

    Args:
        probe: A file that another machine holds locked; None to look for none.

    Returns:
        Its name, releases, cores and memory, and whether it sees that file, and its lock.
    """
    seen = probe is not None and Path(probe).exists()
    return {
        "host": socket.gethostname(),
        "python": platform.python_version(),
        "libraries": {name: _version(name) for name in LIBRARIES},
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "sees": seen,
        "locks": probe is not None and seen and held(Path(probe)),
    }


def differences(machines: Sequence[Mapping[str, Any]], mine: Mapping[str, Any]) -> list[str]:
    """What keeps machines from training what this one would train: a line for each, with what to do.

    Args:
        machines: What each said: the keys of :func:`machine`, or ``"host"`` and ``"error"``.
        mine: What this one says.
    """
    lines = []
    for one in machines:
        if error := one.get("error"):
            lines.append(f"{one['host']}: {error}")
            continue
        for name, release in mine["libraries"].items():
            there = one["libraries"].get(name)
            if there is None:
                lines.append(f"{one['host']}: {name} is not installed there, expected {release}: install it there")
            elif there != release:
                lines.append(f"{one['host']}: {name} is {there} there, and {release} here: install the same release")
    return lines


@contextmanager
def probing(folder: Path) -> Iterator[Path]:
    """A file in a folder, locked by this process, for other machines to look for; it goes with the block."""
    path = folder.resolve() / f".anglewise-probe-{uuid4().hex}"
    try:
        with path.open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield path
    finally:
        path.unlink(missing_ok=True)


def _version(library: str) -> str | None:
    try:
        return importlib.metadata.version(library)
    except importlib.metadata.PackageNotFoundError:
        return None
