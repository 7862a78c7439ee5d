"""Figures that are curves over the steps, as plain numbers that :mod:`panel` draws in the page and in a paper."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

import numpy as np

from anglewise.lab.readings.quantities import meaning
from anglewise.lab.report.comparison import Criterion, time_of
from anglewise.lab.report.plots.bands import MOST, Band, band, mean_band, moments, seeds
from anglewise.lab.report.plots.panel import Line, Plot, banded, logs
from anglewise.lab.report.plots.paper import DASHES
from anglewise.lab.report.results import Key, Results, Series
from anglewise.lab.stats import kaplan_meier

Summary: TypeAlias = Callable[..., Band]
"""`band` for median and quartiles, or another of its kind."""
POINTS = 120
"""Of one seed's curve."""
MOTION = ("radial_displacement", "angular_displacement", "displacement_radial_energy", "angular_cosine")
CURVATURE = ("hessian_trace", "hessian_top", "normalised_sharpness", "edge_ratio", "filter_sharpness", "llc")
CURVATURE_PANELS = 4
BESIDE_RADIUS = (
    ("radius_q05", "5 % of samples are below", "spread"),
    ("radius_q95", "95 % of samples are below", "spread"),
    ("balance_radius", "balance radius", "theory"),
)
"""Readings that the radius figure shows too, what their lines are called, and their layers."""


def accuracy(results: Results) -> Plot:
    """Median test accuracy with quartiles, median train accuracy, single seeds, the threshold."""
    lines: list[Line] = []
    for i in range(len(results.arms)):
        lines += _arm(results, results.curves.get("test_accuracy", {}), i, "test accuracy")
        lines += _median(results, results.curves.get("train_accuracy", {}), i, "train accuracy", "train")
    plot = Plot("accuracy", "", "accuracy", lines, limits=(-0.02, 1.02), percent=True, height=400)
    return plot._replace(inks=results.inks, rules=(results.threshold,), moments=moments(results))


def survival(results: Results) -> Plot:
    """Share of each arm's finished runs not yet generalised (Kaplan and Meier), with a tick where the budget cuts off.

    Each crossing has a staircase.  The page shows one of the two.
    """
    criteria: tuple[Criterion, ...] = ("first", "sustained")
    what, lines = "share not yet generalised", list[Line]()
    for i, arm in enumerate(results.arms):
        runs = results.finished(arm)
        for criterion in criteria if runs else ():
            curve = kaplan_meier([time_of(run, criterion) for run in runs.values()], results.budget)
            finished = np.full(len(curve.times), curve.n)
            line = Line(i, results.labels[arm], what, curve.times, curve.share, criterion, note=finished)
            lines.append(line._replace(noted="of %{customdata} finished runs"))
            if curve.censored:
                noted, cut = f"%{{customdata}} of {curve.n} not within the budget", np.array([curve.censored])
                lines.append(line._replace(x=line.x[-1:], y=line.y[-1:], note=cut, noted=noted, tick=True))
    return Plot("survival", "", what, lines, inks=results.inks, limits=(-0.02, 1.04), percent=True, height=380)


def over_time(results: Results, name: str, *, lazy: bool = False, most: int = 0, summary: Summary = band) -> list[Plot]:
    """Any reading, a panel per site: median of every arm with quartiles, and single seeds.

    Args:
        results: The experiment.
        name: The reading's.
        lazy: Whether the panels wait until their part of the page is opened.
        most: Points kept per curve; 0 for the usual number.
        summary: What the arm's line and band are.
    """
    about, prefix, height = meaning(name), "reading-" if lazy else "", 260 if lazy else 300
    plots: list[Plot] = []
    for site, series in ((site, series) for (other, site), series in results.readings.items() if other == name):
        lines = [
            line for i in range(len(results.arms)) for line in _arm(results, series, i, about.title, most, summary)
        ]
        plot = Plot(f"{prefix}{name}-{len(plots)}", site, about.title, lines, height=height, lazy=lazy)
        plots.append(plot._replace(inks=results.inks, rules=about.lines, moments=moments(results)))
    return logs(plots)


def radius(results: Results) -> list[Plot]:
    """A panel per site: radius, its 5 % and 95 % quantiles over activations, balance radius, target."""
    plots: list[Plot] = []
    for plot in over_time(results, "radius"):
        beside = [
            line
            for i in range(len(results.arms))
            for name, what, layer in BESIDE_RADIUS
            for line in _median(results, results.readings.get((name, plot.title), {}), i, what, layer)
        ]
        plots.append(plot._replace(lines=[*plot.lines, *beside]))
    end = max((int(s.steps[-1]) for p in results.readings.values() for s in p.values() if len(s.steps)), default=0)
    aims = {
        plot.title: [
            Line(i, results.labels[arm], "target", np.array([0, end]), np.array([value, value]), "target")
            for i, arm in enumerate(results.arms)
            for value in targets(results, arm, plot.title)
        ]
        for plot in plots
    }
    return [plot._replace(lines=[*plot.lines, *aims[plot.title]]) for plot in logs(plots)]


