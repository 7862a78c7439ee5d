"""Progress for other processes: what is done now, written into the store a few times a second.

It stands around the progress that this process shows, hands every event on, and uses the counts that it keeps.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from anglewise.lab.report.progress import Silent
from anglewise.lab.runner import Listening, State
from anglewise.lab.store.status import Status, remove_status, write_status

if TYPE_CHECKING:
    from anglewise.lab.execution.planning import Plan
    from anglewise.lab.outcome import Outcome
    from anglewise.lab.spec import Run

EVERY = 0.25
"""Seconds between two writes of the same state; another one is told at once, but for writing."""


class Announced:
    """Hands progress on to `shown`, and writes what is done now into the store in `root`."""

    def __init__(self, root: Path, shown: Silent, clock: Callable[[], float] = time.time):
        self.root, self.shown, self.clock = root, shown, clock
        self.begun = self.since = clock()
        self.written, self.now, self.told = float("-inf"), "starting", ""
        self.experiment_id, self.runs = "", tuple[str, ...]()

    def start(self, plan: Plan) -> None:
        """Before training."""
        self.experiment_id = plan.experiment.experiment_id
        self.shown.start(plan)
        self._write()

    def doing(self, state: State, runs: Sequence[Run]) -> None:
        """Before something is done."""
        if isinstance(self.shown, Listening):
            self.shown.doing(state, runs)
        if state != self.now:
            self.now, self.since = state, self.clock()
        urgent = state not in (self.told, "writing")  # writing is over before anybody reads of it
        if urgent or self.clock() - self.written >= EVERY:
            self.runs = tuple(run.run_id for run in runs)
            self._write()

    def update(self, rows: Any, steps: int) -> None:
        """After each segment."""
        self.shown.update(rows, steps)

    def finish(self, run: Run, outcome: Outcome) -> None:
        """When a run has ended."""
        self.shown.finish(run, outcome)

    def close(self) -> None:
        """After the last, or when interrupted."""
        self.shown.close()
        remove_status(self.root)

    def _write(self) -> None:
        self.written, self.told, tally = self.clock(), self.now, self.shown.tally
        left = tally.left()
        write_status(
            self.root,
            Status(
                self.experiment_id, self.now, self.since, self.begun, self.written, self.runs,
                tally.pace.steps_per_second, left and left.about, left and left.high,
            ),
        )  # fmt: skip
