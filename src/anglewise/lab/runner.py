"""From an experiment to a store: expands it to runs, trains those that are missing, loses nothing.

Each population is begun from its checkpoint where it has one, trained segment by segment, and its rows are stored
before they are forgotten.  At a checkpoint the rows are sealed first and the state is written after, so whatever
comes after a checkpoint can be thrown away and will be made again, bit for bit.
"""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, Protocol, TypeVar

from anglewise.errors import AnglewiseError, SpecError, StoreError
from anglewise.lab.arrays import pack
from anglewise.lab.engine import checkpoint, layout
from anglewise.lab.engine.layout import Layout
from anglewise.lab.engine.population import Compiled, Kept, Population, Rows, Structure, Watch, structure_of
from anglewise.lab.look import Reading
from anglewise.lab.outcome import Rule, outcome_under
from anglewise.lab.readings.radii import Radii
from anglewise.lab.readings.sets import DEFAULT, READINGS
from anglewise.lab.source import source_of
from anglewise.lab.spec import Experiment, Run, content_hash, to_json
from anglewise.lab.store import Reader, Store
from anglewise.lab.store.layout import STATE, WEIGHTS

T = TypeVar("T")
INSTRUMENTS = (Radii(),)
CHECKPOINT_SECONDS = 20.0
APPEND_SECONDS = 1.0


class Interrupted(AnglewiseError):
    """Training was asked to stop, and everything is saved."""


class Progress(Protocol):
    """Receives progress events."""

    def start(self, plan: Mapping[str, Any]) -> None:
        """Before training."""

    def update(self, rows: Rows, steps: int) -> None:
        """After each segment, for each of its members; `steps` were trained in it."""

    def finish(self, run: Run, outcome: Mapping[str, Any]) -> None:
        """When a run has ended."""

    def close(self) -> None:
        """After the last, or when interrupted."""


class Job(NamedTuple):
    """What is to be done for one run.

    Attributes:
        run: Which.
        readings: What is measured: what is asked for, and what the run was measured with before.
        watch: How it is evaluated.
        kept: Whether it goes on from its kept state; else it begins.
    """

    run: Run
    readings: tuple[Reading, ...]
    watch: Watch
    kept: bool


@dataclasses.dataclass(frozen=True)
class Plan:
    """What is there and what is missing.

    Args:
        experiment: The whole.
        done: Identities of runs that the store holds already.
        jobs: Runs to train, seeds first, so that an interrupted experiment is still paired.
        again: Those among them that are trained again from their beginning: readings are asked for that they lack, a
            finer evaluation, or more steps where their last state was not kept.
        further: Those among them that had ended and go on from there.
    """

    experiment: Experiment
    done: frozenset[str]
    jobs: tuple[Job, ...]
    again: frozenset[str] = frozenset()
    further: frozenset[str] = frozenset()

    @property
    def missing(self) -> tuple[Run, ...]:
        """Runs to train, in order."""
        return tuple(job.run for job in self.jobs)


def plan(
    experiment: Experiment,
    reader: Reader | None = None,
    finished: Collection[str] = (),
    readings: Sequence[Reading] = (),
) -> Plan:
    """Expand an experiment and find out what is there.

    Args:
        experiment: What is asked for.
        reader: The store; None where there is none yet.
        finished: Runs that the store holds whole.
        readings: What is to be measured; those that do not suit the task and model are left out.
    """
    runs = {run.run_id: run for run in experiment.runs()}
    asked = tuple(r for r in readings if r.suits(experiment.task, experiment.model))
    asked = asked if experiment.training.measure_every else ()
    done, again, further = set[str](), set[str](), set[str]()
    jobs: list[Job] = []
    for run_id, run in runs.items():
        outcome = reader.outcome(run_id) if reader and run_id in finished else None
        state = reader.state(run_id) if reader else None
        before = outcome if outcome is not None and "rule" in outcome else state[2] if state else None
        if before is None:
            jobs.append(Job(run, asked, Watch(run.training.every, least=0), kept=False))
            continue
        assert reader is not None
        if outcome is not None and serves(outcome, run.training.rule, asked, partial(reader.curves, run_id)):
            done.add(run_id)
            continue
        job = _continued(run, asked, before, state is not None and state[2]["step"] == before["trained"], reader)
        jobs.append(job)
        if outcome is not None:
            (further if job.kept else again).add(run_id)
    jobs.sort(key=lambda job: job.run.seed)
    return Plan(experiment, frozenset(done), tuple(jobs), frozenset(again), frozenset(further))


