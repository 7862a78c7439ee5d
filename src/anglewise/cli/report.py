"""Verbs that draw what stores hold: ``report``, ``figure`` and ``early-warning``."""

from __future__ import annotations

import argparse
import importlib.util
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from anglewise.cli.flags import AddVerb, add_json, add_pages, add_tables, check_ending, criteria_of
from anglewise.cli.output import print_json
from anglewise.cli.training import command
from anglewise.errors import SpecError, unknown

if TYPE_CHECKING:
    from anglewise.lab.report.comparison import Criterion
    from anglewise.lab.report.html.experiment import RunPages
    from anglewise.lab.report.results import Results


def add(verb: AddVerb) -> None:
    """Add the verbs."""
    newest = "which experiment (default: the one that ran last)"
    parser = verb("report", report, "draw the report of a store again")
    parser.add_argument("dir", type=Path, metavar="DIR")
    parser.add_argument("--experiment", metavar="ID", help=newest)
    parser.add_argument("--baseline", metavar="ARM", help="the arm that speed-ups refer to (default: the experiment's)")
    parser.add_argument("--run", metavar="RUN", help="the page of one run: its id, or a unique beginning of it")
    parser.add_argument("--to", type=Path, metavar="FILE", help=".html, or .svg/.pdf/.png for the picture alone")
    add_pages(parser, "none")
    add_tables(parser)
    add_json(parser)
    parser = verb("figure", figure, "one figure for a paper, from the readings of a store")
    parser.add_argument("name", metavar="NAME", help="which (see: anglewise list figures)")
    folder = "the store; for paper-1, -3, -4 and -5 a folder of records or of the claims' stores"
    parser.add_argument("dir", nargs="?", type=Path, metavar="DIR", help=folder)
    runs = "only these arms, or runs by id (default: all); for early-warning: further stores"
    parser.add_argument("runs", nargs="*", metavar="RUN", help=runs)
    parser.add_argument("--experiment", metavar="ID", help=newest)
    parser.add_argument("--to", type=Path, metavar="FILE", help="a .svg, .pdf or .png (default: DIR/NAME.svg)")
    add_json(parser)
    parser = verb("early-warning", early_warning, "which readings tell early that a run will generalise")
    parser.add_argument("dirs", nargs="+", type=Path, metavar="DIR", help="stores: several tasks, arms and seeds")
    parser.add_argument("--to", type=Path, metavar="FILE", help="a .html, .csv, .svg, .pdf or .png")
    add_json(parser)


def report(arguments: argparse.Namespace) -> None:
    """Draw a report, a picture or the page of a run; with ``--json`` a report only where ``--to`` asks for one."""
    from anglewise.lab.store import Reader

    to, criteria = arguments.to or arguments.dir / "report.html", criteria_of(arguments.tables)
    if arguments.run is not None:
        from anglewise.lab.report.html.run import write_run_page

        if to.suffix != ".html":
            raise SpecError(f"--to {to}: the page of a run is a .html (for pictures: anglewise figure)")
        written = write_run_page(Reader(arguments.dir), arguments.run, arguments.to).resolve()
        _print_path("report", "page", written, as_json=arguments.json)
        return
    check_ending(to, (".html", ".svg", ".pdf", ".png"))
    reader = Reader(arguments.dir)
    experiment_id = _experiment_or_last(reader, arguments.experiment)
    if to.suffix == ".html":
        page = None if arguments.json and arguments.to is None else to
        print_report(
            "report", reader, experiment_id, page, arguments.baseline, criteria=criteria, pages=arguments.pages,
            as_json=arguments.json,
        )  # fmt: skip
    else:
        from anglewise.lab.report.plots.gallery import draw_figure

        picture = draw_figure("accuracy-and-radius", reader, to, experiment=experiment_id).resolve()
        _print_path("report", "picture", picture, as_json=arguments.json)


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
    _print_path("figure", "figure", path.resolve(), as_json=arguments.json)


