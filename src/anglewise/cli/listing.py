"""What has a name, with the first line of its documentation and its fields; and one run, whole."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from anglewise.errors import SpecError, StoreError, shown, unknown


def listing(what: str) -> str:
    """Names with their meaning and their fields' defaults.

    Args:
        what: ``"tasks"``, ``"models"``, ``"methods"``, ``"experiments"``, ``"readings"`` or ``"figures"``.
    """
    from anglewise.lab import catalogue
    from anglewise.lab.experiments import EXPERIMENTS
    from anglewise.lab.readings.sets import DEFAULT, READINGS

    if what == "experiments":
        return "\n".join(
            f"{name:12} {e.title}\n{'':12} arms: {', '.join(arm.name for arm in e.arms)}; "
            f"{e.seeds} seeds, {e.training.budget:,} steps"
            for name, e in EXPERIMENTS.items()
        )
    if what == "figures":
        from anglewise.lab.report.plots.gallery import FIGURES

        texts = {name: known.text for name, known in FIGURES.items()}
        texts["early-warning"] = "who told in time that a run would generalise; give all stores of the study"
        return "\n".join(f"{name:20} {text}" for name, text in texts.items())
    if what == "readings":
        return "\n".join(
            f"{name:15} {_first_line(type(reading))}\n{'':15} {'in default; ' if name in DEFAULT else ''}"
            f"{_values(reading)}"
            for name, reading in READINGS.items()
        )
    found = {"tasks": catalogue.TASKS, "models": catalogue.MODELS, "methods": catalogue.METHODS}[what]
    return "\n".join(f"{name:22} {_first_line(cls)}\n{'':22} {_fields(cls)}" for name, cls in found.items())


def _first_line(cls: Any) -> str:
    return (cls.__doc__ or "").strip().splitlines()[0]


def _fields(cls: Any) -> str:
    return ", ".join(
        f.name if f.default is dataclasses.MISSING else f"{f.name}={json.dumps(f.default)}"
        for f in dataclasses.fields(cls)
    )


def _values(made: Any) -> str:
    return ", ".join(f"{f.name}={json.dumps(getattr(made, f.name))}" for f in dataclasses.fields(made))


def readings_named(text: str, changes: Any = None) -> list[Any]:
    """Readings by name or by the name of a set, comma-separated, each once.

    Args:
        text: For instance ``"default,curvature"``.
        changes: New values of their fields, ``{name: {field: value}}``.

    Raises:
        SpecError: For a name that is neither, a change to a reading that is not asked for, or one that cannot be meant.
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


def asked_for(experiment: Any, readings: Sequence[Any], text: str | None) -> list[str]:
    """Refuse readings that were asked for and could not be taken.

    Args:
        experiment: Of which.
        readings: What the text means.
        text: What the user wrote; None where nothing was asked for.

    Returns:
        Names that stand in the text and do not suit the task and model, while others do: they are left out.

    Raises:
        SpecError: If nothing is measured, or none of them suits the task and model.
    """
    from anglewise.lab.execution.planning import unmeasured
    from anglewise.lab.readings.sets import READINGS

    if text is None or not readings:
        return []
    if not experiment.training.measure_every:
        raise SpecError(unmeasured(experiment))
    names = {type(READINGS[part.strip()]): part.strip() for part in text.split(",") if part.strip() in READINGS}
    unsuited = [reading for reading in readings if not reading.suits(experiment.task, experiment.model)]
    if len(unsuited) == len(readings):
        kinds = f"{type(experiment.model).__name__} on {type(experiment.task).__name__}"
        raise SpecError(f"none of the readings {text!r} suits {kinds}: see anglewise list readings")
    return [names[type(reading)] for reading in unsuited if type(reading) in names]


def chosen(text: str, known: Collection[str], what: str) -> list[str]:
    """Names from a list with commas, where a name may have commas of its own.

    Args:
        text: For instance ``"radial,radial, last layer"``; spaces beside a separating comma do not count.
        known: Names that there are.
        what: What they are, for the message.

    Returns:
        The names in the order given, each once.

    Raises:
        SpecError: For one that is not known.

    Example:
        >>> chosen("radial, last layer, adamw", ["adamw", "radial", "radial, last layer"], "arm")
        ['radial, last layer', 'adamw']
    """
    parts, names = text.split(","), list[str]()
    while parts:
        for count in range(len(parts), 0, -1):
            if (name := ",".join(parts[:count]).strip()) in known:
                names.append(name)
                parts = parts[count:]
                break
        else:
            if parts[0].strip():
                raise SpecError(unknown(what, parts[0].strip(), known))
            parts = parts[1:]
    return list(dict.fromkeys(names))


def show(run: str, store: Path | None) -> str:
    """One run's specification, provenance, outcome and last readings, as text.

    Args:
        run: A run's identity or a unique beginning of it, or the path of a run's folder.
        store: The store; None looks through the stores below ``runs/``.

    Raises:
        StoreError: If there is no such run, or several.
    """
    from anglewise.lab.store import Reader, to_text

    where, run_id = Path(run), run
    if where.is_dir() and where.parent.name == "runs":
        store, run_id = where.resolve().parent.parent, where.resolve().name
    stores = [store] if store else sorted(m.parent for m in Path("runs").glob("*/anglewise-store.json"))
    found = []
    for path in stores:
        ids = Reader(path).query("SELECT DISTINCT run_id FROM runs ORDER BY run_id").column("run_id").to_pylist()
        found += [(path, one) for one in ids if one.startswith(run_id)]
    if len(found) != 1:
        looked = ", ".join(map(str, stores)) or "no store below runs/"
        some = f"; {len(found)} match: {', '.join(one for _, one in found[:5])}" if found else ""
        raise StoreError(f"expected one run that begins with {run_id!r} in {looked}{some}: give DIR or more digits")
    path, run_id = found[0]
    reader = Reader(path)
    parts = [
        f"run {run_id} in {path}",
        "\nspecification\n" + json.dumps(reader.spec(run_id), indent=2),
        "\nprovenance\n" + json.dumps(reader.provenance(run_id), indent=2),
        "\noutcome\n" + json.dumps(reader.outcome(run_id), indent=2),
        "\ncurves (at most 20, evenly spaced)\n"
        + to_text(
            reader.query(
                f"WITH own AS (SELECT DISTINCT ON (step) * FROM curves WHERE run_id = '{run_id}') "
                "SELECT step, train_accuracy, test_accuracy, train_loss, test_loss FROM "
                f"(SELECT *, row_number() OVER (ORDER BY step) AS i, count(*) OVER () AS n FROM own) "
                "WHERE (i - 1) % greatest(1, n // 19) = 0 OR i = n ORDER BY step"
            ),
            "table",
        ),
        "\nlast readings\n"
        + to_text(
            reader.query(
                "SELECT site, name, arg_max(value, step) AS value, max(step) AS step FROM readings "
                f"WHERE run_id = '{run_id}' GROUP BY site, name ORDER BY site, name"
            ),
            "table",
        ),
    ]
    return "\n".join(parts)
