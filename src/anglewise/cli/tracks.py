"""The verbs of the tracks: tune, leaderboard, penalty, baselines.  Heavy imports wait inside the verb."""

from __future__ import annotations

import argparse
import dataclasses
import math
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from anglewise.cli.stopping import stoppable
from anglewise.errors import SpecError, shown, unknown

LARGE = "do it also beyond 10,000 runs, 10^9 steps, 500 layers to compile, or this machine's memory"


def seconds(text: str) -> float:
    """A time for a flag: a finite number of seconds, from 0 on.

    Raises:
        argparse.ArgumentTypeError: For anything else.
    """
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value <= 1e9:
        raise argparse.ArgumentTypeError(f"expected seconds from 0 on, got {shown(text)}")
    return value


def command() -> str:
    """The line that was typed, as text that any file can hold."""
    return ("anglewise " + shlex.join(sys.argv[1:])).encode(errors="backslashreplace").decode()


def add(verb: Callable[..., argparse.ArgumentParser]) -> None:
    """Describe the verbs to the command line.

    Args:
        verb: Makes a verb of a name, a function and a line of text.
    """
    tune = verb(
        "tune", _tune, "search the settings of a track's entries, each with the same budget",
        epilog="Every trial is a run in a store of the entry's own; the same command again goes on where it stopped.  "
        "Trials are judged on training examples that are held out, with seeds that are never reported.",
    )  # fmt: skip
    tune.add_argument("track", metavar="TRACK", help="a track that has a leaderboard, such as track-c2")
    tune.add_argument("--arm", metavar="A,B", default="", help="which entries (default: all)")
    tune.add_argument("--trials", type=int, help="settings tried per round")
    tune.add_argument("--rounds", type=int, help="rounds; the first is drawn from the whole space")
    tune.add_argument("--seeds", type=int, help="tuning seeds of the second half of a round")
    tune.add_argument("--budget", type=int, metavar="STEPS", help="optimiser steps at most (default: the track's)")
    tune.add_argument("--large", action="store_true", help=LARGE)
    tune.add_argument("--out", metavar="DIR", type=Path, help="the stores (default: runs/tune/TRACK)")
    tune.add_argument("--to", metavar="DIR", type=Path, help="winners, one NAME.toml each (default: OUT/winners)")

    board = verb("leaderboard", _leaderboard, "train a track's arms, each as tuned, and rank them")
    board.add_argument("--arms", metavar="A,B", default="", help="only these arms")
    penalty = verb(
        "penalty", _penalty, "what the radial penalty adds to recipes tuned alone and with it",
        epilog="Of every recipe both settings are trained, each with the penalty and without.  The store is the "
        "leaderboard's, whose runs are not trained again.",
    )  # fmt: skip
    penalty.add_argument("--recipes", metavar="A,B", default="", help="only these, by the name of the arm alone")
    for parser, written in (
        (board, "a .html, .md, .csv (runs), .svg, .pdf or .png (default: OUT/leaderboard.html)"),
        (penalty, "a .md, .csv (runs), .svg, .pdf or .png (default: OUT/penalty.svg)"),
    ):
        parser.add_argument("track", metavar="TRACK", help="a track that has a leaderboard, such as track-c2")
        parser.add_argument("--seeds", type=int, help="paired seeds (default: the track's)")
        parser.add_argument("--tuned", metavar="DIR", type=Path, help="winners to use (default: those of the package)")
        parser.add_argument("--out", metavar="DIR", type=Path, help="the store (default: runs/leaderboard-TRACK)")
        parser.add_argument("--no-train", action="store_true", help="read what is there")
        parser.add_argument("--large", action="store_true", help=LARGE)
        parser.add_argument("--to", metavar="FILE", type=Path, help=written)
        parser.add_argument("--quiet", action="store_true", help="no progress, only the table")

    baselines = verb("baselines", _baselines, "train rivals as they were published, and compare with what was reported")
    baselines.add_argument("names", nargs="*", metavar="NAME", help="which (default: all): the NAME in reproduce-NAME")
    baselines.add_argument("--out", metavar="DIR", type=Path, default=Path("runs") / "baselines", help="the store")
    baselines.add_argument("--large", action="store_true", help=LARGE)
    baselines.add_argument("--no-train", action="store_true", help="compare what is there")
    baselines.add_argument("--quiet", action="store_true", help="no progress, only the table")


def _board_of(track: str) -> Any:
    from anglewise.lab.studies.leaderboard.boards import BOARDS

    if track not in BOARDS:
        raise SpecError(unknown("track with a leaderboard", track, BOARDS))
    return BOARDS[track]


