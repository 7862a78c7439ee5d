"""Phase portrait of a site: radius against test accuracy, one line per seed, from its ring to its last arrow."""

from __future__ import annotations

from typing import Any

import numpy as np

from anglewise.lab.readings.quantities import meaning
from anglewise.lab.report.plots import panel
from anglewise.lab.report.plots.bands import clean, thin, wide
from anglewise.lab.report.plots.panel import Line, Plot
from anglewise.lab.report.plots.style import Panel, packed
from anglewise.lab.report.results import Key, Results

POINTS = 100
ARROWS = 5


def path(results: Results, site: str, key: Key) -> Line | None:
    """A run's way at one site, at the steps of its evaluations; None where one of the two was not read."""
    radius = results.readings.get(("radius", site), {}).get(key)
    accuracy = results.curves.get("test_accuracy", {}).get(key)
    if radius is None or accuracy is None:
        return None
    radius, accuracy = clean(radius), clean(accuracy)
    if not len(radius.steps):
        return None
    inside = (accuracy.steps >= radius.steps[0]) & (accuracy.steps <= radius.steps[-1])
    steps, values = thin(accuracy.steps[inside], POINTS), thin(accuracy.values[inside], POINTS)
    x, i, noted = np.interp(steps, radius.steps, radius.values), results.arms.index(key[0]), f"seed {key[1]}, step "
    line = Line(
        i, results.labels[key[0]], "test accuracy", x, values, "path", note=steps, noted=noted + "%{customdata}"
    )
    return line if len(steps) else None


def data(results: Results) -> list[Plot]:
    """A portrait per site whose radius was read."""
    plots: list[Plot] = []
    for site in [site for name, site in results.readings if name == "radius"]:
        lines = [line for key in results.planned if (line := path(results, site, key)) is not None]
        plot = Plot(f"phase-{len(plots)}", site, "test accuracy", lines, meaning("radius").title, (results.threshold,))
        plot = plot._replace(inks=results.inks)
        plots += [plot._replace(limits=(-0.03, 1.05), percent=True, height=340)] if lines else []
    log = any(wide(np.concatenate([line.x for line in plot.lines])) for plot in plots)
    return [plot._replace(log_x=log) for plot in plots]


def arrows(steps: np.ndarray, count: int = ARROWS) -> np.ndarray:
    """Indices of points, at equal times, at which an arrow tells the direction: with the last, without the first."""
    if len(steps) < 2:
        return np.empty(0, int)
    times = np.linspace(steps[0], steps[-1], count + 1)[1:]
    return np.unique(np.clip(np.searchsorted(steps, times), 1, len(steps) - 1))


def web(plot: Plot) -> Panel:
    """The panel for the page: per run, its line with arrows, and a ring at its start."""
    drawn = panel.web(plot)
    traces: list[dict[str, Any]] = []
    for line, trace in zip(plot.lines, drawn.data, strict=True):
        assert line.note is not None
        size = np.zeros(len(line.x))
        size[arrows(line.note)] = 12
        still = {"color": plot.ink(line.arm).colour, "opacity": 1, "line": {"width": 0}}
        marker = still | {"symbol": "arrow", "size": size.tolist(), "angleref": "previous"}
        ring = still | {"symbol": "circle-open", "size": 8, "line": {"width": 1.6, "color": plot.ink(line.arm).colour}}
        start = {"x": packed(line.x[:1]), "y": packed(line.y[:1]), "customdata": packed(line.note[:1])}
        traces += [trace | {"mode": "lines+markers", "marker": marker}]
        traces += [trace | start | {"mode": "markers", "marker": ring}]
    layout = drawn.layout
    layout["xaxis"] |= {} if plot.log_x else {"rangemode": "tozero"}
    return drawn._replace(data=traces)


def paper(plot: Plot, axis: Any) -> None:
    """Draw the panel for a paper."""
    panel.paper(plot, axis)
    for line in plot.lines:
        assert line.note is not None
        ink = plot.ink(line.arm).colour
        axis.plot(line.x[:1], line.y[:1], color=ink, marker="o", ms=4, mfc="white", ls="")
        for k in arrows(line.note):
            ends = {"xy": (line.x[k], line.y[k]), "xytext": (line.x[k - 1], line.y[k - 1])}
            axis.annotate("", **ends, arrowprops={"arrowstyle": "-|>", "color": ink, "lw": 0, "mutation_scale": 8})
