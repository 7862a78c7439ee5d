"""Phase portraits: a site's radius against test accuracy, one line per seed, time along the line."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from anglewise.lab.readings.quantities import meaning
from anglewise.lab.report.format import label
from anglewise.lab.report.plots.curves import clean, thin
from anglewise.lab.report.plots.style import Panel, axes, colour, line, packed, rule, wide
from anglewise.lab.report.results import Key, Results

POINTS = 100
ARROWS = 5


class Path(NamedTuple):
    """One run's way: radius and test accuracy at the same steps, all of shape ``[n]``."""

    steps: np.ndarray
    radius: np.ndarray
    accuracy: np.ndarray


def path(results: Results, site: str, key: Key, name: str = "radius") -> Path | None:
    """A run's way at one site, at the steps of its evaluations; None where one of the two was not read."""
    radius = results.readings.get((name, site), {}).get(key)
    accuracy = results.curves.get("test_accuracy", {}).get(key)
    if radius is None or accuracy is None:
        return None
    radius, accuracy = clean(radius), clean(accuracy)
    if not len(radius.steps):
        return None
    inside = (accuracy.steps >= radius.steps[0]) & (accuracy.steps <= radius.steps[-1])
    steps, values = accuracy.steps[inside], accuracy.values[inside]
    return Path(steps, np.interp(steps, radius.steps, radius.values), values) if len(steps) else None


def phase(results: Results) -> list[Panel]:
    """A panel per site whose radius was read."""
    panels: list[Panel] = []
    log = any(wide(series) for (name, _), series in results.readings.items() if name == "radius")
    for name, site in results.readings:
        if name != "radius":
            continue
        data: list[dict[str, Any]] = []
        for i, arm in enumerate(results.arms):
            for seed in results.seeds(arm):
                found = path(results, site, (arm, seed))
                if found is not None:
                    data += _way(found, i, arm, seed, single=len(results.planned) == 1)
        if data:
            layout = axes("test accuracy", 340, label(meaning("radius").title))
            layout["yaxis"] |= {"range": [-0.03, 1.05]}
            layout["xaxis"] |= {"type": "log" if log else "linear", "rangemode": "normal" if log else "tozero"}
            layout["shapes"] = [rule(results.threshold)]
            panels.append(Panel(f"phase-{len(panels)}", site, data, layout))
    return panels


def arrows(way: Path, count: int = ARROWS) -> np.ndarray:
    """Places along a way, at equal times, at which an arrow tells the direction; never its first point.

    Returns:
        Indices, increasing; the last point among them.
    """
    times = np.linspace(way.steps[0], way.steps[-1], count + 1)[1:]
    return np.unique(np.clip(np.searchsorted(way.steps, times), 1, max(len(way.steps) - 1, 1)))


def _way(way: Path, i: int, arm: str, seed: int, *, single: bool) -> list[dict[str, Any]]:
    kept = thin(np.arange(len(way.steps)), POINTS)
    way = Path(*(values[kept] for values in way))
    hover = f"step %{{customdata}}<br>radius %{{x:.4g}}<br>test accuracy %{{y:.3f}}<br>seed {seed}"
    drawn = line(i, way.radius, way.accuracy, "median", arm, f"{hover}<extra>{label(arm)}</extra>")
    size = np.zeros(len(kept))
    if len(kept) > 1:
        size[arrows(way)] = 12
    still = {"color": colour(i), "opacity": 1, "line": {"width": 0}}
    marker = still | {"symbol": "arrow", "size": size.tolist(), "angleref": "previous"}
    drawn |= {"mode": "lines+markers", "marker": marker, "customdata": packed(way.steps)}
    drawn["line"] = drawn["line"] | {"width": 2.0 if single else 1.2, "backoff": 0}
    ring = still | {"symbol": "circle-open", "size": 8, "line": {"width": 1.6, "color": colour(i)}}
    start = {"x": packed(way.radius[:1]), "y": packed(way.accuracy[:1]), "customdata": packed(way.steps[:1])}
    return [drawn, drawn | start | {"mode": "markers", "marker": ring}]
