"""From an experiment to a store: expands it to runs, trains those that are missing, loses nothing.

Each population is begun from its checkpoint where it has one, trained segment by segment, and its rows are stored
before they are forgotten.  At a checkpoint the rows are sealed first and the state is written after, so whatever
comes after a checkpoint can be thrown away and will be made again, bit for bit.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from anglewise.errors import AnglewiseError, SpecError
from anglewise.lab.engine import checkpoint, placement
from anglewise.lab.engine.placement import Placement
from anglewise.lab.engine.population import Kept, Population, Rows, Watch, bytes_each
from anglewise.lab.engine.programs import Compiled, Structure, structure_of
from anglewise.lab.execution.planning import Job, Plan, described, manifest, plan, unmeasured
from anglewise.lab.outcome import outcome_under
from anglewise.lab.protocols.arrays import pack
from anglewise.lab.protocols.reading import Reading
from anglewise.lab.readings.radii import Radii
from anglewise.lab.readings.sets import DEFAULT
from anglewise.lab.report.progress import Progress
from anglewise.lab.spec import Experiment, Run, content_hash
from anglewise.lab.store import Reader, Store
from anglewise.lab.store.layout import STATE, WEIGHTS

T = TypeVar("T")
AT_EVALUATIONS = (Radii(),)
CHECKPOINT_SECONDS = 20.0
APPEND_SECONDS = 1.0


class Interrupted(AnglewiseError):
    """Training was asked to stop, and everything is saved."""


def train(
    experiment: Experiment,
    store: Store,
    progress: Progress,
    *,
    provenance: Mapping[str, Any],
    command: str = "",
    stop: Callable[[], bool] = lambda: False,
    checkpoint_seconds: float = CHECKPOINT_SECONDS,
    readings: Sequence[Reading] | None = None,
    keep: bool = True,
) -> Plan:
    """Train what is missing of an experiment.

    Args:
        experiment: What to train.
        store: Open for writing.
        progress: Receives progress events.
        provenance: Written beside every run before it trains.
        command: The line that reproduces it.
        stop: Asked after every segment; True saves and ends.
        checkpoint_seconds: Seconds of training between checkpoints.
        readings: Instruments to read at every ``training.measure_every`` steps; a run that had ended without one
            of them is trained again.  None for the default ones.
        keep: Whether each run's last weights and state stay in the store.  Without them a longer budget trains the
            run again from its beginning.

    Returns:
        The plan as it was before training.

    Raises:
        SpecError: If readings are asked for and nothing is measured.
        StoreError: If the store does not take what it is given.
        Interrupted: After a checkpoint, when `stop` said so.
    """
    device = placement.first_device()
    if readings and not experiment.training.measure_every:
        raise SpecError(unmeasured(experiment))
    readings = tuple(DEFAULT.values()) if readings is None else tuple(readings)
    store.manifest(experiment.experiment_id, manifest(experiment, command))
    todo = plan(experiment, Reader(store.root), store.finished(), readings)
    try:
        progress.start({"plan": todo, "device": device})
        for population, folder in _populations(todo.jobs, store, device):
            _go_on(population, folder, store, progress, provenance, stop, checkpoint_seconds, keep)
    finally:
        progress.close()
    return todo


FAR = 2**31 - 1
"""Stands for any budget where programs are compared: when a run stops is no part of its program."""
PROGRAMS: dict[tuple[Structure, Placement, tuple[Reading, ...]], Compiled] = {}
"""Programs of this process, so that a second experiment of equal structure compiles nothing."""


def compiled_for(run: Run, platform: str, readings: tuple[Reading, ...] = ()) -> Compiled:
    """The program that a run trains with, made once per structure, placement and choice of readings."""
    structure = structure_of(run)
    same = dataclasses.replace(run.training, budget=FAR, threshold=1.0, sustain=1, further=-1, split_seed=-1)
    key = structure._replace(training=same), placement.choose(run.task, run.training, platform), readings
    if key not in PROGRAMS:
        PROGRAMS[key] = Compiled(run, key[1], readings, AT_EVALUATIONS)
    return PROGRAMS[key]


def _populations(jobs: Sequence[Job], store: Store, device: Any) -> Iterator[tuple[Population, Path]]:
    """Populations with their folders: those that have a checkpoint first, then the rest, grouped anew."""
    wanted = {job.run.run_id: job for job in jobs}
    for folder in store.populations():
        note = checkpoint.note_of(folder / "state.safetensors")
        if note is None or not set(note["runs"]) & set(wanted):
            continue
        found = [wanted.get(run_id) for run_id in note["runs"]]
        if any(job is None and run_id not in store.finished() for job, run_id in zip(found, note["runs"], strict=True)):
            continue  # shared with runs that are not asked for now: leave it to them
        live = [job for job in found if job is not None]
        compiled = compiled_for(live[0].run, device.platform, live[0].readings)
        watch = _resumed(note, live, compiled)
        if watch is None:
            continue  # evaluated or measured otherwise so far: begin anew
        population = Population([(job or live[0]).run for job in found], compiled, watch)
        ids = {job.run.run_id for job in live}
        population.restore(folder / "state.safetensors", int(note["looks"]), live=ids)
        if any(_lost(store, run_id, population.step, note["rows"].get(run_id)) for run_id in ids):
            continue  # rows before the checkpoint were lost: these runs begin anew
        for run_id in ids:
            del wanted[run_id]
        yield population, folder
    yield from _kept_on(wanted, store, device)
    for group in _groups(list(wanted.values()), device):
        runs = [job.run for job in group]
        population = Population(runs, compiled_for(runs[0], device.platform, group[0].readings), group[0].watch)
        population.begin()
        for run in runs:
            store.reset(run.run_id)
        yield population, store.population_dir(content_hash([run.run_id for run in runs]))


def _lost(store: Store, run_id: str, step: int, rows: Mapping[str, int] | None) -> bool:
    """Rewind a run to a step, and say whether rows are missing that it had then."""
    return store.rewind(run_id, step) < step or store.counts(run_id) != rows


def _resumed(note: Mapping[str, Any], jobs: Sequence[Job], compiled: Compiled) -> Watch | None:
    """How a checkpoint's members are watched from there on; None if they cannot go on from it."""
    every, before = int(note.get("every", 0)), set(note.get("stops", ()))
    if not every or note.get("readings") != [described(reading) for reading in compiled.readings]:
        return None
    stops = {step for job in jobs for step in job.watch.stops if step % every}
    late = {step for step in stops - before if step <= note["step"]}
    if late or any(job.watch.every % every for job in jobs):
        return None
    least = max(int(note["least"]), *(job.watch.least for job in jobs))
    return Watch(every, tuple(sorted(stops | before)), least)


