"""Power of every frequency over the steps, of a token table or of the logits."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from anglewise.lab.readings.quantities import drawing
from anglewise.lab.report.plots.bands import thin
from anglewise.lab.report.plots.network import network_name, networks, scale
from anglewise.lab.report.plots.paper import short
from anglewise.lab.report.plots.style import INK, STEPS, Panel, axes, heat, packed
from anglewise.lab.report.results import Arrays, Key, Results

POINTS = 200
"""Steps that are drawn at most."""


class Power(NamedTuple):
    """One network: steps ``[k]`` and shares ``[k, frequencies]``; `top` is the largest share in its row."""

    id: str
    title: str
    key: Key
    steps: np.ndarray
    shares: np.ndarray
    top: float


def data(results: Results, arrays: Arrays | None = None) -> list[list[Power]]:
    """A row per table, a network per arm."""
    if arrays is None:
        arrays = results.arrays(results.planned, ["fourier_power"])
    grid: list[list[Power]] = []
    for (name, site), series in arrays.items():
        if (how := drawing(name, 1)) is None or how.kind != "share":
            continue
        keys = networks(results, series)
        top = max((float(np.nanmax(series[key].values, initial=1e-12)) for key in keys), default=1.0)
        row = []
        for key in keys:
            kept = thin(np.arange(len(series[key].steps)), POINTS)
            title, place = site or name.replace("_", " "), f"power-{len(grid)}"
            row.append(Power(place, title, key, series[key].steps[kept], series[key].values[kept], top))
        grid.append(row)
    return [row for row in grid if row]


def web(power: Power) -> Panel:
    """The panel for the page."""
    hover = "step %{x}<br>frequency %{y}<br>share %{z:.3f}<extra></extra>"
    trace = heat(power.steps, np.arange(1, power.shares.shape[1] + 1), power.top, hover)
    layout = axes("frequency k", 320)
    for axis in ("xaxis", "yaxis"):
        layout[axis] |= {"rangemode": "normal", "showgrid": False}
    return Panel(power.id, power.title, [trace | {"z": packed(power.shares.T)}], layout)


def paper(power: Power, axis: Any) -> tuple[Any, str]:
    """Draw the panel for a paper; gives what the colour bar needs."""
    ks = np.arange(power.shares.shape[1] + 1) + 0.5
    edges, ink = _edges(power.steps), scale(INK)
    image = axis.pcolormesh(edges, ks, power.shares.T, cmap=ink, vmin=0, vmax=power.top, rasterized=True)
    axis.set_title(network_name(power.key), fontsize=7)
    axis.set(xlabel=STEPS, ylabel=f"frequency k of {short(power.title, 18)}")
    axis.grid(False)
    return image, "share of power"


def _edges(steps: np.ndarray) -> np.ndarray:
    """Edges between steps, half-way."""
    if len(steps) < 2:
        return np.array([steps[0] - 0.5, steps[0] + 0.5])
    return np.concatenate([steps[:1], (steps[1:] + steps[:-1]) / 2, steps[-1:]])
