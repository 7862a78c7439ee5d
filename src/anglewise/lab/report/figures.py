"""The report's figures, as plotly's plain data: traces and layout, ready for JSON.

Every trace carries ``meta = {"arm": index, "layer": name}``; the page shows an arm or a layer by these alone.
Names are escaped for plotly, which reads a subset of HTML.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from anglewise.lab.report.curves import band, clean, thin
from anglewise.lab.report.results import Key, Results, Series
from anglewise.lab.report.summary import Criterion, time_of
from anglewise.lab.report.text import label
from anglewise.lab.stats import kaplan_meier

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#8C6D1F")
"""Okabe and Ito's colours, told apart by the colour-blind too, with a brown for their yellow."""
SYMBOLS = ("", "circle", "square", "diamond", "triangle-up", "x", "cross", "star")
"""Markers that tell arms apart once the colours are used up; the first eight arms need none."""
WIDE = 30.0
"""Ratio of the largest to the smallest value beyond which an axis starts logarithmic."""
SEED_POINTS = 120

READINGS = {
    "radius": "radius |h| / \u221ad",
    "radial_energy": "radial energy (1: a random direction)",
    "effective_rank": "effective rank (dimensions)",
    "stable_rank": "stable rank (dimensions)",
}
"""Axis titles, with units, of readings by name; any other is shown under its own name."""


class Panel(NamedTuple):
    """One figure: where it stands, what it shows, and whether its y-axis starts logarithmic."""

    id: str
    site: str
    data: list[dict[str, Any]]
    layout: dict[str, Any]
    log: bool = False


def colour(index: int) -> str:
    """Colour of an arm, the same in every figure."""
    return COLOURS[index % len(COLOURS)]


