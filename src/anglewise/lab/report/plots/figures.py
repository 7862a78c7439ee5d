"""The report's first figures: accuracy, readings at every site with what theory says of them, time to generalise."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from anglewise.lab.readings.quantities import meaning
from anglewise.lab.report.comparison import Criterion, time_of
from anglewise.lab.report.format import label
from anglewise.lab.report.plots.curves import band
from anglewise.lab.report.plots.style import (
    Panel,
    axes,
    colour,
    joined_seeds,
    line,
    median_line,
    moments,
    rule,
    seed_lines,
    wide,
)
from anglewise.lab.report.results import Results
from anglewise.lab.stats import kaplan_meier


def accuracy(results: Results) -> Panel:
    """Test accuracy per arm as median and band, train accuracy dashed, single seeds on their own layer."""
    test, train = results.curves["test_accuracy"], results.curves["train_accuracy"]
    data: list[dict[str, Any]] = []
    for i, arm in enumerate(results.arms):
        data += median_line(results, test, i, "test accuracy")
        data += median_line(results, train, i, "train accuracy", layer="train")
        data += seed_lines(test, arm, i, "test accuracy")
    layout = axes("accuracy", 400)
    layout["yaxis"] |= {"range": [-0.02, 1.02]}
    layout["shapes"] = [rule(results.threshold), *moments(results)]
    return Panel("accuracy", "", data, layout)


def readings(results: Results, name: str, *, lazy: bool = False, most: int = 0) -> list[Panel]:
    """One panel per site of a reading; the radius has its targets, its balance and its spread over samples, too.

    Args:
        results: What came out.
        name: The reading's.
        lazy: Whether the panels wait until their part of the page is opened.
        most: Points kept per curve, where there are so many figures that they must be few; 0 for the usual number.
    """
    panels: list[Panel] = []
    told, prefix = meaning(name), "reading-" if lazy else ""
    log = any(wide(sites) for (reading, _), sites in results.readings.items() if reading == name)
    for (reading, site), series in results.readings.items():
        if reading != name:
            continue
        data: list[dict[str, Any]] = []
        for i, arm in enumerate(results.arms):
            if most:
                data += median_line(results, series, i, label(told.title), most=most)
                data += joined_seeds(series, arm, i, label(told.title), most)
            else:
                data += median_line(results, series, i, label(told.title))
                data += seed_lines(series, arm, i, label(told.title))
            if name == "radius":
                data += _spread(results, site, i)
                data += _theory(results, site, i)
                data += [_target(results, i, value) for value in targets(results, arm, site)]
        layout = axes(label(told.title), 260 if lazy else 300)
        lowest = "normal" if log or _negative(series) else "tozero"
        layout["yaxis"] |= {"type": "log" if log else "linear", "rangemode": lowest}
        layout["shapes"] = moments(results) + [rule(value) for value in told.lines]
        panels.append(Panel(f"{prefix}{name}-{len(panels)}", site, data, layout, log, lazy))
    return panels


def survival(results: Results) -> Panel:
    """Share of each arm's finished runs not yet generalised, by both crossings; a tick marks the censored."""
    data: list[dict[str, Any]] = []
    criteria: tuple[Criterion, ...] = ("first", "sustained")
    for i, arm in enumerate(results.arms):
        runs = results.finished(arm)
        for criterion in criteria if runs else ():
            curve = kaplan_meier([time_of(run, criterion) for run in runs.values()], results.budget)
            hover = f"step %{{x}}<br>%{{y:.0%}} of {curve.n} finished runs not yet<extra>{label(arm)}</extra>"
            drawn = line(i, curve.times, curve.share, criterion, arm, hover)
            data.append(drawn | {"line": drawn["line"] | {"shape": "hv"}})
            if curve.censored:
                text = f"{curve.censored} of {curve.n} not within the budget<extra>{label(arm)}</extra>"
                mark = line(i, curve.times[-1:], curve.share[-1:], criterion, arm, text)
                marker = {"symbol": "line-ns-open", "size": 16, "color": colour(i), "line": {"width": 2.5}}
                data.append(mark | {"mode": "markers", "marker": marker, "cliponaxis": False})
    layout = axes("share not yet generalised", 380)
    layout["yaxis"] |= {"range": [-0.02, 1.04], "tickformat": ".0%"}
    layout["xaxis"] |= {"range": [0, results.budget * 1.01]}
    return Panel("survival", "", data, layout)


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


def _negative(series: Mapping[Any, Any]) -> bool:
    return any(np.any(s.values < 0) for s in series.values())


def _spread(results: Results, site: str, i: int) -> list[dict[str, Any]]:
    lines = []
    for name, quantile in (("radius_q05", 5), ("radius_q95", 95)):
        found = band(results.readings.get((name, site), {}), results.arms[i], results)
        if len(found.steps):
            arm = results.arms[i]
            hover = f"step %{{x}}<br>{quantile} % of samples below %{{y:.3g}}<extra>{label(arm)}</extra>"
            drawn = line(i, found.steps, found.median, "spread", arm, hover)
            lines.append(drawn | {"line": {"color": colour(i), "width": 1, "dash": "dot"}, "mode": "lines"})
    return lines


def _theory(results: Results, site: str, i: int) -> list[dict[str, Any]]:
    """The radius at which the penalty's pull and the loss's push cancel, as the theory has it."""
    lines = median_line(results, results.readings.get(("balance_radius", site), {}), i, "balance radius", "theory")
    return [drawn | {"line": {"color": colour(i), "width": 1.6, "dash": "dash"}, "mode": "lines"} for drawn in lines]


def _target(results: Results, i: int, value: float) -> dict[str, Any]:
    end = max(int(s.steps[-1]) for p in results.readings.values() for s in p.values() if len(s.steps))
    arm = results.arms[i]
    hover = f"target {value:g}<extra>{label(arm)}</extra>"
    drawn = line(i, np.array([0, end]), np.array([value, value]), "target", arm, hover)
    return drawn | {"line": {"color": colour(i), "width": 1.2, "dash": "longdashdot"}, "mode": "lines"}
