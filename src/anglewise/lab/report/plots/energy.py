"""Radial energy of the task gradient at every site: mean over seeds with Student's 95 % interval.

Of a single seed, the interval is over its inputs, from the reading's standard error.
"""

from __future__ import annotations

import numpy as np

from anglewise.lab.report.plots import over_time
from anglewise.lab.report.plots.bands import mean_band
from anglewise.lab.report.plots.panel import Line, Plot, paper, web
from anglewise.lab.report.results import Results

__all__ = ["data", "paper", "web"]

NAME = "radial_energy"


def data(results: Results, *, lazy: bool = False, most: int = 0) -> list[Plot]:
    """A panel per site; arguments as of any reading over the steps."""
    over = "inputs" if all(len(results.seeds(arm)) == 1 for arm in results.arms) else "seeds"
    plots = over_time.data(results, NAME, lazy=lazy, most=most, summary=mean_band)
    return [
        plot._replace(
            y=f"{plot.y} (mean and 95 % interval over {over})",
            lines=[_over_inputs(results, plot.title, line) for line in plot.lines],
        )
        for plot in plots
    ]


def _over_inputs(results: Results, site: str, line: Line) -> Line:
    """The line of a single seed with the interval over its inputs; any other as it is."""
    if line.layer == "seed" or line.low is not None:
        return line
    error = mean_band(results.readings.get((f"{NAME}_se", site), {}), results.arms[line.arm], results)
    if not np.array_equal(line.x, error.steps):
        return line
    return line._replace(low=line.y - 1.96 * error.median, high=line.y + 1.96 * error.median)
