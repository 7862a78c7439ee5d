"""The command line: verbs only.  Heavy imports wait inside the verb, so that ``--help`` is immediate."""

from __future__ import annotations

import argparse
import dataclasses
import io
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from anglewise.cli import tracks as cli_tracks
from anglewise.cli.stopping import stoppable
from anglewise.errors import AnglewiseError, SpecError, install, printable, shown

LONG = 300
"""Characters of one word of a message, such as a path, that are shown."""
EXAMPLES = """\
examples:
  anglewise run quickstart                       train, compare, write a report
  anglewise run quickstart --seeds 2 --budget 100 --dry-run
  anglewise run my-experiment.toml --task.p 97 --arms.adamw-tuned.adamw.wd 1.0
  anglewise report runs/quickstart               draw the report again
  anglewise tune track-c2 --arm lion             search an entry's settings
  anglewise leaderboard track-c2 --seeds 8       train every rival of a track, and rank them
  anglewise query "SELECT experiment_id, arm, median(t_capped) FROM runs GROUP BY ALL" runs/quickstart
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one verb; whatever the user can mend is one line on stderr and exit status 2.

    Args:
        argv: Words after the program's name; None takes the process's own.

    Returns:
        The exit status: 0 done, 1 interrupted with everything saved, 2 an error, 130 ended by Ctrl-C.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    for stream in (sys.stdout, sys.stderr):  # a file's name may be no text
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    parser = _parser()
    arguments, extra = parser.parse_known_args(words)
    debug = getattr(arguments, "debug", False)  # before the verb or after it
    if getattr(arguments, "verb", None) is None:
        parser.print_help()
        return 0
    try:
        if extra and arguments.verb is not _run:
            raise SpecError(f"unknown flag {extra[0]!r} for this verb: see anglewise {words[0]} --help")
        return int(arguments.verb(arguments, extra) or 0)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except AnglewiseError as error:
        if debug:
            raise
        return _said(error, 1 if type(error).__name__ == "Interrupted" else 2)
    except (OSError, MemoryError) as error:  # a name too long, a folder that is a file, a full disk
        if debug:
            raise
        return _said(error, 2)
    except ModuleNotFoundError as error:
        if debug or (error.name or "").startswith("anglewise"):
            raise
        print(f"anglewise: {error.name} is not installed: {install('lab')}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("anglewise: interrupted", file=sys.stderr)
        return 130


def _said(error: BaseException, status: int) -> int:
    """One line on stderr, whatever the message holds, and the exit status."""
    if isinstance(error, OSError) and error.filename is not None:
        text = f"{shown(os.fsdecode(error.filename))}: {error.strerror}"
    else:
        text = f"out of memory: {error}" if isinstance(error, MemoryError) else str(error)
    words = (word if len(word) <= LONG else f"{word[:LONG]}..." for word in text.split())
    print(f"anglewise: {printable(' '.join(words))}", file=sys.stderr)
    return status


def _parser() -> argparse.ArgumentParser:
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--debug", action="store_true", default=argparse.SUPPRESS, help="show a traceback on an error")
    parser = argparse.ArgumentParser(
        prog="anglewise", description="Networks that learn by angle, not by radius: a laboratory.",
        epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False, parents=[common],
    )  # fmt: skip
    parser.add_argument("--version", action="store_const", dest="verb", const=_version, help="print the version")
    verbs = parser.add_subparsers(metavar="VERB")

    def verb(name: str, function: Any, text: str, **kwargs: Any) -> argparse.ArgumentParser:
        made = verbs.add_parser(name, help=text, description=text, parents=[common], allow_abbrev=False, **kwargs)
        made.set_defaults(verb=function)
        return made

    run = verb(
        "run", _run, "train what is missing of an experiment, then write its report",
        epilog="Any field of the experiment is a flag too: --task.p 97, --training.every 5, "
        "--arms.adamw-tuned.adamw.lr 0.01; so is one of a reading: --readings.curvature.probes 100.  "
        "The same command again does only what is missing.",
    )  # fmt: skip
    run.add_argument("experiment", help="a named experiment (see: anglewise list experiments) or a .toml file")
    run.add_argument("--seeds", help="number of paired seeds")
    run.add_argument("--budget", metavar="STEPS", help="optimiser steps at most, the same for all arms")
    run.add_argument("--arms", metavar="A,B", help="only these arms")
    run.add_argument("--out", metavar="DIR", type=Path, help="the store (default: runs/NAME)")
    run.add_argument("--large", action="store_true", help=cli_tracks.LARGE)
    run.add_argument("--dry-run", action="store_true", help="show the plan and its cost, train nothing")
    run.add_argument(
        "--checkpoint",
        type=cli_tracks.seconds,
        default=20.0,
        metavar="SECONDS",
        help="training time between checkpoints (default 20)",
    )
    run.add_argument(
        "--readings", metavar="A,B",
        help="instruments to read: default, all, none, or names (see: anglewise list readings); they change no run",
    )  # fmt: skip
    run.add_argument(
        "--no-weights", action="store_true",
        help="keep no last weights; a longer budget then trains again from the beginning",
    )  # fmt: skip
    run.add_argument(
        "--anonymous", action="store_true", help="leave the host's name and folders of paths out of what is written"
    )
    run.add_argument("--quiet", action="store_true", help="no progress, only the summary")

    report = verb("report", _report, "draw the report of a store again")
    report.add_argument("dir", type=Path, metavar="DIR")
    report.add_argument("--experiment", metavar="ID", help="which of the store's experiments, where there are several")
    report.add_argument("--baseline", metavar="ARM", help="the arm that speed-ups refer to (default: the experiment's)")
    report.add_argument("--run", metavar="RUN", help="the page of one run: its id, or a unique beginning of it")
    report.add_argument("--to", type=Path, metavar="FILE", help=".html, or .svg/.pdf/.png for the picture alone")

    figure = verb("figure", _figure, "one figure for a paper, from the readings of a store")
    figure.add_argument("name", metavar="NAME", help="which (see: anglewise list figures)")
    figure.add_argument("dir", type=Path, metavar="DIR")
    figure.add_argument(
        "runs",
        nargs="*",
        metavar="RUN",
        help="only these arms, or runs by id (default: all); for early-warning: further stores",
    )
    figure.add_argument("--experiment", metavar="ID", help="which of the store's experiments, where there are several")
    figure.add_argument("--to", type=Path, metavar="FILE", help="a .svg, .pdf or .png (default: DIR/NAME.svg)")

    warning = verb("early-warning", _early_warning, "from readings before time t alone: can generalisation be told?")
    warning.add_argument("dirs", nargs="+", type=Path, metavar="DIR", help="stores: several tasks, arms and seeds")
    warning.add_argument("--to", type=Path, metavar="FILE", help="a .html, .csv, .svg, .pdf or .png")

    cli_tracks.add(verb)

    listing = verb("list", _list, "list what has a name")
    listing.add_argument("what", choices=["tasks", "models", "methods", "experiments", "readings", "figures"])

    show = verb("show", _show, "one run: its specification, provenance, outcome and curves")
    show.add_argument("run", metavar="RUN", help="a run's id (or a unique beginning), or the folder of a run")
    show.add_argument("dir", nargs="?", type=Path, metavar="DIR", help="the store (default: found below runs/)")

    query = verb("query", _query, "SQL over a store, with the views runs, curves, readings and arrays")
    query.add_argument("sql", metavar="SQL")
    query.add_argument("dir", type=Path, metavar="DIR")
    query.add_argument("--experiment", metavar="ID", help="only this experiment of the store (default: all)")
    query.add_argument(
        "--timeout", type=cli_tracks.seconds, default=60.0, metavar="SECONDS",
        help="stop a query that takes longer (default 60; 0 for never)",
    )  # fmt: skip
    query.add_argument("--format", choices=["table", "csv", "json"], default="table")

    doctor = verb("doctor", _doctor, "what is installed and how fast it is; with DIR: whether a store is whole")
    doctor.add_argument("dir", nargs="?", type=Path, metavar="DIR", help="a store to examine")
    doctor.add_argument("--mend", action="store_true", help="put right what can be put right without training")
    doctor.add_argument("--json", action="store_true", help="machine-readable")
    return parser


def _version(arguments: argparse.Namespace, extra: list[str]) -> None:
    from anglewise import __version__

    print(__version__)


def _meant(arguments: argparse.Namespace, extra: list[str]) -> tuple[Any, list[Any]]:
    """The experiment and the readings that the words mean."""
    from anglewise.cli.listing import asked_for, chosen, readings_named
    from anglewise.lab.experiments import EXPERIMENTS
    from anglewise.lab.experiments.config import flag_table, load, merged, overlay

    experiment = load(arguments.experiment, EXPERIMENTS)
    flags = [("seeds", arguments.seeds), ("training.budget", arguments.budget)]
    words = iter(extra)
    for word in words:
        if not word.startswith("--") or len(word) < 3:
            raise SpecError(f"got {word!r}, expected a flag such as --task.p 97")
        path, equals, text = word[2:].partition("=")
        value = text if equals else next(words, None)
        if value is None:
            raise SpecError(f"flag {word} lacks a value: write {word} VALUE")
        flags.append((path, value))
    changes: dict[str, Any] = {}
    for path, text in flags:
        if text is not None:
            changes = merged(changes, flag_table(path, text))
    readings = readings_named(arguments.readings or "default", changes.pop("readings", {}))
    experiment = overlay(experiment, changes, "")
    if unsuited := asked_for(experiment, readings, arguments.readings):
        print(
            f"anglewise: left out, since they do not suit this task and model: {', '.join(unsuited)}", file=sys.stderr
        )
    if arguments.arms is not None:
        wanted = chosen(arguments.arms, [arm.name for arm in experiment.arms], "arm")
        kept = tuple(arm for arm in experiment.arms if arm.name in wanted)
        baseline = experiment.reference if experiment.reference in wanted else ""
        experiment = dataclasses.replace(experiment, arms=kept, baseline=baseline)
    return experiment, readings


def _run(arguments: argparse.Namespace, extra: list[str]) -> int:
    from anglewise.lab.execution.estimate import admit, idle

    experiment, readings = _meant(arguments, extra)
    admit(experiment, readings, large=arguments.large)
    for note in idle(experiment):
        print(f"anglewise: {note}", file=sys.stderr)
    out = arguments.out or Path("runs") / experiment.experiment_id.rsplit("-", 1)[0]
    if arguments.dry_run:
        from anglewise.cli.dry_run import describe

        print(describe(experiment, out, readings))
        return 0
    import jax

    from anglewise.lab.report.live import progress_for
    from anglewise.lab.runner import train
    from anglewise.lab.store import Reader, Store, collect

    provenance = collect(
        command=["anglewise", *sys.argv[1:]],
        device=str(jax.devices()[0].device_kind),
        precision=experiment.training.precision,
        anonymous=arguments.anonymous,
    )
    command = str(provenance["command"])
    with Store.open(out) as store, stoppable() as stop:
        progress = progress_for(experiment, quiet=arguments.quiet)
        done = train(
            experiment,
            store,
            progress,
            provenance=provenance,
            command=command,
            stop=stop.is_set,
            checkpoint_seconds=arguments.checkpoint,
            readings=readings if experiment.training.measure_every else (),
            keep=not arguments.no_weights,
        )
    if done.again:
        print(
            f"{len(done.again)} runs were trained again from the beginning: they lacked readings or evaluations that "
            "are asked for, or the state to go on from"
        )
    if done.further:
        print(f"{len(done.further)} runs went on from where they had ended")
    if done.done:
        print(f"{len(done.done)} of {len(done.done) + len(done.missing)} runs were there already")
    return _finish(Reader(out), experiment.experiment_id, out / "report.html")


def _finish(reader: Any, experiment_id: str | None, page: Path, baseline: str | None = None) -> int:
    from anglewise.lab.report.html.experiment import write_report
    from anglewise.lab.report.results import load
    from anglewise.lab.report.table import print_results

    print_results(load(reader, experiment_id, baseline))
    print(f"report: {write_report(reader, experiment_id, page, baseline=baseline).resolve()}")
    return 0


def _chosen(reader: Any, experiment_id: str | None) -> str | None:
    """The experiment that is meant: the one that was run last where none is named, and it says so."""
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


def _report(arguments: argparse.Namespace, extra: list[str]) -> int:
    from anglewise.lab.store import Reader

    reader, to = Reader(arguments.dir), arguments.to or arguments.dir / "report.html"
    if arguments.run is not None:
        return _report_run(reader, arguments.run, arguments.to)
    if to.suffix not in (".html", ".svg", ".pdf", ".png"):
        raise SpecError(f"--to {to}: expected a name ending in .html, .svg, .pdf or .png")
    experiment = _chosen(reader, arguments.experiment)
    if to.suffix == ".html":
        return _finish(reader, experiment, to, arguments.baseline)
    from anglewise.lab.report.plots.gallery import draw_figure

    print(f"picture: {draw_figure('accuracy-and-radius', reader, to, experiment=experiment).resolve()}")
    return 0


def _report_run(reader: Any, run: str, to: Path | None) -> int:
    from anglewise.lab.report.html.run import write_run_page

    if to is not None and to.suffix != ".html":
        raise SpecError(f"--to {to}: the page of a run is a .html (for pictures: anglewise figure)")
    print(f"page: {write_run_page(reader, run, to).resolve()}")
    return 0


def _figure(arguments: argparse.Namespace, extra: list[str]) -> None:
    from anglewise.lab.report.plots.gallery import draw_figure
    from anglewise.lab.store import Reader

    to = arguments.to or arguments.dir / f"{arguments.name}.svg"
    if arguments.name == "early-warning":  # of several stores, not of runs of one
        from anglewise.lab.studies.early_warning.analysis import study
        from anglewise.lab.studies.early_warning.show import save_figure

        made = save_figure(study([Reader(path) for path in (arguments.dir, *arguments.runs)]), to)
    else:
        reader = Reader(arguments.dir)
        experiment = _chosen(reader, arguments.experiment)
        made = draw_figure(arguments.name, reader, to, experiment=experiment, runs=arguments.runs)
    print(f"figure: {made.resolve()}")


def _early_warning(arguments: argparse.Namespace, extra: list[str]) -> None:
    from anglewise.lab.store import Reader
    from anglewise.lab.studies.early_warning.analysis import print_study, study, write_csv
    from anglewise.lab.studies.early_warning.show import save_figure, write_page

    to = arguments.to or Path("early-warning.html")
    if to.suffix not in (".html", ".csv", ".svg", ".pdf", ".png"):
        raise SpecError(f"--to {to}: expected a name ending in .html, .csv, .svg, .pdf or .png")
    made = study([Reader(path) for path in arguments.dirs])
    print_study(made)
    if to.suffix == ".html":
        written = write_page(made, to, cli_tracks.command())
    else:
        written = write_csv(made, to) if to.suffix == ".csv" else save_figure(made, to)
    print(f"written: {written.resolve()}")


def _list(arguments: argparse.Namespace, extra: list[str]) -> None:
    from anglewise.cli.listing import listing

    print(listing(arguments.what))


def _show(arguments: argparse.Namespace, extra: list[str]) -> None:
    from anglewise.cli.listing import show

    print(show(arguments.run, arguments.dir))


def _query(arguments: argparse.Namespace, extra: list[str]) -> None:
    from anglewise.lab.store import Reader, to_text

    answer = Reader(arguments.dir).query(arguments.sql, arguments.experiment, timeout=arguments.timeout or None)
    print(to_text(answer, arguments.format))


def _doctor(arguments: argparse.Namespace, extra: list[str]) -> int:
    if arguments.dir is not None:
        return _examine(arguments.dir, mend=arguments.mend, as_json=arguments.json)
    if arguments.mend:
        raise SpecError("--mend mends a store: give its folder, anglewise doctor DIR --mend")
    from anglewise.cli.doctor import examine, lines

    found = examine()
    print(json.dumps(found, indent=2) if arguments.json else "\n".join(lines(found)))
    return 0


def _examine(root: Path, *, mend: bool, as_json: bool) -> int:
    """Say what is wrong with a store; 0 if nothing is left, 1 if something is."""
    from anglewise.lab.report.format import plain
    from anglewise.lab.store.examine import examine, report
    from anglewise.lab.store.lock import locked

    with locked(root):
        findings = examine(root)
        for finding in findings if mend else ():
            if finding.mend is not None:
                finding.mend()
    if as_json:
        print(json.dumps(report(root, findings, mended=mend), indent=2))
    else:
        for finding in findings:
            done = finding.mend is not None
            what = finding.advice if not done or mend else f"--mend: {finding.advice}"
            print(plain(f"{finding.path}: {finding.text}. {what[0].upper()}{what[1:]}."))
        print(f"{len(findings)} findings" if findings else f"{root}: everything is as it was written")
    return 1 if any(finding.mend is None or not mend for finding in findings) else 0


if __name__ == "__main__":
    sys.exit(main())
