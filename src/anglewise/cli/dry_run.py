"""What a command would do and cost, found out on a few steps of throw-away weights."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import jax

from anglewise.errors import printable
from anglewise.lab.engine.population import Population
from anglewise.lab.engine.programs import Programs
from anglewise.lab.execution.planning import plan
from anglewise.lab.protocols.reading import Reading
from anglewise.lab.readings.sets import AT_EVALUATIONS
from anglewise.lab.spec import Experiment
from anglewise.lab.store import Reader


def describe(experiment: Experiment, out: Path, readings: Sequence[Reading] = (), seconds: float = 0.7) -> str:
    """The plan and its cost, as text.

    Args:
        experiment: What would be trained.
        out: The store that it would go to; it is read if it exists, and not made.
        readings: What would be measured.
        seconds: How long each arm is timed, after compilation.
    """
    rule, programs = experiment.training, Programs(AT_EVALUATIONS)
    reader = Reader(out) if (out / "anglewise-store.json").exists() else None
    readings = tuple(readings) if rule.measure_every else ()
    todo = plan(experiment, reader, reader.finished() if reader else set(), readings)
    n, m = experiment.task.sizes
    lines = [
        f"{experiment.name}: {experiment.title}".rstrip(": "),
        f"  task    {experiment.task}: {n:,} training and {m:,} test examples",
        f"  model   {experiment.model}",
        f"  train   {rule}",
        f"  read    {_read(experiment, readings)}",
        f"  store   {out}: {len(todo.done)} of {len(todo.done) + len(todo.jobs)} runs are there, "
        + f"{len(todo.jobs)} to train"
        + (f" ({len(todo.further)} go on from where they ended)" if todo.further else "")
        + (f" ({len(todo.again)} again from the beginning)" if todo.again else ""),
        "  arm                              runs to train   ms/step   parameters   at most",
    ]
    total, compiling, batched = 0.0, 0.0, False
    for arm in experiment.arms:
        missing = [run for run in todo.missing if run.arm == arm]
        if not missing:
            lines.append(f"  {arm.name:32} {0:13}")
            continue
        compiled = programs.of(missing[0])
        batched |= compiled.placement.batched
        trial = Population(missing[:1], compiled)
        trial.begin()
        weights = sum(x.size for x in jax.tree.leaves(trial.state.params))
        begun = time.perf_counter()
        trial.advance()
        compiling += time.perf_counter() - begun
        begun, before = time.perf_counter(), trial.step
        while trial.live.any() and time.perf_counter() - begun < seconds:
            trial.advance()
        each = (time.perf_counter() - begun) / max(1, trial.step - before)
        total += each * rule.budget * len(missing)
        lines.append(
            f"  {arm.name:32} {len(missing):13} {1e3 * each:9.2f} {weights:12,} "
            f"{each * rule.budget * len(missing):7.0f} s"
        )
    lines.append(
        f"  at most {total:.0f} s on {programs.device.device_kind} at the rate of one run alone, evaluation included, "
        f"and {compiling:.0f} s to compile"
        + (" (batched: less)" if batched else "")
        + ("; runs that finish early stop early" if rule.further >= 0 else "")
    )
    return printable("\n".join(" ".join(line.split("\n")) for line in lines))


def _read(experiment: Experiment, readings: Sequence[Reading]) -> str:
    """How many readings, how often; what they cost is not known before they have been compiled."""
    suiting = [r for r in readings if r.suits(experiment.task, experiment.model)]
    if not suiting:
        return "nothing but curves and radii"
    every = experiment.training.measure_every
    return f"{len(suiting)} readings, first at every {every} steps (not in the times below; curvature takes seconds)"
