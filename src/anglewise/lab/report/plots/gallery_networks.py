"""Figures for papers that look into networks: map, circles, power of frequencies, spectra.

Map, circles and frequencies show one network per arm, the first seed that was measured: an illustration, and it says
so.  Each takes some runs and gives a figure of matplotlib, or None where what it draws was not read.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from anglewise.lab.readings.quantities import meaning
from anglewise.lab.report.plots.curves import band
from anglewise.lab.report.plots.ends import middle
from anglewise.lab.report.plots.gallery_curves import sites_of
from anglewise.lab.report.plots.networks import CYCLE, DEAD, INK
from anglewise.lab.report.plots.paper import ONE_COLUMN, TWO_COLUMNS, curve, legend, logarithmic, panels, short
from anglewise.lab.report.plots.style import colour
from anglewise.lab.report.results import Key, Results
from anglewise.lab.stats.blocks import block_order

ARMS = 4
"""Networks that a figure shows at most."""


def maps(results: Results) -> Any:
    """Share of each neuron's variance by frequency, neurons in block order, at the last measurement."""
    arrays = results.arrays(results.planned, ["fourier_map"], last=True)
    sites = [site for _, site in arrays][:3]
    shown = _shown(results, [arrays["fourier_map", site] for site in sites])
    if not shown:
        return None
    figure, axes = panels(len(sites), len(shown), 2.2, width=_width(len(shown)))
    ink = _scale(INK).with_extremes(bad=DEAD)
    picture = None
    for row, site in zip(axes, sites, strict=True):
        for axis, key in zip(row, shown, strict=True):
            frames = arrays["fourier_map", site].get(key)
            if frames is None:
                axis.set_visible(False)
                continue
            values = frames.values[-1]
            extent = (0.5, values.shape[1] + 0.5, len(values) + 0.5, 0.5)
            picture = axis.imshow(
                values[block_order(values)], cmap=ink, vmin=0, vmax=1, aspect="auto", extent=extent,
                interpolation="nearest",
            )  # fmt: skip
            axis.set_title(f"{_named(key)}, step {frames.steps[-1]:,}", fontsize=7)
            axis.grid(False)
            axis.set_xlabel("frequency k")
        row[0].set_ylabel(f"{short(site, 18)}\nneuron, by best frequency")
    figure.colorbar(picture, ax=axes, shrink=0.8, label="share of variance", fraction=0.05)
    return figure


