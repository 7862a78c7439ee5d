"""Radius of every site over the steps, with what arms aim at and the radius at which theory has forces cancel."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from anglewise.lab.report.plots import over_time
from anglewise.lab.report.plots.bands import band
from anglewise.lab.report.plots.panel import Line, Plot, banded, logs, paper, web
from anglewise.lab.report.results import Results

__all__ = ["data", "paper", "targets", "web"]


def data(results: Results) -> list[Plot]:
    """A panel per site: radius, its 5 % and 95 % quantiles over activations, balance radius, target."""
    plots = over_time.data(results, "radius")
    plots = logs([plot._replace(lines=[*plot.lines, *_theory(results, plot.title)]) for plot in plots])
    return [plot._replace(lines=[*plot.lines, *_targets(results, plot.title)]) for plot in plots]


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


def _theory(results: Results, site: str) -> list[Line]:
    named = (
        ("radius_q05", "5 % of samples are below", "spread"),
        ("radius_q95", "95 % of samples are below", "spread"),
        ("balance_radius", "balance radius", "theory"),
    )
    return [
        line
        for i, arm in enumerate(results.arms)
        for name, what, layer in named
        for line in banded(i, arm, what, band(results.readings.get((name, site), {}), arm, results), layer)
    ]


def _targets(results: Results, site: str) -> list[Line]:
    end = max((int(s.steps[-1]) for p in results.readings.values() for s in p.values() if len(s.steps)), default=0)
    return [
        Line(i, arm, "target", np.array([0, end]), np.array([value, value]), "target")
        for i, arm in enumerate(results.arms)
        for value in targets(results, arm, site)
    ]
