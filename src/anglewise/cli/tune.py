"""``anglewise tune``: search the settings of a track's methods, each with the same budget."""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path

from anglewise.cli.flags import AddVerb, add_jobs, add_json, add_track, place_of
from anglewise.cli.output import print_json
from anglewise.cli.training import provenance


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
    add_jobs(parser)
    add_json(parser)


def tune(arguments: argparse.Namespace) -> None:
    """Search, and write a winner's file per method."""
    from anglewise.lab.execution.stopping import stoppable
    from anglewise.lab.experiments.request import names_in
    from anglewise.lab.studies.leaderboard.leaderboards import leaderboard_of
    from anglewise.lab.tuning.search import Search, admit_search
    from anglewise.lab.tuning.winners import tune as search

    board = leaderboard_of(arguments.track)
    tuned = board.tuned
    chosen = names_in(arguments.arm, [*tuned, *board.refused], f"arm of {arguments.track}") or list(tuned)
    board.check(chosen, tuned)
    given = {name: getattr(arguments, name) for name in ("trials", "rounds", "seeds")}
    rules = Search(**{name: value for name, value in given.items() if value is not None})
    track = board.track
    if arguments.budget is not None:
        track = dataclasses.replace(track, training=dataclasses.replace(track.training, budget=arguments.budget))
    for name in chosen:
        admit_search(tuned[name], track, rules, len(chosen), large=arguments.large)
    out = arguments.out or Path("runs") / "tune" / arguments.track
    origin, jobs, on = provenance(track.training.precision), arguments.jobs, place_of(arguments)
    numbers = f"--trials {rules.trials} --rounds {rules.rounds} --seeds {rules.seeds} --budget {track.training.budget}"
    winners: dict[str, Path] = {}
    with stoppable() as stop:
        for name in chosen:
            line = f"anglewise tune {arguments.track} --arm {name} {numbers}"
            to = arguments.to or out / "winners"
            path = search(tuned[name], track, rules, out, to, line, origin, stop.is_set, jobs, on)
            winners[name] = path
            if not arguments.json:
                print(f"{name}: {path}", flush=True)
    if arguments.json:
        print_json("tune", track=arguments.track, winners=winners)
