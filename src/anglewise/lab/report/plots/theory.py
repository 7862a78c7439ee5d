"""Measured against predicted: radius against balance radius, and the outward push against rho (Euler's identity)."""

from __future__ import annotations

from anglewise.lab.readings.quantities import meaning
from anglewise.lab.report.plots.bands import band, moments
from anglewise.lab.report.plots.panel import Line, Plot, banded, logs, paper, web
from anglewise.lab.report.results import Results

__all__ = ["data", "paper", "web"]

PUSH = "outward push (units of the loss)"


def data(results: Results) -> list[list[Plot]]:
    """A column per site: above the radius, below the push; what was measured is broad, theory is dashed."""
    names = [name for name, _ in results.readings]
    leading = "balance_radius" if "balance_radius" in names else "outward_force"
    sites = [site for name, site in results.readings if name == leading]
    radii = [_pair(results, site, "radius", ("balance_radius", site), meaning("radius").title) for site in sites]
    pushes = [_pair(results, site, "outward_force", ("rho", ""), PUSH) for site in sites]
    columns = [pair for pair in zip(logs(radii), logs(pushes), strict=True) if any(len(plot.values) for plot in pair)]
    return [list(row) for row in zip(*columns, strict=True)]


def _pair(results: Results, site: str, measured: str, theory: tuple[str, str], y: str) -> Plot:
    lines: list[Line] = []
    for i, arm in enumerate(results.arms):
        found = band(results.readings.get((measured, site), {}), arm, results)
        lines += banded(i, arm, f"measured {measured.replace('_', ' ')}", found, "measured")
        predicted = band(results.readings.get(theory, {}), arm, results)
        lines += banded(i, arm, "theory: balance radius, \u03c1", predicted, "theory")
    return Plot(f"theory-{measured}-{site}", site, y, lines, moments=moments(results))
