"""``anglewise leaderboard``: train a track's methods, each as tuned, and rank them."""

from __future__ import annotations

import argparse
from pathlib import Path

from anglewise.cli.flags import AddVerb, add_comparison, check_ending, check_seeds
from anglewise.cli.training import register, train_missing


def add(verb: AddVerb) -> None:
    """Add the verb."""
    parser = verb(
        "leaderboard", leaderboard, "train a track's methods, each as tuned, and rank them",
        epilog="Task, model and training are those of anglewise run TRACK; only the seeds are more, and nothing is "
        "measured.  Settings that were published train the same way; anglewise reproduce trains them as their authors.",
    )  # fmt: skip
    add_comparison(parser)
    parser.add_argument("--arms", metavar="A,B", default="", help="only these arms")
    parser.add_argument(
        "--to", metavar="FILE", type=Path,
        help="a .html, .md, .csv (runs), .svg, .pdf or .png (default: OUT/leaderboard.html)",
    )  # fmt: skip


def leaderboard(arguments: argparse.Namespace) -> None:
    """Train what is missing, print the ranking and write it."""
    from anglewise.lab.execution.estimate import admit
    from anglewise.lab.experiments.request import names_in
    from anglewise.lab.store import Reader
    from anglewise.lab.studies.leaderboard import plan, show
    from anglewise.lab.studies.leaderboard.leaderboards import leaderboard_of

    board = leaderboard_of(arguments.track)
    check_ending(arguments.to, show.ENDINGS)
    check_seeds(arguments.seeds)
    only = names_in(arguments.arms, [*board.names, *board.refused], f"arm of {arguments.track}")
    planned = plan.assemble(arguments.track, only, arguments.seeds or 0, arguments.tuned)
    out = arguments.out or Path("runs") / f"leaderboard-{arguments.track}"
    admit(planned.experiment, large=arguments.large)
    if arguments.no_train:
        register(planned.experiment, out)
    else:
        train_missing(planned.experiment, out, quiet=arguments.quiet)
    print(show.terminal(planned, Reader(out)))
    path = show.write(planned, Reader(out), arguments.to or out / "leaderboard.html")
    print(f"leaderboard: {path.resolve()}")