def targets(results: Results, arm: str, site: str) -> list[float]:
    """Wanted radii of an arm at a site, in units of sqrt(d); schedules of the target are left out."""
    arms = [entry for entry in results.spec.get("arms", ()) if isinstance(entry, Mapping)]
    return [
        float(method["target"])
        for entry in arms
        if entry.get("name") == arm
        for method in entry.get("methods", ())
        if isinstance(method.get("target"), (int, float)) and site in (method.get("sites") or [site])
    ]


def accuracy_and_radius(results: Results) -> list[list[Plot]]:
    """Test accuracy, radius of every site, share not yet generalised, side by side; sites differ by their dashes."""
    plots, lines = radius(results), list[Line]()
    for plot, dash in zip(plots, [*DASHES, *["solid"] * len(plots)], strict=False):
        lines += [line._replace(what=plot.title, dash=dash) for line in plot.lines if line.layer == "median"]
        lines += [line for line in plot.lines if line.layer == "target"]
    unit = plots[0] if plots else Plot("", "", "radius", (), inks=results.inks)
    radii = unit._replace(title="Radius of every site", lines=lines, inside=1 < len(plots) <= len(DASHES))
    reached = accuracy(results)._replace(title="Test accuracy (dashed: train)")
    return [[reached, *logs([radii]), survival(results)._replace(title="Share not yet generalised")]]


def radial_energy(results: Results, *, lazy: bool = False, most: int = 0) -> list[Plot]:
    """Radial energy of the task gradient at every site: mean over seeds with Student's 95 % interval.

    Of a single seed, the interval is over its inputs, from the reading's standard error.
    """
    over = "inputs" if all(len(results.seeds(arm)) == 1 for arm in results.arms) else "seeds"

    def over_inputs(site: str, line: Line) -> Line:
        """The line of a single seed with the interval over its inputs; any other as it is."""
        if line.layer == "seed" or line.low is not None:
            return line
        error = mean_band(results.readings.get(("radial_energy_se", site), {}), results.arms[line.arm], results)
        if not np.array_equal(line.x, error.steps):
            return line
        return line._replace(low=line.y - 1.96 * error.median, high=line.y + 1.96 * error.median)

    return [
        plot._replace(
            y=f"{plot.y} (mean and 95 % interval over {over})",
            lines=[over_inputs(plot.title, line) for line in plot.lines],
        )
        for plot in over_time(results, "radial_energy", lazy=lazy, most=most, summary=mean_band)
    ]


def motion(results: Results) -> list[list[Plot]]:
    """How far activations moved along and across the radius between measurements: a row per site."""
    plots = [plot for name in MOTION for plot in over_time(results, name) if len(plot.values)]
    return [[plot for plot in plots if plot.title == site] for site in dict.fromkeys(plot.title for plot in plots)]


def curvature(results: Results) -> list[list[Plot]]:
    """The first few readings of the whole network's curvature that there are, in rows."""
    whole = [(name, plot) for name in CURVATURE for plot in over_time(results, name) if not plot.title]
    plots = [plot._replace(title=name.replace("_", " ")) for name, plot in whole if len(plot.values)]
    columns = 2 if len(plots) >= CURVATURE_PANELS else 3
    return [plots[k : k + columns] for k in range(0, min(len(plots), CURVATURE_PANELS), columns)]


def theory(results: Results) -> list[list[Plot]]:
    """Measured against predicted, a column per site: above the radius, below the outward push (Euler's identity).

    What was measured is broad, theory is dashed.
    """

    def pair(site: str, measured: str, predicted: tuple[str, str], y: str) -> Plot:
        lines: list[Line] = []
        for i in range(len(results.arms)):
            series, what = results.readings.get((measured, site), {}), f"measured {measured.replace('_', ' ')}"
            lines += _median(results, series, i, what, "measured")
            lines += _median(
                results, results.readings.get(predicted, {}), i, "theory: balance radius, \u03c1", "theory"
            )
        return Plot(f"theory-{measured}-{site}", site, y, lines, moments=moments(results), inks=results.inks)

    names = [name for name, _ in results.readings]
    leading = "balance_radius" if "balance_radius" in names else "outward_force"
    sites = [site for name, site in results.readings if name == leading]
    radii = [pair(site, "radius", ("balance_radius", site), meaning("radius").title) for site in sites]
    pushes = [pair(site, "outward_force", ("rho", ""), "outward push (units of the loss)") for site in sites]
    columns = [both for both in zip(logs(radii), logs(pushes), strict=True) if any(len(plot.values) for plot in both)]
    return [list(row) for row in zip(*columns, strict=True)]


def _median(results: Results, series: Mapping[Key, Series], i: int, what: str, layer: str) -> list[Line]:
    """The median of an arm's runs, in a layer."""
    return banded(i, results.labels[results.arms[i]], what, band(series, results.arms[i], results), layer)


def _arm(
    results: Results,
    series: Mapping[Key, Series],
    i: int,
    what: str,
    most: int = 0,
    summary: Summary = band,
) -> list[Line]:
    """An arm's line with its band, and its single seeds."""
    arm, name = results.arms[i], results.labels[results.arms[i]]
    x, y, seed = seeds(series, arm, results, most or POINTS)
    single = Line(i, name, what, x, y, "seed", note=seed, noted="seed %{customdata}")
    return [*banded(i, name, what, summary(series, arm, results, most or MOST)), *([single] if len(x) else [])]
