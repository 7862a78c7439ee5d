"""From stores to rows: how every run of a claim ended, and what was read of it.

A store is only read, so this also works while somebody trains into it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple, cast

from anglewise.lab.outcome import Rule, outcome_under, times
from anglewise.lab.spec import Run
from anglewise.lab.store import Reader
from anglewise.lab.store.provenance import Provenance
from anglewise.lab.studies.claims.rows import Ran, Value

HIGH = 0.99
"""The second threshold."""


class Found(NamedTuple):
    """Rows of a store, and the provenance of the run that was begun last (empty where there is none)."""

    runs: list[Ran]
    values: list[Value]
    provenance: Provenance


def collect(
    folder: Path, planned: Iterable[Run], *, system: str, scale: str, world: str, epoch: int, names: Sequence[str] = ()
) -> Found:
    """Rows of the planned runs that a store has, as the runs' own rule ends them.

    Args:
        folder: The store.
        planned: The runs.
        system, scale, world: What the rows are called.
        epoch: Steps of one epoch.
        names: Values to keep of what was read; none for none.

    Raises:
        StoreError: If there is no store, or it is damaged.
    """
    reader = Reader(folder)
    finished = reader.finished()
    rows: dict[str, Ran] = {}
    latest = Provenance()
    for run in planned:
        run_id = run.run_id
        rule = run.training.rule
        if run_id in finished and (row := _ended(reader, run, rule, (system, scale, world), epoch)) is not None:
            rows[run_id] = row
            latest = max(latest, reader.provenance(run_id), key=lambda values: values.get("started", ""))
    kept = {name: value for name, value in latest.items() if name not in ("host", "resumed")}
    return Found(list(rows.values()), _values(reader, rows, names), cast(Provenance, kept))


def _ended(reader: Reader, run: Run, rule: Rule, where: tuple[str, str, str], epoch: int) -> Ran | None:
    """How a run ended under its rule; None where it was not trained far enough."""
    curves, outcome = reader.curves(run.run_id), reader.outcome(run.run_id)
    ending = outcome_under(rule, curves)
    if ending is None or outcome is None:
        return None
    kept = rule.on_grid(curves["step"]) & (curves["step"] <= ending.steps)
    accuracy = curves["test_accuracy"][kept]
    return Ran(
        *where, run.arm.name, run.seed, ending.outcome, epoch, rule.every, rule.budget, rule.threshold, ending.steps,
        ending.first, ending.sustained, times(curves["step"][kept], accuracy, HIGH, rule.sustain).first,
        float(accuracy[-1]), float(curves["train_accuracy"][kept][-1]), float(curves["test_loss"][kept][-1]),
        float(outcome.at(ending).seconds or 0.0), run.run_id,
    )  # fmt: skip


def _values(reader: Reader, rows: dict[str, Ran], names: Sequence[str]) -> list[Value]:
    """What was read of some runs up to where they end; a run of several experiments is there once."""
    if not names or not rows:
        return []
    listed = ", ".join(f"'{name}'" for name in names)
    found = reader.query(f"SELECT DISTINCT run_id, name, site, step, value FROM readings WHERE name IN ({listed})")
    return [
        Value(*rows[row["run_id"]][:5], row["name"], row["site"], row["step"], row["value"])
        for row in found.to_pylist()
        if row["run_id"] in rows and row["step"] <= rows[row["run_id"]].steps
    ]
