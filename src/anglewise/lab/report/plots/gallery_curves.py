"""Figures for papers that are curves of all runs: radius, energy, motion, curvature, theory, phase portrait.

Each takes some runs and gives a figure of matplotlib, or None where what it draws was not read.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from anglewise.lab.readings.quantities import meaning
from anglewise.lab.report.comparison import time_of
from anglewise.lab.report.plots.curves import band, mean_band
from anglewise.lab.report.plots.figures import targets
from anglewise.lab.report.plots.paper import curve, legend, logarithmic, panels, short, stroke
from anglewise.lab.report.plots.phase import arrows, path
from anglewise.lab.report.plots.style import COLOURS, colour
from anglewise.lab.report.results import Results
from anglewise.lab.stats import censored_median

MOTION = ("radial_displacement", "angular_displacement", "displacement_radial_energy", "angular_cosine")
CURVATURE = ("hessian_trace", "hessian_top", "normalised_sharpness", "edge_ratio", "filter_sharpness", "llc")
SITES = 6
"""Sites that a figure has at most."""


def radius(results: Results) -> Any:
    """Radius of every site over time, with targets and balance radius; upright: median time to generalise."""
    sites = sites_of(results, "radius")[:SITES]
    if not sites:
        return None
    figure, axes = panels(-(-len(sites) // 3), min(len(sites), 3), 2.0)
    extra: dict[str, Any] = {}
    for axis, site in zip(axes.flat, sites, strict=False):
        axis.set_title(short(site))
        for i, arm in enumerate(results.arms):
            curve(axis, band(results.readings["radius", site], arm, results), i, len(results.arms))
            balance = band(results.readings.get(("balance_radius", site), {}), arm, results)
            if len(balance.steps):
                axis.plot(balance.steps, balance.median, color=colour(i), lw=1.0, ls="--")
                extra["balance radius"] = stroke("#555", "--")
            for value in targets(results, arm, site):
                axis.axhline(value, color=colour(i), lw=0.8, ls="-.")
                extra["target"] = stroke("#555", "-.")
    return _finished(figure, axes, sites, results, meaning("radius").title, extra)


def energy(results: Results) -> Any:
    """Radial energy of the task gradient at every site, mean over seeds with Student's 95 % interval.

    Of a single seed the interval is over its inputs, from the reading's standard error.
    """
    name = "radial_energy"
    sites = sites_of(results, name)[:SITES]
    if not sites:
        return None
    figure, axes = panels(-(-len(sites) // 3), min(len(sites), 3), 2.0)
    for axis, site in zip(axes.flat, sites, strict=False):
        axis.set_title(short(site))
        axis.axhline(1.0, color="#888", lw=0.8, ls=":")
        for i, arm in enumerate(results.arms):
            found = mean_band(results.readings[name, site], arm, results)
            error = mean_band(results.readings.get((f"{name}_se", site), {}), arm, results)
            curve(axis, found, i, len(results.arms))
            if len(found.n) and found.n.max() == 1 and np.array_equal(found.steps, error.steps):
                ends = [found.median - 1.96 * error.median, found.median + 1.96 * error.median]
                axis.fill_between(found.steps, *ends, color=colour(i), alpha=0.16, lw=0)
    over = "inputs" if all(len(results.seeds(arm)) == 1 for arm in results.arms) else "seeds"
    return _finished(figure, axes, sites, results, f"{meaning(name).title}\n(mean and 95 % interval over {over})", {})


def motion(results: Results) -> Any:
    """How far activations moved along and across the radius between measurements, a row per site."""
    names = [name for name in MOTION if sites_of(results, name)]
    if not names:
        return None
    sites = sites_of(results, names[0])[:4]
    figure, axes = panels(len(sites), len(names), 1.5)
    for row, site in zip(axes, sites, strict=True):
        for axis, name in zip(row, names, strict=True):
            for i, arm in enumerate(results.arms):
                curve(axis, band(results.readings.get((name, site), {}), arm, results), i, len(results.arms))
            for value in meaning(name).lines:
                axis.axhline(value, color="#888", lw=0.8, ls=":")
            axis.set_title(meaning(name).title if site == sites[0] else "", fontsize=6.5)
            _steps(axis, results)
        row[0].set_ylabel(short(site, 18))
    for axis in axes[-1]:
        axis.set_xlabel("optimiser steps")
    legend(figure, results)
    return figure


def curvature(results: Results) -> Any:
    """Trace, largest eigenvalue, sharpness and, where known, the edge of stability, of the whole network."""
    names = [name for name in CURVATURE if has(results, name, "")][:4]
    if not names:
        return None
    figure, axes = panels(1 if len(names) < 4 else 2, min(len(names), 3) if len(names) < 4 else 2, 1.8)
    for axis, name in zip(axes.flat, names, strict=False):
        axis.set_title(name.replace("_", " "))
        axis.set_ylabel(meaning(name).title)
        for i, arm in enumerate(results.arms):
            curve(axis, band(results.readings[name, ""], arm, results), i, len(results.arms))
        for value in meaning(name).lines:
            axis.axhline(value, color="#888", lw=0.8, ls=":")
        logarithmic(axis)
        _steps(axis, results)
        axis.set_xlabel("optimiser steps")
    legend(figure, results)
    return figure


def theory(results: Results) -> Any:
    """Per site, measured radius against balance radius, and the outward push against rho (Euler's identity)."""
    sites = sites_of(results, "balance_radius") or sites_of(results, "outward_force")
    if not sites:
        return None
    sites = sites[:3]
    figure, axes = panels(2, len(sites), 1.7, width=6.9)
    for column, site in zip(axes.T, sites, strict=True):
        column[0].set_title(short(site))
        for i, arm in enumerate(results.arms):
            measured, balance = (
                band(results.readings.get((n, site), {}), arm, results) for n in ("radius", "balance_radius")
            )
            push = band(results.readings.get(("outward_force", site), {}), arm, results)
            rho = band(results.readings.get(("rho", ""), {}), arm, results)
            for axis, solid, dashed in ((column[0], measured, balance), (column[1], push, rho)):
                axis.plot(solid.steps, solid.median, color=colour(i), lw=2.6, alpha=0.4)
                if len(solid.n) and solid.n.max() > 1:
                    axis.fill_between(solid.steps, solid.low, solid.high, color=colour(i), alpha=0.14, lw=0)
                axis.plot(dashed.steps, dashed.median, color=colour(i), lw=1.1, ls="--")
        for axis in column:
            logarithmic(axis)
            _steps(axis, results)
        column[1].set_xlabel("optimiser steps")
    axes[0, 0].set_ylabel(meaning("radius").title)
    axes[1, 0].set_ylabel("outward push (units of the loss)")
    lines = [("measured", stroke("#bbb", "-", width=2.6)), ("theory: balance radius, \u03c1", stroke("#555", "--"))]
    legend(figure, results, lines)
    return figure


def phase(results: Results) -> Any:
    """Radius against test accuracy, one line per seed from its ring to its last arrow."""
    sites = [site for site in sites_of(results, "radius") if _ways(results, site)][:SITES]
    if not sites:
        return None
    columns = min(len(sites), 3)
    figure, axes = panels(-(-len(sites) // columns), columns, 2.2)
    for axis, site in zip(axes.flat, sites, strict=False):
        axis.set_title(short(site))
        axis.axhline(results.threshold, color="#888", lw=0.8, ls=":")
        for i, way in _ways(results, site):
            axis.plot(way.radius, way.accuracy, color=colour(i), lw=0.9, alpha=0.85)
            axis.plot(way.radius[:1], way.accuracy[:1], color=colour(i), marker="o", ms=4, mfc="white", ls="")
            for k in arrows(way) if len(way.steps) > 1 else ():
                ends = {"xy": (way.radius[k], way.accuracy[k]), "xytext": (way.radius[k - 1], way.accuracy[k - 1])}
                axis.annotate(
                    "", **ends, arrowprops={"arrowstyle": "-|>", "color": colour(i), "lw": 0, "mutation_scale": 8}
                )
        axis.set_ylim(-0.03, 1.05)
        axis.set_xlabel(meaning("radius").title)
    for row in axes:
        row[0].set_ylabel("test accuracy")
    _blank(axes, len(sites))
    legend(figure, results)
    return figure


def sites_of(results: Results, name: str) -> list[str]:
    """Sites at which a reading has a value that is a number."""
    return [site for other, site in results.readings if other == name and has(results, name, site)]


def has(results: Results, name: str, site: str) -> bool:
    """Whether a reading has a value that is a number."""
    return any(np.any(np.isfinite(s.values)) for s in results.readings.get((name, site), {}).values())


def _finished(figure: Any, axes: Any, sites: list[str], results: Results, title: str, extra: dict[str, Any]) -> Any:
    for axis in axes.flat[: len(sites)]:
        logarithmic(axis)
        _steps(axis, results)
        axis.set_xlabel("optimiser steps")
    for row in axes:
        row[0].set_ylabel(title)
    _blank(axes, len(sites))
    legend(figure, results, list(extra.items()))
    return figure


def _steps(axis: Any, results: Results) -> None:
    """Faint upright lines at the arms' median times to generalise."""
    axis.margins(x=0.01)
    axis.set_xlim(left=0)
    for i, arm in enumerate(results.arms) if len(results.arms) <= len(COLOURS) else ():
        times = [time_of(run, "first") for run in results.finished(arm).values()]
        middle = censored_median(times) if times else None
        if middle is not None:
            axis.axvline(middle, color=colour(i), lw=0.7, alpha=0.5, zorder=0)


def _blank(axes: Any, used: int) -> None:
    for axis in axes.flat[used:]:
        axis.set_visible(False)


def _ways(results: Results, site: str) -> list[tuple[int, Any]]:
    found = [(i, path(results, site, (arm, s))) for i, arm in enumerate(results.arms) for s in results.seeds(arm)]
    return [(i, way) for i, way in found if way is not None]
