"""``anglewise run``: train what is missing of an experiment, then write its report."""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from anglewise.cli.flags import (
    AddVerb,
    add_jobs,
    add_json,
    add_large,
    add_pages,
    add_tables,
    criteria_of,
    place_of,
    seconds,
)
from anglewise.cli.output import print_json
from anglewise.cli.report import print_report
from anglewise.cli.training import train_missing
from anglewise.cli.watch import check_installed
from anglewise.errors import SpecError

if TYPE_CHECKING:
    from anglewise.lab.experiments.request import Request

TIMED = 0.7
"""Seconds for which each arm is timed, after compilation."""


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
    add_jobs(parser)
    add_large(parser)
    parser.add_argument("--dry-run", action="store_true", help="show the plan, train nothing, compile nothing")
    parser.add_argument("--cost", action="store_true", help="with --dry-run: compile, and time a few steps of each arm")
    each = "time between checkpoints (default 20)"
    parser.add_argument("--checkpoint", type=seconds, default=20.0, metavar="SECONDS", help=each)
    names = "what to measure: default, all, none, or names (see: anglewise list readings); no run changes by it"
    parser.add_argument("--readings", metavar="A,B", help=names)
    weights = "keep no last weights; a longer budget then trains again from the beginning"
    parser.add_argument("--no-weights", action="store_true", help=weights)
    anonymous = "write neither the host's name nor the folders of paths"
    parser.add_argument("--anonymous", action="store_true", help=anonymous)
    watch = "serve a live page of it meanwhile, and print its address (see: anglewise watch)"
    parser.add_argument("--watch", action="store_true", help=watch)
    parser.add_argument("--quiet", action="store_true", help="no progress, only the summary")
    add_pages(parser, "typical")
    add_tables(parser)
    add_json(parser)


def run(arguments: argparse.Namespace) -> None:
    """Train what is missing, and write the report."""
    from anglewise.lab.execution.estimate import admit
    from anglewise.lab.experiments.run import news
    from anglewise.lab.store import Reader

    if arguments.cost and not arguments.dry_run:
        raise SpecError("--cost times a plan and trains nothing: give --dry-run with it")
    criteria, request = criteria_of(arguments.tables), asked(arguments, arguments.fields)
    experiment, readings = request.experiment, request.readings
    admit(experiment, readings, large=arguments.large)
    for note in request.notes:
        print(f"anglewise: {note}", file=sys.stderr)
    out, on = arguments.out or request.folder, place_of(arguments)
    if arguments.dry_run:
        from anglewise.cli.dry_run import described, text

        timed = TIMED if arguments.cost else 0.0
        dry = described(experiment, out, readings, timed=timed, jobs=arguments.jobs)
        if arguments.json:
            print_json("run", dry_run=dry)
        else:
            print(text(dry, experiment.training.budget))
        return
    with watched(out) if arguments.watch else contextlib.nullcontext():
        plan = train_missing(
            experiment, out, quiet=arguments.quiet, readings=readings, anonymous=arguments.anonymous,
            checkpoint_seconds=arguments.checkpoint, keep=not arguments.no_weights, jobs=arguments.jobs, on=on,
        )  # fmt: skip
    for line in news(plan):
        print(line, file=sys.stderr if arguments.json else sys.stdout)
    reader, page = Reader(out), out / "report.html"
    print_report(
        "run", reader, experiment.experiment_id, page, criteria=criteria, pages=arguments.pages, as_json=arguments.json
    )


@contextlib.contextmanager
def watched(out: Path) -> Iterator[None]:
    """A live page of the store `out` while the block lasts; its address is printed.

    Raises:
        MissingError: If the libraries of the page are not installed.
    """
    check_installed("anglewise run --watch")
    from anglewise.lab.watch.beside import served

    with served(out) as address:
        page = f"live page: {address}" if address else "the live page could not start: see anglewise watch"
        print(f"anglewise: {page}", file=sys.stderr, flush=True)
        yield


def asked(arguments: argparse.Namespace, fields: Sequence[str]) -> Request:
    """The experiment and the readings that a command asks for.

    Args:
        arguments: Its flags.
        fields: Words that are no flags of the verb: fields of the experiment and of readings.
    """
    from anglewise.lab.experiments.config import flag_table, merged
    from anglewise.lab.experiments.request import requested

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
    return requested(arguments.experiment, arms=arguments.arms, readings=arguments.readings or None, changes=changes)