def _tune(arguments: argparse.Namespace, extra: list[str]) -> None:
    import jax

    from anglewise.cli.listing import chosen
    from anglewise.lab.store import collect
    from anglewise.lab.tuning import search as tuning
    from anglewise.lab.tuning import winners

    board = _board_of(arguments.track)
    entries = {entry.arm.name: entry for entry in board.entries}
    names = chosen(arguments.arm, [*entries, *board.refused], f"entry of {arguments.track}") or list(entries)
    for name in names:
        if name in board.refused:
            raise SpecError(f"{name} has no place on {arguments.track}: {board.refused[name]}")
    given = {name: getattr(arguments, name) for name in ("trials", "rounds", "seeds")}
    rules = tuning.Search(**{name: value for name, value in given.items() if value is not None})
    track = board.track
    if arguments.budget is not None:
        track = dataclasses.replace(track, training=dataclasses.replace(track.training, budget=arguments.budget))
    for name in names:
        tuning.admit_search(entries[name], track, rules, len(names), large=arguments.large)
    out = arguments.out or Path("runs") / "tune" / arguments.track
    provenance = collect(
        command=["anglewise", *sys.argv[1:]],
        device=str(jax.devices()[0].device_kind),
        precision=track.training.precision,
    )
    numbers = f"--trials {rules.trials} --rounds {rules.rounds} --seeds {rules.seeds} --budget {track.training.budget}"
    with stoppable() as stop:
        for name in names:
            line = f"anglewise tune {arguments.track} --arm {name} {numbers}"
            where = winners.tune(
                entries[name], track, rules, out, arguments.to or out / "winners", line, provenance, stop.is_set
            )
            print(f"{name}: {where}", flush=True)


def _leaderboard(arguments: argparse.Namespace, extra: list[str]) -> None:
    from anglewise.cli.listing import chosen
    from anglewise.lab.store import Reader
    from anglewise.lab.studies.leaderboard import plan as boarding

    _board_of(arguments.track)
    if arguments.to is not None and arguments.to.suffix not in boarding.ENDINGS:
        raise SpecError(f"--to {arguments.to}: expected a name ending in {', '.join(boarding.ENDINGS)}")
    only = chosen(arguments.arms, boarding.names_of(arguments.track), f"arm of {arguments.track}")
    made = boarding.assemble(arguments.track, only, _seeds(arguments), arguments.tuned)
    out = arguments.out or Path("runs") / f"leaderboard-{arguments.track}"
    _train(made.experiment, out, quiet=arguments.quiet, none=arguments.no_train, large=arguments.large)
    print(boarding.shown(made, Reader(out)))
    for written in boarding.written(made, Reader(out), arguments.to or out / "leaderboard.html"):
        print(f"leaderboard: {written.resolve()}")


def _penalty(arguments: argparse.Namespace, extra: list[str]) -> None:
    from anglewise.cli.listing import chosen
    from anglewise.lab.store import Reader
    from anglewise.lab.studies.penalty import plan as crossing

    _board_of(arguments.track)
    if arguments.to is not None and arguments.to.suffix not in crossing.ENDINGS:
        raise SpecError(f"--to {arguments.to}: expected a name ending in {', '.join(crossing.ENDINGS)}")
    what = f"recipe of {arguments.track} that was tuned with the penalty"
    only = chosen(arguments.recipes, crossing.recipes_of(arguments.track, arguments.tuned), what)
    made = crossing.cross(arguments.track, only, _seeds(arguments), arguments.tuned)
    out = arguments.out or Path("runs") / f"leaderboard-{arguments.track}"
    _train(made.experiment, out, quiet=arguments.quiet, none=arguments.no_train, large=arguments.large)
    print(crossing.shown(made, Reader(out)))
    print(f"penalty: {crossing.written(made, Reader(out), arguments.to or out / 'penalty.svg').resolve()}")


def _seeds(arguments: argparse.Namespace) -> int:
    """Paired seeds, 0 for the track's own where none are asked for."""
    if arguments.seeds is not None and arguments.seeds < 1:
        raise SpecError(f"seeds must be at least 1, got {arguments.seeds}")
    return arguments.seeds or 0


def _train(experiment: Any, out: Path, *, quiet: bool, none: bool = False, large: bool = False) -> None:
    """Train what the store lacks of an experiment; stopped, it says how to go on.

    With `none` nothing is trained, and the experiment is made of the runs that the store has, whoever trained them:
    calls for other arms, or stores whose runs were copied into this one.
    """
    import jax

    from anglewise.lab.execution.estimate import admit
    from anglewise.lab.execution.planning import manifest
    from anglewise.lab.report.progress import progress_for
    from anglewise.lab.runner import train
    from anglewise.lab.store import Reader, Store, collect

    admit(experiment, large=large)
    if none:
        known = {one["experiment_id"] for one in Reader(out).experiments()}
        if experiment.experiment_id not in known:
            with Store.open(out) as store:
                store.manifest(experiment.experiment_id, manifest(experiment, command()))
        return
    provenance = collect(
        command=["anglewise", *sys.argv[1:]],
        device=str(jax.devices()[0].device_kind),
        precision=experiment.training.precision,
    )
    with Store.open(out) as store, stoppable() as stop:
        train(
            experiment, store, progress_for(quiet=quiet), provenance=provenance,
            command=command(), stop=stop.is_set, readings=(),
        )  # fmt: skip


def _baselines(arguments: argparse.Namespace, extra: list[str]) -> None:
    from anglewise.lab.experiments.reproduce import REPRODUCTIONS
    from anglewise.lab.report.table import markdown
    from anglewise.lab.store import Reader
    from anglewise.lab.studies.reproduction import plan as baselines

    names = baselines.chosen(arguments.names)
    for name in () if arguments.no_train else names:
        _train(REPRODUCTIONS[name].experiment, arguments.out, quiet=arguments.quiet, large=arguments.large)
    print(markdown(baselines.table(baselines.read(Reader(arguments.out), names))))
