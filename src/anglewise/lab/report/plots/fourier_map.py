"""Neuron-by-frequency map of a network: the share of each neuron's variance that each frequency explains."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from anglewise.lab.report.plots.bands import thin
from anglewise.lab.report.plots.network import network_name, networks, scale
from anglewise.lab.report.plots.paper import short
from anglewise.lab.report.plots.style import DEAD, INK, Panel, axes, heat, to_bytes
from anglewise.lab.report.results import Arrays, Key, Results
from anglewise.lab.stats.blocks import block_order

FRAMES = 40
"""Steps that a slider has at most."""
BYTES = 4_000_000
"""Of all maps in a page together, about."""


class Map(NamedTuple):
    """One site of one network: steps ``[k]`` and shares ``[k, neurons, frequencies]``, NaN for dead neurons.

    Neurons stand in the block order of the last step.
    """

    id: str
    title: str
    key: Key
    steps: np.ndarray
    values: np.ndarray


def data(results: Results, arrays: Arrays | None = None) -> list[list[Map]]:
    """A row per site, a network per arm; of their last step where no arrays are given."""
    if arrays is None:
        arrays = results.arrays(results.planned, ["fourier_map"], last=True)
    sites = {site: series for (name, site), series in arrays.items() if name == "fourier_map"}
    size = sum(next(iter(series.values())).values[0].size for series in sites.values()) * 4 / 3
    most = int(np.clip(BYTES // max(size, 1), 6, FRAMES))
    grid: list[list[Map]] = []
    for site, series in sites.items():
        row = []
        for key in networks(results, series):
            frames = series[key]
            kept = thin(np.arange(len(frames.steps)), most)
            values = frames.values[kept][:, block_order(frames.values[-1])]
            row.append(Map(f"map-{len(grid)}", site, key, frames.steps[kept], values))
        grid.append(row)
    return [row for row in grid if row]


def web(plane: Map) -> Panel:
    """The panel for the page, with a frame per step."""
    neurons, frequencies = plane.values.shape[1:]
    frames = [
        {"step": int(step), "data": [{"z": to_bytes(values)}]}
        for step, values in zip(plane.steps, plane.values, strict=True)
    ]
    hover = "row %{y}<br>frequency %{x}<br>share of variance %{z:.2f}<extra></extra>"
    trace = heat(np.arange(1, frequencies + 1), np.arange(1, neurons + 1), 1.0, hover)
    layout = axes("neuron, by best frequency", 440, "frequency k")
    layout["plot_bgcolor"] = DEAD
    layout["yaxis"] |= {"autorange": "reversed", "showgrid": False}
    layout["xaxis"] |= {"showgrid": False}
    return Panel(plane.id, plane.title, [trace], layout, frames=frames)


def paper(plane: Map, axis: Any) -> tuple[Any, str]:
    """Draw the last step for a paper; gives what the colour bar needs."""
    values = plane.values[-1]
    extent = (0.5, values.shape[1] + 0.5, len(values) + 0.5, 0.5)
    ink = scale(INK).with_extremes(bad=DEAD)
    image = axis.imshow(values, cmap=ink, vmin=0, vmax=1, aspect="auto", extent=extent, interpolation="nearest")
    axis.set_title(f"{network_name(plane.key)}, step {plane.steps[-1]:,}", fontsize=7)
    axis.set(xlabel="frequency k", ylabel=f"{short(plane.title, 18)}\nneuron, by best frequency")
    axis.grid(False)
    return image, "share of variance"
