"""How far activations moved along and across the radius between measurements: a row per site."""

from __future__ import annotations

from anglewise.lab.report.plots import over_time
from anglewise.lab.report.plots.panel import Plot, paper, web
from anglewise.lab.report.results import Results

__all__ = ["NAMES", "data", "paper", "web"]

NAMES = ("radial_displacement", "angular_displacement", "displacement_radial_energy", "angular_cosine")


def data(results: Results) -> list[list[Plot]]:
    """A row per site, a column per reading."""
    plots = [plot for name in NAMES for plot in over_time.data(results, name) if len(plot.values)]
    return [[plot for plot in plots if plot.title == site] for site in dict.fromkeys(plot.title for plot in plots)]
