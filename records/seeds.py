"""Pictures of steps for the pages: a mark per seed, a bar for the median, and one ratio per contrast, as SVG.

``docs/pictures/contrasts.svg`` is that of the quickstart; ``python -m records.render`` writes it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import NamedTuple

from anglewise.lab.experiments.quickstart import EXPERIMENT
from anglewise.lab.report.format import number
from anglewise.lab.report.plots.inks import Ink, inks_of
from docs import svg
from records.rows import Rows

WIDTH, LEFT, RIGHT, TOP = 860, 210, 600, 92
FIRST, LAST = 40, 200
APART = 8
"""Pixels between marks below which they stand above each other."""
CORNERS = {"diamond": ((0, -1.25), (1.25, 0), (0, 1.25), (-1.25, 0)), "triangle-up": ((0, -1.2), (1.2, 1), (-1.2, 1))}
"""Of marks that are no circles."""


class Line(NamedTuple):
    """A row: what it is called, its arm, and the arm that it is compared with, empty for none."""

    name: str
    arm: str
    than: str = ""


LINES = (
    Line("AdamW, usual settings", "adamw-common"),
    Line("+ radial penalty", "adamw-common+radial", "adamw-common"),
    Line("AdamW, tuned", "adamw-tuned"),
    Line("+ radial penalty", "adamw-tuned+radial", "adamw-tuned"),
    Line("+ MAN (a pull to length 0)", "adamw-tuned+man", "adamw-tuned"),
)


ASKED = tuple((each.arm, each.without) for each in EXPERIMENT.contrasts)
"""What the experiment asks."""


def contrasts(rows: Rows) -> str:
    """The quickstart: every seed of every arm, and what each change of one thing gives."""
    bottom = TOP + 46 * len(LINES) + 10
    parts = [
        svg.text(16, 30, finding(rows), size=18, font_weight="bold"),
        svg.text(
            16, 54, f"{rows.n} seeds per row, one mark each. Brackets: 95 % interval. {unsure(rows)}", fill=svg.SOFT
        ),
    ]
    parts += axis(range(FIRST, LAST + 1, 20), place, TOP - 14, bottom)
    label = f"training steps until {rows.share} of the unseen sums are right"
    parts.append(svg.text((LEFT + RIGHT) / 2, bottom + 40, label, text_anchor="middle"))
    inks = inks_of(line.arm for line in LINES)
    for i, line in enumerate(LINES):
        parts += row(rows, line, TOP + 18 + 46 * i, place, inks[line.arm], LAST, (LEFT, RIGHT))
    return svg.picture(WIDTH, bottom + 54, finding(rows), parts)


def finding(rows: Rows) -> str:
    """The title: what the intervals show.

    Raises:
        ValueError: If they show something else than the sentence that stands here.
    """
    words = {line.arm: rows.word(line.arm, line.than) for line in LINES if line.than and line.arm.endswith("radial")}
    if set(words.values()) != {"faster"}:
        raise ValueError(f"the title says faster, the rows say {words}: write another title")
    return "The radial penalty makes an MLP learn a + b mod 113 in fewer steps"


def unsure(rows: Rows) -> str:
    """What correction for the questions asked says of the penalty on tuned AdamW."""
    p = rows.p("adamw-tuned+radial", "adamw-tuned", ASKED)
    return f"On tuned AdamW, p is {p} after correction for {len(ASKED)} questions."


def place(step: float) -> float:
    """Where a step stands from left to right."""
    return LEFT + (step - FIRST) * (RIGHT - LEFT) / (LAST - FIRST)


def axis(steps: Sequence[int], x: Callable[[float], float], top: float, bottom: float) -> list[str]:
    """An axis of steps below, and a faint line for each of its numbers."""
    parts = [svg.line(x(step), top, x(step), bottom, stroke=svg.FAINT, width=1) for step in steps]
    parts += [svg.text(x(step), bottom + 18, f"{step:,}", text_anchor="middle") for step in steps]
    return [*parts, svg.line(x(steps[0]), bottom, x(steps[-1]), bottom, width=1)]


def row(
    rows: Rows, line: Line, y: float, x: Callable[[float], float], ink: Ink, never: float, ends: tuple[float, float]
) -> list[str]:
    """A row: its name, a mark per seed, its median, and the ratio.

    Args:
        rows: The runs.
        line: What it shows.
        y: Its place from above.
        x: Place of a step.
        ink: Of its marks.
        never: The step at which a run stands that never got there.
        ends: Where names end and ratios begin.
    """
    times = sorted(never if t is None else t for t in rows.times(line.arm))
    heights = [0]
    for before, now in pairwise(times):  # marks that would cover each other stand above each other
        heights.append((heights[-1] + 1) % 3 if x(now) - x(before) < APART else 0)
    middle = rows.middle(line.arm)
    parts = [
        svg.text(ends[0] - 14, y + 5, line.name, size=14, text_anchor="end", fill=ink.colour),
        *(mark(x(t), y + 6 - 7 * up, ink) for t, up in zip(times, heights, strict=True)),
        svg.line(x(middle), y - 13, x(middle), y + 14, stroke=ink.colour, width=4),
        svg.text(x(middle), y - 17, number(middle), size=14, fill=ink.colour, text_anchor="middle", font_weight="bold"),
    ]
    if line.than:
        ratio = f"{rows.speed_up(line.arm, line.than)} times as fast"
        parts.append(svg.text(ends[1] + 14, y + 5, ratio, size=13, fill=svg.SOFT))
    return parts


def mark(x: float, y: float, ink: Ink, r: float = 4.5) -> str:
    """An arm's mark."""
    look = {"fill": "#ffffff" if ink.open else ink.colour, "stroke": ink.colour, "stroke_width": 1.4, "opacity": 0.75}
    if ink.shape in CORNERS:
        points = " ".join(f"{x + r * a:.1f},{y + r * b:.1f}" for a, b in CORNERS[ink.shape])
        return svg.tag("polygon", points=points, **look)
    return svg.tag("circle", cx=x, cy=y, r=r, **look)
