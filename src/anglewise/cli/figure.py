"""``anglewise figure``: one figure for a paper."""

from __future__ import annotations

import argparse
from pathlib import Path

from anglewise.cli.flags import AddVerb, add_experiment
from anglewise.cli.report import experiment_or_last


def add(verb: AddVerb) -> None:
    """Add the verb."""
    parser = verb("figure", figure, "one figure for a paper, from the readings of a store")
    parser.add_argument("name", metavar="NAME", help="which (see: anglewise list figures)")
    parser.add_argument("dir", type=Path, metavar="DIR")
    parser.add_argument(
        "runs", nargs="*", metavar="RUN",
        help="only these arms, or runs by id (default: all); for early-warning: further stores",
    )  # fmt: skip
    add_experiment(parser)
    parser.add_argument("--to", type=Path, metavar="FILE", help="a .svg, .pdf or .png (default: DIR/NAME.svg)")


def figure(arguments: argparse.Namespace) -> None:
    """Draw one figure."""
    from anglewise.lab.report.plots.gallery import draw_figure
    from anglewise.lab.store import Reader

    to = arguments.to or arguments.dir / f"{arguments.name}.svg"
    if arguments.name == "early-warning":  # of several stores, not of runs of one
        from anglewise.lab.studies.early_warning.analysis import study
        from anglewise.lab.studies.early_warning.show import save_figure

        path = save_figure(study([Reader(folder) for folder in (arguments.dir, *arguments.runs)]), to)
    else:
        reader = Reader(arguments.dir)
        experiment_id = experiment_or_last(reader, arguments.experiment)
        path = draw_figure(arguments.name, reader, to, experiment=experiment_id, runs=arguments.runs)
    print(f"figure: {path.resolve()}")
