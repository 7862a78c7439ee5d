"""Flags that several verbs share, and what their values mean."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from anglewise.errors import SpecError, shown, unknown

if TYPE_CHECKING:
    from anglewise.lab.execution.places import Place
    from anglewise.lab.report.comparison import Criterion

AddVerb: TypeAlias = Callable[..., argparse.ArgumentParser]
"""Adds a verb by its name, its function and a line of help; gives its parser, to add flags to."""


def add_large(parser: argparse.ArgumentParser) -> None:
    """``--large``."""
    parser.add_argument(
        "--large", action="store_true", help="allow more than 10,000 runs, 10^9 steps, 500 layers, or this memory"
    )


def add_jobs(parser: argparse.ArgumentParser) -> None:
    """``--jobs``, ``--on``, and what each task is given on a cluster."""
    text = "processes that train at once, each with its share of the cores (default: what suits this machine)"
    parser.add_argument("--jobs", type=jobs, metavar="N", help=text)
    many = parser.add_argument_group("many machines")
    where = "train on a cluster: ray, ray://HOST:PORT, slurm, or slurm:local; --jobs is then tasks at once, at most"
    many.add_argument("--on", metavar="PLACE", help=where)
    many.add_argument("--cpus", type=whole, metavar="N", help="cores of each task: a run's threads (default 1)")
    many.add_argument("--gpus", type=whole, metavar="N", help="accelerators of each task (default 0)")
    many.add_argument("--mem", type=float, metavar="GIB", help="memory of each SLURM job")
    many.add_argument("--time", type=whole, metavar="MINUTES", help="time of each SLURM job (default 60)")
    many.add_argument("--account", metavar="NAME", help="SLURM's account")
    many.add_argument("--partition", metavar="NAME", help="SLURM's partition")


def place_of(arguments: argparse.Namespace) -> Place | None:
    """The cluster that flags ask for; None for this machine.

    Raises:
        SpecError: For one that there is not, or for flags of a cluster without one.
        MissingError: If its library is not installed.
    """
    names = {"cpus": "cpus", "gpus": "gpus", "mem": "memory_gib", "time": "minutes"}
    names |= {"account": "account", "partition": "partition"}
    given = {flag: value for flag in names if (value := getattr(arguments, flag, None)) is not None}
    if arguments.on is None:
        if given:
            flag = next(iter(given))
            raise SpecError(f"--{flag} says what a task on a cluster is given: add --on ray or --on slurm")
        return None
    from anglewise.lab.execution.places import Place

    place = Place(arguments.on, **{names[flag]: value for flag, value in given.items()})
    place.check_installed()
    return place


def add_json(parser: argparse.ArgumentParser) -> None:
    """``--json``."""
    parser.add_argument("--json", action="store_true", help="print one JSON object, and nothing else")


def add_tables(parser: argparse.ArgumentParser) -> None:
    """``--tables``."""
    names = "summary tables to print: first (the default), sustained, seconds, or all"
    parser.add_argument("--tables", metavar="A,B", default="first", help=names)


def add_pages(parser: argparse.ArgumentParser, default: str) -> None:
    """``--pages``."""
    names = f"runs with a page of their own: typical, one of each arm; all; none (default {default})"
    parser.add_argument("--pages", choices=["typical", "all", "none"], default=default, help=names)


def add_track(parser: argparse.ArgumentParser) -> None:
    """``TRACK``, and ``--large``."""
    parser.add_argument("track", metavar="TRACK", help="a track that has a leaderboard, such as track-c2")
    add_large(parser)


def check_ending(to: Path | None, endings: Sequence[str]) -> None:
    """Check that a file's ending is one of the kinds that a verb writes.

    Raises:
        SpecError: If it is not.
    """
    if to is not None and to.suffix not in endings:
        *most, last = endings
        raise SpecError(f"--to {to}: expected a name ending in {', '.join(most)} or {last}")


def criteria_of(tables: str) -> list[Criterion]:
    """The criteria that ``--tables`` names, each with a summary table.

    Raises:
        SpecError: For one that there is not.
    """
    from anglewise.lab.report.comparison import CRITERIA

    names = [name.strip() for name in tables.split(",") if name.strip()]
    for name in names:
        if name not in (*CRITERIA, "all"):
            raise SpecError(unknown("table", name, [*CRITERIA, "all"]))
    return [criterion for criterion in CRITERIA if criterion in names or "all" in names]


def jobs(text: str) -> int:
    """A number of processes for a flag.

    Raises:
        argparse.ArgumentTypeError: If it is not a whole number from 1 to 1,024.
    """
    if text.isascii() and text.isdigit() and 1 <= int(text) <= 1024:
        return int(text)
    raise argparse.ArgumentTypeError(f"expected a whole number of processes from 1 to 1024, got {shown(text)}")


def whole(text: str) -> int:
    """A whole number for a flag.

    Raises:
        argparse.ArgumentTypeError: If it is none.
    """
    if text.isascii() and text.isdigit() and len(text) <= 9:
        return int(text)
    raise argparse.ArgumentTypeError(f"expected a whole number, got {shown(text)}")


def seconds(text: str) -> float:
    """A time for a flag: a finite number of seconds, from 0 on.

    Raises:
        argparse.ArgumentTypeError: For anything else.
    """
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value <= 1e9:
        raise argparse.ArgumentTypeError(f"expected seconds from 0 on, got {shown(text)}")
    return value
