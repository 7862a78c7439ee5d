"""Flags that several verbs share, and what their values mean."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeAlias

from anglewise.errors import SpecError, shown

AddVerb: TypeAlias = Callable[..., argparse.ArgumentParser]
"""Adds a verb by its name, its function and a line of help; gives its parser, to add flags to."""


def add_large(parser: argparse.ArgumentParser) -> None:
    """``--large``."""
    parser.add_argument(
        "--large", action="store_true", help="allow more than 10,000 runs, 10^9 steps, 500 layers, or this memory"
    )


def add_track(parser: argparse.ArgumentParser) -> None:
    """``TRACK``, and ``--large``."""
    parser.add_argument("track", metavar="TRACK", help="a track that has a leaderboard, such as track-c2")
    add_large(parser)


def check_ending(to: Path | None, endings: Sequence[str]) -> None:
    """Check that a file's ending is one of the kinds that a verb writes.

    Raises:
        SpecError: If it is not.
    """
    if to is not None and to.suffix not in endings:
        *most, last = endings
        raise SpecError(f"--to {to}: expected a name ending in {', '.join(most)} or {last}")


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
