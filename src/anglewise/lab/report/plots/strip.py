"""A strip plot: every run of every arm as a dot at its time to generalise, the median as a bar, the answer beside it.

It needs no script: the page holds it as SVG, once for each of three widths, and its style sheet shows the one that
fits.  Colours are the page's variables, one for each arm.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from anglewise.lab.report.comparison import time_of
from anglewise.lab.report.contrasts import Answer, interval
from anglewise.lab.report.format import fixed, number, plain
from anglewise.lab.report.results import Results
from anglewise.lab.stats import censored_median

WIDTHS = (1132, 700, 342)
"""Pixels of the three drawings."""
ROW, SPACE, TOP, BOTTOM = 44, 14, 8, 46
"""Pixels: height of a row, room before an arm that has no change, above all, below all."""
MOST = 64
"""Arms that are drawn."""
RADIUS = 4.5
NAMED = 3_000
"""Dots up to which each says which run it is."""


class Dot(NamedTuple):
    """A run: its seed, its time or the budget, and whether it got there."""

    seed: int
    x: float
    reached: bool


class Row(NamedTuple):
    """An arm: its index among all, its name, its runs, their median (None beyond the budget), what is said of it.

    `brief` is the same for a narrow page.  `first` says that no answer is about it, so that it begins a group.
    """

    arm: int
    name: str
    dots: Sequence[Dot]
    median: float | None
    said: str
    brief: str
    first: bool

    @property
    def spoken(self) -> str:
        """The row in words."""
        reached = [dot.x for dot in self.dots if dot.reached]
        if not self.dots:
            return f"{self.name}: no finished run"
        median = "beyond the budget" if self.median is None else f"{number(self.median)} steps"
        span = f", from {number(min(reached))} to {number(max(reached))}" if reached else ""
        lost = f", {len(self.dots) - len(reached)} not within the budget" if len(reached) < len(self.dots) else ""
        return f"{self.name}: {len(self.dots)} runs, median {median}{span}{lost}. {self.said}".strip()


class Strip(NamedTuple):
    """The figure: its rows, the ends of its axis, and what the axis says."""

    rows: Sequence[Row]
    low: float
    high: float
    axis: str


class Mark(NamedTuple):
    """One thing to draw: its kind, place, second place or size, text, class, and the arm whose colour it has."""

    kind: str
    x: float
    y: float
    to: float = 0.0
    text: str = ""
    css: str = ""
    arm: int = -1


class Drawing(NamedTuple):
    """What is drawn at one width, in pixels."""

    width: int
    height: int
    marks: Sequence[Mark]


def data(results: Results, found: Sequence[Answer]) -> Strip:
    """Every finished run of every arm, and the answer beside the arm that it is about."""
    said = {answer.arm.arm: answer for answer in reversed(found) if answer.factor}
    rows = []
    for i, arm in enumerate(results.arms[:MOST]):
        times = {seed: time_of(run, "first") for seed, run in results.finished(arm).items()}
        dots = [Dot(seed, results.budget if time is None else time, time is not None) for seed, time in times.items()]
        median = censored_median(list(times.values())) if times else None
        rows.append(Row(i, plain(results.labels[arm]), dots, median, *_said(said.get(arm)), arm not in said))
    places = [dot.x for row in rows for dot in row.dots]
    low, high = (min(places), max(places)) if places else (0, results.budget)
    unit = f"optimiser steps to {100 * results.threshold:g} % test accuracy"
    return Strip(rows, 0.85 * low if low > 0.35 * high else 0.0, float(high), unit)


def _said(answer: Answer | None) -> tuple[str, str]:
    """An answer in words, and in few letters; nothing for none."""
    if answer is None or answer.arm.speed_up is None:
        return "", ""
    brief = f"{answer.arm.bound}{fixed(answer.arm.speed_up.value, 2)}\u00d7 {interval(answer.arm)}"
    return f"{answer.factor} {interval(answer.arm)}", brief


def ticks(low: float, high: float, most: int) -> list[float]:
    """Round numbers from `low` to `high`, about so many at most.

    Example:
        >>> ticks(0, 192, 6)
        [0.0, 50.0, 100.0, 150.0]
    """
    raw = max(high - low, 1e-9) / max(most - 1, 1)
    unit = 10.0 ** math.floor(math.log10(raw))
    step = next(unit * k for k in (1, 2, 2.5, 5, 10) if unit * k >= raw)
    return [step * k for k in range(math.ceil(low / step), int(high / step) + 1)]


def draw(strip: Strip, width: int) -> Drawing:
    """Place everything at one width; a narrow drawing has an arm's name above its dots."""
    narrow = width < 560
    left, right = (8, width - 14) if narrow else (min(250, width // 4 + 20), width - (280 if width > 900 else 200))
    span = 1.04 * (strip.high - strip.low) or 1.0

    def at(x: float) -> float:
        return round(left + (right - left) * (x - strip.low) / span, 1)

    row = ROW + (24 if narrow else 0)
    named = sum(len(each.dots) for each in strip.rows) <= NAMED
    y, marks, rows = float(TOP), list[Mark](), list[Mark]()
    for k, each in enumerate(strip.rows):
        y += SPACE if each.first and k else 0
        middle = y + row - ROW / 2
        rows += _row(each, at, middle, left, right, narrow=narrow, named=named)
        y += row
    values = ticks(strip.low, strip.high, 5 if narrow else 9)
    lines = [Mark("line", at(value), TOP, y, css="grid") for value in values]
    numbers = [Mark("text", at(value), y + 18, text=f"{value:,g}", css="tick middle") for value in values]
    title = Mark("text", (left + right) / 2, y + 38, text=f"{strip.axis}; a dot is a run", css="tick middle")
    marks = [*lines, *rows, *numbers, title]
    return Drawing(width, int(y + BOTTOM), marks)


def _row(
    row: Row, place: Callable[[float], float], middle: float, left: float, right: float, *, narrow: bool, named: bool
) -> list[Mark]:
    marks = []
    if narrow:
        marks.append(Mark("text", left, middle - 26, text=row.name, css="name"))
        marks.append(Mark("text", right, middle - 26, text=row.brief, css="said end"))
    else:
        marks.append(Mark("text", 0, middle + 5, text=row.name, css="name"))
        marks.append(Mark("text", right + 18, middle + 5, text=row.said, css="said"))
    size = RADIUS if len(row.dots) <= 40 else 2.5
    lifts = lifted([place(dot.x) for dot in row.dots], size)
    if not named:
        places = [(place(dot.x), round(middle + lift, 1)) for dot, lift in zip(row.dots, lifts, strict=True)]
        marks += _unnamed(row, places)
    for dot, lift in zip(row.dots, lifts, strict=True) if named else ():
        kind = "dot" if dot.reached else "cross"
        told = f"seed {dot.seed}: {number(dot.x)} steps" if dot.reached else f"seed {dot.seed}: not within the budget"
        marks.append(Mark(kind, place(dot.x), middle + lift, size, told, arm=row.arm))
    if row.median is not None:
        marks.append(Mark("line", place(row.median), middle - 15, middle + 15, css="bar-line", arm=row.arm))
        text = number(row.median)
        marks.append(Mark("text", place(row.median) + 5, middle - 9, text=text, css="median", arm=row.arm))
    return marks


def _unnamed(row: Row, places: Sequence[tuple[float, float]]) -> list[Mark]:
    """All dots of a row as one path, and all crosses as one: of thousands, each alone would make the page heavy."""
    size, marks = 2.5, list[Mark]()
    dots = "".join(f"M{x} {y}h0" for dot, (x, y) in zip(row.dots, places, strict=True) if dot.reached)
    cross = f"l{2 * size} {2 * size}m0 -{2 * size}l-{2 * size} {2 * size}"
    crosses = "".join(
        f"M{x - size:g} {y - size:g}{cross}" for dot, (x, y) in zip(row.dots, places, strict=True) if not dot.reached
    )
    for css, text in (("dots", dots), ("lost", crosses)):
        marks += [Mark("path", 0, 0, text=text, css=css, arm=row.arm)] if text else []
    return marks


def lifted(places: Sequence[float], size: float) -> list[float]:
    """How far each dot is moved up or down so that dots at one place stay apart, within a row.

    Example:
        >>> lifted([10.0, 11.0, 40.0], 4.0)
        [0.0, -6.0, 0.0]
    """
    order = sorted(range(len(places)), key=lambda i: places[i])
    lifts, near = [0.0] * len(places), deque[tuple[float, float]]()
    levels = [0.0, *(sign * k * 1.5 * size for k in (1, 2) for sign in (-1, 1))]
    for i in order:
        while near and not abs(near[0][0] - places[i]) < 1.8 * size:
            near.popleft()
        taken = {lift for _, lift in near}
        lifts[i] = next((level for level in levels if level not in taken), levels[i % len(levels)])
        near.append((places[i], lifts[i]))
    return lifts


def drawings(strip: Strip) -> Mapping[int, Drawing]:
    """The figure at each width."""
    return {width: draw(strip, width) for width in WIDTHS}
