"""Verbs that draw what stores hold: ``report``, ``figure`` and ``early-warning``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from anglewise.cli.flags import AddVerb, check_ending
from anglewise.cli.training import command
from anglewise.errors import SpecError, unknown


def add(verb: AddVerb) -> None:
    """Add the verbs."""
    newest = "which experiment (default: the one that ran last)"
    parser = verb("report", report, "draw the report of a store again")
    parser.add_argument("dir", type=Path, metavar="DIR")
    parser.add_argument("--experiment", metavar="ID", help=newest)
    parser.add_argument("--baseline", metavar="ARM", help="the arm that speed-ups refer to (default: the experiment's)")
    parser.add_argument("--run", metavar="RUN", help="the page of one run: its id, or a unique beginning of it")
    parser.add_argument("--to", type=Path, metavar="FILE", help=".html, or .svg/.pdf/.png for the picture alone")
    parser = verb("figure", figure, "one figure for a paper, from the readings of a store")
    parser.add_argument("name", metavar="NAME", help="which (see: anglewise list figures)")
    folder = "the store; for paper-1, -3, -4 and -5 a folder of records or of the claims' stores"
    parser.add_argument("dir", nargs="?", type=Path, metavar="DIR", help=folder)
    runs = "only these arms, or runs by id (default: all); for early-warning: further stores"
    parser.add_argument("runs", nargs="*", metavar="RUN", help=runs)
    parser.add_argument("--experiment", metavar="ID", help=newest)
    parser.add_argument("--to", type=Path, metavar="FILE", help="a .svg, .pdf or .png (default: DIR/NAME.svg)")
    parser = verb("early-warning", early_warning, "which readings tell early that a run will generalise")
    parser.add_argument("dirs", nargs="+", type=Path, metavar="DIR", help="stores: several tasks, arms and seeds")
    parser.add_argument("--to", type=Path, metavar="FILE", help="a .html, .csv, .svg, .pdf or .png")


def report(arguments: argparse.Namespace) -> None:
    """Draw a report, a picture or the page of a run."""
    from anglewise.lab.report.html.run import write_run_page
    from anglewise.lab.report.plots.gallery import draw_figure
    from anglewise.lab.store import Reader

    to = arguments.to or arguments.dir / "report.html"
    if arguments.run is not None:
        if to.suffix != ".html":
            raise SpecError(f"--to {to}: the page of a run is a .html (for pictures: anglewise figure)")
        print(f"page: {write_run_page(Reader(arguments.dir), arguments.run, arguments.to).resolve()}")
        return
    check_ending(to, (".html", ".svg", ".pdf", ".png"))
    reader = Reader(arguments.dir)
    experiment_id = _experiment_or_last(reader, arguments.experiment)
    if to.suffix == ".html":
        write_and_print(reader, experiment_id, to, arguments.baseline)
    else:
        print(f"picture: {draw_figure('accuracy-and-radius', reader, to, experiment=experiment_id).resolve()}")


def figure(arguments: argparse.Namespace) -> None:
    """Draw one figure."""
    from anglewise.lab.report.plots.gallery import draw_figure
    from anglewise.lab.store import Reader

    if arguments.name.startswith("paper-"):
        _paper_figure(arguments)
        return
    if arguments.dir is None:
        raise SpecError(f"figure {arguments.name} needs DIR: the store that it is drawn from")
    to = arguments.to or arguments.dir / f"{arguments.name}.svg"
    if arguments.name == "early-warning":  # of several stores, not of runs of one
        from anglewise.lab.studies.early_warning.analysis import study
        from anglewise.lab.studies.early_warning.show import save_figure

        path = save_figure(study([Reader(folder) for folder in (arguments.dir, *arguments.runs)]), to)
    else:
        reader = Reader(arguments.dir)
        experiment_id = _experiment_or_last(reader, arguments.experiment)
        path = draw_figure(arguments.name, reader, to, experiment=experiment_id, runs=arguments.runs)
    print(f"figure: {path.resolve()}")


def _paper_figure(arguments: argparse.Namespace) -> None:
    """Draw a figure of the paper from our runs."""
    from anglewise.lab.studies.claims.paper.figures import BY_NAME, draw_one

    if arguments.name not in BY_NAME:
        raise SpecError(unknown("figure", arguments.name, BY_NAME))
    folder, to = arguments.dir or Path("records", "claims"), arguments.to or Path(f"{arguments.name}.svg")
    print(f"figure: {draw_one(arguments.name, folder, to).resolve()}")


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


def write_and_print(reader: Any, experiment_id: str | None, page: Path, baseline: str | None = None) -> None:
    """Print an experiment's table and write its report."""
    from anglewise.lab.report.html.experiment import write_report
    from anglewise.lab.report.results import load
    from anglewise.lab.report.summary import print_results

    print_results(load(reader, experiment_id, baseline))
    print(f"report: {write_report(reader, experiment_id, page, baseline=baseline).resolve()}")


def _experiment_or_last(reader: Any, experiment_id: str | None) -> str | None:
    """The experiment that was named, or the one that was run last; if there are several, a line names the others."""
    from anglewise.lab.report.results import newest

    if experiment_id is not None:
        return experiment_id
    latest, others = newest(reader)
    if others:
        print(
            f"anglewise: {reader.root} holds {len(others) + 1} experiments; shown is the one that ran last, {latest}. "
            f"Another with --experiment ID: {', '.join(others[:8])}{' ...' if len(others) > 8 else ''}",
            file=sys.stderr,
        )
    return latest
