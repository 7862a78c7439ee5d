"""``anglewise early-warning``: which readings tell early that a run will generalise."""

from __future__ import annotations

import argparse
from pathlib import Path

from anglewise.cli.flags import AddVerb, check_ending
from anglewise.cli.training import command


def add(verb: AddVerb) -> None:
    """Add the verb."""
    parser = verb("early-warning", early_warning, "which readings tell early that a run will generalise")
    parser.add_argument("dirs", nargs="+", type=Path, metavar="DIR", help="stores: several tasks, arms and seeds")
    parser.add_argument("--to", type=Path, metavar="FILE", help="a .html, .csv, .svg, .pdf or .png")


def early_warning(arguments: argparse.Namespace) -> None:
    """Score every predictor, print the tables and write them."""
    from anglewise.lab.store import Reader
    from anglewise.lab.studies.early_warning.analysis import study
    from anglewise.lab.studies.early_warning.show import save_figure, write_page
    from anglewise.lab.studies.early_warning.tables import print_study, write_csv

    to = arguments.to or Path("early-warning.html")
    check_ending(to, (".html", ".csv", ".svg", ".pdf", ".png"))
    scored = study([Reader(path) for path in arguments.dirs])
    print_study(scored)
    if to.suffix == ".html":
        path = write_page(scored, to, command())
    else:
        path = write_csv(scored, to) if to.suffix == ".csv" else save_figure(scored, to)
    print(f"written: {path.resolve()}")
