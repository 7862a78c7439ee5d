"""The verb ``animate``: one run as a GIF or MP4, from the readings of a store."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from anglewise.cli.flags import AddVerb, check_ending
from anglewise.cli.query import find_run
from anglewise.errors import SpecError

WHAT = ("circle", "phase", "angle", "neurons")


def add(verb: AddVerb) -> None:
    """Add the verb."""
    parser = verb("animate", animate, "one run as it learns, as a GIF or MP4")
    which = "a run's id (or a unique beginning), or a store: its first grokked run"
    parser.add_argument("run", metavar="RUN", help=which)
    parser.add_argument("dir", nargs="?", type=Path, metavar="DIR", help="the store (default: found below runs/)")
    what = "the circle of tokens, radius against accuracy or angle, or neurons by frequency"
    parser.add_argument("--what", choices=WHAT, default=WHAT[0], help=what)
    parser.add_argument("--seconds", type=float, default=6.0, metavar="S", help="how long it plays (default 6)")
    parser.add_argument("--to", type=Path, metavar="FILE", help="a .gif or .mp4 (default: WHAT.gif in the store)")


def animate(arguments: argparse.Namespace) -> None:
    """Write the animation."""
    from anglewise.lab.report.plots.animation import ENDINGS
    from anglewise.lab.report.plots.animation import animate as write
    from anglewise.lab.report.results import load, load_run, newest
    from anglewise.lab.store import Reader

    check_ending(arguments.to, ENDINGS)
    if not 0 < arguments.seconds <= 60:
        raise SpecError(f"--seconds {arguments.seconds:g}: expected more than 0 and at most 60")
    folder = Path(arguments.run)
    if (folder / "anglewise-store.json").exists() and arguments.dir is None:
        results = load(Reader(folder), newest(Reader(folder))[0])
        key = _first(results)
    else:
        folder, run_id = find_run(arguments.run, arguments.dir)
        results, key = load_run(Reader(folder), run_id)
    to = arguments.to or folder / f"{arguments.what}.gif"
    print(f"animation: {write(results, key, arguments.what, to, arguments.seconds).resolve()}")


def _first(results: Any) -> tuple[str, int]:
    """The first run that grokked, else the first that has finished."""
    ended = [key for key in results.planned if key in results.ended]
    grokked = [key for key in ended if results.ended[key].outcome == "grokked"]
    if not ended:
        raise SpecError("no run of the store has finished: train one first")
    return (grokked or ended)[0]
