"""When every run generalised: a row of marks for each arm, its median, and the ratios against their margins."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from anglewise.lab.report.format import number
from anglewise.lab.report.plots.inks import Ink, inks_of
from anglewise.lab.report.plots.paper import TWO_COLUMNS
from anglewise.lab.stats import censored_median
from anglewise.lab.studies.claims.analysis import Decided, Verdict
from anglewise.lab.studies.claims.claim import Claim
from anglewise.lab.studies.claims.comparisons import Halves
from anglewise.lab.studies.claims.parts import OF_TIME, comparisons, leaves, place
from anglewise.lab.studies.claims.pictures.marks import (
    GREY,
    draw_group,
    few_numbers,
    finding,
    groups,
    title,
    wrapped,
)  # fmt: skip
from anglewise.lab.studies.claims.record import Record
from anglewise.lab.studies.claims.rows import Ran

ROW = 0.3
"""Height of an arm in inches."""


class Row(NamedTuple):
    """The runs of one arm.

    Attributes:
        name: Of the arm, or of a half of its seeds.
        arm: The arm.
        epochs: To generalise, by seed; None for a run that did not.
        budget: Epochs at most, of these runs.
    """

    name: str
    arm: str
    epochs: tuple[float | None, ...]
    budget: float

    @property
    def says(self) -> str:
        """Median and what was not reached, in words."""
        if not self.epochs:
            return "no run"
        never = sum(t is None for t in self.epochs)
        budget = number(self.budget)
        if never == len(self.epochs):
            return f"none of {never} in {budget} epochs"
        middle = censored_median(self.epochs)
        median = f"median {number(middle)}" if middle is not None else f"median beyond {budget}"
        return (
            f"{median}, {never} of {len(self.epochs)} not in {budget}" if never else f"{median}, n = {len(self.epochs)}"
        )


class Strip(NamedTuple):
    """The arms of one system and world."""

    name: str
    rows: tuple[Row, ...]

    @property
    def height(self) -> float:
        """In inches."""
        lines = sum(wrapped(row.name).count("\n") for row in self.rows)
        return 0.42 + ROW * len(self.rows) + 0.07 * lines + (0.15 if self.name else 0.0)


def strips(claim: Claim, record: Record, verdict: Verdict) -> list[Strip]:
    """Times by system, in the likely world or in the one that was asked for."""
    shown = verdict.likely or verdict.decided
    return [Strip(place(one) if len(shown) > 1 else "", tuple(_rows(claim, record, verdict, one))) for one in shown]


def _rows(claim: Claim, record: Record, verdict: Verdict, one: Decided) -> Iterator[Row]:
    where = (one.system, verdict.scale, one.world)
    crossings = {
        arm: getattr(rule, "crossing", "sustained")
        for rule in reversed(list(comparisons(claim.rule)))
        if isinstance(rule, OF_TIME)
        for arm in rule.arms
    }
    halves = isinstance(claim.rule, Halves)
    for arm in (arm for arm in claim.arms if arm in crossings):
        runs = sorted((run for run in record.runs if run[:3] == where and run.arm == arm), key=lambda run: run.seed)
        runs = [run for run in runs if run.seed < claim.seeds]
        half = claim.seeds // 2
        parts = [[run for run in runs if (run.seed < half) is first] for first in (True, False)] if halves else [runs]
        names = [f"{arm}, first half of the seeds", f"{arm}, second half"] if halves else [arm]
        for name, some in zip(names, parts, strict=True):
            budget = max((run.budget / run.epoch for run in some), default=math.nan)
            yield Row(name, arm, tuple(_epochs(run, crossings[arm]) for run in some), budget)


def _epochs(run: Ran, crossing: str) -> float | None:
    """Epochs to the crossing, at least one evaluation's step; None for a run that never got there, or diverged."""
    steps: int | None = None if run.outcome == "diverged" else getattr(run, crossing)
    return None if steps is None else max(steps, 1) / run.epoch


def figure(claim: Claim, record: Record, verdict: Verdict) -> Any:
    """Strips on top, ratios against their margins below."""
    from matplotlib.figure import Figure

    shown = verdict.likely or verdict.decided
    top = strips(claim, record, verdict)
    named = [
        (": ".join(part for part in (place(one) if len(shown) > 1 else "", leaf.name) if part), leaf)
        for one in shown
        for leaf in leaves(claim.rule, one.decision)
        if isinstance(leaf.rule, OF_TIME)
    ]
    below = groups(named)
    heights = [strip.height for strip in top] + [group.height for group in below]
    heading = 0.28 + 0.14 * (len(finding(claim, verdict)) // 90)
    drawing = Figure(figsize=(TWO_COLUMNS, heading + sum(heights)), layout="constrained")
    axes = drawing.subplots(len(heights), 1, height_ratios=heights, squeeze=False)[:, 0]
    title(drawing, finding(claim, verdict))
    cut = "; arrows: not within the budget" * any(None in row.epochs for strip in top for row in strip.rows)
    limits = _limits(top)
    for axis, strip in zip(axes, top, strict=False):
        _draw_strip(axis, strip, limits)
        axis.tick_params(labelbottom=strip is top[-1])
    axes[len(top) - 1].set_xlabel(
        "epochs until the accuracy on unseen examples holds its threshold; lines: medians" + cut
    )
    for axis, group in zip(axes[len(top) :], below, strict=True):
        draw_group(axis, group)
    return drawing


def _limits(drawn: Sequence[Strip]) -> tuple[float, float]:
    """Ends of the axis of all strips: up to the budget only where a run spent it."""
    rows = [row for strip in drawn for row in strip.rows]
    times = [t for row in rows for t in row.epochs if t is not None]
    never = any(t is None for row in rows for t in row.epochs)
    budget = max((row.budget for row in rows if math.isfinite(row.budget)), default=1.0)
    return min(times, default=budget / 10) / 1.2, 1.35 * budget if never else 1.2 * max(times, default=budget)


def _draw_strip(axis: Any, strip: Strip, limits: tuple[float, float]) -> None:
    axis.set_xscale("log")
    axis.set_xlim(*limits)
    few_numbers(axis, *limits)
    for budget in {row.budget for row in strip.rows if None in row.epochs}:
        axis.axvline(budget, color=GREY, lw=0.8, ls="--")
    inks = inks_of(row.arm for row in strip.rows)
    for i, row in enumerate(strip.rows):
        _draw_row(axis, i, row, inks[row.arm])
    axis.set_yticks(range(len(strip.rows)), [wrapped(row.name) for row in strip.rows])
    axis.set_ylim(len(strip.rows) - 0.5, -0.5)
    axis.grid(axis="y", visible=False)
    axis.tick_params(left=False)
    if strip.name:
        axis.set_title(strip.name, fontsize=7.5)


def _draw_row(axis: Any, i: int, row: Row, ink: Ink) -> None:
    n = len(row.epochs)
    for k, t in enumerate(row.epochs):
        y = i + 0.5 * ((k + 0.5) / n - 0.5)
        if t is None:
            axis.plot([1.09 * row.budget], [y], ">", color=ink.colour, ms=3.2, mfc="white", mew=0.7)
        else:
            axis.plot([t], [y], **ink.mark, ms=3.2, mew=0.8 if ink.open else 0, alpha=0.8)
    middle = censored_median(row.epochs) if row.epochs else None
    if middle is not None:
        axis.plot([middle] * 2, [i - 0.36, i + 0.36], color="black", lw=1.4, solid_capstyle="butt")
    axis.text(1.01, i, row.says, transform=axis.get_yaxis_transform(), va="center", fontsize=7, color="#222222")
