"""``anglewise tune``: search the settings of a track's methods, each with the same budget."""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path

from anglewise.cli.flags import AddVerb, add_track
from anglewise.cli.training import provenance
from anglewise.errors import SpecError


def add(verb: AddVerb) -> None:
    """Add the verb."""
    parser = verb(
        "tune", tune, "search the settings of a track's methods, each with the same budget",
        epilog="Every trial is a run in a store of the method's own; the same command again goes on where it stopped.  "
        "Trials are judged on training examples that are held out, with seeds that are never reported.",
    )  # fmt: skip
    add_track(parser)
    parser.add_argument("--arm", metavar="A,B", default="", help="which methods (default: all)")
    parser.add_argument("--trials", type=int, help="settings tried per round")
    parser.add_argument("--rounds", type=int, help="rounds; the first is drawn from the whole space")
    parser.add_argument("--seeds", type=int, help="tuning seeds of the second half of a round")
    parser.add_argument("--budget", type=int, metavar="STEPS", help="optimiser steps at most (default: the track's)")
    parser.add_argument("--out", metavar="DIR", type=Path, help="the stores (default: runs/tune/TRACK)")
    parser.add_argument("--to", metavar="DIR", type=Path, help="winners, one NAME.toml each (default: OUT/winners)")


def tune(arguments: argparse.Namespace) -> None:
    """Search, and write a winner's file per method."""
    from anglewise.lab.execution.stopping import stoppable
    from anglewise.lab.experiments.request import names_in
    from anglewise.lab.studies.leaderboard.boards import board_of
    from anglewise.lab.tuning import search as tuning
    from anglewise.lab.tuning import winners

    board = board_of(arguments.track)
    entries = {entry.arm.name: entry for entry in board.entries}
    chosen = names_in(arguments.arm, [*entries, *board.refused], f"entry of {arguments.track}") or list(entries)
    for name in chosen:
        if name in board.refused:
            raise SpecError(f"{name} has no place on {arguments.track}: {board.refused[name]}")
    given = {name: getattr(arguments, name) for name in ("trials", "rounds", "seeds")}
    rules = tuning.Search(**{name: value for name, value in given.items() if value is not None})
    track = board.track
    if arguments.budget is not None:
        track = dataclasses.replace(track, training=dataclasses.replace(track.training, budget=arguments.budget))
    for name in chosen:
        tuning.admit_search(entries[name], track, rules, len(chosen), large=arguments.large)
    out = arguments.out or Path("runs") / "tune" / arguments.track
    origin = provenance(track.training.precision)
    numbers = f"--trials {rules.trials} --rounds {rules.rounds} --seeds {rules.seeds} --budget {track.training.budget}"
    with stoppable() as stop:
        for name in chosen:
            line = f"anglewise tune {arguments.track} --arm {name} {numbers}"
            path = winners.tune(
                entries[name], track, rules, out, arguments.to or out / "winners", line, origin, stop.is_set
            )
            print(f"{name}: {path}", flush=True)