class _Standing(NamedTuple):
    """A run that had ended, and all that going on from there needs."""

    job: Job
    kept: Kept
    curves: dict[str, Any]
    seconds: float


def _kept_on(wanted: dict[str, Job], store: Store, device: Any) -> Iterator[tuple[Population, Path]]:
    """Populations of runs that go on from the state that was kept; what cannot is left in `wanted`, to begin anew."""
    reader = Reader(store.root)
    alike: dict[Any, list[_Standing]] = {}
    for run_id, job in [(run_id, job) for run_id, job in wanted.items() if job.kept]:
        found = reader.state(run_id)
        if found is None or _lost(store, run_id, found[2]["step"], found[2]["rows"]):
            continue  # the state is gone, or rows before it
        weights, rest, note = found
        one = _Standing(job, Kept(note["step"], weights, rest), reader.curves(run_id), note["trained_seconds"])
        key = (structure_of(job.run), job.readings, job.watch, tuple(one.curves["step"]))
        alike.setdefault(key, []).append(one)
    for members in alike.values():
        first = members[0].job
        compiled = compiled_for(first.run, device.platform, first.readings)
        for part in _chunks(members, first.run, compiled, device):
            population = Population([one.job.run for one in part], compiled, first.watch)
            population.go_on([one.kept for one in part], [one.curves for one in part], [one.seconds for one in part])
            ids = [one.job.run.run_id for one in part]
            for run_id in ids:
                del wanted[run_id]
            yield population, store.population_dir(content_hash(["further", *ids]))


