"""Runs that train together: gone on with from a checkpoint or from their kept states, or begun.

A :class:`Group` is the unit of work, wherever it runs: plain data from which a worker makes one population.  It is
idempotent, since a run's id is the hash of its specification.  What comes out of a population are rows; they are
written by whoever holds the store.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Hashable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np

from anglewise.lab.engine import checkpoint
from anglewise.lab.engine.placement import chunks, free_bytes
from anglewise.lab.engine.population import Last, Population, Watch, bytes_each
from anglewise.lab.engine.programs import Programs, structure_of
from anglewise.lab.execution.planning import Job, described
from anglewise.lab.protocols.reading import Reading
from anglewise.lab.spec import Run, content_hash
from anglewise.lab.store import Reader, Store
from anglewise.lab.store.layout import STATE

T = TypeVar("T")


class Ended(NamedTuple):
    """Where a run once ended, and all that going on from there needs."""

    last: Last
    curves: Mapping[str, np.ndarray]
    seconds: float


@dataclasses.dataclass(frozen=True)
class Group:
    """Runs of one structure that train as one population.

    Args:
        runs: Its members, in order.
        readings: What is measured.
        watch: How its members are evaluated.
        folder: Where its checkpoints lie.
        ended: For each member where it once ended, to go on from there; empty otherwise.
        evaluations: Number of evaluations in the checkpoint to go on from; None where there is no checkpoint.
        live: Identities of the members that train; those of a checkpoint may have ended since.
    """

    runs: tuple[Run, ...]
    readings: tuple[Reading, ...]
    watch: Watch
    folder: Path
    ended: tuple[Ended, ...] = ()
    evaluations: int | None = None
    live: frozenset[str] = frozenset()

    def population(self, programs: Programs, store: Store | None = None) -> Population:
        """The members with their weights, ready to train.

        Args:
            programs: Where their program is kept.
            store: Forgets what it has of members that begin anew; None leaves it as it is.

        Raises:
            StoreError: If a checkpoint or a kept state does not fit.
        """
        population = Population(self.runs, programs.of(self.runs[0], self.readings), self.watch)
        if self.evaluations is not None:
            population.restore(self.folder / STATE, self.evaluations, live=self.live)
        elif self.ended:
            population.go_on(*zip(*self.ended, strict=True))
        else:
            if store is not None:
                for run in self.runs:
                    store.reset(run.run_id)
            population.begin()
        return population


def groups(jobs: Sequence[Job], store: Store, programs: Programs) -> Iterator[Group]:
    """Groups that train all jobs: those with a checkpoint first, then those with kept states, then the rest.

    Runs that go on are rewound in the store before their group is handed out.  Those that begin anew are reset by
    :meth:`Group.population`, so that an interruption before costs them nothing.

    Args:
        jobs: What is missing.
        store: Open for writing.
        programs: Say which runs train together, and how many at once.
    """
    waiting = {job.run.run_id: job for job in jobs}
    yield from _interrupted(waiting, store)
    yield from _further(waiting, store, programs)
    parts = _together([(_key(job), job, job) for job in waiting.values()], programs)
    for part in sorted(parts, key=lambda part: min(job.run.seed for job in part)):
        runs = tuple(job.run for job in part)
        folder = store.population_dir(content_hash([run.run_id for run in runs]))
        yield Group(runs, part[0].readings, part[0].watch, folder)


def _interrupted(waiting: dict[str, Job], store: Store) -> Iterator[Group]:
    """Groups that go on from a checkpoint; their jobs are taken out of `waiting`."""
    for folder in store.populations():
        if not set(checkpoint.members_in(folder / STATE)) & set(waiting):
            continue
        note = checkpoint.note_of(folder / STATE)
        if note is None:
            continue
        jobs = {run_id: waiting[run_id] for run_id in note["runs"] if run_id in waiting}
        others = set(note["runs"]) - set(jobs)
        if others - store.finished_of(others):
            continue  # shared with runs that are not asked for now: leave it to them
        watch = _watch(note, list(jobs.values()))
        if watch is None:
            continue  # evaluated or measured otherwise so far: begin anew
        if any(_lost(store, run_id, note["step"], note["rows"].get(run_id)) for run_id in jobs):
            continue  # rows before the checkpoint were lost: begin anew
        for run_id in jobs:
            del waiting[run_id]
        first = next(iter(jobs.values()))
        runs = tuple(jobs.get(run_id, first).run for run_id in note["runs"])  # any run stands for one that has ended
        yield Group(runs, first.readings, watch, folder, evaluations=int(note["looks"]), live=frozenset(jobs))


def _watch(note: Mapping[str, Any], jobs: Sequence[Job]) -> Watch | None:
    """How a checkpoint's members are watched from there on; None if they cannot go on from it."""
    every, before = int(note.get("every", 0)), set(note.get("stops", ()))
    if not every or note.get("readings") != [described(reading) for reading in jobs[0].readings]:
        return None
    stops = {step for job in jobs for step in job.watch.stops if step % every}
    late = {step for step in stops - before if step <= note["step"]}
    if late or any(job.watch.every % every for job in jobs):
        return None
    least = max(int(note["least"]), *(job.watch.least for job in jobs))
    return Watch(every, tuple(sorted(stops | before)), least)


def _further(waiting: dict[str, Job], store: Store, programs: Programs) -> Iterator[Group]:
    """Groups of runs that had ended and go on from their kept states; what cannot stays in `waiting`."""
    reader = Reader(store.root)
    standing: list[tuple[Hashable, Job, tuple[Job, Ended]]] = []
    for run_id, job in waiting.items():
        kept = reader.kept(run_id) if job.kept else None
        if kept is None or _lost(store, run_id, kept.step, kept.rows):
            continue  # the state is gone, or rows before it
        ended = Ended(Last(kept.step, kept.weights, kept.rest), reader.curves(run_id), kept.trained_seconds)
        standing.append(((*_key(job), tuple(ended.curves["step"])), job, (job, ended)))
    for part in _together(standing, programs):
        jobs, states = zip(*part, strict=True)
        runs = tuple(job.run for job in jobs)
        for run in runs:
            del waiting[run.run_id]
        folder = store.population_dir(content_hash(["further", *(run.run_id for run in runs)]))
        yield Group(runs, jobs[0].readings, jobs[0].watch, folder, states)


def _lost(store: Store, run_id: str, step: int, rows: Mapping[str, int] | None) -> bool:
    """Rewind a run to a step, and say whether rows are missing that it had then."""
    return store.rewind(run_id, step) < step or store.counts(run_id) != rows


def _key(job: Job) -> tuple[Hashable, ...]:
    """What jobs that train together have in common."""
    return structure_of(job.run), job.readings, job.watch


def _together(items: Sequence[tuple[Hashable, Job, T]], programs: Programs) -> list[list[T]]:
    """Items of equal keys, cut into what trains as one population: on an accelerator as many as fit, else one.

    Args:
        items: Of each its key, its job, and what is handed back.
        programs: Know the placement, and the memory that a run takes.
    """
    alike: dict[Hashable, list[tuple[Job, T]]] = {}
    for key, job, item in items:
        alike.setdefault(key, []).append((job, item))
    parts: list[list[T]] = []
    for members in alike.values():
        first, compiled = members[0][0], programs.of(members[0][0].run, members[0][0].readings)
        if compiled.placement.batched:
            each = bytes_each(first.run, compiled)
            room = free_bytes(programs.device) * compiled.placement.devices
            parts += chunks([item for _, item in members], each, room)
        else:
            parts += [[item] for _, item in members]
    return parts
