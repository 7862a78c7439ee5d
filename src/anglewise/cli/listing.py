"""Verbs that say what has a name, ``list``, and what a name means, ``explain``."""

from __future__ import annotations

import argparse
import dataclasses
import json
from collections.abc import Iterable
from typing import Any

from anglewise.cli.flags import AddVerb
from anglewise.errors import SpecError


def add(verb: AddVerb) -> None:
    """Add the verbs."""
    parser = verb("list", _print_listing, "list what has a name")
    parser.add_argument("what", choices=["tasks", "models", "methods", "experiments", "readings", "figures"])
    parser = verb("explain", _print_explanation, "what a name means: a reading, value, method, outcome, column, ...")
    parser.add_argument("name", nargs="?", metavar="NAME", help="any name that anglewise writes (default: list them)")
    parser.add_argument("--markdown", action="store_true", help="the reference of all names, as Markdown")


def _print_listing(arguments: argparse.Namespace) -> None:
    print(listing(arguments.what))


def _print_explanation(arguments: argparse.Namespace) -> None:
    from anglewise.cli.explain import explain, markdown

    if arguments.markdown and arguments.name is not None:
        raise SpecError(f"got {arguments.name!r} and --markdown: --markdown writes all names, leave the name out")
    print(markdown() if arguments.markdown else explain(arguments.name))


def listing(what: str) -> str:
    """Names with their meaning and their fields' defaults.

    Args:
        what: ``"tasks"``, ``"models"``, ``"methods"``, ``"experiments"``, ``"readings"`` or ``"figures"``.
    """
    from anglewise.lab import catalogue
    from anglewise.lab.experiments import EXPERIMENTS
    from anglewise.lab.readings.sets import DEFAULT, READINGS

    if what == "experiments":
        rows = [
            (name, e.title, f"arms: {', '.join(arm.name for arm in e.arms)}", e.seeds, e.training.budget)
            for name, e in EXPERIMENTS.items()
        ]
        return _lines(12, ((name, text, f"{arms}; {n} seeds, {steps:,} steps") for name, text, arms, n, steps in rows))
    if what == "figures":
        from anglewise.lab.report.plots.gallery import FIGURES

        texts = {name: known.text for name, known in FIGURES.items()}
        texts["early-warning"] = "which readings tell in time that a run will generalise; give all stores of the study"
        texts |= {f"paper-{k}": f"the paper's figure {k}, from our runs" for k in (1, 3, 4, 5)}
        return "\n".join(f"{name:20} {text}" for name, text in texts.items())
    if what == "readings":
        values = {name: ("in default; " if name in DEFAULT else "") + _fields(r) for name, r in READINGS.items()}
        return _lines(15, ((name, _first_line(type(r)), values[name]) for name, r in READINGS.items()))
    classes: Any = {"tasks": catalogue.TASKS, "models": catalogue.MODELS, "methods": catalogue.METHODS}[what]
    return _lines(22, ((name, _first_line(cls), _fields(cls)) for name, cls in classes.items()))


def _lines(width: int, rows: Iterable[tuple[str, str, str]]) -> str:
    """Two lines for each name."""
    return "\n".join(f"{name:{width}} {first}\n{'':{width}} {second}" for name, first, second in rows)


def _first_line(cls: Any) -> str:
    return (cls.__doc__ or "").strip().splitlines()[0]


def _fields(of: Any) -> str:
    """Fields with their defaults in a class, or their values in an instance."""
    values = {field.name: getattr(of, field.name, dataclasses.MISSING) for field in dataclasses.fields(of)}
    return ", ".join(
        name if value is dataclasses.MISSING else f"{name}={json.dumps(value)}" for name, value in values.items()
    )
