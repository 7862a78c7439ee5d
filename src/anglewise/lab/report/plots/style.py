"""What the report's figures are made of, as plotly's plain data: an arm's colour, its curves, a layout.

Every trace carries ``meta = {"arm": index, "layer": name}``; the page shows an arm or a layer by these alone.  Names
are escaped for plotly, which reads a subset of HTML.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from anglewise.lab.report.comparison import time_of
from anglewise.lab.report.format import label
from anglewise.lab.report.plots.curves import MOST, band, clean, thin
from anglewise.lab.report.results import Key, Results, Series
from anglewise.lab.stats import censored_median

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#8C6D1F")
"""Okabe and Ito's colours, told apart by the colour-blind too, with a brown for their yellow."""
SYMBOLS = ("", "circle", "square", "diamond", "triangle-up", "x", "cross", "star")
"""Markers that tell arms apart once the colours are used up; the first eight arms need none."""
WIDE = 30.0
"""Ratio of the largest to the smallest value beyond which an axis starts logarithmic."""
SEED_POINTS = 120
FEW = 12
"""Points up to which a curve shows each of them."""


class Panel(NamedTuple):
    """One figure.

    Args:
        id: Its place in the page.
        site: What stands above it.
        data: Traces.
        layout: Axes and lines.
        log: Whether its y-axis starts logarithmic.
        lazy: Whether it waits until its part of the page is opened.
        frames: For a figure that changes with the page's slider: for each step, ``{"step": n, "data": [...]}`` with
            what changes of every trace.
    """

    id: str
    site: str
    data: list[dict[str, Any]]
    layout: dict[str, Any]
    log: bool = False
    lazy: bool = False
    frames: Sequence[Mapping[str, Any]] = ()


def colour(index: int) -> str:
    """Colour of an arm, the same in every figure."""
    return COLOURS[index % len(COLOURS)]