def _paper_figure(arguments: argparse.Namespace) -> None:
    """Draw a figure of the paper from our runs."""
    from anglewise.lab.studies.claims.paper.figures import BY_NAME, draw_one

    if arguments.name not in BY_NAME:
        raise SpecError(unknown("figure", arguments.name, BY_NAME))
    folder, to = arguments.dir or Path("records", "claims"), arguments.to or Path(f"{arguments.name}.svg")
    _print_path("figure", "figure", draw_one(arguments.name, folder, to).resolve(), as_json=arguments.json)


def early_warning(arguments: argparse.Namespace) -> None:
    """Score every predictor, print the tables and write them."""
    from anglewise.lab.store import Reader
    from anglewise.lab.studies.early_warning.analysis import study
    from anglewise.lab.studies.early_warning.show import save_figure, write_page
    from anglewise.lab.studies.early_warning.tables import COUNTS, NUMBERS, print_study, write_csv

    to = arguments.to or Path("early-warning.html")
    check_ending(to, (".html", ".csv", ".svg", ".pdf", ".png"))
    scored = study([Reader(path) for path in arguments.dirs])
    if not arguments.json:
        print_study(scored)
    if to.suffix == ".html":
        path = write_page(scored, to, command())
    else:
        path = write_csv(scored, to) if to.suffix == ".csv" else save_figure(scored, to)
    if arguments.json:
        scores = [{name: getattr(score, name) for name in (*COUNTS, *NUMBERS)} for score in scored.scores]
        print_json("early-warning", scores=scores, written=path.resolve())
    else:
        print(f"written: {path.resolve()}")


def print_report(
    verb: str, reader: Any, experiment_id: str | None, page: Path | None, baseline: str | None = None, *,
    criteria: Sequence[Criterion], pages: RunPages = "none", as_json: bool = False,
) -> None:  # fmt: skip
    """Print the comparison of an experiment's arms, and write its report.

    Args:
        verb: Which verb asks.
        reader: A store's reader.
        experiment_id: Which experiment; None where the store holds only one.
        page: Where its report is written; None for nowhere.
        baseline: The arm that speed-ups refer to; None for the experiment's.
        criteria: Which summary tables are printed.
        pages: Which runs have a page of their own beside the report, linked there.
        as_json: Whether one JSON object is printed instead.
    """
    from anglewise.lab.report.results import load
    from anglewise.lab.report.summary import facts, print_results

    results = load(reader, experiment_id, baseline)
    if not as_json:
        print_results(results, criteria=criteria)
    written = None
    if page is not None:
        from anglewise.lab.report.html.experiment import write_report

        written = write_report(reader, experiment_id, page, run_pages=pages, results=results).resolve()
    if as_json:
        print_json(verb, **facts(results), report=written)
        return
    print(f"\nreport: {written}")
    for line in open_next(results, reader.root):
        print(line)


def open_next(results: Results, store: Path) -> list[str]:
    """What can be looked at next, a command in each line."""
    folder = shlex.quote(str(store))
    sql = "SELECT arm, seed, first FROM runs"
    commands = {"more tables": f"anglewise report {folder} --tables all"}
    ended = [key for key in results.planned if key in results.ended and key in results.runs]
    if ended:
        commands |= {"one run": f"anglewise report {folder} --run {results.runs[ended[0]][:12]}"}
    commands |= {"every run": f'anglewise query "{sql}" {folder}'}
    if importlib.util.find_spec("anglewise.cli.watch") is not None:
        commands |= {"live": f"anglewise watch {folder}"}
    return [f"{what + ':':13}{command}" for what, command in commands.items()]


def _print_path(verb: str, what: str, path: Path, *, as_json: bool) -> None:
    """Say where a file is."""
    if as_json:
        print_json(verb, **{what: path})
    else:
        print(f"{what}: {path}")


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