def circles(results: Results) -> Any:
    """Tokens in the planes of the strongest frequencies of a token table, at the last measurement."""
    arrays = results.arrays(results.planned, ["circles", "circle_frequencies"], last=True)
    tables = [site for name, site in arrays if name == "circles" and ("circle_frequencies", site) in arrays]
    if not tables:
        return None
    table = tables[0]
    found = arrays["circles", table]
    shown = _shown(results, [found])
    if not shown:
        return None
    planes = min(4, max(found[key].values.shape[1] for key in shown))
    figure, axes = panels(len(shown), planes, 1.65, width=TWO_COLUMNS if planes > 2 else ONE_COLUMN)
    for row, key in zip(axes, shown, strict=True):
        points, ks = found[key].values[-1], arrays["circle_frequencies", table][key].values[-1]
        reach = 1.1 * np.nanmax(np.abs(points), initial=1e-12)
        for axis, own, k in zip(row, points, ks, strict=False):
            n = len(own)
            turn = int(k) * np.arange(n) % n
            order = np.argsort(turn, kind="stable")
            closed = np.append(order, order[:1])
            axis.plot(*own[closed].T, color="#bbb", lw=0.6, zorder=1)
            axis.scatter(*own.T, c=turn / n, cmap=_scale(CYCLE), vmin=0, vmax=1, s=7, lw=0, zorder=2)
            axis.set(xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal", title=f"k = {int(k)}")
        for axis in row[len(points) :]:
            axis.set_visible(False)
        row[0].set_ylabel(f"{_named(key)}, step {found[key].steps[-1]:,}", fontsize=6.5)
    figure.get_layout_engine().set(rect=(0.02, 0, 0.98, 1))  # equal axes would push the labels out
    words = "plane of each frequency's\ncosine and sine" if planes < 3 else "plane of each frequency's cosine and sine"
    figure.supxlabel(f"tokens of {short(table)} in the {words}", fontsize=7)
    return figure


def frequencies(results: Results) -> Any:
    """Share of a token table's power at every frequency over time."""
    arrays = results.arrays(results.planned, ["fourier_power"])
    if not arrays:
        return None
    (_, table), found = next(iter(arrays.items()))
    shown = _shown(results, [found])
    if not shown:
        return None
    figure, axes = panels(1, len(shown), 2.2, width=_width(len(shown)))
    top = max(float(np.nanmax(found[key].values)) for key in shown)
    picture = None
    for axis, key in zip(axes.flat, shown, strict=True):
        frames = found[key]
        edges = _edges(frames.steps)
        ks = np.arange(frames.values.shape[1] + 1) + 0.5
        picture = axis.pcolormesh(edges, ks, frames.values.T, cmap=_scale(INK), vmin=0, vmax=top, rasterized=True)
        axis.set_title(_named(key), fontsize=7)
        axis.grid(False)
        axis.set_xlabel("optimiser steps")
    axes[0, 0].set_ylabel(f"frequency k of {short(table, 18)}")
    figure.colorbar(picture, ax=axes, shrink=0.9, label="share of power", fraction=0.05)
    return figure


def spectra(results: Results) -> Any:
    """Singular values of the activations at the end, and their effective rank over time, by arm."""
    arrays = results.arrays(results.planned, ["singular_values"], last=True)
    sites = list(dict.fromkeys([site for _, site in arrays] + sites_of(results, "effective_rank")))[:3]
    if not sites:
        return None
    figure, axes = panels(2 if arrays else 1, len(sites), 1.8, width=_width(len(sites)))
    for column, site in zip(axes.T, sites, strict=True):
        column[0].set_title(short(site))
        if arrays:
            series = arrays.get(("singular_values", site), {})
            for i, arm in enumerate(results.arms):
                found = middle("singular_values", [f.values[-1] for (own, _), f in series.items() if own == arm])
                if found is not None:
                    column[0].plot(found.x, found.middle, color=colour(i))
                    if found.runs > 1:
                        column[0].fill_between(found.x, found.low, found.high, color=colour(i), alpha=0.16, lw=0)
            logarithmic(column[0])
            column[0].set_xlabel("rank")
            column[0].set_visible(bool(series))
        for i, arm in enumerate(results.arms):
            curve(
                column[-1], band(results.readings.get(("effective_rank", site), {}), arm, results), i, len(results.arms)
            )
        logarithmic(column[-1])
        column[-1].set_xlabel("optimiser steps")
    if arrays:
        axes[0, 0].set_ylabel("singular value at the end")
    axes[-1, 0].set_ylabel(meaning("effective_rank").title)
    legend(figure, results)
    return figure


def _shown(results: Results, found: Sequence[Any]) -> list[Key]:
    """The first measured seed of each arm."""
    shown = []
    for arm in results.arms:
        keys = [(arm, seed) for seed in results.seeds(arm) if any((arm, seed) in series for series in found)]
        shown += keys[:1]
    return shown[:ARMS]


def _named(key: Key) -> str:
    return f"{short(key[0], 24)}\nseed {key[1]}"


def _width(columns: int) -> float:
    return ONE_COLUMN if columns == 1 else TWO_COLUMNS


def _edges(steps: np.ndarray) -> np.ndarray:
    """Edges between steps, half-way."""
    if len(steps) < 2:
        return np.array([steps[0] - 0.5, steps[0] + 0.5])
    between = (steps[1:] + steps[:-1]) / 2
    return np.concatenate([[steps[0]], between, [steps[-1]]])


def _scale(scale: Sequence[tuple[float, str]]) -> Any:
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("anglewise", list(scale))
