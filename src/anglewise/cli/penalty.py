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
    parser.add_argument("--recipes", metavar="A,B", default="", help="only these, by the name of the arm alone")
    parser.add_argument(
        "--to", metavar="FILE", type=Path,
        help="a .md, .csv (runs), .svg, .pdf or .png (default: OUT/penalty.svg)",
    )  # fmt: skip


def penalty(arguments: argparse.Namespace) -> None:
    """Train what is missing, print the effects and write them."""
    from anglewise.lab.execution.estimate import admit
    from anglewise.lab.experiments.request import names_in
    from anglewise.lab.store import Reader
    from anglewise.lab.studies.leaderboard.boards import board_of
    from anglewise.lab.studies.penalty import plan

    board_of(arguments.track)
    check_ending(arguments.to, plan.ENDINGS)
    check_seeds(arguments.seeds)
    what = f"recipe of {arguments.track} that was tuned with the penalty"
    only = names_in(arguments.recipes, plan.recipes_of(arguments.track, arguments.tuned), what)
    made = plan.cross(arguments.track, only, arguments.seeds or 0, arguments.tuned)
    out = arguments.out or Path("runs") / f"leaderboard-{arguments.track}"
    admit(made.experiment, large=arguments.large)
    if arguments.no_train:
        register(made.experiment, out)
    else:
        train_missing(made.experiment, out, quiet=arguments.quiet)
    print(plan.shown(made, Reader(out)))
    print(f"penalty: {plan.written(made, Reader(out), arguments.to or out / 'penalty.svg').resolve()}")
