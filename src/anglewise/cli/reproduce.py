"""``anglewise reproduce``: train methods as they were published, and compare with what was reported."""

from __future__ import annotations

import argparse
from pathlib import Path

from anglewise.cli.flags import AddVerb, add_large, add_training
from anglewise.cli.training import train_missing


def add(verb: AddVerb) -> None:
    """Add the verb."""
    parser = verb("reproduce", reproduce, "train methods as they were published, and compare with what was reported")
    parser.add_argument("names", nargs="*", metavar="NAME", help="which (default: all): the NAME in reproduce-NAME")
    parser.add_argument("--out", metavar="DIR", type=Path, default=Path("runs") / "reproductions", help="the store")
    add_large(parser)
    add_training(parser)


def reproduce(arguments: argparse.Namespace) -> None:
    """Train what is missing, and print the comparison."""
    from anglewise.lab.execution.estimate import admit
    from anglewise.lab.experiments.reproduce import REPRODUCTIONS
    from anglewise.lab.report.table import markdown
    from anglewise.lab.store import Reader
    from anglewise.lab.studies.reproduction import analysis, plan

    chosen = plan.chosen(arguments.names)
    for name in () if arguments.no_train else chosen:
        experiment = REPRODUCTIONS[name].experiment
        admit(experiment, large=arguments.large)
        train_missing(experiment, arguments.out, quiet=arguments.quiet)
    print(markdown(analysis.table(plan.read(Reader(arguments.out), chosen))))
