"""Verbs that train what a study lacks, then print its table: ``leaderboard``, ``penalty`` and ``reproduce``."""

from __future__ import annotations

import argparse
from pathlib import Path
from types import ModuleType
from typing import Any

from anglewise.cli.flags import AddVerb, add_jobs, add_json, add_large, add_track, check_ending, place_of
from anglewise.cli.output import print_json
from anglewise.cli.training import register, train_missing
from anglewise.errors import SpecError


def add(verb: AddVerb) -> None:
    """Add the verbs."""
    ranking = verb(
        "leaderboard", leaderboard, "train a track's methods, each as tuned, and rank them",
        epilog="Task, model and training are those of anglewise run TRACK; only the seeds are more, and nothing is "
        "measured.  Settings that were published train the same way; anglewise reproduce trains them as their authors.",
    )  # fmt: skip
    effects = verb(
        "penalty", penalty, "what the radial penalty adds to methods tuned without it and with it",
        epilog="Both settings of every method are trained, each with the penalty and without.  The store is the "
        "leaderboard's, whose runs are not trained again.",
    )  # fmt: skip
    published = verb("reproduce", reproduce, "train methods as they were published, and compare with what was reported")
    pictures = ".svg, .pdf or .png (default: OUT/"
    for parser, arms, to in (
        (ranking, "only these arms", f"a .html, .md, .csv (runs), {pictures}leaderboard.html)"),
        (effects, "only these, named without the penalty", f"a .md, .csv (runs), {pictures}penalty.svg)"),
    ):
        add_track(parser)
        _add_training(parser)
        parser.add_argument("--seeds", type=int, help="paired seeds (default: the track's)")
        tuned = "folder of tuned settings (default: the package's own)"
        parser.add_argument("--tuned", metavar="DIR", type=Path, help=tuned)
        parser.add_argument("--out", metavar="DIR", type=Path, help="the store (default: runs/leaderboard-TRACK)")
        parser.add_argument("--arms", metavar="A,B", default="", help=arms)
        parser.add_argument("--to", metavar="FILE", type=Path, help=to)
    published.add_argument("names", nargs="*", metavar="NAME", help="which (default: all): the NAME in reproduce-NAME")
    out = Path("runs") / "reproductions"
    published.add_argument("--out", metavar="DIR", type=Path, default=out, help="the store")
    add_large(published)
    _add_training(published)


def _add_training(parser: argparse.ArgumentParser) -> None:
    """``--no-train``, ``--jobs`` and ``--on`` with what belongs to it, ``--quiet`` and ``--json``."""
    parser.add_argument("--no-train", action="store_true", help="train nothing, read what the store has")
    parser.add_argument("--quiet", action="store_true", help="no progress, only the table")
    add_jobs(parser)
    add_json(parser)


def leaderboard(arguments: argparse.Namespace) -> None:
    """Rank a track's methods."""
    from anglewise.lab.studies.leaderboard import plan, show
    from anglewise.lab.studies.leaderboard.leaderboards import leaderboard_of

    board = leaderboard_of(arguments.track)
    _compare(arguments, "leaderboard.html", show, plan.assemble, [*board.names, *board.refused], "")


def penalty(arguments: argparse.Namespace) -> None:
    """Compare a track's methods with the penalty and without."""
    from anglewise.lab.studies.leaderboard.leaderboards import leaderboard_of
    from anglewise.lab.studies.penalty import plan, show

    pairs = leaderboard_of(arguments.track).pairs
    _compare(arguments, "penalty.svg", show, plan.cross, pairs, " that was tuned alone and with the penalty")


def _compare(arguments: argparse.Namespace, file: str, show: ModuleType, plan: Any, names: Any, which: str) -> None:
    """Train what is missing of a comparison of a track's methods, print its table and write it."""
    from anglewise.lab.execution.estimate import admit
    from anglewise.lab.experiments.request import names_in
    from anglewise.lab.store import Reader

    check_ending(arguments.to, show.ENDINGS)
    if arguments.seeds is not None and arguments.seeds < 1:
        raise SpecError(f"seeds must be at least 1, got {arguments.seeds}")
    only = names_in(arguments.arms, names, f"arm of {arguments.track}{which}")
    planned = plan(arguments.track, only, arguments.seeds or 0, arguments.tuned)
    out = arguments.out or Path("runs") / f"leaderboard-{arguments.track}"
    admit(planned.experiment, large=arguments.large)
    if arguments.no_train:
        register(planned.experiment, out)
    else:
        train_missing(planned.experiment, out, quiet=arguments.quiet, jobs=arguments.jobs, on=place_of(arguments))
    name = Path(file).stem
    if not arguments.json:
        print(show.terminal(planned, Reader(out)))
    path = show.write(planned, Reader(out), arguments.to or out / file).resolve()
    if arguments.json:
        print_json(name, track=arguments.track, **show.facts(planned, Reader(out)), written=path)
    else:
        print(f"{name}: {path}")


def reproduce(arguments: argparse.Namespace) -> None:
    """Compare published methods with what was reported."""
    from anglewise.lab.execution.estimate import admit
    from anglewise.lab.experiments.reproduce import REPRODUCTIONS
    from anglewise.lab.report.table import printed
    from anglewise.lab.store import Reader
    from anglewise.lab.studies.reproduction import analysis, plan

    chosen = plan.chosen(arguments.names)
    for name in () if arguments.no_train else chosen:
        experiment = REPRODUCTIONS[name].experiment
        admit(experiment, large=arguments.large)
        train_missing(experiment, arguments.out, quiet=arguments.quiet, jobs=arguments.jobs, on=place_of(arguments))
    compared = plan.read(Reader(arguments.out), chosen)
    if arguments.json:
        more = ("median", "ratio", "same")
        values = [{**one._asdict(), **{name: getattr(one, name) for name in more}} for one in compared]
        print_json("reproduce", reproductions=values)
    else:
        print(printed(analysis.table(compared)))
