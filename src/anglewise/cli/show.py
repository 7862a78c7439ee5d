"""``anglewise show``: one run, whole."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from anglewise.cli.flags import AddVerb
from anglewise.errors import StoreError


def add(verb: AddVerb) -> None:
    """Add the verb."""
    parser = verb("show", print_run, "one run: its specification, provenance, outcome and curves")
    parser.add_argument("run", metavar="RUN", help="a run's id (or a unique beginning), or the folder of a run")
    parser.add_argument("dir", nargs="?", type=Path, metavar="DIR", help="the store (default: found below runs/)")


def print_run(arguments: argparse.Namespace) -> None:
    """Print a run."""
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
    path, run_id = matching[0]
    reader = Reader(path)
    outcome = reader.outcome(run_id)
    parts = [
        f"run {run_id} in {path}",
        "\nspecification\n" + json.dumps(reader.spec(run_id), indent=2),
        "\nprovenance\n" + json.dumps(reader.provenance(run_id), indent=2),
        "\noutcome\n" + json.dumps(outcome and outcome.to_json(), indent=2),
        "\ncurves (at most 20, evenly spaced)\n"
        + to_text(
            reader.query(
                f"WITH own AS (SELECT DISTINCT ON (step) * FROM curves WHERE run_id = '{run_id}') "
                "SELECT step, train_accuracy, test_accuracy, train_loss, test_loss FROM "
                f"(SELECT *, row_number() OVER (ORDER BY step) AS i, count(*) OVER () AS n FROM own) "
                "WHERE (i - 1) % greatest(1, n // 19) = 0 OR i = n ORDER BY step"
            ),
            "table",
        ),
        "\nlast readings\n"
        + to_text(
            reader.query(
                "SELECT site, name, arg_max(value, step) AS value, max(step) AS step FROM readings "
                f"WHERE run_id = '{run_id}' GROUP BY site, name ORDER BY site, name"
            ),
            "table",
        ),
    ]
    return "\n".join(parts)
