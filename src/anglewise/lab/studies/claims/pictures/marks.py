"""What a claim's pictures share: how verdicts look, titles, and estimates against their margins."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from typing import Any, NamedTuple

from anglewise.lab.studies.claims import words
from anglewise.lab.studies.claims.analysis import Verdict
from anglewise.lab.studies.claims.claim import Claim
from anglewise.lab.studies.claims.comparisons import Alike, Apart, Halves, Interaction, Precedes, Selected
from anglewise.lab.studies.claims.decision import Rule, ends
from anglewise.lab.studies.claims.parts import Leaf, summary
from anglewise.lab.studies.claims.reading_rules import Close, Level, Ratio
from anglewise.lab.studies.claims.rules import AllOf, AtLeast, Generalises, Sooner

LETTERS = 95
"""Of a title that is as wide as a page."""
INK = {"supported": "#0072B2", "refuted": "#A3262A", "inconclusive": "#666666"}
FILL = {"supported": "#0072B2", "refuted": "white", "inconclusive": "white"}
MARK = {"supported": "o", "refuted": "D", "inconclusive": "s"}
"""How verdicts look, told apart without their colours."""
GREY, PALE = "#666666", "#e4ebf2"


def finding(claim: Claim, verdict: Verdict) -> str:
    """A picture's title: the verdict, and what was found."""
    several = isinstance(claim.rule, (AllOf, AtLeast)) or len(claim.systems) > 1
    titled = f": {claim.title}" if several else ""
    return f"{claim.id} {verdict.word} at {verdict.scale} scale{titled}. {summary(claim, verdict)}"


def title(figure: Any, text: str) -> None:
    """Write a title above a figure, in as many lines as it needs."""
    lines = textwrap.fill(text, int(LETTERS * figure.get_size_inches()[0] / 6.9))
    figure.suptitle(lines, x=0.005, ha="left", fontsize=8.5, fontweight="bold")


def wrapped(text: str, width: int = 26) -> str:
    """A name in several lines."""
    return textwrap.fill(text, width, break_long_words=True)


class Margins(NamedTuple):
    """What a comparison is held against.

    Attributes:
        low, high: The range that was claimed.
        least: What the interval must lie beyond; None where that is the range itself.
        scale: ``ratio``, ``share`` or ``level``.
    """

    low: float
    high: float
    least: float | None
    scale: str


def margins(rule: Rule) -> Margins:
    """The margins of a comparison."""
    if isinstance(rule, (Sooner, Selected)):
        return Margins(rule.claimed, math.inf, rule.least, "ratio")
    if isinstance(rule, Ratio):
        return Margins(*((rule.claimed, math.inf) if rule.larger else (0.0, rule.claimed)), rule.least, "ratio")
    if isinstance(rule, (Alike, Close)):
        return Margins(1 / rule.within, rule.within, None, "ratio")
    if isinstance(rule, Interaction):
        return Margins(0.0, rule.claimed, None, "ratio")
    if isinstance(rule, Generalises):
        return Margins(rule.share, 1.0, None, "share")
    if isinstance(rule, Precedes):
        return Margins(rule.claimed, 1.0, None, "share")
    if isinstance(rule, Level):
        return Margins(*((rule.claimed, math.inf) if rule.larger else (-math.inf, rule.claimed)), None, "level")
    if isinstance(rule, Apart):
        return Margins(-math.inf, math.inf, None, "level")
    return Margins(1.0, 1.0, 1.0, "ratio") if isinstance(rule, Halves) else Margins(1.0, math.inf, 1.0, "ratio")


class Group(NamedTuple):
    """Comparisons that share an axis.

    Attributes:
        scale: As in :class:`Margins`.
        label: What stands below the axis.
        rows: Names and comparisons.
    """

    scale: str
    label: str
    rows: list[tuple[str, Leaf]]

    @property
    def height(self) -> float:
        """In inches."""
        lines = sum(max(1, wrapped(name).count("\n") + 1) for name, _ in self.rows)
        below = wrapped(self.label, 96).count("\n")
        return 0.5 + 0.2 * len(self.rows) + 0.06 * (lines - len(self.rows)) + 0.15 * below


def groups(named: Sequence[tuple[str, Leaf]]) -> list[Group]:
    """Comparisons by their axes: all ratios on one, all shares on one, every level on its own."""
    found: list[Group] = []
    for name, leaf in named:
        scale = margins(leaf.rule).scale
        if scale == "level" or scale not in {group.scale for group in found}:
            found.append(Group(scale, leaf.decision.unit, []))
        next(group for group in reversed(found) if group.scale == scale).rows.append((name, leaf))
    return [_labelled(group) for group in found]


def _labelled(group: Group) -> Group:
    units = {words.unit(leaf.rule, leaf.decision.unit) for _, leaf in group.rows}
    what = units.pop() if len(units) == 1 else "ratio"
    if all(isinstance(leaf.rule, Halves) for _, leaf in group.rows):
        return group._replace(label=f"{what}, with its 95 % interval; claimed: the interval holds 1")
    least = {margins(leaf.rule).least for _, leaf in group.rows} - {None, 1.0}
    dotted = "; dotted: what the interval must lie beyond" if least else ""
    return group._replace(label=f"{what}, with its 95 % interval; shaded: what is claimed{dotted}")


