"""From stores to rows: how every run of a claim ended, and what was read of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import cast

from anglewise.lab.outcome import times
from anglewise.lab.report.opened import ExperimentResults
from anglewise.lab.store import Reader
from anglewise.lab.store.provenance import Provenance
from anglewise.lab.studies.claims.rows import Ran, Value

HIGH = 0.99
"""The second threshold."""


def collect(
    folder: Path, experiment_id: str, *, system: str, scale: str, world: str, epoch: int, every: int, sustain: int,
    names: Sequence[str] = (),
) -> tuple[list[Ran], list[Value]]:  # fmt: skip
    """Rows of one experiment of a store.

    Args:
        folder: The store.
        experiment_id: Which experiment of it.
        system, scale, world: What the rows are called.
        epoch: Steps of one epoch.
        every: Steps between evaluations.
        sustain: Evaluations in a row that make a crossing sustained.
        names: Values to keep of what was read; none for none.

    Returns:
        Finished runs, and values.

    Raises:
        StoreError: If there is no such store or experiment, or it is damaged.
    """
    results = ExperimentResults(folder, experiment_id)
    ended = [row for row in results.runs().to_pylist() if row["outcome"] is not None]
    reader = Reader(folder)
    runs = []
    for row in ended:
        curves = reader.curves(row["run_id"])
        kept = curves["step"] <= row["steps"]
        steps, accuracy = curves["step"][kept], curves["test_accuracy"][kept]
        runs.append(
            Ran(
                system, scale, world, row["arm"], row["seed"], row["outcome"], epoch, every, row["budget"],
                row["threshold"], row["steps"], row["first"], row["sustained"],
                times(steps, accuracy, HIGH, sustain).first, float(accuracy[-1]),
                float(curves["train_accuracy"][kept][-1]), float(curves["test_loss"][kept][-1]), row["seconds"],
                row["run_id"],
            )
        )  # fmt: skip
    values = [
        Value(system, scale, world, row["arm"], row["seed"], row["name"], row["site"], row["step"], row["value"])
        for row in (results.readings().to_pylist() if names else ())
        if row["name"] in names
    ]
    return runs, values


def provenance(folder: Path, run_ids: Sequence[str]) -> Provenance:
    """The provenance of the run that was begun last, without the host's name; empty where there is none."""
    reader = Reader(folder)
    found = [values for run_id in run_ids if (values := reader.provenance(run_id))]
    latest = max(found, key=lambda values: values.get("started", ""), default=Provenance())
    left_out = ("host", "resumed")
    return cast(Provenance, {name: value for name, value in latest.items() if name not in left_out})
