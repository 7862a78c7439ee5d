"""Figures of one network as it learns: neuron-by-frequency map, circles of tokens, power of frequencies, spectra.

Maps and circles change with the page's slider; power and spectra show all steps at once.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np

from anglewise.lab.readings.quantities import drawing
from anglewise.lab.report.format import label
from anglewise.lab.report.plots.curves import thin
from anglewise.lab.report.plots.ends import curve, spread_axes
from anglewise.lab.report.plots.style import Panel, axes, packed
from anglewise.lab.report.results import Frames
from anglewise.lab.stats.blocks import block_order

Own: TypeAlias = Mapping[tuple[str, str], Frames]
"""One run's arrays by (name, site)."""
FRAMES = 40
"""Steps that a slider has at most."""
BYTES = 4_000_000
"""Of all maps in a page together, about."""
LINES = 12
"""Steps that are drawn as lines over each other."""
CIRCLES = 4

INK = ((0.0, "#ffffff"), (0.45, "#56B4E9"), (1.0, "#08306B"))
"""Shares, from none to all."""
TIME = ((0.0, "#F0C27A"), (0.35, "#56B4E9"), (0.7, "#0072B2"), (1.0, "#0B1D33"))
"""Steps, from the first to the last."""
CYCLE = ((0.0, "#08306B"), (0.25, "#56B4E9"), (0.5, "#F0C400"), (0.75, "#D55E00"), (1.0, "#08306B"))
"""Angles, once round; light against dark and blue against yellow, for the colour-blind."""
DEAD = "#d9d9d9"


