"""One run in depth: its embedding circles, neuron-by-frequency maps and phase portraits, as numbers to draw."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from anglewise.lab.outcome import Rule
from anglewise.lab.report.format import plain
from anglewise.lab.report.plots import circles, heatmaps, phase
from anglewise.lab.report.plots.curves import targets
from anglewise.lab.report.plots.style import CYCLE, INK, packed, to_bytes
from anglewise.lab.report.results import Arrays, Key, Results, Series
from anglewise.lab.spec import Manifest, Planned
from anglewise.lab.store import Reader

SHOWN = ("circles", "circle_frequencies", "fourier_map")
READINGS = "default,embedding,neuron-fourier"
"""Readings that bring what is shown here."""


def results_of(root: Path, manifest: Manifest, planned: Planned) -> Results:
    """An experiment with one of its runs alone, as far as it is there."""
    reader, key = Reader(root), (planned.arm, planned.seed)
    curves, rule = reader.curves(planned.run_id), Rule.of(manifest.training)
    readings = reader.rows("readings", planned.run_id)
    by_site: dict[str, list[tuple[int, float]]] = {}
    names, sites, steps, values = (readings.column(x).to_pylist() for x in ("name", "site", "step", "value"))
    for name, site, step, value in zip(names, sites, steps, values, strict=True):
        if name == "radius":
            by_site.setdefault(site, []).append((step, np.nan if value is None else value))
    radii = {
        ("radius", site): {key: Series(np.array([s for s, _ in rows], int), np.array([v for _, v in rows], float))}
        for site, rows in by_site.items()
    }
    return Results(
        manifest.experiment_id, manifest.name, manifest.title, manifest.arms, manifest.baseline, (key,), {},
        {"test_accuracy": {key: Series(curves["step"], curves["test_accuracy"])}}, radii,
        budget=rule.budget if rule else 1, threshold=rule.threshold if rule else 0.0, spec=manifest.spec,
        runs={key: planned.run_id},
    )  # fmt: skip


def arrays_of(root: Path, planned: Planned) -> Arrays:
    """What is drawn of a run's arrays; those of another shape than the last one are left out."""
    table = Reader(root).rows("arrays", planned.run_id)
    frames: dict[tuple[str, str], dict[int, np.ndarray]] = {}
    texts = table.drop(["values"]).to_pylist()
    for row, flat in zip(texts, table.column("values"), strict=True):
        if row["name"] in SHOWN:
            shape = [int(n) for n in row["shape"].split(",")]
            values = np.asarray(flat.values, np.float32).reshape(shape)
            frames.setdefault((row["name"], row["site"]), {})[row["step"]] = values
    key: Key = (planned.arm, planned.seed)
    return {panel: {key: _stacked(steps)} for panel, steps in frames.items()}


def _stacked(frames: dict[int, np.ndarray]) -> Series:
    *_, newest = frames.values()
    alike = {step: values for step, values in frames.items() if values.shape == newest.shape}
    return Series(np.array(list(alike), int), np.stack(list(alike.values())))


def network(root: Path, manifest: Manifest, planned: Planned) -> dict[str, Any]:
    """A run's figures as JSON values: every one with its steps, and a frame for each.

    Raises:
        StoreError: If its rows are damaged.
    """
    results, key = results_of(root, manifest, planned), (planned.arm, planned.seed)
    arrays = arrays_of(root, planned)
    return {
        "arm": plain(planned.arm),
        "seed": planned.seed,
        "run": planned.run_id,
        "circles": [_circle(circle) for row in circles.data(results, arrays) for circle in row],
        "maps": [_map(plane) for row in heatmaps.maps(results, arrays) for plane in row],
        "phases": [_phase(results, site, key) for name, site in results.readings if name == "radius"],
        "threshold": results.threshold,
        "cycle": CYCLE,
        "ink": INK,
        "more": more_readings(manifest),
    }


def more_readings(manifest: Manifest) -> str:
    """The command that also measures what is drawn here; empty where the experiment's own is not known."""
    command = plain(manifest.command)
    known = command.startswith("anglewise run ") and "--readings" not in command
    return f"{command} --readings {READINGS}" if known else ""


def _circle(circle: circles.Circle) -> dict[str, Any]:
    frames = []
    for points, frequency in zip(circle.points, circle.frequencies, strict=True):
        closed, turns, k = circles.ring(points, float(frequency))
        reach = 1.1 * float(np.nanmax(np.abs(points), initial=1e-12))
        x, y = (packed(np.nan_to_num(points[closed, axis])) for axis in (0, 1))
        frames.append({"k": k, "x": x, "y": y, "turns": packed(turns), "tokens": closed.tolist(), "reach": reach})
    return {"table": plain(circle.table), "steps": circle.steps.tolist(), "frames": frames}


def _map(plane: heatmaps.Map) -> dict[str, Any]:
    frames = [to_bytes(values) for values in plane.values]
    return {"site": plain(plane.title), "steps": plane.steps.tolist(), "frames": frames}


def _phase(results: Results, site: str, key: Key) -> dict[str, Any]:
    line = phase.path(results, site, key)
    target = next(iter(targets(results, key[0], site)), None)
    if line is None or line.note is None:
        return {"site": plain(site), "steps": [], "radius": [], "test": [], "target": target}
    radius, test = ([round(float(v), 4) for v in values] for values in (line.x, line.y))
    return {"site": plain(site), "steps": line.note.tolist(), "radius": radius, "test": test, "target": target}