def serves(
    outcome: Mapping[str, Any], rule: Rule, asked: Sequence[Reading], curves: Callable[[], Mapping[str, Any]]
) -> bool:
    """Whether a finished run has all that an experiment asks for.

    Args:
        outcome: How it ended, as the store has it.
        rule: The experiment's.
        asked: Readings that are asked for and suit the run.
        curves: Returns the run's evaluations; called only where the rule is another than the one it ended by.
    """
    if any(described(reading) not in outcome["readings"] for reading in asked):
        return False
    if outcome["rule"] == rule._asdict():
        return True
    if rule.every % outcome["every"]:
        return False
    seen = curves()
    return rule.end(seen["step"], seen["test_accuracy"], seen["train_loss"]) is not None


def _continued(run: Run, asked: tuple[Reading, ...], before: Mapping[str, Any], kept: bool, reader: Reader) -> Job:
    """What is to be done for a run that was trained before, and is asked for further."""
    rule, every = run.training.rule, math.gcd(run.training.every, before["every"])
    known = [_rebuilt(one) for one in before["readings"]]
    had = tuple(reading for reading in known if reading is not None)
    try:
        steps = [int(step) for step in reader.curves(run.run_id)["step"]]
    except StoreError:  # damaged: whatever it was, it is trained again
        steps, kept = [], False
    stops = tuple(sorted({step for step in (*steps, rule.budget) if step % every}))
    lacks = any(described(reading) not in before["readings"] for reading in asked)
    skipped = rule.budget % every and rule.budget not in steps and rule.budget <= before["trained"]
    if kept and every == before["every"] and not lacks and not skipped and len(had) == len(known):
        return Job(run, had, Watch(every, stops), kept=True)
    more = tuple(r for r in had if described(r) not in [described(one) for one in asked])
    return Job(run, asked + more, Watch(every, stops, before["trained"]), kept=False)


def described(reading: Reading) -> dict[str, Any]:
    """A reading as JSON values; with its source where its class is the user's own."""
    source = source_of(reading)
    return to_json(reading) | ({"source": source} if source else {})


def _rebuilt(description: Mapping[str, Any]) -> Reading | None:
    """The reading that was described; None where the package has no such class."""
    known = {type(reading).__name__: type(reading) for reading in READINGS.values()}
    cls = known.get(str(description.get("is")))
    fields = {key: value for key, value in description.items() if key != "is"}
    try:
        return None if cls is None else cls(**fields)
    except TypeError:
        return None


def manifest(experiment: Experiment, command: str) -> dict[str, Any]:
    """What the store keeps about an experiment, beside its runs."""
    return {
        "experiment_id": experiment.experiment_id,
        "name": experiment.name,
        "title": experiment.title,
        "spec": to_json(experiment),
        "baseline": experiment.reference,
        "runs": [{"run_id": r.run_id, "arm": r.arm.name, "seed": r.seed} for r in experiment.runs()],
        "arms": [arm.name for arm in experiment.arms],
        "command": command,
    }


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
    device = layout.first_device()
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


def unmeasured(experiment: Experiment) -> str:
    """Message for readings that are asked for where nothing is measured."""
    every = experiment.training.every
    near = max(every, experiment.training.budget // 20 // every * every)
    return (
        f"readings are asked for, but training.measure_every of {experiment.name} is 0, so none would be taken: "
        f"add --training.measure_every {near} (a multiple of training.every, {every})"
    )


FAR = 2**31 - 1
"""Stands for any budget where programs are compared: when a run stops is no part of its program."""
PROGRAMS: dict[tuple[Structure, Layout, tuple[Reading, ...]], Compiled] = {}
"""Programs of this process, so that a second experiment of equal structure compiles nothing."""


def compiled_for(run: Run, platform: str, readings: tuple[Reading, ...] = ()) -> Compiled:
    """The program that a run trains with, made once per structure, layout and choice of readings."""
    structure = structure_of(run)
    same = dataclasses.replace(run.training, budget=FAR, threshold=1.0, sustain=1, further=-1, split_seed=-1)
    key = structure._replace(training=same), layout.choose(run.task, run.training, platform), readings
    if key not in PROGRAMS:
        PROGRAMS[key] = Compiled(run, key[1], readings, INSTRUMENTS)
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
    if not compiled.layout.batched:
        return [[member] for member in members]
    return layout.chunks(members, compiled.bytes_each(run), layout.free_bytes(device))


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
