"""Curvature of the whole network over the steps: trace, largest eigenvalue, sharpness, edge of stability."""

from __future__ import annotations

from anglewise.lab.report.plots import over_time
from anglewise.lab.report.plots.panel import Plot, paper, web
from anglewise.lab.report.results import Results

__all__ = ["NAMES", "data", "paper", "web"]

NAMES = ("hessian_trace", "hessian_top", "normalised_sharpness", "edge_ratio", "filter_sharpness", "llc")
MOST = 4
"""Panels."""


def data(results: Results) -> list[list[Plot]]:
    """The first few of these readings that there are, in rows."""
    whole = [(name, plot) for name in NAMES for plot in over_time.data(results, name) if not plot.title]
    plots = [plot._replace(title=name.replace("_", " ")) for name, plot in whole if len(plot.values)][:MOST]
    columns = 2 if len(plots) == MOST else 3
    return [plots[k : k + columns] for k in range(0, len(plots), columns)]
