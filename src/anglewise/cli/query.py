"""Verbs that print what a store holds: ``show`` one run whole, and ``query`` with SQL."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from anglewise.cli.flags import AddVerb, seconds
from anglewise.errors import StoreError

CURVES = """\
WITH own AS (SELECT DISTINCT ON (step) * FROM curves WHERE run_id = '{run_id}')
SELECT step, train_accuracy, test_accuracy, train_loss, test_loss
FROM (SELECT *, row_number() OVER (ORDER BY step) AS i, count(*) OVER () AS n FROM own)
WHERE (i - 1) % greatest(1, n // 19) = 0 OR i = n ORDER BY step"""
READINGS = """\
SELECT site, name, arg_max(value, step) AS value, max(step) AS step FROM readings
WHERE run_id = '{run_id}' GROUP BY site, name ORDER BY site, name"""


def add(verb: AddVerb) -> None:
    """Add the verbs."""
    parser = verb("show", _print_run, "one run: its specification, provenance, outcome and curves")
    parser.add_argument("run", metavar="RUN", help="a run's id (or a unique beginning), or the folder of a run")
    parser.add_argument("dir", nargs="?", type=Path, metavar="DIR", help="the store (default: found below runs/)")
    parser = verb("query", query, "SQL over a store, with the views runs, curves, readings and arrays")
    parser.add_argument("sql", metavar="SQL")
    parser.add_argument("dir", type=Path, metavar="DIR")
    parser.add_argument("--experiment", metavar="ID", help="only this experiment of the store (default: all)")
    timeout = "stop a query that takes longer (default 60; 0 for never)"
    parser.add_argument("--timeout", type=seconds, default=60.0, metavar="SECONDS", help=timeout)
    parser.add_argument("--format", choices=["table", "csv", "json"], default="table")


def query(arguments: argparse.Namespace) -> None:
    """Print the answer."""
    from anglewise.lab.store import Reader, to_text

    answer = Reader(arguments.dir).query(arguments.sql, arguments.experiment, timeout=arguments.timeout or None)
    print(to_text(answer, arguments.format))


def _print_run(arguments: argparse.Namespace) -> None:
    print(show(arguments.run, arguments.dir))


def show(run: str, store: Path | None) -> str:
    """One run's specification, provenance, outcome and last readings, as text.

    Args:
        run: A run's identity or a unique beginning of it, or the path of a run's folder.
        store: The store; None looks through the stores below ``runs/``.

    Raises:
        StoreError: If there is no such run, or several.
    """
    from anglewise.lab.store import Reader, to_text

    path, run_id = find_run(run, store)
    reader = Reader(path)
    outcome = reader.outcome(run_id)
    parts = {
        "specification": json.dumps(reader.spec(run_id), indent=2),
        "provenance": json.dumps(reader.provenance(run_id), indent=2),
        "outcome": json.dumps(outcome and outcome.to_json(), indent=2),
        "curves (at most 20, evenly spaced)": to_text(reader.query(CURVES.format(run_id=run_id)), "table"),
        "last readings": to_text(reader.query(READINGS.format(run_id=run_id)), "table"),
    }
    return "\n".join([f"run {run_id} in {path}", *(f"\n{title}\n{text}" for title, text in parts.items())])


def find_run(run: str, store: Path | None) -> tuple[Path, str]:
    """The store of a run and the run's whole identity; arguments and errors as of :func:`show`."""
    from anglewise.lab.store import Reader

    where, run_id = Path(run), run
    if where.is_dir() and where.parent.name == "runs":
        store, run_id = where.resolve().parent.parent, where.resolve().name
    stores = [store] if store else sorted(m.parent for m in Path("runs").glob("*/anglewise-store.json"))
    matching = []
    for path in stores:
        ids = Reader(path).query("SELECT DISTINCT run_id FROM runs ORDER BY run_id").column("run_id").to_pylist()
        matching += [(path, one) for one in ids if one.startswith(run_id)]
    if len(matching) != 1:
        looked = ", ".join(map(str, stores)) or "no store below runs/"
        some = f"; {len(matching)} match: {', '.join(one for _, one in matching[:5])}" if matching else ""
        raise StoreError(f"expected one run that begins with {run_id!r} in {looked}{some}: give DIR or more digits")
    return matching[0]
