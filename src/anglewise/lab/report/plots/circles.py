"""Circles of tokens: a table's tokens in the plane of each of its strongest frequencies."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from anglewise.lab.report.plots.bands import thin
from anglewise.lab.report.plots.heatmaps import FRAMES, network_name, networks, scale
from anglewise.lab.report.plots.paper import short
from anglewise.lab.report.plots.style import CYCLE, Panel, axes, packed
from anglewise.lab.report.results import Arrays, Key, Results

PLANES = 4
X, Y = "cosine direction", "sine direction"


class Circle(NamedTuple):
    """One plane of one token table of one network at steps ``[k]``: points ``[k, n, 2]`` in the group's order.

    `frequencies` are those of the plane at every step.  `reach` is the largest coordinate in all planes of this table
    and network at the last step.  `label` is what people call the arm.
    """

    id: str
    table: str
    key: Key
    steps: np.ndarray
    points: np.ndarray
    frequencies: np.ndarray
    reach: float
    label: str = ""


def data(results: Results, arrays: Arrays | None = None) -> list[list[Circle]]:
    """A row per table and network; of their last step where no arrays are given."""
    if arrays is None:
        arrays = results.arrays(results.planned, ["circles", "circle_frequencies"], last=True)
    grid: list[list[Circle]] = []
    for (name, table), series in arrays.items():
        frequencies = arrays.get(("circle_frequencies", table), {})
        for key in networks(results, series) if name == "circles" else ():
            if key not in frequencies:
                continue
            steps, here, there = np.intersect1d(series[key].steps, frequencies[key].steps, return_indices=True)
            kept = thin(np.arange(len(steps)), FRAMES)
            points, ks = series[key].values[here[kept]], frequencies[key].values[there[kept]]
            reach, number = float(np.nanmax(np.abs(points[-1]), initial=1e-12)), sum(map(len, grid))
            grid.append([
                Circle(f"circle-{number + plane}", table, key, steps[kept], points[:, plane], ks[:, plane], reach,
                       results.labels[key[0]])
                for plane in range(min(PLANES, points.shape[1]))
            ])  # fmt: skip
    return grid


def ring(points: np.ndarray, frequency: float) -> tuple[np.ndarray, np.ndarray, int]:
    """Indices of tokens in the order in which a frequency has them round the circle, their turns from 0 to 1, and k.

    The points ``[n, 2]`` stand in the group's order.  The first token comes once more at the end.  An unknown frequency
    counts as 0.
    """
    n, k = len(points), int(frequency) if np.isfinite(frequency) else 0
    turn = k * np.arange(n) % n
    order = np.argsort(turn, kind="stable")
    closed = np.append(order, order[:1])
    return closed, turn[closed] / n, k


def web(circle: Circle) -> Panel:
    """The panel for the page, with a frame per step."""
    frames = []
    for step, points, frequency in zip(circle.steps, circle.points, circle.frequencies, strict=True):
        closed, turns, k = ring(points, float(frequency))
        marker = {"colorscale": CYCLE, "cmin": 0, "cmax": 1, "size": 6, "color": packed(turns)}
        x, y = packed(points[closed, 0]), packed(points[closed, 1])
        changes = {"x": x, "y": y, "customdata": closed.tolist(), "marker": marker}
        reach = 1.1 * float(np.nanmax(np.abs(points), initial=1e-12))
        frames.append({"step": int(step), "data": [changes], "text": f"k = {k}", "reach": reach})
    stroke = {"color": "rgba(120,120,120,0.35)", "width": 1}
    trace = {"type": "scatter", "mode": "lines+markers", "line": stroke, "meta": {"arm": -1, "layer": "median"}}
    trace["hovertemplate"] = "place %{customdata} in the cycle<br>(%{x:.3g}, %{y:.3g})<extra></extra>"
    layout = axes(Y, 290, X)
    layout["yaxis"] |= {"rangemode": "normal", "scaleanchor": "x"}
    corner = {"xref": "paper", "yref": "paper", "x": 0.02, "y": 0.99, "xanchor": "left", "yanchor": "top"}
    words = {"text": "", "showarrow": False, "font": {"size": 13}, "bgcolor": "rgba(255,255,255,.8)"}
    layout["annotations"] = [words | corner]
    return Panel(circle.id, "", [trace], layout, frames=frames)


def paper(circle: Circle, axis: Any) -> None:
    """Draw the last step for a paper; all planes of a network have one scale."""
    points = circle.points[-1]
    closed, turns, k = ring(points, float(circle.frequencies[-1]))
    reach = 1.1 * circle.reach
    axis.plot(*points[closed].T, color="#bbb", lw=0.6, zorder=1)
    axis.scatter(*points[closed].T, c=turns, cmap=scale(CYCLE), vmin=0, vmax=1, s=7, lw=0, zorder=2)
    axis.set(xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal", title=f"k = {k}", xlabel=X)
    name = f"{network_name(circle.key, circle.label)}, step {circle.steps[-1]:,}"
    axis.set_ylabel(f"{name}\n{short(circle.table, 18)}: {Y}", fontsize=6.5)
