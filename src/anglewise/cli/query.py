"""Verbs that print what a store holds: ``show`` one run whole, and ``query`` with SQL."""

from __future__ import annotations

import argparse
import json
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from anglewise.cli.flags import AddVerb, add_json, seconds
from anglewise.cli.output import print_json
from anglewise.errors import StoreError, printable

if TYPE_CHECKING:
    import pyarrow as pa

CURVES = """\
WITH own AS (SELECT DISTINCT ON (step) * FROM curves WHERE run_id = '{run_id}')
SELECT step, train_accuracy, test_accuracy, train_loss, test_loss
FROM (SELECT *, row_number() OVER (ORDER BY step) AS i, count(*) OVER () AS n FROM own)
WHERE (i - 1) % greatest(1, (n + 18) // 19) = 0 OR i = n ORDER BY step"""
READINGS = """\
SELECT site, name, arg_max(value, step) AS value, max(step) AS step FROM readings
WHERE run_id = '{run_id}' GROUP BY site, name ORDER BY site, name"""
MEMBER = "SELECT * EXCLUDE (spec) FROM runs WHERE run_id = '{run_id}'"
WIDTH = 110
"""Letters of a line."""


def add(verb: AddVerb) -> None:
    """Add the verbs."""
    parser = verb("show", _print_run, "one run: how it ended in a sentence, its specification, provenance and curves")
    parser.add_argument("run", metavar="RUN", help="a run's id (or a unique beginning), or the folder of a run")
    parser.add_argument("dir", nargs="?", type=Path, metavar="DIR", help="the store (default: found below runs/)")
    add_json(parser)
    parser = verb("query", query, "SQL over a store, with the views runs, curves, readings and arrays")
    parser.add_argument("sql", metavar="SQL")
    parser.add_argument("dir", type=Path, metavar="DIR")
    parser.add_argument("--experiment", metavar="ID", help="only this experiment of the store (default: all)")
    timeout = "stop a query that takes longer (default 60; 0 for never)"
    parser.add_argument("--timeout", type=seconds, default=60.0, metavar="SECONDS", help=timeout)
    parser.add_argument("--format", choices=["table", "csv", "json"], default="table")
    add_json(parser)


def query(arguments: argparse.Namespace) -> None:
    """Print the answer."""
    from anglewise.lab.store import Reader, to_text

    answer = Reader(arguments.dir).query(arguments.sql, arguments.experiment, timeout=arguments.timeout or None)
    if arguments.json:
        print_json("query", rows=_rows(answer))
    else:
        print(to_text(answer, arguments.format))


def _print_run(arguments: argparse.Namespace) -> None:
    run = found(arguments.run, arguments.dir)
    if arguments.json:
        print_json("show", **run._asdict() | {"curves": _rows(run.curves), "readings": _rows(run.readings)})
    else:
        print(show(run))


class Shown(NamedTuple):
    """One run, whole.

    Attributes:
        run_id: Its id.
        store: Where it is.
        sentence: How it ended.
        runs: Its rows in the view ``runs``, one for each experiment that it belongs to.
        specification, provenance, outcome: As in its folder.
        curves: At most 20 of its evaluations, evenly spaced.
        readings: The last value of each.
    """

    run_id: str
    store: Path
    sentence: str
    runs: list[dict[str, Any]]
    specification: dict[str, Any]
    provenance: dict[str, Any]
    outcome: dict[str, Any] | None
    curves: pa.Table
    readings: pa.Table


def found(run: str, store: Path | None) -> Shown:
    """One run, by its name.

    Args:
        run: A run's identity or a unique beginning of it, or the path of a run's folder.
        store: The store; None looks through the stores below ``runs/``.

    Raises:
        StoreError: If there is no such run, or several.
    """
    from anglewise.lab.store import Reader

    path, run_id = find_run(run, store)
    reader = Reader(path)
    outcome, provenance = reader.outcome(run_id), dict(reader.provenance(run_id))
    member, curves, readings = (reader.query(sql.format(run_id=run_id)) for sql in (MEMBER, CURVES, READINGS))
    runs = _rows(member)
    text = sentence(runs[-1], provenance)
    whole = None if outcome is None else outcome.to_json()
    return Shown(run_id, path, text, runs, dict(reader.spec(run_id)), provenance, whole, curves, readings)


def find_run(run: str, store: Path | None) -> tuple[Path, str]:
    """The store of a run and the run's whole identity; arguments and errors as of :func:`found`."""
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


def sentence(row: dict[str, Any], provenance: dict[str, Any]) -> str:
    """What a run is and how it ended, in a sentence or two.

    Args:
        row: Its row in the view ``runs``.
        provenance: What it was trained with.

    Example:
        >>> row = {"arm": "adamw", "seed": 3, "experiment": "quickstart", "outcome": "grokked", "first": 136,
        ...        "sustained": 140, "steps": 164, "budget": 200, "threshold": 0.95, "seconds": 18.2}
        >>> print(sentence(row, {"device": "cpu"})[:72])
        adamw, seed 3 of quickstart: grokked. Test accuracy first reached 95 % a
    """
    from anglewise.lab.report.format import number

    name = printable(f"{row['arm']}, seed {row['seed']}" + (f" of {row['experiment']}" if row["experiment"] else ""))
    steps = row["steps"] or 0
    if row["outcome"] is None:
        end = f", at step {steps:,}" if steps else ""
        return f"{name}: has not ended yet{end}."
    level = f"{100 * row['threshold']:g} %" if row["threshold"] else ""
    budget = f"{row['budget']:,}" if row["budget"] else "?"
    if not level:
        reached = "No threshold is set"
    elif row["first"] is None:
        reached = f"Test accuracy never reached {level} in at most {budget} steps"
    else:
        held = "" if row["sustained"] is None else f", and held it from step {row['sustained']:,} on"
        held = held or ", but did not hold it"
        reached = f"Test accuracy first reached {level} at step {row['first']:,} of at most {budget}{held}"
    took = "" if row["seconds"] is None else f", after {number(row['seconds'])} s of training"
    device = f" on {printable(str(provenance['device']))}" if took and provenance.get("device") else ""
    return f"{name}: {row['outcome'].replace('-', ' ')}. {reached}. It ended at step {steps:,}{took}{device}."


def show(run: Shown) -> str:
    """One run for a terminal: how it ended, then its specification, provenance, outcome and last readings."""
    from anglewise.lab.outcome import MEANINGS
    from anglewise.lab.report.format import text_width
    from anglewise.lab.store import to_text

    label = (run.outcome or {}).get("outcome")
    width = text_width(WIDTH)
    lines = [textwrap.fill(run.sentence, width)]
    if label in MEANINGS:
        lines.append(textwrap.fill(f"({label}: {MEANINGS[label]})", width))
    lines += ["", f"run {run.run_id} in {run.store}"]
    parts: dict[str, Any] = {
        "specification": json.dumps(run.specification, indent=2),
        "provenance": json.dumps(run.provenance, indent=2),
        "outcome": json.dumps(run.outcome, indent=2),
        "curves (at most 20, evenly spaced)": to_text(run.curves),
        "last readings": to_text(run.readings),
    }
    return "\n".join([*lines, *(f"\n{title}\n{text}" for title, text in parts.items())])


def _rows(table: pa.Table) -> list[dict[str, Any]]:
    """Rows by column; NaN and infinities are texts, as ``--format json`` writes them."""
    from anglewise.lab.store import to_text

    rows: list[dict[str, Any]] = json.loads(to_text(table, "json"))
    return rows
