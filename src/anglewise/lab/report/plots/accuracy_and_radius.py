"""One picture for a paper or a README: test accuracy, radius of every site, share not yet generalised, side by side."""

from __future__ import annotations

from anglewise.lab.report.plots import accuracy, radius, survival
from anglewise.lab.report.plots.panel import Line, Plot, logs, paper, web
from anglewise.lab.report.plots.paper import DASHES
from anglewise.lab.report.results import Results

__all__ = ["data", "paper", "web"]


def data(results: Results) -> list[list[Plot]]:
    """Three panels; sites differ by their dashes."""
    reached = accuracy.data(results)._replace(title="Test accuracy (dashed: train)")
    share = survival.data(results)._replace(title="Share not yet generalised")
    return [[reached, _radii(results), share]]


def _radii(results: Results) -> Plot:
    plots = radius.data(results)
    lines: list[Line] = []
    for plot, dash in zip(plots, [*DASHES, *["solid"] * len(plots)], strict=False):
        lines += [line._replace(what=plot.title, dash=dash) for line in plot.lines if line.layer == "median"]
        lines += [line for line in plot.lines if line.layer == "target"]
    unit = plots[0] if plots else Plot("", "", "radius", ())
    whole = unit._replace(id="radius", title="Radius of every site", lines=lines, inside=1 < len(plots) <= len(DASHES))
    return logs([whole])[0]
