"""What a call or a command line asks for: an experiment with its changes, its arms and its readings."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from anglewise.errors import SpecError, shown, unknown
from anglewise.lab.execution.estimate import idle
from anglewise.lab.execution.planning import unmeasured
from anglewise.lab.experiments import EXPERIMENTS
from anglewise.lab.experiments.config import load, merged, nested, overlay
from anglewise.lab.protocols.reading import Reading
from anglewise.lab.readings.sets import READINGS, SETS
from anglewise.lab.spec import Experiment

Readings: TypeAlias = str | Sequence[str | Reading]
"""Readings, by name or as objects; a text lists names with commas."""


@dataclasses.dataclass(frozen=True)
class Request:
    """What is to be trained and read, with a note for each setting without effect and each reading left out."""

    experiment: Experiment
    readings: tuple[Reading, ...]
    notes: tuple[str, ...] = ()

    @property
    def folder(self) -> Path:
        """The store where nobody names one: ``runs/NAME``."""
        return Path("runs") / self.experiment.experiment_id.rsplit("-", 1)[0]


def requested(
    experiment: str | Path | Experiment,
    *,
    seeds: int | None = None,
    budget: int | None = None,
    arms: str | Sequence[str] | None = None,
    readings: Readings | None = None,
    changes: Mapping[str, Any] | None = None,
) -> Request:
    """The request that a call of :func:`anglewise.lab.run` means; `changes` win over `seeds` and `budget`.

    Raises:
        SpecError: If a name or a field does not exist, or a value cannot stand there.
    """
    if not isinstance(experiment, (str, Path, Experiment)):
        raise SpecError(f"expected the name of an experiment, a .toml file or an Experiment, got {shown(experiment)}")
    whole = experiment if isinstance(experiment, Experiment) else load(str(experiment), EXPERIMENTS)
    table: dict[str, Any] = {}
    for path, value in {"seeds": seeds, "training.budget": budget, **(changes or {})}.items():
        if value is not None:
            table = merged(table, nested(path, value))
    chosen = readings_named("default" if readings is None else readings, table.pop("readings", {}))
    whole = overlay(whole, table, "")
    notes = [] if readings is None else left_out(whole, chosen, readings)
    if arms is not None:
        wanted = names_in(arms, [arm.name for arm in whole.arms], "arm")
        kept = tuple(arm for arm in whole.arms if arm.name in wanted)
        baseline = whole.reference if whole.reference in wanted else ""
        asked = tuple(each for each in whole.contrasts if {each.arm, each.without} <= set(wanted))
        whole = dataclasses.replace(whole, arms=kept, baseline=baseline, contrasts=asked)
    read = tuple(chosen.values()) if whole.training.measure_every else ()
    return Request(whole, read, (*notes, *idle(whole)))


def readings_named(wanted: Readings, changes: Mapping[str, Any] | None = None) -> dict[str, Reading]:
    """Readings by name, by the name of a set, or as they are; each once.

    Args:
        wanted: For instance ``"default,curvature"`` or ``["default", Curvature(probes=100)]``.
        changes: New values of their fields, ``{name: {field: value}}``.

    Returns:
        The readings by name.

    Raises:
        SpecError: For an unknown name, a change to a reading that is not asked for, or a value that cannot stand there.
    """
    chosen: dict[str, Reading] = {}
    for item in _items(wanted):
        if isinstance(item, Reading):
            chosen[_name_of(item)] = item
        elif item in SETS or item in READINGS:
            chosen |= SETS[item] if item in SETS else {item: READINGS[item]}
        else:
            raise SpecError(unknown("reading", str(item), [*SETS, *READINGS]))
    for name, change in (changes or {}).items():
        if name not in chosen:
            raise SpecError(unknown("reading among those asked for", name, chosen))
        if not isinstance(change, Mapping):
            raise SpecError(f"readings.{name}: expected a field, such as readings.{name}.rows, got {shown(change)}")
        chosen[name] = overlay(chosen[name], change, f"readings.{name}")
    return chosen


def left_out(experiment: Experiment, readings: Mapping[str, Reading], wanted: Readings) -> list[str]:
    """A line that lists the readings in `wanted` that do not suit the task and model; no line where all do.

    Raises:
        SpecError: If nothing is measured, or none of them suits the task and model.
    """
    if not readings:
        return []
    if not experiment.training.measure_every:
        raise SpecError(unmeasured(experiment))
    unsuited = [name for name, it in readings.items() if not it.suits(experiment.task, experiment.model)]
    if len(unsuited) == len(readings):
        kinds = f"{type(experiment.model).__name__} on {type(experiment.task).__name__}"
        raise SpecError(f"none of the readings {shown(wanted)} suits {kinds}: see anglewise list readings")
    named = {_name_of(item) if isinstance(item, Reading) else item for item in _items(wanted)}
    names = [name for name in unsuited if name in named]
    return [f"left out, since they do not suit this task and model: {', '.join(names)}"] if names else []


def names_in(wanted: str | Sequence[str], known: Collection[str], what: str) -> list[str]:
    """Names from a list, or from a text with commas, each once; a name may itself have commas.

    Raises:
        SpecError: For a name that is not in `known`; `what` says what they are.

    Example:
        >>> names_in("radial, last layer, adamw", ["adamw", "radial", "radial, last layer"], "arm")
        ['radial, last layer', 'adamw']
    """
    names = list(_split(wanted, known)) if isinstance(wanted, str) else list(wanted)
    for name in names:
        if name not in known:
            raise SpecError(unknown(what, str(name), known))
    return list(dict.fromkeys(names))


def _split(text: str, known: Collection[str]) -> Iterator[str]:
    """The parts of a text between commas; parts that together are a known name stay together."""
    parts = text.split(",")
    while parts:
        starts = ((",".join(parts[:count]).strip(), count) for count in range(len(parts), 0, -1))
        name, count = next(((name, count) for name, count in starts if name in known), (parts[0].strip(), 1))
        parts = parts[count:]
        if name:
            yield name


def _items(wanted: Readings) -> list[str | Reading]:
    if isinstance(wanted, str):
        return [part.strip() for part in wanted.split(",") if part.strip()]
    return list(wanted)


def _name_of(reading: Reading) -> str:
    return next((name for name, known in READINGS.items() if type(known) is type(reading)), type(reading).__name__)
