"""What a worker shows while it trains: a small file beside its checkpoint, replaced several times a second.

The driver reads these files and reports them to its own progress, as if it had trained itself.  A file is news and no
result: it is not synced to the disk, and whoever misses one reads the next.  The rows themselves are in the store.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from anglewise.files import BESIDE
from anglewise.lab.engine.compiling import add_seconds, seconds_compiling
from anglewise.lab.engine.population import Rows
from anglewise.lab.execution.drive import Listening, Progress, State
from anglewise.lab.execution.unit import Unit
from anglewise.lab.outcome import Outcome
from anglewise.lab.spec import Json, Run
from anglewise.lab.store import Reader
from anglewise.lab.store.working import NEWS, path_of

EVERY = 0.3
"""Seconds between two files of a worker; another state is told at once."""
SHOWN = ("radius",)
"""Readings that a progress display shows."""


class Telling:
    """A worker's progress: writes what its runs show into a file.

    Args:
        root: The store.
        unit: What it works on.
        clock: Seconds.
    """

    def __init__(self, root: Path, unit: Unit, clock: Callable[[], float] = time.monotonic):
        """Nothing is shown yet."""
        self.path, self.clock = path_of(root, unit.unit_id, NEWS), clock
        self.seen: dict[str, dict[str, Any]] = {}
        self.state: State = "compiling"
        self.runs: list[str] = []
        self.compiled, self.written = seconds_compiling(), float("-inf")

    def start(self, plan: Any) -> None:
        """Nobody calls it: a worker has no plan."""

    def doing(self, state: State, runs: Sequence[Run]) -> None:
        """Before something is done."""
        urgent = state != self.state and state != "writing"
        self.state, self.runs = state, [run.run_id for run in runs]
        self._write(urgent=urgent)

    def update(self, rows: Rows, steps: int) -> None:
        """After each segment."""
        seen = self.seen.setdefault(rows.run.run_id, {"trained": 0})
        seen["trained"] += steps
        if rows.curves:
            seen.update(rows.curves[-1])
            seen["readings"] = [row for row in rows.readings if row["name"] in SHOWN]
        seen["seconds"] = rows.seconds
        self._write()

    def finish(self, run: Run, outcome: Outcome) -> None:
        """When a run has ended: the store says how."""
        self.seen.setdefault(run.run_id, {"trained": 0})["ended"] = True
        self._write(urgent=True)

    def close(self) -> None:
        """Write the last."""
        self._write(urgent=True)

    def _write(self, *, urgent: bool = False) -> None:
        now = self.clock()
        if not urgent and now - self.written < EVERY:
            return
        self.written = now
        compiled = seconds_compiling() - self.compiled
        news = {"state": self.state, "runs": self.runs, "seen": self.seen, "compiled": compiled}
        beside = self.path.with_name(self.path.name + BESIDE)
        with contextlib.suppress(OSError):
            beside.write_text(json.dumps(news), encoding="utf-8")
            os.replace(beside, self.path)


class Hearing:
    """Reads what workers show, and hands it on.

    Args:
        root: The store.
        progress: Receives it.
        slots: Workers at once: their time for compiling passes side by side.
    """

    def __init__(self, root: Path, progress: Progress, slots: int):
        """Nothing is heard yet."""
        self.root, self.progress, self.slots = root, progress, slots
        self.reader = Reader(root)
        self.versions: dict[str, tuple[int, int]] = {}
        self.trained: dict[str, int] = {}
        self.compiled: dict[str, float] = {}
        self.states: dict[str, tuple[State, tuple[Run, ...]]] = {}
        self.ended: set[str] = set()

    def hear(self, working: Iterable[Unit]) -> None:
        """Hand on what is new of the units that are worked on."""
        for unit in working:
            news = self._news(unit)
            if news is None:
                continue
            runs = {run.run_id: run for run in unit.runs}
            compiled = float(news["compiled"])
            add_seconds((compiled - self.compiled.get(unit.unit_id, 0.0)) / self.slots)
            self.compiled[unit.unit_id] = compiled
            self.states[unit.unit_id] = news["state"], tuple(runs[i] for i in news["runs"] if i in runs)
            for run_id, seen in news["seen"].items():
                self._show(runs[run_id], seen)
        if isinstance(self.progress, Listening) and self.states:
            states = [state for state, _ in self.states.values()]
            busiest: State = "training" if "training" in states else states[0]
            self.progress.doing(busiest, [run for _, runs in self.states.values() for run in runs])

    def end(self, unit: Unit) -> None:
        """A unit has come to its end: say how each of its runs ended that was not told yet."""
        self.hear([unit])
        for run in unit.runs:
            self._finish(run)
        self.forget(unit)

    def forget(self, unit: Unit) -> None:
        """A unit is worked on no longer."""
        self.states.pop(unit.unit_id, None)
        self.versions.pop(unit.unit_id, None)
        self.compiled.pop(unit.unit_id, None)
        path_of(self.root, unit.unit_id, NEWS).unlink(missing_ok=True)

    def _news(self, unit: Unit) -> Json | None:
        """What a unit's file says, if it is new."""
        path = path_of(self.root, unit.unit_id, NEWS)
        with contextlib.suppress(OSError, ValueError):
            stat = path.stat()
            version = stat.st_mtime_ns, stat.st_ino
            if self.versions.get(unit.unit_id) != version:
                news: Json = json.loads(path.read_bytes())
                self.versions[unit.unit_id] = version
                return news
        return None

    def _show(self, run: Run, seen: Json) -> None:
        steps = int(seen["trained"]) - self.trained.get(run.run_id, 0)
        if run.run_id not in self.ended and "step" in seen and steps:
            self.trained[run.run_id] = int(seen["trained"])
            self.progress.update(Rows(run, [seen], seen["readings"], [], None, {}, float(seen["seconds"])), steps)
        if seen.get("ended"):
            self._finish(run)

    def _finish(self, run: Run) -> None:
        outcome = None if run.run_id in self.ended else self.reader.outcome(run.run_id)
        if outcome is not None:
            self.ended.add(run.run_id)
            self.progress.finish(run, outcome)
