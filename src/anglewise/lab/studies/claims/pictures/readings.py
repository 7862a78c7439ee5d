"""What was read of every run: a thin line a seed, a thick one for the median, and the estimates below."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from anglewise.lab.report.plots.inks import inks_of
from anglewise.lab.report.plots.paper import TWO_COLUMNS
from anglewise.lab.studies.claims import words
from anglewise.lab.studies.claims.analysis import Decided, Verdict
from anglewise.lab.studies.claims.claim import Claim
from anglewise.lab.studies.claims.comparisons import Precedes
from anglewise.lab.studies.claims.parts import OF_READINGS, comparisons, leaves, place
from anglewise.lab.studies.claims.pictures.marks import (
    GREY,
    draw_group,
    few_numbers,
    finding,
    groups,
    title,
)  # fmt: skip
from anglewise.lab.studies.claims.reading_rules import Level
from anglewise.lab.studies.claims.record import Record
from anglewise.lab.studies.claims.rows import Sample, sample

COLUMNS = 3
"""Panels side by side at most."""
PANEL = 1.9
"""Height of a panel in inches."""
WIDE = 30.0
"""A panel is logarithmic where its largest value is more than so many times its smallest."""


class Panel(NamedTuple):
    """One reading at one site.

    Attributes:
        heading: What, where and when.
        label: What the numbers count.
        factor: What the reading is multiplied with.
        level: The line that the rule draws; None for none.
        crossings: Arms whose times to generalise stand on that line.
        arms: Whose curves.
        name, site: Of the value.
        sample: The runs.
    """

    heading: str
    label: str
    factor: float
    level: float | None
    crossings: tuple[str, ...]
    arms: tuple[str, ...]
    name: str
    site: str
    sample: Sample

    def curves(self, arm: str) -> list[tuple[np.ndarray, np.ndarray]]:
        """Epochs and finite values of every seed of an arm."""
        found = []
        for seed, run in self.sample.of(arm).items():
            curve = self.sample.curve(arm, seed, self.name, self.site)
            if curve is not None:
                kept = np.isfinite(curve.values)
                found.append((curve.steps[kept] / run.epoch, self.factor * curve.values[kept]))
        return [curve for curve in found if len(curve[0])]


def panels(claim: Claim, record: Record, verdict: Verdict) -> list[Panel]:
    """A panel for each reading and site of the rule, each once."""
    shown = verdict.likely or verdict.decided
    found: dict[tuple[str, str, str], Panel] = {}
    for one in shown:
        planned = {arm: range(claim.seeds) for arm in claim.arms}
        rows = sample(
            record.runs, record.values, system=one.system, scale=verdict.scale, world=one.world, planned=planned
        )
        for rule in comparisons(claim.rule):
            if isinstance(rule, OF_READINGS):
                panel = _panel(rule, rows, place(one) if len(shown) > 1 else "")
                key = (place(one), panel.name, panel.site)
                found[key] = _joined(found[key], panel) if key in found else panel
    return list(found.values())


def _joined(one: Panel, other: Panel) -> Panel:
    """Two panels of one reading and site as one."""
    return one._replace(
        arms=tuple(dict.fromkeys((*one.arms, *other.arms))), crossings=one.crossings or other.crossings,
        level=other.level if one.level is None else one.level,
    )  # fmt: skip


def _panel(rule: Any, rows: Sample, where: str) -> Panel:
    if isinstance(rule, Precedes):
        name, site, when = rule.name, rule.site, ""
    else:
        name, site, when = rule.read.name, rule.read.site, words.WHEN[rule.read.at]
    level = rule.claimed if isinstance(rule, Level) else rule.level if isinstance(rule, Precedes) else None
    factor, unit = (rule.factor, rule.unit) if isinstance(rule, Level) else (1.0, "")
    heading = "\n".join(part for part in (where, words.place(site), f"what counts: {when}" if when else "") if part)
    crossings = tuple(rule.arms) if isinstance(rule, Precedes) else ()
    return Panel(heading, unit or words.reading(name), factor, level, crossings, tuple(rule.arms), name, site, rows)


def figure(claim: Claim, record: Record, verdict: Verdict) -> Any:
    """Curves on top, estimates against their margins below."""
    from matplotlib.figure import Figure

    drawn, shown = panels(claim, record, verdict), verdict.likely or verdict.decided
    named = [(_named(one, leaf.name, len(shown) > 1), leaf) for one in shown
             for leaf in leaves(claim.rule, one.decision) if isinstance(leaf.rule, OF_READINGS)]  # fmt: skip
    below = groups(named)
    columns = min(COLUMNS, len(drawn))
    lines = -(-len(drawn) // columns)
    heights = [PANEL] * lines + [group.height for group in below]
    heading = 0.3 + 0.14 * (len(finding(claim, verdict)) // 90)
    drawing = Figure(figsize=(TWO_COLUMNS, heading + sum(heights)), layout="constrained")
    upper, lower = _halves(drawing, [PANEL * lines, sum(heights[lines:])])
    title(drawing, finding(claim, verdict))
    for axis, panel in zip(_axes(upper, drawn, columns), drawn, strict=True):
        _draw(axis, panel)
    axes = lower.subplots(len(below), 1, height_ratios=[group.height for group in below], squeeze=False)[:, 0]
    for axis, group in zip(axes, below, strict=True):
        draw_group(axis, group)
    return drawing


def _halves(drawing: Any, heights: Sequence[float]) -> Any:
    """Two parts of a figure, whose axes need not stand in one column."""
    return drawing.subfigures(2, 1, height_ratios=heights)


def _named(one: Decided, name: str, several: bool) -> str:
    return ": ".join(part for part in (place(one) if several else "", name) if part)


def _axes(drawing: Any, drawn: Sequence[Panel], columns: int) -> Iterator[Any]:
    rows = -(-len(drawn) // columns)
    grid = drawing.subplots(rows, columns, squeeze=False)
    for i, axis in enumerate(grid.flat):
        if i < len(drawn):
            yield axis
        else:
            axis.set_axis_off()


def _draw(axis: Any, panel: Panel) -> None:
    import textwrap

    from matplotlib.ticker import MaxNLocator

    axis.set_title(panel.heading, fontsize=7)
    axis.set_ylabel(textwrap.fill(panel.label, 26))
    if not any(panel.curves(arm) for arm in panel.arms):
        axis.text(0.5, 0.5, "nothing was read", transform=axis.transAxes, ha="center", color=GREY)
        axis.set_xticks([])
        axis.set_yticks([])
        return
    if all(len(x) < 2 for arm in panel.arms for x, _ in panel.curves(arm)):
        _draw_points(axis, panel)
        return
    values = [y for arm in panel.arms for _, curve in panel.curves(arm) for y in curve]
    values += [] if panel.level is None else [panel.level]
    logarithmic = bool(values) and min(values) > 0 and max(values) > WIDE * min(values)
    if logarithmic:
        axis.set_yscale("log")
        few_numbers(axis, min(values) / 1.3, max(values) * 1.3, y=True)
        axis.set_ylim(min(values) / 1.3, max(values) * 1.3)
    ends: list[tuple[float, str, str]] = []
    inks = inks_of(panel.arms)
    for arm in panel.arms:
        ink = inks[arm]
        curves = panel.curves(arm)
        for x, y in curves:
            axis.plot(x, y, color=ink.colour, lw=0.5, alpha=0.3)
        x, y = middle(curves)
        if len(x):
            axis.plot(x, y, **ink.line | ink.mark, lw=1.8, ms=4, markevery=max(len(x) // 6, 1))
            ends.append((float(y[-1]), arm, ink.colour))
    if panel.level is not None:
        axis.axhline(panel.level, color=GREY, lw=0.9, ls=(0, (1, 1.5)))
        axis.text(0.99, panel.level, f"{panel.level:.3g}", transform=axis.get_yaxis_transform(), ha="right",
                  va="bottom", fontsize=6.5, color=GREY)  # fmt: skip
    if panel.crossings:
        _draw_crossings(axis, panel)
    axis.set_xlabel("epochs; triangles: a run generalises" if panel.crossings else "epochs")
    axis.xaxis.set_major_locator(MaxNLocator(5))
    axis.xaxis.set_major_formatter(lambda x, _: f"{x:,.6g}")
    axis.set_xlim(left=0)
    _label(axis, ends)


def _draw_crossings(axis: Any, panel: Panel) -> None:
    """A triangle on the level for each run that generalised, when it did."""
    inks = inks_of(panel.arms)
    for arm in panel.crossings:
        for seed, t in panel.sample.times(arm).items():
            if t is not None:
                x = t / panel.sample.of(arm)[seed].epoch
                axis.plot([x], [panel.level], "^", color=inks[arm].colour, ms=3.5, mec="black", mew=0.4, zorder=4)


def middle(curves: Sequence[tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    """Medians over the seeds, where at least half of them have a value.

    Example:
        >>> x = np.array([0.0, 1.0])
        >>> middle([(x, x), (x, 2 * x), (x[:1], x[:1])])[1]
        array([0. , 1.5])
    """
    at: dict[float, list[float]] = {}
    for x, y in curves:
        for step, value in zip(x, y, strict=True):
            at.setdefault(float(step), []).append(float(value))
    kept = sorted(step for step, values in at.items() if 2 * len(values) >= len(curves))
    return np.array(kept), np.array([float(np.median(at[step])) for step in kept])


def _draw_points(axis: Any, panel: Panel) -> None:
    """Readings that were made once: a row of marks for each arm."""
    inks = inks_of(panel.arms)
    for i, arm in enumerate(panel.arms):
        values = [float(y[0]) for _, y in panel.curves(arm)]
        axis.plot([i + 0.5 * ((k + 0.5) / len(values) - 0.5) for k in range(len(values))], values,
                  **inks[arm].mark, ls="", ms=3.2, mew=0.8 if inks[arm].open else 0, alpha=0.8)  # fmt: skip
        if values:
            axis.plot([i - 0.3, i + 0.3], [float(np.median(values))] * 2, color="black", lw=1.4)
    axis.set_xticks(range(len(panel.arms)), [_short(arm) for arm in panel.arms], fontsize=6)
    axis.set_xlim(-0.6, len(panel.arms) - 0.4)
    axis.grid(axis="x", visible=False)


def _short(arm: str) -> str:
    return arm.replace(" + ", "\n+ ")


def _label(axis: Any, ends: Sequence[tuple[float, str, str]]) -> None:
    """Write each arm beside the end of its median, in its colour, without overlap."""
    low, high = axis.get_ylim()
    scaled = (lambda y: math.log(y / low) / math.log(high / low)) if axis.get_yscale() == "log" else (
        lambda y: (y - low) / (high - low)
    )  # fmt: skip
    ordered = sorted(ends)
    heights = [0.085 * (1 + _short(arm).count("\n")) for _, arm, _ in ordered]
    at = spread([scaled(y) for y, _, _ in ordered], heights)
    for y, (_, arm, ink) in zip(at, ordered, strict=True):
        axis.text(1.02, y, _short(arm), transform=axis.transAxes, color=ink, fontsize=6.5, va="center",
                  linespacing=0.95)  # fmt: skip


def spread(at: Sequence[float], heights: Sequence[float]) -> list[float]:
    """Increasing places, moved up until labels of some heights do not overlap; then down to stay within [0, 1].

    Example:
        >>> spread([0.5, 0.5], [0.25, 0.25])
        [0.5, 0.75]
    """
    moved: list[float] = []
    for y, height in zip(at, heights, strict=True):
        least = moved[-1] + (heights[len(moved) - 1] + height) / 2 if moved else -math.inf
        moved.append(max(y, least))
    top = 1.0
    for i in range(len(moved) - 1, -1, -1):
        moved[i] = min(moved[i], top - heights[i] / 2)
        top = moved[i] - heights[i] / 2
    return moved
