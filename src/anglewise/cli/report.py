"""``anglewise report``: draw the report of a store again, or the page of one run."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from anglewise.cli.flags import AddVerb, add_experiment, check_ending
from anglewise.errors import SpecError


def add(verb: AddVerb) -> None:
    """Add the verb."""
    parser = verb("report", report, "draw the report of a store again")
    parser.add_argument("dir", type=Path, metavar="DIR")
    add_experiment(parser)
    parser.add_argument("--baseline", metavar="ARM", help="the arm that speed-ups refer to (default: the experiment's)")
    parser.add_argument("--run", metavar="RUN", help="the page of one run: its id, or a unique beginning of it")
    parser.add_argument("--to", type=Path, metavar="FILE", help=".html, or .svg/.pdf/.png for the picture alone")


def report(arguments: argparse.Namespace) -> None:
    """Draw a report, a picture or the page of a run."""
    to = arguments.to or arguments.dir / "report.html"
    if arguments.run is not None:
        if to.suffix != ".html":
            raise SpecError(f"--to {to}: the page of a run is a .html (for pictures: anglewise figure)")
        from anglewise.lab.report.html.run import write_run_page
        from anglewise.lab.store import Reader

        print(f"page: {write_run_page(Reader(arguments.dir), arguments.run, arguments.to).resolve()}")
        return
    check_ending(to, (".html", ".svg", ".pdf", ".png"))
    from anglewise.lab.report.plots.gallery import draw_figure
    from anglewise.lab.store import Reader

    reader = Reader(arguments.dir)
    experiment_id = experiment_or_last(reader, arguments.experiment)
    if to.suffix == ".html":
        write_and_print(reader, experiment_id, to, arguments.baseline)
    else:
        print(f"picture: {draw_figure('accuracy-and-radius', reader, to, experiment=experiment_id).resolve()}")


def write_and_print(reader: Any, experiment_id: str | None, page: Path, baseline: str | None = None) -> None:
    """Print an experiment's table and write its report."""
    from anglewise.lab.report.html.experiment import write_report
    from anglewise.lab.report.results import load
    from anglewise.lab.report.summary import print_results

    print_results(load(reader, experiment_id, baseline))
    print(f"report: {write_report(reader, experiment_id, page, baseline=baseline).resolve()}")


def experiment_or_last(reader: Any, experiment_id: str | None) -> str | None:
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
