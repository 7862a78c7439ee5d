"""Spectra and other arrays as curves: at the end of an arm's runs, or of one run at several steps over each other."""

from __future__ import annotations

from typing import Any

import numpy as np

from anglewise.lab.readings.quantities import DRAWINGS, drawing, meaning
from anglewise.lab.report.plots import curves
from anglewise.lab.report.plots.bands import array_band, curve, thin, wide
from anglewise.lab.report.plots.panel import Line, Plot, banded
from anglewise.lab.report.plots.panel import web as plain_web
from anglewise.lab.report.plots.style import BAR, TIME, Panel, shade
from anglewise.lab.report.results import Arrays, Results

CURVES = tuple(
    name + suffix
    for name, how in DRAWINGS.items()
    if how.kind in ("curve", "density", "share")
    for suffix in (("", "_total") if name.startswith("hessian") else ("",))
)
"""Arrays that can be drawn as curves."""
DECADES = 6
"""Of a density that are shown."""
STEPS_SHOWN = 12
"""Steps of one run that are drawn over each other."""


def at_the_end(results: Results, arrays: Arrays, name: str) -> list[Plot]:
    """A panel per site: median of every arm's runs at their last measurement, with quartiles."""
    plots: list[Plot] = []
    for (other, site), series in arrays.items():
        lines: list[Line] = []
        for i, arm in enumerate(results.arms) if other == name else ():
            found = array_band(name, [frames.values[-1] for (of, _), frames in series.items() if of == arm])
            lines += banded(i, results.labels[arm], meaning(name).title, found) if found is not None else []
        if lines:
            plot = _plot(name, f"end-{name}-{len(plots)}", site, lines, 260)
            plots.append(plot._replace(lazy=True, inks=results.inks))
    return plots


def over_steps(results: Results, arrays: Arrays) -> dict[str, list[Plot]]:
    """By reading: the curves of the first run at some steps over each other, the later the darker, a panel per site."""
    groups: dict[str, list[Plot]] = {}
    for (name, site), series in arrays.items():
        frames = series.get(results.planned[0])
        how = drawing(name, frames.values.ndim - 1) if frames is not None else None
        if frames is None or how is None or how.kind not in ("curve", "density"):
            continue
        places = thin(np.arange(len(frames.steps)), STEPS_SHOWN)
        shown = {int(frames.steps[k]): frames.values[k] for k in places if np.any(np.isfinite(frames.values[k]))}
        span = max([*shown, 0]) - min([*shown, 0]) or 1
        lines = [
            Line(-1, f"step {step}", how.y, *curve(name, values), ink=shade((step - min(shown)) / span))
            for step, values in shown.items()
        ]
        if lines:
            number = sum(map(len, groups.values()))
            groups.setdefault(name, []).append(_plot(name, f"spectrum-{number}", site, lines, 300))
    return groups


def data(results: Results) -> list[list[Plot]]:
    """A column per site: singular values of the activations at the end, and their effective rank over time."""
    arrays = results.arrays(results.planned, ["singular_values"], last=True)
    upper = {plot.title: plot for plot in at_the_end(results, arrays, "singular_values")}
    lower = {plot.title: plot for plot in curves.over_time(results, "effective_rank") if len(plot.values)}
    sites = list(dict.fromkeys([*upper, *lower]))
    blank = Plot("", "", "", ())
    both = [[found.get(site, blank) for site in sites] for found in (upper, lower)]
    return [row for row in both if any(plot.lines for plot in row)]


def web(plot: Plot) -> Panel:
    """The panel for the page; lines of several steps have a colour bar."""
    panel = plain_web(plot)
    steps = [int(line.name.removeprefix("step ")) for line in plot.lines if line.ink]
    if len(steps) > 1:
        bar = BAR | {"title": {"text": "step", "side": "right"}}
        scale = {"colorscale": TIME, "cmin": min(steps), "cmax": max(steps), "color": [min(steps)], "showscale": True}
        trace: dict[str, Any] = {"type": "scatter", "mode": "markers", "x": [None], "y": [None], "hoverinfo": "skip"}
        panel.data.append(trace | {"marker": scale | {"colorbar": bar}, "meta": {"arm": -1, "layer": "median"}})
    return panel


def _plot(name: str, place: str, site: str, lines: list[Line], height: int) -> Plot:
    """A panel whose values are logarithmic where they are positive and far apart, or a density."""
    how = drawing(name, 1)
    assert how is not None
    plot = Plot(
        place, site, how.y, lines, "frequency, the strongest first" if how.kind == "share" else how.x, height=height
    )
    top: Any = plot.values.max() if len(plot.values) else 0
    if how.kind == "density" and top > 0:  # further down is the tail of the smoothing
        return plot._replace(log=True, limits=(top / 10**DECADES, 2 * top))
    return plot._replace(log=wide(plot.values))
