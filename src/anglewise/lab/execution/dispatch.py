"""Units handed to workers until all have ended: none is lost with its worker, none is trained twice.

The driver holds the store's lock and writes no run itself.  It hands out units, reports what workers show, and gives a
unit whose worker was lost to another one.
"""

from __future__ import annotations

import os
import sys
import time
from collections import Counter, deque
from collections.abc import Callable, Collection, Iterable
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Future, wait
from pathlib import Path

from anglewise.errors import AnglewiseError
from anglewise.lab.execution.drive import Interrupted, Progress
from anglewise.lab.execution.news import Hearing
from anglewise.lab.execution.unit import Unit
from anglewise.lab.execution.workers import Workers
from anglewise.lab.spec import content_hash
from anglewise.lab.store.working import STOP, busy, path_of

POLL = 0.25
"""Seconds between two looks at what workers show."""
ATTEMPTS = 3
"""Workers that a unit may lose before it is given up: it may be what kills them."""


class LostWorkers(AnglewiseError):
    """A unit has lost its worker again and again."""


def dispatch(units: Iterable[Unit], workers: Workers, root: Path, progress: Progress, stop: Callable[[], bool]) -> None:
    """Have units trained by workers.

    Args:
        units: What is missing.
        workers: Where it is trained.
        root: The store, whose lock this process holds.
        progress: Receives progress events.
        stop: Asked a few times a second; True has all workers save, and ends.

    Raises:
        Interrupted: When `stop` returned True and everything is saved.
        LostWorkers: If a unit's workers end too early again and again.
    """
    root = root.resolve()
    session = content_hash([os.getpid(), time.time_ns()])
    driving = _Driving(units, workers, root, session, Hearing(root, progress, workers.slots))
    try:
        while driving.goes_on:
            driving.look()
            if stop():
                driving.have_saved()
                raise Interrupted("interrupted: run the same command again to go on from here")
    except KeyboardInterrupt:
        workers.kill()
        raise
    except BaseException:
        driving.have_saved()
        raise
    finally:
        path_of(root, session, STOP).unlink(missing_ok=True)


class _Driving:
    """Units that wait, and those that are worked on."""

    def __init__(self, units: Iterable[Unit], workers: Workers, root: Path, session: str, hearing: Hearing):
        self.waiting, self.workers, self.root, self.session = deque(units), workers, root, session
        self.hearing = hearing
        self.working: dict[Future[bool], Unit] = {}
        self.lost: Counter[str] = Counter()
        self.told = False

    @property
    def goes_on(self) -> bool:
        return bool(self.waiting or self.working)

    def look(self) -> None:
        """Hand out what can be, wait a moment, report what is new, take back what has ended."""
        self._hand_out()
        for future in self._wait():
            unit = self.working.pop(future)
            error = future.exception()
            if isinstance(error, BrokenExecutor):
                self._again(unit, error)
            elif error is not None:
                raise error
            elif future.result():
                self.hearing.end(unit)
            else:  # it was told to stop, and not by us: by its machine, before that is taken away
                self.hearing.forget(unit)
                self.waiting.appendleft(unit)

    def _wait(self) -> Collection[Future[bool]]:
        if self.working:
            ended = wait(self.working, POLL, FIRST_COMPLETED).done
        else:
            ended = set()
            time.sleep(POLL)
        self.hearing.hear(self.working.values())
        return ended

    def _hand_out(self) -> None:
        if not self.waiting or len(self.working) >= self.workers.ahead:
            return
        others = busy(self.root) - {run_id for unit in self.working.values() for run_id in unit.ids}
        held: list[Unit] = []
        while self.waiting and len(self.working) < self.workers.ahead:
            unit = self.waiting.popleft()
            if others & set(unit.ids):
                held.append(unit)
            else:
                self.working[self.workers.send(self.root, unit, self.session)] = unit
        self.waiting.extendleft(reversed(held))
        if held and not self.told:
            self.told = True
            tell_of_others(len(held))

    def _again(self, unit: Unit, error: BaseException) -> None:
        self.hearing.forget(unit)
        self.lost[unit.unit_id] += 1
        if self.lost[unit.unit_id] >= ATTEMPTS:
            names = ", ".join(f"{run.arm.name} seed {run.seed}" for run in unit.runs[:3])
            raise LostWorkers(
                f"{ATTEMPTS} workers ended before {names} did ({' '.join(str(error).split())[:200]}): perhaps memory "
                "ran out. Run the same command with fewer --jobs: it goes on from what is saved"
            )
        self.waiting.appendleft(unit)

    def have_saved(self) -> None:
        """Have all workers save and stop, and wait for them."""
        self.waiting.clear()
        path_of(self.root, self.session, STOP).touch()
        while self.working:
            for future in self._wait():
                unit = self.working.pop(future)
                if future.exception() is None and future.result():
                    self.hearing.end(unit)
                else:
                    self.hearing.forget(unit)


def tell_of_others(count: int) -> None:
    """Say that workers of an earlier command have to end first."""
    what = "a run is" if count == 1 else f"{count} runs are"
    print(f"anglewise: {what} still trained by workers of an earlier command: waiting until they end", file=sys.stderr)


def wait_for_others(root: Path, run_ids: Collection[str], stop: Callable[[], bool]) -> None:
    """Wait until no worker of an earlier command writes any of some runs.

    Raises:
        Interrupted: When `stop` returned True.
    """
    told = False
    while others := busy(root) & set(run_ids):
        if not told:
            told = True
            tell_of_others(len(others))
        if stop():
            raise Interrupted("interrupted: nothing was begun")
        time.sleep(POLL)
