"""Train an experiment and compare its arms: the one call for the common thing, from Python as from the command line."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jax

from anglewise.lab.engine.compiling import seconds_compiling
from anglewise.lab.execution.estimate import admit, cost
from anglewise.lab.execution.places import Place, workers_at
from anglewise.lab.execution.planning import Plan
from anglewise.lab.execution.processes import threads_of
from anglewise.lab.execution.stopping import stoppable
from anglewise.lab.execution.workers import Workers
from anglewise.lab.experiments.announce import Announced
from anglewise.lab.experiments.request import Readings, requested
from anglewise.lab.protocols.reading import Reading
from anglewise.lab.report.opened import ExperimentResults
from anglewise.lab.report.progress import progress_for
from anglewise.lab.runner import train
from anglewise.lab.spec import Experiment
from anglewise.lab.store import Store, collect
from anglewise.lab.store.provenance import Provenance
from anglewise.lab.store.working import busy

CROWDED = 1_000
"""Finished runs in folders of their own from which on they move to packs once nothing more is to train."""


def run(
    experiment: str | Path | Experiment,
    *,
    seeds: int | None = None,
    budget: int | None = None,
    arms: str | Sequence[str] | None = None,
    readings: Readings | None = None,
    changes: Mapping[str, Any] | None = None,
    out: str | Path | None = None,
    large: bool = False,
    quiet: bool = False,
    jobs: int | None = None,
    on: str | Place | None = None,
) -> ExperimentResults:
    """Train what is missing of an experiment, and give its results.

    The same call again trains nothing.  A longer budget goes on from where the runs ended.  Ctrl-C saves and stops.

    Args:
        experiment: A name of :data:`EXPERIMENTS`, the path of a TOML file, or an :class:`Experiment`.
        seeds: Number of paired seeds; None for the experiment's.
        budget: Optimiser steps at most, the same for all arms; None for the experiment's.
        arms: Names of the arms to keep, as a list or with commas; None for all.
        readings: What to read of the networks: names, names of sets (``"default"``, ``"all"``, ``"none"``), or
            readings; None for the default ones.
        changes: New values of any fields, by path: ``{"task.p": 97, "arms.adamw-tuned.adamw.wd": 1.0}``.
        out: Folder of the store; None for ``runs/NAME``.
        large: Whether to train also what asks for more than 10,000 runs, 10^9 steps or this machine's memory.
        quiet: Whether to show nothing while it trains.
        jobs: Processes that train at once, each with its share of the cores; None for what suits this machine.  On a
            cluster: tasks at once, at most.
        on: A cluster to train on: ``"ray"``, ``"ray://HOST:PORT"``, ``"slurm"``, or a :class:`Place` that also says
            what each task is given; None for this machine.

    Returns:
        The results; a notebook shows the verdict and the summary.

    Raises:
        SpecError: If a name or a field does not exist, a value cannot stand there, or it asks for too much.
        StoreError: If the store cannot be written.
        Interrupted: After Ctrl-C, when everything is saved.

    Example::

        results = run("quickstart", seeds=2, changes={"task.p": 97})
        results.runs().to_pandas()
    """
    asked = {"seeds": seeds, "budget": budget, "arms": arms, "readings": readings, "changes": changes}
    request = requested(experiment, seeds=seeds, budget=budget, arms=arms, readings=readings, changes=changes)
    admit(request.experiment, request.readings, large=large)
    folder = request.folder if out is None else Path(out)
    call = "" if isinstance(experiment, Experiment) else _call(str(experiment), asked)
    device = str(jax.devices()[0].device_kind)
    provenance = collect(None, device, request.experiment.training.precision)
    provenance["command"] = call or None
    for line in () if quiet else request.notes:
        print(line, file=sys.stderr)
    plan = train_missing(
        request.experiment, folder, provenance=provenance, quiet=quiet, readings=request.readings, jobs=jobs,
        on=on,
    )  # fmt: skip
    for line in () if quiet else news(plan):
        print(line, file=sys.stderr)
    return ExperimentResults(folder, request.experiment.experiment_id)


def train_missing(
    experiment: Experiment, folder: Path, *, provenance: Provenance, quiet: bool = False,
    readings: Sequence[Reading] = (), checkpoint_seconds: float = 20.0, keep: bool = True, jobs: int | None = None,
    on: str | Place | None = None, workers: Workers | None = None,
) -> Plan:  # fmt: skip
    """Train what a store lacks of an experiment; Ctrl-C saves and stops.

    Args:
        experiment: What is trained.
        folder: The store; it is made where there is none.
        provenance: Written beside every run; its ``"command"`` is what reproduces them.
        quiet: Whether progress is left out.
        readings: What is read of the networks.
        checkpoint_seconds: Seconds of training between checkpoints.
        keep: Whether each run's last weights stay in the store.
        jobs: Processes that train at once; None for what suits this machine.  On a cluster: tasks at once, at most.
        on: A cluster to train on; None for this machine.
        workers: Processes that are there already, here or elsewhere; `jobs` and `on` then do not count.

    Returns:
        The plan as it was before training.

    Raises:
        SpecError: If several processes are asked for on an accelerator.
        MissingError: If a cluster's library is not installed.
        AnglewiseError: If there is no such cluster.
        StoreError: If the store cannot be written.
        Interrupted: After Ctrl-C, when everything is saved.
    """
    with Store.open(folder) as store, stoppable() as stop, contextlib.ExitStack() as stack:
        if workers is None:
            workers = workers_at(on, len(experiment.arms) * experiment.seeds, cost(experiment, readings).bytes, jobs)
            provenance = {**provenance, "threads": threads_of(workers)}
            if workers is not None:
                stack.enter_context(workers)
        progress = Announced(folder, progress_for(quiet=quiet, compiled=seconds_compiling))
        plan = train(
            experiment, store, progress, provenance=provenance,
            command=str(provenance.get("command") or ""), stop=stop.is_set, readings=readings,
            checkpoint_seconds=checkpoint_seconds, keep=keep, workers=workers,
        )  # fmt: skip
        _compact(store)
    return plan


def _compact(store: Store) -> None:
    """Move finished runs to packs, where they are many and nobody else trains there."""
    if not busy(store.root):
        store.compact(least=CROWDED)


def news(plan: Plan) -> list[str]:
    """What a plan says of the runs that were not simply trained, a line for each kind."""
    lines = []
    if plan.again:
        lines.append(
            f"{len(plan.again)} runs were trained again from the beginning: they lacked readings or evaluations that "
            "are asked for, or the state to go on from"
        )
    if plan.further:
        lines.append(f"{len(plan.further)} runs went on from where they had ended")
    if plan.done:
        lines.append(f"{len(plan.done)} of {len(plan.done) + len(plan.missing)} runs were there already")
    return lines


def _call(name: str, asked: Mapping[str, Any]) -> str:
    """The call as a line of Python, for whoever wants the same runs."""
    given = [f", {key}={value!r}" for key, value in asked.items() if value is not None]
    return f"anglewise.lab.run({name!r}{''.join(given)})"