def _groups(jobs: Sequence[Job], device: Any) -> list[list[Job]]:
    """Runs that train together: each alone on a CPU; on an accelerator, equal structures, as many as fit."""
    alike: dict[Any, list[Job]] = {}
    for job in jobs:
        alike.setdefault((structure_of(job.run), job.readings, job.watch), []).append(job)
    groups: list[list[Job]] = []
    for members in alike.values():
        compiled = compiled_for(members[0].run, device.platform, members[0].readings)
        groups += _chunks(members, members[0].run, compiled, device)
    return sorted(groups, key=lambda group: min(job.run.seed for job in group))


def _chunks(members: list[T], run: Run, compiled: Compiled, device: Any) -> list[list[T]]:
    """Members cut into what trains as one program; `run` is one of them."""
    if not compiled.placement.batched:
        return [[member] for member in members]
    return placement.chunks(members, bytes_each(run, compiled), placement.free_bytes(device))


def _go_on(
    population: Population,
    folder: Path,
    store: Store,
    progress: Progress,
    provenance: Mapping[str, Any],
    stop: Callable[[], bool],
    every: float,
    keep: bool,
) -> None:
    """Train one population to its end, storing rows and checkpoints on the way."""
    for run, live in zip(population.runs, population.live, strict=True):
        if live:
            store.begin(run.run_id, run.spec, dict(provenance))
    waiting: dict[str, tuple[list[Any], list[Any], list[Any]]] = {}
    saved = stored = time.monotonic()
    read = [described(reading) for reading in population.compiled.readings]

    def flush() -> None:
        for run_id, rows in waiting.items():
            store.append(run_id, *rows)
        waiting.clear()

    def save() -> None:
        flush()
        for run, live in zip(population.runs, population.live, strict=True):
            if live:
                store.seal(run.run_id)
        live = [run.run_id for run, on in zip(population.runs, population.live, strict=True) if on]
        rows = {run_id: store.counts(run_id) for run_id in live}
        population.save(folder / "state.safetensors", {"readings": read, "step": population.step, "rows": rows})

    def take(rows: Rows, steps: int) -> None:
        run_id = rows.run.run_id
        kept = waiting.setdefault(run_id, ([], [], []))
        kept[0].extend(rows.curves)
        kept[1].extend(rows.readings)
        kept[2].extend(rows.arrays)
        progress.update(rows, steps)
        if rows.kept is not None:
            store.append(run_id, *waiting.pop(run_id))
            store.seal(run_id)
            outcome = outcome_of(rows, population.watch.every, read)
            store.keep(run_id, _files(rows.kept, outcome | {"rows": store.counts(run_id)}) if keep else {})
            store.finish(run_id, outcome)
            progress.finish(rows.run, outcome)

    for rows in population.settled():
        take(rows, 0)
    while population.live.any():
        before = population.step
        for rows in population.advance():
            take(rows, population.step - max(before, 0))
        now, stopping = time.monotonic(), stop()
        if now - stored >= APPEND_SECONDS:
            flush()
            stored = now
        if population.live.any() and (stopping or now - saved >= every):
            save()
            saved = now
        if stopping:
            raise Interrupted("interrupted: run the same command again to go on from here")
    store.drop_population(folder.name)


def _files(kept: Kept, outcome: Mapping[str, Any]) -> dict[str, bytes]:
    """A run's last weights and state as files."""
    note = {name: outcome[name] for name in ("trained", "trained_seconds", "every", "readings", "rows")}
    return {
        WEIGHTS: pack(kept.weights, {"step": kept.step}),
        STATE: pack(kept.rest, {"step": kept.step, **note}),
    }


def outcome_of(rows: Rows, every: int, readings: Sequence[Any]) -> dict[str, Any]:
    """How a run ended by its own rule, and what was trained, for the store.

    Args:
        rows: What it showed, ended.
        every: Steps between the evaluations that are stored.
        readings: What was measured, as JSON values.
    """
    rule, trained = rows.run.training.rule, int(rows.history["step"][-1])
    ended = outcome_under(rule, rows.history)
    assert ended is not None, "a run that trains no further has ended by its rule"
    return {
        **ended,
        "seconds": rows.seconds * ended["steps"] / max(trained, 1),
        "rule": rule._asdict(),
        "trained": trained,
        "trained_seconds": rows.seconds,
        "every": every,
        "readings": list(readings),
    }
