"""What a writing process does now: a small file beside the runs, for whoever watches from another process.

The process replaces the file in one move, a few times a second, and removes it when it ends.  A file that stays is that
of a process that was killed; its number tells, on the same machine.  The file is news and no result: it is not synced
to the disk, has no checksum, and nothing but a display reads it.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import os
import socket
import time
from pathlib import Path
from typing import Any

from anglewise.files import BESIDE

STATUS = "status.json"
QUIET = 120.0
"""Seconds without news after which a process on another machine counts as gone."""


@dataclasses.dataclass(frozen=True)
class Status:
    """What one process does.  Times are seconds since 1970.

    Args:
        experiment_id: What it trains.
        state: ``"starting"``, ``"compiling"``, ``"training"``, ``"measuring"`` or ``"writing"``.
        since: When it began with that.
        begun: When it began with the experiment.
        heard: When this was written.
        runs: Ids of the runs that it trains now.
        steps_per_second: Of all runs together, compilation left out; None before the first step.
        about: Seconds left, estimated; None where nothing says how soon runs end.
        most: Seconds left if every run took the whole budget; None before the first step.
        process: Its number.
        host: A hash of its machine's name.
    """

    experiment_id: str
    state: str
    since: float
    begun: float
    heard: float
    runs: tuple[str, ...] = ()
    steps_per_second: float | None = None
    about: float | None = None
    most: float | None = None
    process: int = dataclasses.field(default_factory=os.getpid)
    host: str = dataclasses.field(default_factory=lambda: _host())

    @property
    def alive(self) -> bool:
        """Whether the process is still there, as far as this machine can tell."""
        if self.host != _host():
            return time.time() - self.heard < QUIET
        try:
            os.kill(self.process, 0)
        except ProcessLookupError:
            return False
        except OSError:  # another user's
            return True
        return True


def write_status(root: Path, status: Status) -> None:
    """Replace the file in one move; what the disk does not take is left out, since it is only news."""
    beside = root / (STATUS + BESIDE)
    with contextlib.suppress(OSError):
        beside.write_text(json.dumps(dataclasses.asdict(status)), encoding="utf-8")
        os.replace(beside, root / STATUS)


def read_status(root: Path) -> Status | None:
    """What the process that writes to the store in `root` does; None if none does."""
    try:
        values: dict[str, Any] = json.loads((root / STATUS).read_bytes())
        status = Status(**values | {"runs": tuple(map(str, values["runs"]))})
        return status if status.alive else None
    except (OSError, ValueError, TypeError, KeyError):
        return None


def remove_status(root: Path) -> None:
    """The process ends."""
    for name in (STATUS, STATUS + BESIDE):
        with contextlib.suppress(OSError):
            (root / name).unlink()


def _host() -> str:
    return hashlib.sha256(socket.gethostname().encode()).hexdigest()[:12]
