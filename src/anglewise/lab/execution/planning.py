"""What a store lacks of an experiment, and what each missing run needs: to begin, to go on, or to train again."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from anglewise.errors import StoreError
from anglewise.lab.engine.population import Watch
from anglewise.lab.outcome import Outcome, Rule
from anglewise.lab.protocols.reading import Reading
from anglewise.lab.protocols.source import source_of
from anglewise.lab.readings.sets import READINGS
from anglewise.lab.spec import Experiment, Json, Run, to_json
from anglewise.lab.store import Reader
from anglewise.lab.store.kept import Kept


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
    """Expand an experiment to runs, and look which of them the store holds.

    Args:
        experiment: What is asked for.
        reader: The store; None where there is none yet.
        finished: Runs that the store holds whole.
        readings: What is to be measured; those that do not suit the task and model are left out.
    """
    runs = {run.run_id: run for run in experiment.runs()}
    asked = suited(readings, next(iter(runs.values())))
    done, jobs, ended = set[str](), list[Job](), set[str]()
    known = reader.outcomes(run_id for run_id in runs if run_id in finished) if reader else {}
    for run_id, run in runs.items():
        job, has_ended = job_of(run, reader, known.get(run_id), asked)
        if job is None:
            done.add(run_id)
            continue
        jobs.append(job)
        if has_ended:
            ended.add(run_id)
    jobs.sort(key=lambda job: job.run.seed)
    further = frozenset(job.run.run_id for job in jobs if job.kept) & ended
    return Plan(experiment, frozenset(done), tuple(jobs), frozenset(ended) - further, further)


def suited(readings: Sequence[Reading], run: Run) -> tuple[Reading, ...]:
    """Those readings that can be taken of a run; none where nothing is measured."""
    return tuple(r for r in readings if r.suits(run.task, run.model)) if run.training.measure_every else ()


def job_of(
    run: Run, reader: Reader | None, outcome: Outcome | None, asked: tuple[Reading, ...]
) -> tuple[Job | None, bool]:
    """What is to be done for a run, None where the store has all of it; and whether it had ended before.

    Args:
        run: Which.
        reader: The store; None where there is none yet.
        outcome: How the run ended, if the store holds it whole.
        asked: Readings that suit the run.
    """
    outcome = outcome if outcome is not None and outcome.rule is not None else None
    if reader and outcome and serves(outcome, run.training.rule, asked, partial(reader.curves, run.run_id)):
        return None, True
    kept = reader.kept(run.run_id) if reader else None  # large, so read only where it may be needed
    before = outcome or kept
    if reader is None or before is None:
        return Job(run, asked, Watch(run.training.every), kept=False), False
    job = _continued(run, asked, before, kept is not None and kept.step == before.trained, reader)
    return job, outcome is not None


def serves(
    outcome: Outcome, rule: Rule, asked: Sequence[Reading], curves: Callable[[], Mapping[str, np.ndarray]]
) -> bool:
    """Whether a finished run has all that an experiment asks for.

    Args:
        outcome: How it ended, as the store has it.
        rule: The experiment's.
        asked: Readings that are asked for and suit the run.
        curves: Returns the run's evaluations; called only where the rule is another than the one it ended by.
    """
    if any(_text(reading) not in outcome.readings for reading in asked):
        return False
    if outcome.rule == rule:
        return True
    if rule.every % (outcome.every or 1):
        return False
    seen = curves()
    return rule.end(seen["step"], seen["test_accuracy"], seen["train_loss"]) is not None


def _continued(run: Run, asked: tuple[Reading, ...], before: Outcome | Kept, kept: bool, reader: Reader) -> Job:
    """What is to be done for a run that was trained before, and is asked for further."""
    rule, trained, grid = run.training.rule, before.trained or 0, before.every or run.training.every
    every = math.gcd(run.training.every, grid)
    wanted = [(described(reading), reading) for reading in asked]
    known = [next((r for text, r in wanted if text == one), None) or _rebuilt(one) for one in before.readings]
    had = tuple(reading for reading in known if reading is not None)
    try:
        steps = [int(step) for step in reader.curves(run.run_id)["step"]]
    except StoreError:  # damaged: whatever it was, it is trained again
        steps, kept = [], False
    stops = tuple(sorted({step for step in (*steps, rule.budget) if step % every}))
    lacks = any(text not in before.readings for text, _ in wanted)
    skipped = rule.budget % every and rule.budget not in steps and rule.budget <= trained
    if kept and every == grid and not lacks and not skipped and len(had) == len(known):
        return Job(run, had, Watch(every, stops), kept=True)
    more = tuple(reading for reading in had if reading not in asked)
    return Job(run, asked + more, Watch(every, stops, trained), kept=False)


def described(reading: Reading) -> dict[str, Any]:
    """A reading as JSON values; with its source where its class is the user's own."""
    source = source_of(reading)
    return to_json(reading) | ({"source": source} if source else {})


@functools.lru_cache(maxsize=256)
def _text(reading: Reading) -> dict[str, Any]:
    """The same, which many runs are compared with."""
    return described(reading)


def _rebuilt(description: Json) -> Reading | None:
    """The reading that was described; None where the package has no such class."""
    known = {type(reading).__name__: type(reading) for reading in READINGS.values()}
    cls = known.get(str(description.get("is")))
    fields = {key: value for key, value in description.items() if key != "is"}
    try:
        return None if cls is None else cls(**fields)
    except TypeError:
        return None


def unmeasured(experiment: Experiment) -> str:
    """Message for readings that are asked for where nothing is measured."""
    every = experiment.training.every
    near = max(every, experiment.training.budget // 20 // every * every)
    return (
        f"readings are asked for, but training.measure_every of {experiment.name} is 0, so none would be taken: "
        f"add --training.measure_every {near} (a multiple of training.every, {every})"
    )