def symbol(index: int) -> str:
    """Marker of an arm; empty for none."""
    return SYMBOLS[index // len(COLOURS) % len(SYMBOLS)]


def accuracy(results: Results) -> Panel:
    """Test accuracy per arm as median and band, train accuracy dashed, single seeds on their own layer."""
    test, train = results.curves["test_accuracy"], results.curves["train_accuracy"]
    data: list[dict[str, Any]] = []
    for i, arm in enumerate(results.arms):
        data += _median(results, test, i, "test accuracy")
        data += _median(results, train, i, "train accuracy", layer="train")
        data += _seeds(test, arm, i, "test accuracy")
    layout = _layout("accuracy", 400)
    layout["yaxis"] |= {"range": [-0.02, 1.02]}
    layout["shapes"] = [_rule(results.threshold)]
    return Panel("accuracy", "", data, layout)


def readings(results: Results, name: str) -> list[Panel]:
    """One panel per site of a reading; the radius has its targets and its spread over samples, too."""
    panels: list[Panel] = []
    log = any(_wide(sites) for (reading, _), sites in results.readings.items() if reading == name)
    for reading, site in results.readings:
        if reading != name:
            continue
        series = results.readings[name, site]
        title = READINGS.get(name, name.replace("_", " "))
        data: list[dict[str, Any]] = []
        for i, arm in enumerate(results.arms):
            data += _median(results, series, i, label(title))
            data += _seeds(series, arm, i, label(title))
            if name == "radius":
                data += _spread(results, site, i)
                data += [_target(results, i, value) for value in targets(results, arm, site)]
        layout = _layout(label(title), 300)
        layout["yaxis"] |= {"type": "log" if log else "linear", "rangemode": "normal" if log else "tozero"}
        panels.append(Panel(f"{name}-{len(panels)}", site, data, layout, log))
    return panels


def survival(results: Results) -> Panel:
    """Share of each arm's finished runs not yet generalised, by both crossings; a tick marks the censored."""
    data: list[dict[str, Any]] = []
    criteria: tuple[Criterion, ...] = ("first", "sustained")
    for i, arm in enumerate(results.arms):
        runs = results.finished(arm)
        for criterion in criteria if runs else ():
            curve = kaplan_meier([time_of(run, criterion) for run in runs.values()], results.budget)
            hover = f"step %{{x}}<br>%{{y:.0%}} of {curve.n} finished runs not yet<extra>{label(arm)}</extra>"
            line = _line(i, curve.times, curve.share, criterion, arm, hover)
            data.append(line | {"line": line["line"] | {"shape": "hv"}})
            if curve.censored:
                text = f"{curve.censored} of {curve.n} not within the budget<extra>{label(arm)}</extra>"
                mark = _line(i, curve.times[-1:], curve.share[-1:], criterion, arm, text)
                marker = {"symbol": "line-ns-open", "size": 16, "color": colour(i), "line": {"width": 2.5}}
                data.append(mark | {"mode": "markers", "marker": marker, "cliponaxis": False})
    layout = _layout("share not yet generalised", 380)
    layout["yaxis"] |= {"range": [-0.02, 1.04], "tickformat": ".0%"}
    layout["xaxis"] |= {"range": [0, results.budget * 1.01]}
    return Panel("survival", "", data, layout)


def _wide(series: Mapping[Key, Series]) -> bool:
    values = np.concatenate([np.empty(0), *(clean(s).values for s in series.values())])
    return bool(len(values) and values.min() > 0 and values.max() > WIDE * values.min())


def targets(results: Results, arm: str, site: str) -> list[float]:
    """Wanted radii of an arm at a site, in units of sqrt(d); schedules of the target are left out."""
    for entry in results.spec.get("arms", ()):
        if isinstance(entry, Mapping) and entry.get("name") == arm:
            return [
                float(method["target"])
                for method in entry.get("methods", ())
                if isinstance(method.get("target"), (int, float)) and site in (method.get("sites") or [site])
            ]
    return []


def packed(values: np.ndarray) -> dict[str, str]:
    """Numbers as plotly's base64 arrays: float32, whose seven digits are more than a screen shows."""
    return {"dtype": "f4", "bdata": base64.b64encode(np.asarray(values, "<f4").tobytes()).decode()}


def _median(
    results: Results, series: Mapping[Key, Series], i: int, what: str, layer: str = "median"
) -> list[dict[str, Any]]:
    arm = results.arms[i]
    found = band(series, arm, results)
    if not len(found.steps):
        return []
    hover = f"step %{{x}}<br>{what} %{{y:.4g}}<br>%{{customdata}} runs<extra>{label(arm)}</extra>"
    line = _line(i, found.steps, found.median, layer, arm, hover)
    line["customdata"] = found.n.tolist()
    if layer == "train":
        line["line"] = line["line"] | {"dash": "dash", "width": 1.2}
        return [line]
    area = _line(
        i, np.concatenate([found.steps, found.steps[::-1]]), np.concatenate([found.low, found.high[::-1]]),
        layer, arm, "",
    )  # fmt: skip
    filled = {"fill": "toself", "fillcolor": _faint(i), "hoverinfo": "skip", "mode": "lines"}
    return [area | filled | {"line": {"width": 0}, "meta": {"arm": i, "layer": "band"}}, line]


def _seeds(series: Mapping[Key, Series], arm: str, i: int, what: str) -> list[dict[str, Any]]:
    lines = []
    for (name, seed), whole in series.items():
        if name == arm and len(whole.steps):
            kept = thin(np.arange(len(whole.steps)), SEED_POINTS)
            hover = f"step %{{x}}<br>{what} %{{y:.4g}}<br>seed {seed}<extra>{label(arm)}</extra>"
            line = _line(i, whole.steps[kept], whole.values[kept], "seed", arm, hover)
            line |= {"line": {"color": colour(i), "width": 0.8}, "opacity": 0.55, "mode": "lines"}
            lines.append(line)
    return lines


def _spread(results: Results, site: str, i: int) -> list[dict[str, Any]]:
    lines = []
    for name, quantile in (("radius_q05", 5), ("radius_q95", 95)):
        found = band(results.readings.get((name, site), {}), results.arms[i], results)
        if len(found.steps):
            arm = results.arms[i]
            hover = f"step %{{x}}<br>{quantile} % of samples below %{{y:.3g}}<extra>{label(arm)}</extra>"
            line = _line(i, found.steps, found.median, "spread", arm, hover)
            lines.append(line | {"line": {"color": colour(i), "width": 1, "dash": "dot"}, "mode": "lines"})
    return lines


def _target(results: Results, i: int, value: float) -> dict[str, Any]:
    end = max(int(s.steps[-1]) for p in results.readings.values() for s in p.values() if len(s.steps))
    arm = results.arms[i]
    hover = f"target {value:g}<extra>{label(arm)}</extra>"
    line = _line(i, np.array([0, end]), np.array([value, value]), "target", arm, hover)
    return line | {"line": {"color": colour(i), "width": 1.2, "dash": "longdashdot"}, "mode": "lines"}


def _line(i: int, x: np.ndarray, y: np.ndarray, layer: str, arm: str, hover: str) -> dict[str, Any]:
    mark = symbol(i)
    marker = {"symbol": mark, "size": 7, "maxdisplayed": 9, "color": colour(i)}
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


def _faint(i: int) -> str:
    r, g, b = (int(colour(i)[k : k + 2], 16) for k in (1, 3, 5))
    return f"rgba({r},{g},{b},0.16)"


def _rule(y: float) -> dict[str, Any]:
    line = {"color": "#888", "width": 1, "dash": "dot"}
    return {"type": "line", "xref": "paper", "x0": 0, "x1": 1, "y0": y, "y1": y, "line": line}


def _layout(title: str, height: int) -> dict[str, Any]:
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
        "xaxis": axis | {"title": {"text": "optimiser steps"} | small, "rangemode": "tozero"},
        "yaxis": axis | {"title": {"text": title} | small},
    }
