"""Heat maps that look into networks: the neuron-by-frequency map, and the power of every frequency over the steps.

Figures that look into networks show one per arm, the first seed that was measured: an illustration, and named so.
"""

from __future__ import annotations

import textwrap
from collections.abc import Container, Sequence
from typing import Any, NamedTuple

import numpy as np

from anglewise.lab.readings.quantities import drawing
from anglewise.lab.report.plots.bands import thin
from anglewise.lab.report.plots.paper import short
from anglewise.lab.report.plots.style import BAR, DEAD, INK, STEPS, Panel, axes, packed, to_bytes
from anglewise.lab.report.results import Arrays, Key, Results
from anglewise.lab.stats.blocks import block_order

FRAMES = 40
"""Steps that a slider has at most."""
BYTES = 4_000_000
"""Of all maps in a page together, about."""
POINTS = 200
"""Steps of a power that are drawn at most."""


class Map(NamedTuple):
    """One network at steps ``[k]``: a map's shares ``[k, neurons, frequencies]``, or a power's ``[k, frequencies]``.

    Dead neurons are NaN.  Neurons stand in the block order of the last step.  `top` is the end of the colour scale.
    `label` is what people call the arm.
    """

    id: str
    title: str
    key: Key
    steps: np.ndarray
    values: np.ndarray
    top: float = 1.0
    label: str = ""


def networks(results: Results, measured: Container[Key]) -> list[Key]:
    """The first measured seed of each arm."""
    keys = [[(arm, seed) for seed in results.seeds(arm) if (arm, seed) in measured] for arm in results.arms]
    return [of_arm[0] for of_arm in keys if of_arm]


def network_name(key: Key, label: str = "") -> str:
    """What a paper's figure calls a network."""
    return f"{textwrap.fill(short(label or key[0], 48), 24)}\nseed {key[1]}"


def scale(colours: Sequence[tuple[float, str]]) -> Any:
    """A scale of colours for matplotlib."""
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("anglewise", list(colours))


def maps(results: Results, arrays: Arrays | None = None) -> list[list[Map]]:
    """Share of each neuron's variance that each frequency explains: a row per site, a network per arm.

    Where no arrays are given, those of the last step are read.
    """
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
            row.append(Map(f"map-{len(grid)}", site, key, frames.steps[kept], values, label=results.labels[key[0]]))
        grid.append(row)
    return [row for row in grid if row]


def map_web(plane: Map) -> Panel:
    """The map for the page, with a frame per step."""
    frames = [
        {"step": int(step), "data": [{"z": to_bytes(values)}]}
        for step, values in zip(plane.steps, plane.values, strict=True)
    ]
    hover = "row %{y}<br>frequency %{x}<br>share of variance %{z:.2f}<extra></extra>"
    y, x = (np.arange(1, n + 1) for n in plane.values.shape[1:])
    layout = axes("neuron, by best frequency", 440, "frequency k")
    layout["yaxis"] |= {"autorange": "reversed"}
    panel = _web(plane, x, y, hover, layout)
    return panel._replace(frames=frames, layout=layout | {"plot_bgcolor": DEAD})


def map_paper(plane: Map, axis: Any) -> tuple[Any, str]:
    """Draw a map's last step for a paper; gives what the colour bar needs."""
    values = plane.values[-1]
    extent = (0.5, values.shape[1] + 0.5, len(values) + 0.5, 0.5)
    ink = scale(INK).with_extremes(bad=DEAD)
    image = axis.imshow(values, cmap=ink, vmin=0, vmax=1, aspect="auto", extent=extent, interpolation="nearest")
    axis.set_title(f"{network_name(plane.key, plane.label)}, step {plane.steps[-1]:,}", fontsize=7)
    axis.set(xlabel="frequency k", ylabel=f"{short(plane.title, 18)}\nneuron, by best frequency")
    axis.grid(False)
    return image, "share of variance"


def powers(results: Results, arrays: Arrays | None = None) -> list[list[Map]]:
    """Power of every frequency of a token table or of the logits: a row per table, a network per arm."""
    if arrays is None:
        arrays = results.arrays(results.planned, ["fourier_power"])
    grid: list[list[Map]] = []
    for (name, site), series in arrays.items():
        if (how := drawing(name, 1)) is None or how.kind != "share":
            continue
        keys, title, place = networks(results, series), site or name.replace("_", " "), f"power-{len(grid)}"
        top = max((float(np.nanmax(series[key].values, initial=1e-12)) for key in keys), default=1.0)
        kept = {key: thin(np.arange(len(series[key].steps)), POINTS) for key in keys}
        grid.append([
            Map(place, title, key, series[key].steps[kept[key]], series[key].values[kept[key]], top,
                results.labels[key[0]])
            for key in keys
        ])  # fmt: skip
    return [row for row in grid if row]


def power_web(power: Map) -> Panel:
    """The power for the page."""
    hover = "step %{x}<br>frequency %{y}<br>share %{z:.3f}<extra></extra>"
    layout = axes("frequency k", 320)
    layout["xaxis"] |= {"rangemode": "normal"}
    panel = _web(power, power.steps, np.arange(1, power.values.shape[1] + 1), hover, layout)
    panel.data[0]["z"] = packed(power.values.T)
    return panel


def power_paper(power: Map, axis: Any) -> tuple[Any, str]:
    """Draw the power for a paper; gives what the colour bar needs."""
    first, last = (power.steps[0], power.steps[-1]) if len(power.steps) > 1 else power.steps[0] + np.array([-0.5, 0.5])
    edges = np.concatenate([[first], (power.steps[1:] + power.steps[:-1]) / 2, [last]])
    ks, ink = np.arange(power.values.shape[1] + 1) + 0.5, scale(INK)
    image = axis.pcolormesh(edges, ks, power.values.T, cmap=ink, vmin=0, vmax=power.top, rasterized=True)
    axis.set_title(network_name(power.key, power.label), fontsize=7)
    axis.set(xlabel=STEPS, ylabel=f"frequency k of {short(power.title, 18)}")
    axis.grid(False)
    return image, "share of power"


def _web(plane: Map, x: np.ndarray, y: np.ndarray, hover: str, layout: dict[str, Any]) -> Panel:
    """A heat map's panel, still without its values."""
    trace = {"type": "heatmap", "x": x.tolist(), "y": y.tolist(), "zmin": 0, "zmax": plane.top, "colorscale": INK}
    trace |= {"colorbar": BAR, "meta": {"arm": -1, "layer": "median"}, "hovertemplate": hover}
    for axis in ("xaxis", "yaxis"):
        layout[axis] |= {"showgrid": False}
    return Panel(plane.id, plane.title, [trace], layout)
