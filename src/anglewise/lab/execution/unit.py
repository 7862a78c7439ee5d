"""A unit of work: runs that one process trains, wherever it is.

A unit is plain data, and idempotent.  Whoever works on it looks first what the store has of its runs, and trains what
is missing: from a checkpoint, from a kept state, or from the beginning.  So a unit that was lost is simply given to
another process.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Iterator, Sequence

from anglewise.lab.engine import checkpoint
from anglewise.lab.engine.programs import Programs, structure_of
from anglewise.lab.execution.ahead import compiled_ahead
from anglewise.lab.execution.drive import Drive, Listening, Progress
from anglewise.lab.execution.groups import groups
from anglewise.lab.execution.planning import Job, job_of, suited
from anglewise.lab.protocols.reading import Reading
from anglewise.lab.spec import Run, content_hash
from anglewise.lab.store import Provenance, Reader, Store
from anglewise.lab.store.layout import STATE


@dataclasses.dataclass(frozen=True)
class Care:
    """What is written beside the rows of runs, and how often.

    Args:
        provenance: Written beside every run before it trains.
        keep: Whether each run's last weights and state stay in the store.
        checkpoint_seconds: Seconds of training between checkpoints.
        append_seconds: Seconds of training between writes of rows.
    """

    provenance: Provenance
    keep: bool = True
    checkpoint_seconds: float = 20.0
    append_seconds: float = 1.0


@dataclasses.dataclass(frozen=True)
class Unit:
    """Runs that one process trains.

    Args:
        runs: Which.
        readings: What is asked to be measured.
        care: What is written beside their rows.
    """

    runs: tuple[Run, ...]
    readings: tuple[Reading, ...]
    care: Care

    @property
    def ids(self) -> tuple[str, ...]:
        """Of its runs."""
        return tuple(run.run_id for run in self.runs)

    @property
    def unit_id(self) -> str:
        """Names it: a hash of its runs."""
        return content_hash(["unit", *self.ids])


def train_unit(
    unit: Unit, store: Store, progress: Progress, programs: Programs, stop: Callable[[], bool] = lambda: False
) -> None:
    """Train what the store lacks of a unit; the arguments are those of :func:`train_jobs`."""
    reader = Reader(store.root)
    known = reader.outcomes(store.finished_of(unit.ids))
    jobs = [job_of(run, reader, known.get(run.run_id), suited(unit.readings, run))[0] for run in unit.runs]
    train_jobs([job for job in jobs if job is not None], unit.care, store, progress, programs, stop)


def train_jobs(
    jobs: Sequence[Job],
    care: Care,
    store: Store,
    progress: Progress,
    programs: Programs,
    stop: Callable[[], bool] = lambda: False,
) -> None:
    """Train jobs in this process, one population after the other.

    Args:
        jobs: What is missing.
        care: What is written beside their rows.
        store: Open for writing these runs.
        progress: Receives progress events; neither its beginning nor its end.
        programs: Compiled programs to train with.
        stop: Asked after every segment; True saves and ends.

    Raises:
        Interrupted: After a checkpoint, when `stop` returned True.
    """
    for group in compiled_ahead(groups(jobs, store, programs), programs):
        if isinstance(progress, Listening):
            progress.doing("compiling", group.runs)
        population = group.population(programs, store)
        drive = Drive(population, group.folder, store, progress, keep=care.keep)
        drive.to_the_end(care.provenance, stop, care.checkpoint_seconds, care.append_seconds)


def units(
    jobs: Sequence[Job], readings: tuple[Reading, ...], care: Care, store: Store, members: int = 1
) -> Iterator[Unit]:
    """Cut jobs into units, in the order in which they come: runs that share a checkpoint stay together.

    Args:
        jobs: What is missing.
        readings: What is asked to be measured.
        care: What is written beside their rows.
        store: Has the checkpoints.
        members: Runs of equal structure in one unit, at most.
    """
    waiting = {job.run.run_id: job.run for job in jobs}
    for folder in store.populations():
        known = checkpoint.members_in(folder / STATE)
        together = [waiting.pop(run_id) for run_id in known if run_id in waiting]
        if together:
            yield Unit(tuple(together), readings, care)
    for runs in _alike(waiting.values(), members):
        yield Unit(runs, readings, care)


def _alike(runs: Collection[Run], members: int) -> Iterator[tuple[Run, ...]]:
    """Runs of equal structure in parts of so many, in the order of the first of each part."""
    if members == 1:
        yield from ((run,) for run in runs)
        return
    alike: dict[object, list[Run]] = {}
    for run in runs:
        alike.setdefault(structure_of(run), []).append(run)
    parts = [tuple(same[i : i + members]) for same in alike.values() for i in range(0, len(same), members)]
    yield from sorted(parts, key=lambda part: min(run.seed for run in part))