def draw_group(axis: Any, group: Group) -> None:
    """Draw estimates with their intervals against their margins, the first on top."""
    from matplotlib.ticker import MaxNLocator

    spans = [_span(leaf) for _, leaf in group.rows]
    low, high = min(low for low, _ in spans), max(high for _, high in spans)
    if group.scale == "ratio":
        low, high = min(low, 0.95) / 1.15, max(high, 1.05) * 1.15
        axis.set_xscale("log")
        few_numbers(axis, low, high)
        axis.axvline(1, color=GREY, lw=0.8)
    else:
        pad = 0.08 * (high - low or abs(high) or 1)
        low, high = (-0.03, 1.03) if group.scale == "share" else (low - pad, high + pad)
        axis.xaxis.set_major_locator(MaxNLocator(6))
        axis.xaxis.set_major_formatter(lambda x, _: f"{x:,.4g}")
    axis.set_xlim(low, high)
    for i, (_, leaf) in enumerate(group.rows):
        _draw_row(axis, i, leaf, low, high)
    axis.set_yticks(range(len(group.rows)), [wrapped(name) for name, _ in group.rows])
    axis.set_ylim(len(group.rows) - 0.5, -0.5)
    axis.grid(axis="y", visible=False)
    axis.tick_params(left=False)
    axis.set_xlabel(wrapped(group.label, 96))


def _draw_row(axis: Any, i: int, leaf: Leaf, low: float, high: float) -> None:
    claimed, decision = margins(leaf.rule), leaf.decision
    start, end = max(claimed.low, low), min(claimed.high, high)
    if end > start:
        axis.fill_between([start, end], i - 0.42, i + 0.42, color=PALE, lw=0)
    if claimed.least not in (None, 1.0, claimed.low, claimed.high):
        axis.plot([claimed.least] * 2, [i - 0.42, i + 0.42], color=GREY, ls=":", lw=1)
    estimate = decision.estimate
    told = f"{decision.bound}{ends(estimate)}, n = {decision.n}: " if estimate is not None else "no number: "
    axis.text(1.01, i, f"{told}{decision.word}", transform=axis.get_yaxis_transform(), va="center", fontsize=7)
    if estimate is None:
        return
    ink = INK[decision.word]
    if estimate.low is not None and estimate.high is not None:
        axis.plot([max(estimate.low, low), min(estimate.high, high)], [i, i], color=ink, lw=1.4)
    axis.plot(
        [min(max(estimate.value, low), high)], [i], MARK[decision.word], color=ink, ms=4.5, mfc=FILL[decision.word]
    )


def _span(leaf: Leaf) -> tuple[float, float]:
    """What an axis must show of a comparison; an interval may be cut off at a hundred times its estimate."""
    claimed, estimate = margins(leaf.rule), leaf.decision.estimate
    points = [x for x in (claimed.low, claimed.high, claimed.least) if x is not None and math.isfinite(x)]
    points = [x for x in points if x > 0 or claimed.scale != "ratio"]
    if estimate is not None and math.isfinite(estimate.value):
        interval = [x for x in (estimate.low, estimate.high) if x is not None]
        if claimed.scale == "ratio":
            interval = [min(max(x, estimate.value / 100), estimate.value * 100) for x in interval]
        points += [estimate.value, *interval]
    return min(points, default=0.0), max(points, default=1.0)


def few_numbers(axis: Any, low: float, high: float, y: bool = False) -> None:
    """Few numbers at a logarithmic axis, without exponents where they are readable."""
    from matplotlib.ticker import FixedLocator, NullLocator

    which = axis.yaxis if y else axis.xaxis
    which.set_major_locator(FixedLocator(places(low, high)))
    which.set_minor_locator(NullLocator())
    which.set_major_formatter(lambda x, _: f"{x:,.6g}")


def places(low: float, high: float, most: int = 9) -> list[float]:
    """Round numbers on a logarithmic axis, at most nine.

    Example:
        >>> places(0.8, 12.0)
        [1.0, 2.0, 5.0, 10.0]
        >>> places(0.9, 1.25)
        [0.9, 1.0, 1.1, 1.2]
    """
    most = most if high < 1000 else most - 2
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for steps in ((1.0, 1.1, 1.2, 1.3, 1.4, 1.5, 1.6, 1.7, 1.8, 1.9, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0),
                  (1.0, 1.2, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0), (1.0, 2.0, 5.0), (1.0, 3.0), (1.0,)):  # fmt: skip
        found = [x for k in decades for step in steps if low <= (x := float(f"{step * 10.0**k:.6g}")) <= high]
        if len(found) <= most and not (len(steps) > 8 and high > 2 * low):
            return found
    every = max(1, math.ceil(len(decades) / most))
    return [10.0**k for k in decades if k % every == 0 and low <= 10.0**k <= high]
