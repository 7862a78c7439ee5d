"""From an experiment to a store: expands it to runs, trains those that are missing, loses nothing.

Each population is begun from its checkpoint where it has one, trained segment by segment, and its rows are stored
before they are forgotten.  At a checkpoint the rows are sealed first and the state is written after, so whatever
comes after a checkpoint can be thrown away and will be made again, bit for bit.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import jax

from anglewise.errors import AnglewiseError
from anglewise.lab.engine import checkpoint, layout
from anglewise.lab.engine.layout import Layout
from anglewise.lab.engine.population import Compiled, Population, Rows, Structure, structure_of
from anglewise.lab.look import Reading
from anglewise.lab.outcome import judge, times
from anglewise.lab.readings.radii import Radii
from anglewise.lab.readings.sets import DEFAULT
from anglewise.lab.spec import Experiment, Run, content_hash, to_json
from anglewise.lab.store import Store

INSTRUMENTS = (Radii(),)
CHECKPOINT_SECONDS = 20.0
APPEND_SECONDS = 1.0


class Interrupted(AnglewiseError):
    """Training was asked to stop, and everything is saved."""


class Progress(Protocol):
    """Who is told how it goes."""

    def start(self, plan: Mapping[str, Any]) -> None:
        """Before training."""

    def update(self, rows: Rows, steps: int) -> None:
        """After each segment, for each of its members; `steps` were trained in it."""

    def finish(self, run: Run, outcome: Mapping[str, Any]) -> None:
        """When a run has ended."""

    def close(self) -> None:
        """After the last, or when interrupted."""


@dataclasses.dataclass(frozen=True)
class Plan:
    """What is there and what is missing.

    Args:
        experiment: The whole.
        done: Identities of runs that the store holds already.
        missing: Runs to train, seeds first, so that an interrupted experiment is still paired.
        again: Those among the missing that had ended, without readings that are asked for now.
    """

    experiment: Experiment
    done: frozenset[str]
    missing: tuple[Run, ...]
    again: frozenset[str] = frozenset()


def plan(experiment: Experiment, finished: set[str], again: set[str] = frozenset()) -> Plan:  # type: ignore[assignment]
    """Expand an experiment and drop what is finished, but for what must be trained again."""
    runs = list(experiment.runs())
    ids = frozenset(run.run_id for run in runs)
    done = ids & finished - again
    missing = sorted((run for run in runs if run.run_id not in done), key=lambda run: run.seed)
    return Plan(experiment, done, tuple(missing), ids & finished & again)


def lacking(
    experiment: Experiment, outcome: Callable[[str], Mapping[str, Any] | None], readings: Sequence[Reading]
) -> set[str]:
    """Runs that have ended without some of the readings.

    Training them again gives the same curves, bit for bit, since measuring changes nothing.

    Args:
        experiment: Whose runs.
        outcome: How a run ended, by its identity; None if it has not.
        readings: What is asked for; those that do not suit the task and model are not missed.
    """
    suiting = [to_json(r) for r in readings if r.suits(experiment.task, experiment.model)]
    wanted = suiting if experiment.training.measure_every else []
    found = {run.run_id: outcome(run.run_id) for run in experiment.runs()} if wanted else {}
    return {
        run_id
        for run_id, ended in found.items()
        if ended is not None and any(reading not in ended.get("readings", ()) for reading in wanted)
    }


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
    readings: Sequence[Reading] = tuple(DEFAULT.values()),
) -> Plan:
    """Train what is missing of an experiment.

    Args:
        experiment: What to train.
        store: Open for writing.
        progress: Who is told.
        provenance: Written beside every run before it trains.
        command: The line that reproduces it.
        stop: Asked after every segment; True saves and ends.
        checkpoint_seconds: Seconds of training between checkpoints.
        readings: Instruments to read at every ``training.measure_every`` steps; a run that had ended without one
            of them is trained again.

    Returns:
        The plan as it was before training.

    Raises:
        StoreError: If the store does not take what it is given.
        Interrupted: After a checkpoint, when `stop` said so.
    """
    device = jax.devices()[0]
    store.manifest(experiment.experiment_id, manifest(experiment, command))
    readings = tuple(readings) if experiment.training.measure_every else ()
    todo = plan(experiment, store.finished(), lacking(experiment, store.outcome, readings))
    try:
        progress.start({"plan": todo, "device": device})
        for population, folder in _populations(todo.missing, store, device, readings):
            _go_on(population, folder, store, progress, provenance, stop, checkpoint_seconds)
    finally:
        progress.close()
    return todo


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


def _populations(missing: Sequence[Run], store: Store, device: Any, readings: tuple[Reading, ...]) -> Any:
    """Populations with their folders: those that have a checkpoint first, then the rest, grouped anew."""
    wanted = {run.run_id: run for run in missing}
    for folder in store.populations():
        note = checkpoint.note_of(folder / "state.safetensors")
        if note is None or not set(note["runs"]) & set(wanted):
            continue
        runs = [wanted.get(run_id) for run_id in note["runs"]]
        if any(run is None and run_id not in store.finished() for run, run_id in zip(runs, note["runs"], strict=True)):
            continue  # shared with runs that are not asked for now: leave it to them
        live = {run.run_id for run in runs if run is not None}
        stand_in = next(run for run in runs if run is not None)
        compiled = compiled_for(stand_in, device.platform, readings)
        if note.get("readings") != [to_json(reading) for reading in compiled.readings]:
            continue  # measured otherwise so far: begin anew
        population = Population([run or stand_in for run in runs], compiled)
        population.restore(folder / "state.safetensors", int(note["looks"]), live=live)
        if any(store.rewind(run_id, population.step) < population.step for run_id in live):
            continue  # rows before the checkpoint were lost: these runs begin anew
        for run_id in live:
            del wanted[run_id]
        yield population, folder
    for group in _groups(list(wanted.values()), device, readings):
        population = Population(group, compiled_for(group[0], device.platform, readings))
        population.begin()
        for run in group:
            store.reset(run.run_id)
        yield population, store.population_dir(content_hash([run.run_id for run in group]))


def _groups(runs: Sequence[Run], device: Any, readings: tuple[Reading, ...]) -> list[list[Run]]:
    """Runs that train together: each alone on a CPU; on an accelerator, equal structures, as many as fit."""
    by_structure: dict[Structure, list[Run]] = {}
    for run in runs:
        by_structure.setdefault(structure_of(run), []).append(run)
    groups: list[list[Run]] = []
    for members in by_structure.values():
        compiled = compiled_for(members[0], device.platform, readings)
        if compiled.layout.batched:
            groups += layout.chunks(members, compiled.bytes_each(members[0]), layout.free_bytes(device))
        else:
            groups += [[run] for run in members]
    return sorted(groups, key=lambda group: min(run.seed for run in group))


def _go_on(
    population: Population,
    folder: Path,
    store: Store,
    progress: Progress,
    provenance: Mapping[str, Any],
    stop: Callable[[], bool],
    every: float,
) -> None:
    """Train one population to its end, storing rows and checkpoints on the way."""
    for run, live in zip(population.runs, population.live, strict=True):
        if live:
            store.begin(run.run_id, to_json(run), dict(provenance))
    waiting: dict[str, tuple[list[Any], list[Any], list[Any]]] = {}
    saved = stored = time.monotonic()

    def flush() -> None:
        for run_id, rows in waiting.items():
            store.append(run_id, *rows)
        waiting.clear()

    def save() -> None:
        flush()
        for run, live in zip(population.runs, population.live, strict=True):
            if live:
                store.seal(run.run_id)
        population.save(folder / "state.safetensors")

    while population.live.any():
        before = population.step
        for rows in population.advance():
            kept = waiting.setdefault(rows.run.run_id, ([], [], []))
            kept[0].extend(rows.curves)
            kept[1].extend(rows.readings)
            kept[2].extend(rows.arrays)
            progress.update(rows, population.step - max(before, 0))
            if rows.ended:
                store.append(rows.run.run_id, *waiting.pop(rows.run.run_id))
                read = [to_json(reading) for reading in population.compiled.readings]
                outcome = outcome_of(rows) | {"readings": read}
                store.finish(rows.run.run_id, outcome)
                progress.finish(rows.run, outcome)
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


def outcome_of(rows: Rows) -> dict[str, Any]:
    """How a run ended, for the store: outcome, steps, seconds, times to generalise."""
    rule, history = rows.run.training, rows.history
    steps, test = history["step"], history["test_accuracy"]
    at95 = times(steps, test, 0.95, rule.sustain)
    own = times(steps, test, rule.threshold, rule.sustain)
    verdict = judge(
        steps, history["train_accuracy"], test, history["train_loss"],
        threshold=rule.threshold, sustain=rule.sustain,
    )  # fmt: skip
    return {
        "outcome": verdict,
        "steps": int(steps[-1]),
        "seconds": rows.seconds,
        "t95": at95.first,
        "t95_sustained": at95.sustained,
        "threshold": rule.threshold,
        "first": own.first,
        "sustained": own.sustained,
        "budget": rule.budget,
    }
