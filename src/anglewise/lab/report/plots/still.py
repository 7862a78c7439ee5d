"""A panel of curves as a plain drawing, for a reader of the page who runs no scripts: medians, axes, thresholds."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from anglewise.lab.report.plots.bands import thin
from anglewise.lab.report.plots.panel import MAIN, Line, Plot
from anglewise.lab.report.plots.strip import Drawing, Mark, ticks

WIDTH, HEIGHT = 700, 300
"""Pixels."""
LEFT, RIGHT, TOP, BOTTOM = 56, 12, 10, 44
POINTS = 80
"""Of one curve."""


def draw(plot: Plot) -> Drawing:
    """Place the medians of a panel, on linear axes."""
    lines = [line for line in plot.lines if line.layer in ("median", *MAIN) and len(line.x)]
    x_high = max((float(np.nanmax(line.x)) for line in lines), default=1.0) or 1.0
    low, high = plot.limits or (0.0, float(np.nanmax(plot.values)) if len(plot.values) else 1.0)
    high = high if high > low else low + 1.0

    def at(x: float) -> float:
        return round(LEFT + (WIDTH - LEFT - RIGHT) * float(x) / x_high, 1)

    def up(y: float) -> float:
        return round(HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * (float(y) - low) / (high - low), 1)

    form = "{:.0%}" if plot.percent else "{:,g}"
    marks = [Mark("path", 0, 0, text=f"M{LEFT} {up(y)}H{WIDTH - RIGHT}", css="grid") for y in ticks(low, high, 5)]
    marks += [Mark("text", LEFT - 6, up(y) + 4, text=form.format(y), css="tick end") for y in ticks(low, high, 5)]
    numbers = ticks(0.0, x_high, 8)
    marks += [Mark("text", at(x), HEIGHT - BOTTOM + 18, text=f"{x:,g}", css="tick middle") for x in numbers]
    marks += [Mark("path", 0, 0, text=f"M{LEFT} {up(y)}H{WIDTH - RIGHT}", css="rule") for y in plot.rules]
    marks += [Mark("path", 0, 0, text=_path(line, at, up), css="curve", arm=line.arm) for line in lines]
    marks.append(Mark("text", WIDTH / 2, HEIGHT - 6, text=f"{plot.y} over {plot.x}", css="tick middle"))
    return Drawing(WIDTH, HEIGHT, marks)


def _path(line: Line, at: Callable[[float], float], up: Callable[[float], float]) -> str:
    """A curve as SVG's path; values that are no numbers are left out."""
    chosen = thin(np.arange(len(line.x)), POINTS)
    points = [(x, y) for x, y in zip(line.x[chosen], line.y[chosen], strict=True) if np.isfinite(y)]
    return "M" + "L".join(f"{at(x)} {up(y)}" for x, y in points) if points else ""
