"""The list of all names that ``anglewise list`` shows, as a file: reading it imports no JAX."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from anglewise.cli.names import FILE, KINDS, Named
from anglewise.lab import catalogue
from anglewise.lab.experiments import EXPERIMENTS
from anglewise.lab.readings.quantities import QUANTITIES
from anglewise.lab.readings.sets import DEFAULT, READINGS
from anglewise.lab.report.plots.gallery import FIGURES

BESIDE = {"early-warning": "which readings tell in time that a run will generalise; give all stores of the study"} | {
    f"paper-{k}": f"the paper's figure {k}, from our runs" for k in (1, 3, 4, 5)
}
"""Figures that are drawn of more than one experiment."""


def group_of_method(cls: Any) -> str:
    """What a method changes: the heading that it stands under."""

    def has(*places: str) -> bool:
        return any(getattr(cls, place, None) is not None for place in places)

    groups = {
        "control": has("check"), "optimiser": cls.downhill is True, "loss": has("loss"), "penalty": has("penalty"),
        "gradient": has("transform"), "architecture": has("tap"), "weights": has("weights", "project"),
        "first weights": has("init"),
    }  # fmt: skip
    return next((group for group, holds in groups.items() if holds), "architecture")


def group_of_experiment(name: str) -> str:
    """The heading that an experiment stands under."""
    beginnings = {"track-": "tracks", "early-warning-": "early warning", "reproduce-": "reproductions"}
    beginnings |= {"addition-": "language models", "text-": "language models"}
    return next((group for beginning, group in beginnings.items() if name.startswith(beginning)), "start here")


def named() -> Iterator[Named]:
    """Every name, in the order of its list."""
    for kind, classes in (("tasks", catalogue.TASKS), ("models", catalogue.MODELS), ("methods", catalogue.METHODS)):
        for name, cls in classes.items():  # type: ignore[attr-defined]
            yield Named(kind, name, group_of_method(cls) if kind == "methods" else "", _first(cls), _fields(cls))
    for name, e in EXPERIMENTS.items():
        fields = {"arms": [arm.name for arm in e.arms], "seeds": e.seeds, "budget": e.training.budget}
        yield Named("experiments", name, group_of_experiment(name), e.title, fields)
    for name, reading in READINGS.items():
        themes = [about.theme for about in QUANTITIES.values() if about.reading == name]
        group = "in the default set" if name in DEFAULT else (themes or ["other"])[0].lower()
        yield Named("readings", name, group, _first(type(reading)), _fields(reading))
    for name, text in {**{name: known.text for name, known in FIGURES.items()}, **BESIDE}.items():
        yield Named("figures", name, "", text, {})


def _first(cls: Any) -> str:
    return (cls.__doc__ or "").strip().splitlines()[0]


def _fields(of: Any) -> dict[str, Any]:
    """Fields with their defaults in a class, or their values in an instance; null for one that must be given."""
    values = {field.name: getattr(of, field.name, None) for field in dataclasses.fields(of)}
    return json.loads(json.dumps(values))


def names_file() -> dict[Path, str]:
    """The file with its text, a line for each name."""
    entries = sorted(named(), key=lambda one: KINDS.index(one.kind))
    lines = ",\n".join(json.dumps(one, ensure_ascii=False) for one in entries)
    return {FILE: f"[\n{lines}\n]\n"}
