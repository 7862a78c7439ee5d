"""``anglewise run``: train what is missing of an experiment, then write its report."""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from anglewise.cli.flags import AddVerb, add_large, names, seconds
from anglewise.cli.report import write_and_print
from anglewise.cli.training import train_missing
from anglewise.errors import SpecError, shown, unknown


def add(verb: AddVerb) -> None:
    """Add the verb."""
    parser = verb(
        "run", run, "train what is missing of an experiment, then write its report",
        epilog="Any field of the experiment is a flag too: --task.p 97, --training.every 5, "
        "--arms.adamw-tuned.adamw.lr 0.01; so is one of a reading: --readings.curvature.probes 100.  "
        "The same command again trains only what is missing.",
    )  # fmt: skip
    parser.set_defaults(takes_fields=True)
    parser.add_argument("experiment", help="a named experiment (see: anglewise list experiments) or a .toml file")
    parser.add_argument("--seeds", help="number of paired seeds")
    parser.add_argument("--budget", metavar="STEPS", help="optimiser steps at most, the same for all arms")
    parser.add_argument("--arms", metavar="A,B", help="only these arms")
    parser.add_argument("--out", metavar="DIR", type=Path, help="the store (default: runs/NAME)")
    add_large(parser)
    parser.add_argument("--dry-run", action="store_true", help="show the plan and its cost, train nothing")
    parser.add_argument(
        "--checkpoint", type=seconds, default=20.0, metavar="SECONDS", help="time between checkpoints (default 20)"
    )
    parser.add_argument(
        "--readings", metavar="A,B",
        help="what to measure: default, all, none, or names (see: anglewise list readings); no run changes by it",
    )  # fmt: skip
    parser.add_argument(
        "--no-weights", action="store_true",
        help="keep no last weights; a longer budget then trains again from the beginning",
    )  # fmt: skip
    parser.add_argument(
        "--anonymous", action="store_true", help="write neither the host's name nor the folders of paths"
    )
    parser.add_argument("--quiet", action="store_true", help="no progress, only the summary")


def run(arguments: argparse.Namespace) -> None:
    """Train what is missing, and write the report."""
    from anglewise.lab.execution.estimate import admit, idle
    from anglewise.lab.store import Reader

    experiment, readings = asked(arguments, arguments.fields)
    admit(experiment, readings, large=arguments.large)
    for note in idle(experiment):
        print(f"anglewise: {note}", file=sys.stderr)
    out = arguments.out or Path("runs") / experiment.experiment_id.rsplit("-", 1)[0]
    if arguments.dry_run:
        from anglewise.cli.dry_run import describe

        print(describe(experiment, out, readings))
        return
    plan = train_missing(
        experiment, out, quiet=arguments.quiet, readings=readings if experiment.training.measure_every else (),
        anonymous=arguments.anonymous, checkpoint_seconds=arguments.checkpoint, keep=not arguments.no_weights,
    )  # fmt: skip
    if plan.again:
        print(
            f"{len(plan.again)} runs were trained again from the beginning: they lacked readings or evaluations that "
            "are asked for, or the state to go on from"
        )
    if plan.further:
        print(f"{len(plan.further)} runs went on from where they had ended")
    if plan.done:
        print(f"{len(plan.done)} of {len(plan.done) + len(plan.missing)} runs were there already")
    write_and_print(Reader(out), experiment.experiment_id, out / "report.html")


def asked(arguments: argparse.Namespace, fields: Sequence[str]) -> tuple[Any, list[Any]]:
    """The experiment and the readings that a command asks for.

    Args:
        arguments: Its flags.
        fields: Words that are no flags of the verb: fields of the experiment and of readings.
    """
    from anglewise.lab.experiments import EXPERIMENTS
    from anglewise.lab.experiments.config import flag_table, load, merged, overlay

    experiment = load(arguments.experiment, EXPERIMENTS)
    flags = [("seeds", arguments.seeds), ("training.budget", arguments.budget)]
    words = iter(fields)
    for word in words:
        if not word.startswith("--") or len(word) < 3:
            raise SpecError(f"got {word!r}, expected a flag such as --task.p 97")
        path, equals, text = word[2:].partition("=")
        value = text if equals else next(words, None)
        if value is None:
            raise SpecError(f"flag {word} lacks a value: write {word} VALUE")
        flags.append((path, value))
    changes: dict[str, Any] = {}
    for path, text in flags:
        if text is not None:
            changes = merged(changes, flag_table(path, text))
    readings = readings_named(arguments.readings or "default", changes.pop("readings", {}))
    experiment = overlay(experiment, changes, "")
    if left_out := unsuited(experiment, readings, arguments.readings):
        print(
            f"anglewise: left out, since they do not suit this task and model: {', '.join(left_out)}", file=sys.stderr
        )
    if arguments.arms is not None:
        wanted = names(arguments.arms, [arm.name for arm in experiment.arms], "arm")
        kept = tuple(arm for arm in experiment.arms if arm.name in wanted)
        baseline = experiment.reference if experiment.reference in wanted else ""
        experiment = dataclasses.replace(experiment, arms=kept, baseline=baseline)
    return experiment, readings


def readings_named(text: str, changes: Any = None) -> list[Any]:
    """Readings by name or by the name of a set, comma-separated, each once.

    Args:
        text: For instance ``"default,curvature"``.
        changes: New values of their fields, ``{name: {field: value}}``.

    Raises:
        SpecError: For a name that is neither, a change to a reading that is not asked for, or a wrong value.
    """
    from anglewise.lab.experiments.config import overlay
    from anglewise.lab.readings.sets import READINGS, SETS

    chosen: dict[str, Any] = {}
    for name in filter(None, (part.strip() for part in text.split(","))):
        if name not in READINGS and name not in SETS:
            raise SpecError(unknown("reading", name, [*SETS, *READINGS]))
        chosen |= SETS[name] if name in SETS else {name: READINGS[name]}
    for name, change in (changes or {}).items():
        if name not in chosen:
            raise SpecError(unknown("reading among those asked for", name, chosen))
        if not isinstance(change, dict):
            raise SpecError(f"readings.{name}: expected a field, such as readings.{name}.rows, got {shown(change)}")
        chosen[name] = overlay(chosen[name], change, f"readings.{name}")
    return list(chosen.values())


def unsuited(experiment: Any, readings: Sequence[Any], text: str | None) -> list[str]:
    """Names of readings that were asked for and do not suit the task and model, while others do.

    Args:
        experiment: Of which.
        readings: What the text asks for.
        text: What the user wrote; None where nothing was asked for.

    Raises:
        SpecError: If nothing is measured, or none of them suits the task and model.
    """
    from anglewise.lab.execution.planning import unmeasured
    from anglewise.lab.readings.sets import READINGS

    if text is None or not readings:
        return []
    if not experiment.training.measure_every:
        raise SpecError(unmeasured(experiment))
    written = {type(READINGS[part.strip()]): part.strip() for part in text.split(",") if part.strip() in READINGS}
    useless = [reading for reading in readings if not reading.suits(experiment.task, experiment.model)]
    if len(useless) == len(readings):
        kinds = f"{type(experiment.model).__name__} on {type(experiment.task).__name__}"
        raise SpecError(f"none of the readings {text!r} suits {kinds}: see anglewise list readings")
    return [written[type(reading)] for reading in useless if type(reading) in written]
