"""Any reading over the steps, a panel per site: median of every arm with quartiles, and single seeds."""

from __future__ import annotations

from collections.abc import Callable

from anglewise.lab.readings.quantities import meaning
from anglewise.lab.report.plots.bands import Band, band, moments, seeds
from anglewise.lab.report.plots.panel import Line, Plot, banded, logs, paper, web
from anglewise.lab.report.results import Results

__all__ = ["data", "paper", "web"]

POINTS = 120
"""Of one seed's curve."""


def data(
    results: Results, name: str, *, lazy: bool = False, most: int = 0, summary: Callable[..., Band] = band
) -> list[Plot]:
    """One panel per site of a reading.

    Args:
        results: The experiment.
        name: The reading's.
        lazy: Whether the panels wait until their part of the page is opened.
        most: Points kept per curve, where there are so many figures that they must be few; 0 for the usual number.
        summary: `band` for median and quartiles, or another of its kind.
    """
    about, prefix = meaning(name), "reading-" if lazy else ""
    plots: list[Plot] = []
    for (other, site), series in results.readings.items():
        if other != name:
            continue
        lines: list[Line] = []
        for i, arm in enumerate(results.arms):
            lines += banded(i, arm, about.title, summary(series, arm, results, *([most] if most else [])))
            x, y, of = seeds(series, arm, most or POINTS)
            lines += [Line(i, arm, about.title, x, y, "seed", note=of, noted="seed %{customdata}")] if len(x) else []
        plots.append(
            Plot(
                f"{prefix}{name}-{len(plots)}", site, about.title, lines, rules=about.lines, moments=moments(results),
                height=260 if lazy else 300, lazy=lazy,
            )
        )  # fmt: skip
    return logs(plots)
