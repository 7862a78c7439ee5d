"""Phase portrait of a site: radius against test accuracy, from a ring at the first step to the last arrow.

A line is the median over an arm's runs: their median radius against their median accuracy at the same steps.  Single
runs are a layer of their own.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from anglewise.lab.readings.quantities import meaning
from anglewise.lab.report.plots import panel
from anglewise.lab.report.plots.bands import band, clean, shown_seeds, thin, wide
from anglewise.lab.report.plots.panel import Line, Plot
from anglewise.lab.report.plots.style import Panel, packed
from anglewise.lab.report.results import Key, Results, Series

POINTS = 100
ARROWS = 5


class Way(NamedTuple):
    """Steps, radii and accuracies of a run or of a median, each of shape ``[n]``."""

    steps: np.ndarray
    radius: np.ndarray
    accuracy: np.ndarray


def way(radius: Series, accuracy: Series, most: int = POINTS) -> Way | None:
    """Both series at the steps of the second; None where they have none in common."""
    radius, accuracy = clean(radius), clean(accuracy)
    if not len(radius.steps):
        return None
    inside = (accuracy.steps >= radius.steps[0]) & (accuracy.steps <= radius.steps[-1])
    steps, values = thin(accuracy.steps[inside], most), thin(accuracy.values[inside], most)
    return Way(steps, np.interp(steps, radius.steps, radius.values), values) if len(steps) else None


def _meet(radius: Series, accuracy: Series) -> bool:
    """Whether :func:`way` finds any step."""
    steps, others = accuracy.steps, radius.steps
    known = len(steps) and len(others) and np.isfinite([radius.values[0], radius.values[-1], accuracy.values[0]]).all()
    return bool(known and others[0] <= steps[0] <= others[-1]) or way(radius, accuracy) is not None


def lines(results: Results, site: str) -> Iterator[Line]:
    """Of every arm, the median's line, and one with its runs, one after the other, where there are several."""
    radii, accuracies = results.readings.get(("radius", site), {}), results.curves.get("test_accuracy", {})
    for i, arm in enumerate(results.arms):
        keys = [key for key in results.keys_of(arm) if key in radii and key in accuracies]
        count = sum(_meet(radii[key], accuracies[key]) for key in keys)
        found = ((key[1], way(radii[key], accuracies[key])) for key in keys)
        shown = itertools.islice(((seed, one) for seed, one in found if one is not None), shown_seeds(results))
        ways = dict(shown)
        name = results.labels[arm]
        if count == 1:
            seed, only = next(iter(ways.items()))
            yield _line(i, name, only, f"seed {seed}, step %{{customdata}}")
        elif ways:
            radius, accuracy = (band(series, arm, results, POINTS) for series in (radii, accuracies))
            both = way(Series(radius.steps, radius.median), Series(accuracy.steps, accuracy.median))
            if both is not None:
                yield _line(i, name, both, f"median of {count}, step %{{customdata}}")
            yield _runs(i, name, ways)


def path(results: Results, site: str, key: Key) -> Line | None:
    """A run's line at one site; None where radius or accuracy was not read."""
    alone = lines(results.only([key]), site)
    return next((line._replace(arm=results.arms.index(key[0])) for line in alone), None)


def _line(i: int, name: str, found: Way, noted: str) -> Line:
    return Line(i, name, "test accuracy", found.radius, found.accuracy, "path", note=found.steps, noted=noted)


def _runs(i: int, name: str, ways: Mapping[int, Way]) -> Line:
    """Some runs of an arm as one line with gaps."""
    parts = ways.items()
    x = np.concatenate([np.append(one.radius, one.radius[-1]) for _, one in parts])
    y = np.concatenate([np.append(one.accuracy, np.nan) for _, one in parts])
    seeds = np.concatenate([np.full(len(one.steps) + 1, seed) for seed, one in parts])
    return Line(i, name, "test accuracy", x, y, "seed", note=seeds, noted="seed %{customdata}")


def data(results: Results) -> list[Plot]:
    """A portrait per site whose radius was read."""
    plots: list[Plot] = []
    for site in [site for name, site in results.readings if name == "radius"]:
        drawn = list(lines(results, site))
        plot = Plot(f"phase-{len(plots)}", site, "test accuracy", drawn, meaning("radius").title, (results.threshold,))
        plot = plot._replace(inks=results.inks)
        plots += [plot._replace(limits=(-0.03, 1.05), percent=True, height=340)] if drawn else []
    log = any(wide(np.concatenate([line.x for line in plot.lines])) for plot in plots)
    return [plot._replace(log_x=log) for plot in plots]


def arrows(steps: np.ndarray, count: int = ARROWS) -> np.ndarray:
    """Indices of points, at equal times, at which an arrow tells the direction: with the last, without the first."""
    if len(steps) < 2:
        return np.empty(0, int)
    times = np.linspace(steps[0], steps[-1], count + 1)[1:]
    return np.unique(np.clip(np.searchsorted(steps, times), 1, len(steps) - 1))


def web(plot: Plot) -> Panel:
    """The panel for the page: medians, or a run alone, have arrows and a ring at the start; runs are lines."""
    drawn = panel.web(plot)
    traces: list[dict[str, Any]] = []
    for line, trace in zip(plot.lines, drawn.data, strict=True):
        if line.layer == "seed":
            traces.append(trace)
            continue
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
    for line in (line for line in plot.lines if line.layer == "path"):
        assert line.note is not None
        ink = plot.ink(line.arm).colour
        axis.plot(line.x[:1], line.y[:1], color=ink, marker="o", ms=4, mfc="white", ls="")
        for k in arrows(line.note):
            ends = {"xy": (line.x[k], line.y[k]), "xytext": (line.x[k - 1], line.y[k - 1])}
            axis.annotate("", **ends, arrowprops={"arrowstyle": "-|>", "color": ink, "lw": 0, "mutation_scale": 8})