def symbol(index: int) -> str:
    """Marker of an arm; empty for none."""
    return SYMBOLS[index // len(COLOURS) % len(SYMBOLS)]


def faint(i: int, alpha: float = 0.16) -> str:
    """An arm's colour, nearly transparent."""
    r, g, b = (int(colour(i)[k : k + 2], 16) for k in (1, 3, 5))
    return f"rgba({r},{g},{b},{alpha:g})"


def packed(values: np.ndarray) -> dict[str, str]:
    """Numbers as plotly's base64 arrays: whole ones in as few bytes as they need, others in float32.

    Float32's seven digits are more than a screen shows.
    """
    kind = "f4"
    if np.issubdtype(values.dtype, np.integer) and len(values):
        low, high = int(values.min()), int(values.max())
        kind = next((k for k, top in (("u1", 255), ("u2", 65535), ("i4", 2**31 - 1)) if high <= top), "f4")
        kind = kind if low >= 0 else "f4"
    return {"dtype": kind, "bdata": base64.b64encode(values.astype(f"<{kind}").tobytes()).decode()}


def wide(series: Mapping[Key, Series]) -> bool:
    """Whether positive values differ so much that an axis had better be logarithmic."""
    values = np.concatenate([np.empty(0), *(clean(s).values for s in series.values())])
    return bool(len(values) and values.min() > 0 and values.max() > WIDE * values.min())


def median_line(
    results: Results, series: Mapping[Key, Series], i: int, what: str, layer: str = "median", most: int = MOST
) -> list[dict[str, Any]]:
    """An arm's median, with its band where the layer is ``"median"``; dashed where it is another."""
    arm = results.arms[i]
    found = band(series, arm, results, most)
    if not len(found.steps):
        return []
    hover = f"step %{{x}}<br>{what} %{{y:.4g}}<br>%{{customdata}} runs<extra>{label(arm)}</extra>"
    curve = line(i, found.steps, found.median, layer, arm, hover)
    curve["customdata"] = found.n.tolist()
    if layer != "median":
        curve["line"] = curve["line"] | {"dash": "dash", "width": 1.2}
        return [curve]
    if found.n.max() < 2:  # the quartiles of one run are the run
        return [curve]
    area = line(
        i, np.concatenate([found.steps, found.steps[::-1]]), np.concatenate([found.low, found.high[::-1]]),
        layer, arm, "",
    )  # fmt: skip
    filled = {"fill": "toself", "fillcolor": faint(i), "hoverinfo": "skip", "mode": "lines"}
    return [area | filled | {"line": {"width": 0}, "meta": {"arm": i, "layer": "band"}}, curve]


def seed_lines(series: Mapping[Key, Series], arm: str, i: int, what: str) -> list[dict[str, Any]]:
    """An arm's single seeds, a thin trace each."""
    lines = []
    for (name, seed), whole in series.items():
        if name == arm and len(whole.steps):
            kept = thin(np.arange(len(whole.steps)), SEED_POINTS)
            hover = f"step %{{x}}<br>{what} %{{y:.4g}}<br>seed {seed}<extra>{label(arm)}</extra>"
            curve = line(i, whole.steps[kept], whole.values[kept], "seed", arm, hover)
            curve |= {"line": {"color": colour(i), "width": 0.8}, "opacity": 0.55, "mode": "lines"}
            lines.append(curve)
    return lines


def joined_seeds(series: Mapping[Key, Series], arm: str, i: int, what: str, most: int) -> list[dict[str, Any]]:
    """An arm's single seeds as one trace with gaps, which takes less room where there are many figures."""
    steps, values, seeds = [], [], []
    for (name, seed), whole in series.items():
        if name == arm and len(whole.steps):
            kept = thin(np.arange(len(whole.steps)), most)
            steps.append(np.append(whole.steps[kept], whole.steps[kept[-1]]))
            values.append(np.append(whole.values[kept], np.nan))
            seeds.append(np.full(len(kept) + 1, seed))
    if len(steps) < 2:  # none, or one that is the median already
        return []
    hover = f"step %{{x}}<br>{what} %{{y:.4g}}<br>seed %{{customdata}}<extra>{label(arm)}</extra>"
    curve = line(i, np.concatenate(steps), np.concatenate(values), "seed", arm, hover)
    curve |= {"line": {"color": colour(i), "width": 0.8}, "opacity": 0.55, "mode": "lines"}
    return [curve | {"customdata": packed(np.concatenate(seeds))}]


def line(i: int, x: np.ndarray, y: np.ndarray, layer: str, arm: str, hover: str) -> dict[str, Any]:
    """A curve in an arm's colour."""
    few = len(x) <= FEW
    mark = symbol(i) or ("circle" if few else "")
    marker = {"symbol": mark, "size": 7 if symbol(i) else 5, "maxdisplayed": 0 if few else 9, "color": colour(i)}
    return {
        "type": "scatter",
        "mode": "lines+markers" if mark else "lines",
        "x": packed(x),
        "y": packed(y),
        "name": label(arm),
        "meta": {"arm": i, "layer": layer},
        "line": {"color": colour(i), "width": 2.2},
        "hovertemplate": hover,
    } | ({"marker": marker} if mark else {})


def rule(y: float, ink: str = "#888") -> dict[str, Any]:
    """A dotted line across a figure at one value."""
    stroke = {"color": ink, "width": 1, "dash": "dot"}
    return {"type": "line", "xref": "paper", "x0": 0, "x1": 1, "y0": y, "y1": y, "line": stroke, "layer": "below"}


def moments(results: Results) -> list[dict[str, Any]]:
    """A faint upright line per arm at its median time to generalise, where it has one within the budget."""
    if len(results.arms) > len(COLOURS):
        return []
    found = []
    for i, arm in enumerate(results.arms):
        times = [time_of(run, "first") for run in results.finished(arm).values()]
        middle = censored_median(times) if times else None
        if middle is not None:
            found.append(upright(middle, faint(i, 0.5), f"arm {i}"))
    return found


def upright(x: float, ink: str, name: str, dash: str = "solid", width: float = 1.2) -> dict[str, Any]:
    """A line from the bottom of a figure to its top at one step; the page finds it by its name."""
    stroke = {"color": ink, "width": width, "dash": dash}
    at = {"x0": x, "x1": x, "y0": 0, "y1": 1}
    return {"type": "line", "yref": "paper", "line": stroke, "layer": "below", "name": name} | at


def axes(title: str, height: int, x: str = "optimiser steps") -> dict[str, Any]:
    """Layout of a figure: what its axes say, with units, and its height in pixels."""
    axis = {
        "gridcolor": "#ececec",
        "linecolor": "#999",
        "zeroline": False,
        "ticks": "outside",
        "ticklen": 4,
        "exponentformat": "e",
    }
    small = {"standoff": 8, "font": {"size": 12}}
    return {
        "height": height,
        "showlegend": False,
        "modebar": {"bgcolor": "rgba(255,255,255,0)", "color": "#c4c9cf", "activecolor": "#5d6570"},
        "hovermode": "closest",
        "margin": {"l": 58, "r": 16, "t": 30, "b": 46},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "#fff",
        "font": {"family": "system-ui, -apple-system, 'Segoe UI', sans-serif", "size": 12, "color": "#333"},
        "xaxis": axis | {"title": {"text": x} | small, "rangemode": "tozero"},
        "yaxis": axis | {"title": {"text": title} | small},
    }
