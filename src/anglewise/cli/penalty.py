"""``anglewise penalty``: what the radial penalty adds to methods that were tuned without it and with it."""

from __future__ import annotations

import argparse
from pathlib import Path

from anglewise.cli.flags import AddVerb, add_comparison, check_ending, check_seeds
from anglewise.cli.training import register, train_missing


def add(verb: AddVerb) -> None:
    """Add the verb."""
    parser = verb(
        "penalty", penalty, "what the radial penalty adds to methods tuned without it and with it",
        epilog="Both settings of every method are trained, each with the penalty and without.  The store is the "
        "leaderboard's, whose runs are not trained again.",
    )  # fmt: skip
    add_comparison(parser)
    parser.add_argument("--arms", metavar="A,B", default="", help="only these, named without the penalty")
    parser.add_argument(
        "--to", metavar="FILE", type=Path,
        help="a .md, .csv (runs), .svg, .pdf or .png (default: OUT/penalty.svg)",
    )  # fmt: skip


def penalty(arguments: argparse.Namespace) -> None:
    """Train what is missing, print the effects and write them."""
    from anglewise.lab.execution.estimate import admit
    from anglewise.lab.experiments.request import names_in
    from anglewise.lab.store import Reader
    from anglewise.lab.studies.leaderboard.leaderboards import leaderboard_of
    from anglewise.lab.studies.penalty import plan, show

    board = leaderboard_of(arguments.track)
    check_ending(arguments.to, show.ENDINGS)
    check_seeds(arguments.seeds)
    only = names_in(arguments.arms, board.pairs, f"arm of {arguments.track} that was tuned alone and with the penalty")
    planned = plan.cross(arguments.track, only, arguments.seeds or 0, arguments.tuned)
    out = arguments.out or Path("runs") / f"leaderboard-{arguments.track}"
    admit(planned.experiment, large=arguments.large)
    if arguments.no_train:
        register(planned.experiment, out)
    else:
        train_missing(planned.experiment, out, quiet=arguments.quiet)
    print(show.terminal(planned, Reader(out)))
    path = show.write(planned, Reader(out), arguments.to or out / "penalty.svg")
    print(f"penalty: {path.resolve()}")