def maps(own: Own) -> list[Panel]:
    """A neuron-by-frequency map per site, neurons in the block order of the last step; dead ones are grey."""
    found = {site: frames for (name, site), frames in own.items() if _kind(name, frames) == "map"}
    size = sum(frames.values[0].size for frames in found.values()) * 4 / 3
    most = int(np.clip(BYTES // max(size, 1), 6, FRAMES))
    panels: list[Panel] = []
    for site, frames in found.items():
        order = block_order(frames.values[-1])
        neurons, frequencies = frames.values.shape[1:]
        kept = thin(np.arange(len(frames.steps)), most)
        pictures = [{"step": int(frames.steps[k]), "data": [{"z": to_bytes(frames.values[k][order])}]} for k in kept]
        hover = "row %{y}<br>frequency %{x}<br>share of variance %{z:.2f}<extra></extra>"
        heat = _heat(np.arange(1, frequencies + 1), np.arange(1, neurons + 1), 1.0, hover)
        layout = axes("neuron, by best frequency", 440, "frequency k")
        layout["plot_bgcolor"] = DEAD
        layout["yaxis"] |= {"autorange": "reversed", "showgrid": False}
        layout["xaxis"] |= {"rangemode": "normal", "showgrid": False}
        panels.append(Panel(f"map-{len(panels)}", site, [heat], layout, frames=pictures))
    return panels


def circles(own: Own, most: int = CIRCLES) -> dict[str, list[Panel]]:
    """By token table: the tokens in the plane of each of its strongest frequencies."""
    found: dict[str, list[Panel]] = {}
    for (name, site), frames in own.items():
        frequencies = own.get(("circle_frequencies", site))
        if _kind(name, frames) != "circles" or frequencies is None:
            continue
        steps, here, there = np.intersect1d(frames.steps, frequencies.steps, return_indices=True)
        kept = thin(np.arange(len(steps)), FRAMES)
        reach = np.nanmax(np.abs(frames.values), axis=(2, 3), initial=1e-12)
        for plane in range(min(most, frames.values.shape[1])):
            pictures = [
                circle(int(steps[k]), frames.values[here[k], plane], float(frequencies.values[there[k], plane]))
                | {"reach": 1.1 * float(reach[here[k], plane])}
                for k in kept
            ]
            layout = axes("sine direction", 290, "cosine direction")
            layout["xaxis"] |= {"rangemode": "normal"}
            layout["yaxis"] |= {"rangemode": "normal", "scaleanchor": "x"}
            layout["annotations"] = [_corner("")]
            trace = {
                "type": "scatter",
                "mode": "lines+markers",
                "line": {"color": "rgba(120,120,120,0.35)", "width": 1},
                "meta": {"arm": -1, "layer": "median"},
                "hovertemplate": "place %{customdata} in the cycle<br>(%{x:.3g}, %{y:.3g})<extra></extra>",
            }
            group = found.setdefault(site, [])
            panels = sum(map(len, found.values()))
            group.append(Panel(f"circle-{panels}", "", [trace], layout, frames=pictures))
    return found


def circle(step: int, points: np.ndarray, frequency: float) -> dict[str, Any]:
    """One frame: tokens joined in the order in which the frequency has them round the circle.

    Args:
        step: At which it was read.
        points: Of the tokens in the group's order, ``[n, 2]``.
        frequency: k.
    """
    n = len(points)
    k = int(frequency) if np.isfinite(frequency) else 0
    turn = k * np.arange(n) % n
    order = np.argsort(turn, kind="stable")
    closed = np.append(order, order[:1])
    shades = {"colorscale": CYCLE, "cmin": 0, "cmax": 1, "size": 6, "color": packed(turn[closed] / n)}
    data = {
        "x": packed(points[closed, 0]),
        "y": packed(points[closed, 1]),
        "customdata": closed.tolist(),
        "marker": shades,
    }
    return {"step": step, "data": [data], "text": f"k = {k}"}


def powers(own: Own) -> list[Panel]:
    """Share of every frequency over the steps, per token table and of the logits."""
    panels: list[Panel] = []
    for (name, site), frames in own.items():
        if _kind(name, frames) != "share":
            continue
        kept = thin(np.arange(len(frames.steps)), 200)
        values = frames.values[kept].T
        hover = "step %{x}<br>frequency %{y}<br>share %{z:.3f}<extra></extra>"
        top = float(np.nanmax(values, initial=1e-12))
        heat = _heat(frames.steps[kept], np.arange(1, len(values) + 1), top, hover)
        heat["z"] = packed(values) | {"shape": ", ".join(map(str, values.shape))}
        layout = axes("frequency k", 320)
        layout["xaxis"] |= {"rangemode": "normal", "showgrid": False}
        layout["yaxis"] |= {"rangemode": "normal", "showgrid": False}
        title = site or name.replace("_", " ")
        panels.append(Panel(f"power-{len(panels)}", title, [heat], layout))
    return panels


def spectra(own: Own) -> dict[str, list[Panel]]:
    """By reading: its curves at some steps over each other, the later the darker, a panel per site."""
    found: dict[str, list[Panel]] = {}
    for (name, site), frames in own.items():
        if _kind(name, frames) not in ("curve", "density"):
            continue
        kept = [k for k in thin(np.arange(len(frames.steps)), LINES) if np.any(np.isfinite(frames.values[k]))]
        if not kept:
            continue
        first, last = int(frames.steps[kept[0]]), int(frames.steps[kept[-1]])
        data: list[dict[str, Any]] = []
        for k in kept:
            step = int(frames.steps[k])
            x, y = curve(name, frames.values[k])
            ink = shade((step - first) / max(last - first, 1))
            data.append(
                {
                    "type": "scatter",
                    "mode": "lines",
                    "x": packed(x),
                    "y": packed(y),
                    "line": {"color": ink, "width": 1.6},
                    "meta": {"arm": -1, "layer": "median"},
                    "hovertemplate": f"step {step}<br>%{{x:.4g}}<br>%{{y:.4g}}<extra></extra>",
                }
            )
        if len(kept) > 1:
            data.append(_scale(first, last))
        layout = spread_axes(name, np.concatenate([curve(name, frames.values[k])[1] for k in kept]))
        layout["height"] = 300
        group = found.setdefault(name, [])
        number = sum(map(len, found.values()))
        group.append(Panel(f"spectrum-{number}", site, data, layout, layout["yaxis"]["type"] == "log"))
    return found


def shade(share: float, scale: Sequence[tuple[float, str]] = TIME) -> str:
    """Colour at a share of a scale."""
    places = [place for place, _ in scale]
    colours = np.array([[int(ink[k : k + 2], 16) for k in (1, 3, 5)] for _, ink in scale], float)
    r, g, b = (round(float(np.interp(share, places, colours[:, c]))) for c in range(3))
    return f"#{r:02x}{g:02x}{b:02x}"


def to_bytes(values: np.ndarray, low: float = 0.0, high: float = 1.0) -> dict[str, Any]:
    """A matrix in one byte per value: 0 to 254 for `low` to `high`, 255 for none; the page undoes it."""
    scaled = np.clip((np.nan_to_num(values, nan=low) - low) / (high - low), 0, 1)
    coded = np.where(np.isfinite(values), np.rint(254 * scaled), 255).astype(np.uint8)
    return {
        "bytes": base64.b64encode(coded.tobytes()).decode(),
        "low": low,
        "high": high,
        "shape": list(values.shape),
    }


def _kind(name: str, frames: Frames) -> str:
    told = drawing(name, frames.values.ndim - 1)
    return told.kind if told is not None else ""


def _heat(x: np.ndarray, y: np.ndarray, top: float, hover: str) -> dict[str, Any]:
    bar = {"thickness": 10, "outlinewidth": 0, "len": 0.9, "tickfont": {"size": 11}}
    return {
        "type": "heatmap",
        "x": x.tolist(),
        "y": y.tolist(),
        "zmin": 0,
        "zmax": top,
        "colorscale": INK,
        "colorbar": bar,
        "meta": {"arm": -1, "layer": "median"},
        "hovertemplate": hover,
    }


def _scale(first: int, last: int) -> dict[str, Any]:
    """A trace without points that brings the colour bar of the steps."""
    bar = {
        "thickness": 10,
        "outlinewidth": 0,
        "len": 0.9,
        "title": {"text": "step", "side": "right"},
        "tickfont": {"size": 11},
    }
    marker = {"colorscale": TIME, "cmin": first, "cmax": last, "color": [first], "colorbar": bar, "showscale": True}
    return {
        "type": "scatter",
        "mode": "markers",
        "x": [None],
        "y": [None],
        "marker": marker,
        "hoverinfo": "skip",
        "meta": {"arm": -1, "layer": "median"},
    }


def _corner(text: str) -> dict[str, Any]:
    at = {"xref": "paper", "yref": "paper", "x": 0.02, "y": 0.99, "xanchor": "left", "yanchor": "top"}
    return {"text": label(text), "showarrow": False, "font": {"size": 13}, "bgcolor": "rgba(255,255,255,.8)"} | at
