"""Arrays as curves: one line per run, or the middle of an arm's runs at their last measurement."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from anglewise.lab.readings.quantities import DRAWINGS, drawing, meaning
from anglewise.lab.report.format import label
from anglewise.lab.report.plots.style import WIDE, Panel, axes, faint, line
from anglewise.lab.report.results import Arrays, Results

CURVES = tuple(
    name + suffix
    for name, told in DRAWINGS.items()
    if told.kind in ("curve", "density", "share")
    for suffix in (("", "_total") if name.startswith("hessian") else ("",))
)
"""Arrays that can be drawn as curves."""
DECADES = 6
"""Of a density that are shown."""
GRID = 160
"""Points of a density that is the middle of several."""


class Curve(NamedTuple):
    """Quartiles over runs; all of shape ``[n]``."""

    x: np.ndarray
    low: np.ndarray
    middle: np.ndarray
    high: np.ndarray
    runs: int


def curve(name: str, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """One array as x and y: a density by its grid, shares from the largest on, anything else by its place from 1."""
    told = drawing(name, values.ndim)
    if told is not None and told.kind == "density":
        return values[0], values[1]
    if told is not None and told.kind == "share":
        values = np.sort(values)[::-1]
    return np.arange(1, len(values) + 1), values


def middle(name: str, arrays: list[np.ndarray]) -> Curve | None:
    """Quartiles of several runs' arrays; None where no run has finite values. Shorter ones end sooner."""
    pairs = [curve(name, values) for values in arrays if np.any(np.isfinite(values))]
    if not pairs:
        return None
    if drawing(name, arrays[0].ndim) == DRAWINGS["hessian_density"]:
        x = np.linspace(min(x.min() for x, _ in pairs), max(x.max() for x, _ in pairs), GRID)
        x = pairs[0][0] if len(pairs) == 1 else x
        rows = np.stack([np.interp(x, own, y, left=0, right=0) for own, y in pairs])
    else:
        x = max((x for x, _ in pairs), key=len)
        rows = np.stack([np.pad(y.astype(float), (0, len(x) - len(y)), constant_values=np.nan) for _, y in pairs])
    told = np.any(np.isfinite(rows), axis=0)
    low, mid, high = np.nanquantile(rows[:, told], (0.25, 0.5, 0.75), axis=0)
    return Curve(x[told], low, mid, high, len(pairs))


def ends(results: Results, arrays: Arrays, name: str) -> list[Panel]:
    """A panel per site: each arm's middle run at the last measurement."""
    panels: list[Panel] = []
    for (other, site), series in arrays.items():
        if other != name:
            continue
        data: list[dict[str, Any]] = []
        for i, arm in enumerate(results.arms):
            found = middle(name, [frames.values[-1] for (own, _), frames in series.items() if own == arm])
            if found is not None:
                data += _arm(found, i, arm, name)
        if data:
            panels.append(
                Panel(
                    f"end-{name}-{len(panels)}", site, data, spread_axes(name, series_values(name, series)), lazy=True
                )
            )
    return panels


def series_values(name: str, series: Any) -> np.ndarray:
    """All last values of some runs, one after the other."""
    return np.concatenate([curve(name, frames.values[-1])[1] for frames in series.values()])


def spread_axes(name: str, values: np.ndarray) -> dict[str, Any]:
    """Axes of a curve; logarithmic values where they are positive and far apart, or a density."""
    told = drawing(name, 1)
    assert told is not None
    shares = told.kind == "share"
    layout = axes(label(told.y), 260, label("frequency, the strongest first" if shares else told.x))
    fine = values[np.isfinite(values)]
    log = told.kind == "density" or (len(fine) > 0 and fine.min() > 0 and fine.max() > WIDE * fine.min())
    layout["yaxis"] |= {"type": "log" if log else "linear", "rangemode": "normal"}
    if told.kind == "density" and len(fine) and fine.max() > 0:  # further down is the tail of the smoothing
        top = float(np.log10(fine.max()))
        layout["yaxis"] |= {"range": [top - DECADES, top + 0.3]}
    layout["xaxis"] |= {"rangemode": "normal"}
    return layout


def _arm(found: Curve, i: int, arm: str, name: str) -> list[dict[str, Any]]:
    hover = f"%{{x}}<br>{label(meaning(name).title)} %{{y:.4g}}<br>{found.runs} runs<extra>{label(arm)}</extra>"
    drawn = line(i, found.x, found.middle, "median", arm, hover)
    if found.runs < 2:
        return [drawn]
    both = np.concatenate([found.low, found.high[::-1]])
    area = line(i, np.concatenate([found.x, found.x[::-1]]), both, "band", arm, "")
    filled = {"fill": "toself", "fillcolor": faint(i), "hoverinfo": "skip", "mode": "lines", "line": {"width": 0}}
    return [area | filled, drawn]
