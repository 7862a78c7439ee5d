"""One picture for a paper or a README: accuracy, radii, and time to generalise, side by side."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from anglewise.lab.report.comparison import time_of
from anglewise.lab.report.plots.curves import band
from anglewise.lab.report.plots.figures import targets
from anglewise.lab.report.plots.paper import MARKS, STYLE, checked, save, short, styled
from anglewise.lab.report.plots.style import COLOURS, colour
from anglewise.lab.report.results import Results, load
from anglewise.lab.stats import kaplan_meier

DASHES = ("-", "--", ":", "-.")
LETTERS = 130
"""Of the legend's size, in the width of the picture."""


def save_picture(reader: Any, experiment_id: str | None, path: str | os.PathLike[str]) -> Path:
    """Draw one experiment of a store; the ending of `path` (.svg, .pdf or .png) is the format.

    Raises:
        StoreError: If there is no such experiment.
        AnglewiseError: If the file cannot be written, or its ending is none of the three.
    """
    return draw(load(reader, experiment_id), path)


def draw(results: Results, path: str | os.PathLike[str]) -> Path:
    """Three panels: test accuracy, radius of every site, share not yet generalised.

    Lines are medians over seeds and bands the middle half of them, as in the report; equal input gives equal
    bytes in SVG.

    Raises:
        AnglewiseError: If the file cannot be written, or its ending is none of .svg, .pdf and .png.
    """
    path = checked(path)
    with styled(STYLE):
        return save(picture(results), path, dpi=200)


def picture(results: Results) -> Any:
    """The same as a figure of matplotlib."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10.5, 3.7), layout="constrained")
    axes = figure.subplots(1, 3)
    _accuracy(axes[0], results)
    _radius(axes[1], results)
    _survival(axes[2], results)
    for axis in axes:
        axis.set_xlabel("optimiser steps")
        axis.margins(x=0.01)
    handles = [_handle(i) for i in range(len(results.arms))]
    names = [" " + short(arm) for arm in results.arms]  # a leading underscore would drop the entry
    columns = max(1, min(len(names), LETTERS // (max(map(len, names)) + 5)))
    figure.legend(handles, names, loc="outside lower center", ncols=columns, fontsize=8.5, handlelength=1.8)
    rows = -(-len(names) // columns)
    figure.set_size_inches(10.5, 3.4 + 0.2 * rows)
    return figure


def _accuracy(axis: Any, results: Results) -> None:
    n = sorted({len(results.finished(arm)) for arm in results.arms})
    seeds = "\u2013".join(map(str, [n[0], n[-1]] if len(n) > 1 else n))
    axis.set_title(f"Test accuracy, n = {seeds} per arm (dotted: train)")
    axis.axhline(results.threshold, color="#999", lw=0.8, ls=":")
    for i, arm in enumerate(results.arms):
        _draw(axis, band(results.curves.get("test_accuracy", {}), arm, results), i)
        found = band(results.curves.get("train_accuracy", {}), arm, results)
        axis.plot(found.steps, found.median, color=colour(i), lw=0.9, ls=":")
    axis.set_ylim(-0.02, 1.03)


def _radius(axis: Any, results: Results) -> None:
    axis.set_title("Radius |h| / \u221ad of every site")
    sites = [site for name, site in results.readings if name == "radius"]
    for j, site in enumerate(sites):
        for i, arm in enumerate(results.arms):
            found = band(results.readings["radius", site], arm, results)
            _draw(axis, found, i, DASHES[j % len(DASHES)])
            for value in targets(results, arm, site):
                axis.axhline(value, color=colour(i), lw=0.7, alpha=0.6, ls=(0, (8, 3, 1, 3)))
    drawn = np.concatenate([np.empty(0), *(line.get_ydata() for line in axis.lines)])
    positive = drawn[drawn > 0]
    if len(positive) and positive.max() > 30 * positive.min():
        axis.set_yscale("log")
        axis.yaxis.set_major_formatter("{x:g}")
    elif len(positive):
        axis.set_ylim(bottom=0)
    if 1 < len(sites) <= len(DASHES):
        styles = [_line("#555", DASHES[j]) for j in range(len(sites))]
        axis.legend(styles, [" " + short(site) for site in sites], fontsize=8, loc="best")


def _survival(axis: Any, results: Results) -> None:
    axis.set_title("Share not yet generalised")
    for i, arm in enumerate(results.arms):
        runs = results.finished(arm)
        if runs:
            curve = kaplan_meier([time_of(run, "first") for run in runs.values()], results.budget)
            axis.step(curve.times, curve.share, where="post", color=colour(i), lw=1.8, marker=_mark(i), ms=4)
            if curve.censored:
                axis.plot(curve.times[-1:], curve.share[-1:], marker="|", ms=9, mew=1.8, color=colour(i))
    axis.set_ylim(-0.02, 1.05)


def _draw(axis: Any, found: Any, i: int, dashes: str = "-") -> None:
    if i < len(COLOURS):  # more bands would cover each other
        _shade(axis, found, i)
    every = max(len(found.steps) // 7, 1)
    style = {"color": colour(i), "lw": 1.8, "ls": dashes, "marker": _mark(i), "markevery": every, "ms": 4}
    axis.plot(found.steps, found.median, **style)


def _shade(axis: Any, found: Any, i: int) -> None:
    axis.fill_between(found.steps, found.low, found.high, color=colour(i), alpha=0.16, lw=0)


def _handle(i: int) -> Any:
    return _line(colour(i), "-", marker=_mark(i))


def _line(ink: str, dashes: str, marker: str = "") -> Any:
    from matplotlib.lines import Line2D

    return Line2D([], [], color=ink, ls=dashes, lw=1.8, marker=marker, ms=4)


def _mark(i: int) -> str:
    return MARKS[i // 8 % len(MARKS)]
