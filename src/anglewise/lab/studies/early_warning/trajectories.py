"""Runs of several experiments as the early-warning study sees them: from stores, and to one small file and back.

Only what the study may look at is kept: the measured steps before a run generalised and within half its budget.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from anglewise.errors import StoreError
from anglewise.files import put
from anglewise.lab.spec import Manifest
from anglewise.lab.stats.warning import Trajectory

CURVES = ("train_loss", "test_loss", "test_accuracy")
CONTROL = "RandomLabels"
DIGITS = 4
"""Significant digits that a file keeps; the study is made from what a file would hold, so both give equal numbers."""


def collect(readers: Sequence[Any], names: Collection[str]) -> tuple[list[Trajectory], int]:
    """Finished runs of all experiments of some stores.

    Args:
        readers: Readers of stores.
        names: Readings wanted, beside train loss, test loss and test accuracy.

    Returns:
        The runs, and how many of the planned ones have not finished.

    Raises:
        StoreError: If there is no finished run, or an experiment was run without measuring.
    """
    runs: list[Trajectory] = []
    missing = 0
    for reader in readers:
        for manifest in reader.experiments():
            found = _of(reader, manifest, names)
            missing += len(manifest.runs) - len(found)
            runs += found
    if not runs:
        raise StoreError("no finished run: train the early-warning experiments first (see: anglewise list experiments)")
    return runs, missing


def save(runs: Sequence[Trajectory], path: str | os.PathLike[str]) -> Path:
    """Write runs as one Parquet file: a row per run and measured step, a column per series named ``name@site``."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    keys = sorted({key for run in runs for key in run.series})
    count = [len(run.steps) for run in runs]
    columns: dict[str, Any] = {}
    for field, kind in (("task", pa.string()), ("arm", pa.string()), ("seed", pa.int32()), ("time", pa.float32()),
                        ("budget", pa.float32()), ("control", pa.bool_())):  # fmt: skip
        values = [getattr(run, field) for run, n in zip(runs, count, strict=True) for _ in range(n)]
        columns[field] = pa.array(values, kind)
    columns["step"] = pa.array(np.concatenate([run.steps for run in runs]), pa.int32())
    for key in keys:
        values = [run.series.get(key, np.full(n, np.nan)) for run, n in zip(runs, count, strict=True)]
        columns["@".join(key)] = pa.array(np.concatenate(values).astype(np.float32))
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table(columns), sink, compression="zstd", compression_level=19, use_dictionary=False)
    put(path, bytes(sink.getvalue()))
    return path


def restore(path: str | os.PathLike[str]) -> list[Trajectory]:
    """The runs of a file of :func:`save`.

    Raises:
        StoreError: If there is no such file.
    """
    import pyarrow.parquet as pq

    if not Path(path).is_file():
        raise StoreError(f"{path} is not there: give a file that the early-warning study has written")
    table = pq.read_table(path)
    places: dict[tuple[Any, ...], list[int]] = {}
    for i, row in enumerate(table.select(["task", "arm", "seed", "time", "budget", "control"]).to_pylist()):
        places.setdefault(tuple(row.values()), []).append(i)
    step = table.column("step").to_numpy().astype(int)
    named = [(name.split("@", 1), table.column(name).to_numpy()) for name in table.column_names if "@" in name]
    runs = []
    for (task, arm, seed, *rest), rows in places.items():
        series: Any = {tuple(key): rounded(values[rows].astype(float)) for key, values in named}
        series = {key: values for key, values in series.items() if np.isfinite(values).any()}
        runs.append(Trajectory(task, arm, seed, step[rows], series, *rest))
    return runs


def rounded(values: np.ndarray) -> np.ndarray:
    """To the digits that a file keeps; doing it again changes nothing."""
    return np.array([float(f"{value:.{DIGITS - 1}e}") for value in values.tolist()], float)


def _of(reader: Any, manifest: Manifest, names: Collection[str]) -> list[Trajectory]:
    """An experiment's finished runs."""
    training = manifest.training
    if not training["measure_every"]:
        raise StoreError(f"experiment {manifest.name!r} measures nothing: set training.measure_every")
    chosen = f"experiment_id = '{manifest.experiment_id}'"
    wanted = ", ".join(map(repr, sorted(names))) or "NULL"
    looked = f"{chosen} AND step % {training['measure_every']} = 0 AND step <= {training['budget'] / 2}"
    curves = reader.query(f"SELECT arm, seed, step, {', '.join(CURVES)} FROM curves WHERE {looked}").to_pylist()
    values = [row | {"name": name, "site": "", "value": row[name]} for row in curves for name in CURVES]
    values += reader.query(
        f"SELECT arm, seed, site, name, step, value FROM readings WHERE {looked} AND name IN ({wanted})"
    ).to_pylist()
    series: dict[tuple[str, int], dict[tuple[str, str], dict[int, float]]] = {}
    for row in values:
        run = series.setdefault((row["arm"], row["seed"]), {})
        run.setdefault((row["name"], row["site"]), {})[row["step"]] = row["value"]
    runs = []
    for end in reader.query(f"SELECT * FROM runs WHERE {chosen} AND outcome IS NOT NULL").to_pylist():
        arm, seed, time = end["arm"], end["seed"], end["t95_sustained"]
        by_key = series.get((arm, seed), {})
        steps = np.array(sorted(s for s in by_key.get((CURVES[0], ""), {}) if time is None or s < time), int)
        seen = {
            key: rounded(np.array([by.get(s) for s in steps], np.float32).astype(float)) for key, by in by_key.items()
        }
        control = manifest.spec["task"]["is"] == CONTROL
        time = None if time is None else float(time)
        runs.append(Trajectory(manifest.name, arm, seed, steps, seen, time, float(training["budget"]), control))
    return runs
