"""``anglewise list``: what has a name, with the first line of its documentation and its fields."""

from __future__ import annotations

import argparse
import dataclasses
import json
from collections.abc import Mapping
from typing import Any

from anglewise.cli.flags import AddVerb


def add(verb: AddVerb) -> None:
    """Add the verb."""
    parser = verb("list", print_listing, "list what has a name")
    parser.add_argument("what", choices=["tasks", "models", "methods", "experiments", "readings", "figures"])


def print_listing(arguments: argparse.Namespace) -> None:
    """Print a list."""
    print(listing(arguments.what))


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
        texts["early-warning"] = "which readings tell in time that a run will generalise; give all stores of the study"
        return "\n".join(f"{name:20} {text}" for name, text in texts.items())
    if what == "readings":
        return "\n".join(
            f"{name:15} {_first_line(type(reading))}\n{'':15} {'in default; ' if name in DEFAULT else ''}"
            f"{_values(reading)}"
            for name, reading in READINGS.items()
        )
    classes: dict[str, Mapping[str, type]] = {
        "tasks": catalogue.TASKS, "models": catalogue.MODELS, "methods": catalogue.METHODS,
    }  # fmt: skip
    return "\n".join(f"{name:22} {_first_line(cls)}\n{'':22} {_fields(cls)}" for name, cls in classes[what].items())


def _first_line(cls: Any) -> str:
    return (cls.__doc__ or "").strip().splitlines()[0]


def _fields(cls: Any) -> str:
    return ", ".join(
        f.name if f.default is dataclasses.MISSING else f"{f.name}={json.dumps(f.default)}"
        for f in dataclasses.fields(cls)
    )


def _values(reading: Any) -> str:
    return ", ".join(f"{f.name}={json.dumps(getattr(reading, f.name))}" for f in dataclasses.fields(reading))
