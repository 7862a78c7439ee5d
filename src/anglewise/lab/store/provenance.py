"""What a run was trained with: code, libraries, machine, command line and time.

A store is made to be passed on, so environment variables are left out: they hold secrets.  The name of the host and
the paths in the command line are written down; `anonymous` leaves them out.
"""

from __future__ import annotations

import datetime
import os
import platform
import shlex
import socket
import subprocess
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import TypedDict

LIBRARIES = ("jax", "jaxlib", "equinox", "optax", "numpy", "pyarrow", "duckdb", "scipy")


class Provenance(TypedDict, total=False):
    """Everything beside its spec that a run's numbers may depend on, as JSON values.

    ``git_commit`` and ``git_dirty`` are None where the code is no part of a git checkout, ``command`` where there was
    no command line, ``host`` where it was left out.  ``threads`` is what one run has of the ``cores``; whoever trains
    adds it.  Each time that a run goes on, ``resumed`` grows by what differs.
    """

    anglewise: str
    git_commit: str | None
    git_dirty: bool | None
    libraries: dict[str, str | None]
    python: str
    platform: str
    cpu: str
    cores: int | None
    threads: int
    device: str
    precision: str
    command: str | None
    started: str
    host: str | None
    resumed: list[Provenance]


def collect(command: Sequence[str] | None, device: str, precision: str, *, anonymous: bool = False) -> Provenance:
    """Everything beside its spec that a run's numbers may depend on.

    Args:
        command: The command line, word by word; None where there was none.
        device: What it trains on, as its framework calls it.
        precision: Of parameters and arithmetic.
        anonymous: Leave out the host's name, and of every path in the command all but its last part.

    Returns:
        All of it but ``resumed``.
    """
    import anglewise

    commit, dirty = _git(Path(anglewise.__file__).parent)
    words = None if command is None else [*(Path(word).name for word in command[:1]), *command[1:]]
    if words is not None and anonymous:
        words = [word.rstrip("/").rpartition("/")[2] if "/" in word else word for word in words]
    return {
        "anglewise": anglewise.__version__,
        "git_commit": commit,
        "git_dirty": dirty,
        "libraries": {name: _version(name) for name in LIBRARIES},
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cpu": _cpu(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "device": device,
        "precision": precision,
        "command": None if words is None else shlex.join(words).encode(errors="backslashreplace").decode(),
        "started": datetime.datetime.now(datetime.UTC).isoformat(),
        "host": None if anonymous else socket.gethostname(),
    }


def _version(library: str) -> str | None:
    try:
        return metadata.version(library)
    except metadata.PackageNotFoundError:
        return None


def _git(folder: Path) -> tuple[str | None, bool | None]:
    """Commit of the checkout that tracks this folder's files, and whether any of them differs from it."""

    def ask(*words: str) -> str | None:
        try:
            done = subprocess.run(["git", "-C", str(folder), *words], capture_output=True, text=True, timeout=10)
        except (OSError, subprocess.TimeoutExpired):
            return None
        return done.stdout.strip() if done.returncode == 0 else None

    if ask("ls-files", "--error-unmatch", "__init__.py") is None:
        return None, None
    commit, changed = ask("rev-parse", "HEAD"), ask("status", "--porcelain", "--", ".")
    return commit, None if changed is None else bool(changed)


def _cpu(file: Path = Path("/proc/cpuinfo")) -> str:
    try:
        lines = file.read_text().splitlines()
    except OSError:
        lines = []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
