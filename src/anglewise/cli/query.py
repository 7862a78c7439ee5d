"""``anglewise query``: SQL over a store."""

from __future__ import annotations

import argparse
from pathlib import Path

from anglewise.cli.flags import AddVerb, seconds


def add(verb: AddVerb) -> None:
    """Add the verb."""
    parser = verb("query", query, "SQL over a store, with the views runs, curves, readings and arrays")
    parser.add_argument("sql", metavar="SQL")
    parser.add_argument("dir", type=Path, metavar="DIR")
    parser.add_argument("--experiment", metavar="ID", help="only this experiment of the store (default: all)")
    parser.add_argument(
        "--timeout", type=seconds, default=60.0, metavar="SECONDS",
        help="stop a query that takes longer (default 60; 0 for never)",
    )  # fmt: skip
    parser.add_argument("--format", choices=["table", "csv", "json"], default="table")


def query(arguments: argparse.Namespace) -> None:
    """Print the answer."""
    from anglewise.lab.store import Reader, to_text

    answer = Reader(arguments.dir).query(arguments.sql, arguments.experiment, timeout=arguments.timeout or None)
    print(to_text(answer, arguments.format))
