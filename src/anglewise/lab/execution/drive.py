"""One population on its way to its end: trained segment by segment, its rows stored before they are forgotten.

At a checkpoint the rows are made safe first and the state is written after.  So whatever comes after a checkpoint can
be thrown away, and will be made again, bit for bit.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias, runtime_checkable

from anglewise.errors import AnglewiseError
from anglewise.lab.engine.population import Last, Population, Rows
from anglewise.lab.engine.programs import Doing, unheard
from anglewise.lab.execution.planning import described
from anglewise.lab.outcome import Outcome, outcome_under
from anglewise.lab.spec import Json, Run
from anglewise.lab.store import Provenance, Store
from anglewise.lab.store.kept import Kept
from anglewise.lab.store.layout import STATE

if TYPE_CHECKING:
    from anglewise.lab.execution.planning import Plan


class Interrupted(AnglewiseError):
    """Training was asked to stop, and everything is saved."""

    def _render_traceback_(self) -> list[str]:
        """The one line that a notebook shows."""
        return [str(self)]


class Progress(Protocol):
    """Receives progress events."""

    def start(self, plan: Plan) -> None:
        """Before training what the `plan` says is missing."""

    def update(self, rows: Rows, steps: int) -> None:
        """After each segment, for each of its members; `rows` has its newest values, and `steps` were trained in it."""

    def finish(self, run: Run, outcome: Outcome) -> None:
        """When `run` has ended, with this `outcome`."""

    def close(self) -> None:
        """After the last, or when interrupted."""


State: TypeAlias = Doing | Literal["writing"]
"""What is done at this moment."""


@runtime_checkable
class Listening(Protocol):
    """A :class:`Progress` that also hears, several times a second, what is done at this moment."""

    def doing(self, state: State, runs: Sequence[Run]) -> None:
        """Before it is done, for the `runs` that train together."""


class Drive:
    """One population on its way to its end, with the rows that the store has not been given yet."""

    def __init__(self, population: Population, folder: Path, store: Store, progress: Progress, *, keep: bool):
        """Nothing is trained yet."""
        self.population, self.folder, self.store, self.progress, self.keep = population, folder, store, progress, keep
        self.measured = [described(reading) for reading in population.compiled.readings]
        self.waiting: dict[str, tuple[list[Any], list[Any], list[Any]]] = {}
        population.compiled.told = self._tell

    def to_the_end(
        self, provenance: Provenance, stop: Callable[[], bool], checkpoint_seconds: float, append_seconds: float
    ) -> None:
        """Train segment by segment until no member is left.

        Args:
            provenance: Written beside every run before it trains.
            stop: Asked after every segment; True saves and ends.
            checkpoint_seconds: Seconds of training between checkpoints.
            append_seconds: Seconds of training between writes of rows.

        Raises:
            Interrupted: After a checkpoint, when `stop` returned True.
        """
        try:
            self._train(provenance, stop, checkpoint_seconds, append_seconds)
        finally:
            self.population.compiled.told = unheard

    def _train(
        self, provenance: Provenance, stop: Callable[[], bool], checkpoint_seconds: float, append_seconds: float
    ) -> None:
        population = self.population
        for run in self._live():
            self.store.begin(run.run_id, run.spec, provenance)
        saved = stored = time.monotonic()
        self._take(population.settled(), 0)
        while population.live.any():
            before = max(population.step, 0)
            rows = population.advance()
            self._take(rows, population.step - before)
            now, stopping = time.monotonic(), stop()
            if now - stored >= append_seconds:
                self._flush()
                stored = now
            if population.live.any() and (stopping or now - saved >= checkpoint_seconds):
                self._save()
                saved = now
            if stopping:
                raise Interrupted("interrupted: run the same command again to go on from here")
        self.store.drop_population(self.folder.name)

    def _tell(self, state: State) -> None:
        """Say what is done at this moment to whoever wants to hear it."""
        if isinstance(self.progress, Listening):
            self.progress.doing(state, self.population.runs)

    def _live(self) -> list[Run]:
        """Members that still train."""
        return [run for run, on in zip(self.population.runs, self.population.live, strict=True) if on]

    def _take(self, segment: Iterable[Rows], steps: int) -> None:
        """Receive a segment's rows; `steps` were trained in it.  Runs that have ended are finished in the store."""
        ended: list[tuple[Rows, Last]] = []
        for rows in segment:
            waiting = self.waiting.setdefault(rows.run.run_id, ([], [], []))
            for kind, new in zip(waiting, (rows.curves, rows.readings, rows.arrays), strict=True):
                kind.extend(new)
            self.progress.update(rows, steps)
            if rows.last is not None:
                ended.append((rows, rows.last))
        if ended:
            self._finish(ended)

    def _finish(self, ended: Sequence[tuple[Rows, Last]]) -> None:
        """Store the last rows, the last states and the outcomes of runs."""
        self._tell("writing")
        every, measured = self.population.watch.every, tuple(self.measured)
        ends: dict[str, tuple[Outcome, Kept | None]] = {}
        for rows, last in ended:
            run_id, trained = rows.run.run_id, int(rows.history["step"][-1])
            self.store.append(run_id, *self.waiting.pop(run_id))
            counts = self.store.counts(run_id)
            kept = Kept(last.weights, last.rest, last.step, trained, rows.seconds, every, measured, counts)
            ends[run_id] = outcome_of(rows, every, measured), kept if self.keep else None
        self.store.finish_all(ends)
        for rows, _ in ended:
            self.progress.finish(rows.run, ends[rows.run.run_id][0])

    def _flush(self) -> None:
        """Hand the waiting rows to the store."""
        self._tell("writing")
        for run_id, rows in self.waiting.items():
            self.store.append(run_id, *rows)
        self.waiting.clear()

    def _save(self) -> None:
        """Write a checkpoint, after the rows that lead up to it, which are safe by then."""
        self._flush()
        ids = [run.run_id for run in self._live()]
        self.store.secure(ids)
        rows = {run_id: self.store.counts(run_id) for run_id in ids}
        note = {"readings": self.measured, "step": self.population.step, "rows": rows}
        self.population.save(self.folder / STATE, note)


def outcome_of(rows: Rows, every: int, measured: Sequence[Json]) -> Outcome:
    """How a run ended by its own rule, and what was trained, for the store.

    Args:
        rows: All that it showed; it has ended.
        every: Steps between the evaluations that are stored.
        measured: The readings that were taken, as JSON values.
    """
    rule, trained = rows.run.training.rule, int(rows.history["step"][-1])
    ending = outcome_under(rule, rows.history)
    assert ending is not None, "a run that trains no further has ended by its rule"
    return Outcome(
        **vars(ending),
        seconds=rows.seconds * ending.steps / max(trained, 1),
        trained=trained,
        every=every,
        rule=rule,
        trained_seconds=rows.seconds,
        readings=tuple(measured),
    )
