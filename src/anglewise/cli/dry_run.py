"""What a command would do, from shapes alone; and on request what it costs, from a few steps of throw-away weights."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Sequence
from pathlib import Path

from anglewise.errors import printable
from anglewise.lab.execution.estimate import Cost, Networks, cost
from anglewise.lab.execution.planning import Plan, plan
from anglewise.lab.execution.processes import local
from anglewise.lab.protocols.reading import Reading
from anglewise.lab.readings.sets import READINGS
from anglewise.lab.report.table import Cell, Column, Name, Table, printed
from anglewise.lab.spec import Experiment
from anglewise.lab.store import Reader

MIB = 2**20


@dataclasses.dataclass(frozen=True)
class Timed:
    """What an arm costs.

    Attributes:
        compiling: Seconds to compile its training; readings come on top.
        per_step: Seconds of one step of one run, evaluation included.
    """

    compiling: float
    per_step: float


@dataclasses.dataclass(frozen=True)
class ArmPlan:
    """What is to be done for one arm.

    Attributes:
        arm: Its name.
        there: Runs that the store has.
        to_train: Runs to train.
        parameters: Weights of its network.
        timed: What it costs; None where that was not asked for, or where nothing is to train.
    """

    arm: str
    there: int
    to_train: int
    parameters: int
    timed: Timed | None = None


@dataclasses.dataclass(frozen=True)
class Dry:
    """A plan, whole.

    Attributes:
        experiment: Its name.
        title: What it asks.
        task, model, training: As Python writes them.
        examples: Training and test examples.
        readings: Names of the readings that would be taken.
        measure_every: Steps between two of them at least; 0 for none.
        store: The folder.
        further: Runs that go on from where they ended.
        again: Runs that are trained again from the beginning.
        asked: What it asks for at most.
        arms: Arm by arm.
        stops: Whether a run may end before its budget.
        jobs: Processes that would train at once.
        device: What was timed on; empty where nothing was.
    """

    experiment: str
    title: str
    task: str
    model: str
    training: str
    examples: tuple[int, int]
    readings: tuple[str, ...]
    measure_every: int
    store: Path
    further: int
    again: int
    asked: Cost
    arms: tuple[ArmPlan, ...]
    stops: bool
    jobs: int
    device: str = ""


def described(
    experiment: Experiment, out: Path, readings: Sequence[Reading] = (), *, timed: float = 0.0, jobs: int | None = None
) -> Dry:
    """The plan; nothing is trained, and nothing is compiled unless its cost is asked for.

    Args:
        experiment: What would be trained.
        out: The store that it would go to; it is read if it exists, and not made.
        readings: What would be measured.
        timed: Seconds for which each arm is timed, after compilation; 0 for not at all.
        jobs: Processes that would train at once; None for what suits this machine.
    """
    rule = experiment.training
    reader = Reader(out) if (out / "anglewise-store.json").exists() else None
    suited = tuple(r for r in readings if rule.measure_every and r.suits(experiment.task, experiment.model))
    todo = plan(experiment, reader, reader.finished() if reader else set(), suited)
    names = {type(reading): name for name, reading in READINGS.items()}
    networks, costs, device = Networks(experiment), dict[str, Timed](), ""
    if timed:
        costs, device = _timed(experiment, todo, timed)
    arms = []
    for arm in experiment.arms:
        missing = sum(run.arm == arm for run in todo.missing)
        arms.append(
            ArmPlan(arm.name, experiment.seeds - missing, missing, networks.parameters(arm), costs.get(arm.name))
        )
    asked = cost(experiment, suited)
    workers = local(asked.runs, asked.bytes, jobs)
    slots = workers.slots if workers else 1
    return Dry(
        experiment.name, experiment.title, str(experiment.task), str(experiment.model), str(rule),
        experiment.task.sizes, tuple(names[type(reading)] for reading in suited), rule.measure_every, out,
        len(todo.further), len(todo.again), asked, tuple(arms), rule.further >= 0, slots, device,
    )  # fmt: skip


def _timed(experiment: Experiment, todo: Plan, seconds: float) -> tuple[dict[str, Timed], str]:
    """What each arm costs, found on a few steps, and the device."""
    from anglewise.lab.engine.population import Population
    from anglewise.lab.engine.programs import Programs
    from anglewise.lab.readings.sets import AT_EVALUATIONS

    costs, programs = dict[str, Timed](), Programs(AT_EVALUATIONS)
    for arm in experiment.arms:
        missing = [run for run in todo.missing if run.arm == arm]
        if not missing:
            continue
        trial = Population(missing[:1], programs.of(missing[0]))
        trial.begin()
        begun = time.perf_counter()
        trial.advance()
        compiling = time.perf_counter() - begun
        begun, before = time.perf_counter(), trial.step
        while trial.live.any() and time.perf_counter() - begun < seconds:
            trial.advance()
        costs[arm.name] = Timed(compiling, (time.perf_counter() - begun) / max(1, trial.step - before))
    return costs, str(programs.device.device_kind)


def text(dry: Dry, budget: int) -> str:
    """The plan for a terminal.

    Args:
        dry: The plan.
        budget: Steps of a run at most.
    """
    n, m = dry.examples
    there, missing = (sum(getattr(arm, what) for arm in dry.arms) for what in ("there", "to_train"))
    lines = [
        f"{dry.experiment}: {dry.title}".rstrip(": "),
        f"  task    {dry.task}: {n:,} training and {m:,} test examples",
        f"  model   {dry.model}",
        f"  train   {dry.training}",
        f"  read    {_readings(dry)}",
        f"  store   {dry.store}: {there} of {there + missing} runs are there, {missing} to train"
        + (f" ({dry.further} go on from where they ended)" if dry.further else "")
        + (f" ({dry.again} again from the beginning)" if dry.again else ""),
        f"  memory  about {dry.asked.bytes / MIB:,.0f} MiB for one run",
    ]
    said = printable("\n".join(" ".join(line.split("\n")) for line in lines))
    return f"{said}\n\n{printed(_table(dry, budget))}{_verdict(dry, budget, missing)}"


def _table(dry: Dry, budget: int) -> Table:
    """An arm a row."""
    head: list[str | Column] = ["arm", "to train", "parameters", "steps at most"]
    rows: list[list[Cell]] = [[Name(arm.arm), arm.to_train, arm.parameters, arm.to_train * budget] for arm in dry.arms]
    if dry.device:
        head += ["ms/step", "seconds at most", "seconds to compile"]
        for row, arm in zip(rows, dry.arms, strict=True):
            cost = arm.timed
            row += (
                [None] * 3
                if cost is None
                else [1e3 * cost.per_step, arm.to_train * budget * cost.per_step, cost.compiling]
            )
    return Table(head, rows)


def _verdict(dry: Dry, budget: int, missing: int) -> str:
    """The last lines: that it can be trained, and what it costs or how to find out."""
    stops = "; runs that finish early stop early" if dry.stops else ""
    if not missing:
        return "Nothing to train: the store has all of it."
    if not dry.device:
        return f"This can be trained. Nothing was compiled: add --cost to time it{stops}."
    costs = [(arm.to_train, arm.timed) for arm in dry.arms if arm.timed is not None]
    total = sum(n * budget * cost.per_step for n, cost in costs)
    compiling = sum(cost.compiling for _, cost in costs)
    at_once = f" It would train in {dry.jobs} processes at once, which takes less." if dry.jobs > 1 else ""
    return (
        f"At most {total:.0f} s on {dry.device} for one run after the other, evaluation included, and "
        f"{compiling:.0f} s to compile; readings come on top{stops}.{at_once}"
    )


def _readings(dry: Dry) -> str:
    if not dry.readings:
        return "nothing but curves and radii"
    return f"{len(dry.readings)} readings, first at every {dry.measure_every} steps"
