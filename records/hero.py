"""The picture of the README, drawn from the rows of the quickstart: ``python -m records.render`` writes it."""

from __future__ import annotations

from itertools import pairwise

from anglewise.lab.report.format import number
from docs import svg
from records.rows import Rows

WIDTH, LEFT, RIGHT, TOP = 860, 190, 600, 92
FIRST, LAST = 40, 200
ROWS = (
    ("AdamW, usual settings", "adamw-common", ""),
    ("+ radial penalty", "adamw-common+radial", "adamw-common"),
    ("AdamW, tuned", "adamw-tuned", ""),
    ("+ radial penalty", "adamw-tuned+radial", "adamw-tuned"),
)
"""What a line is called, its arm, and the arm that it is compared with."""


def finding(rows: Rows) -> str:
    """The title: what the intervals show.

    Raises:
        ValueError: If they show something else than the sentence that stands here.
    """
    words = {arm: rows.word(arm, than) for _, arm, than in ROWS if than}
    if set(words.values()) != {"faster"}:
        raise ValueError(f"the title says faster, the rows say {words}: write another title")
    return "The radial penalty makes an MLP learn a + b mod 113 in fewer steps"


def hero(rows: Rows) -> str:
    """One dot per seed, medians, and the ratio with its interval, as SVG."""
    bottom = TOP + 52 * len(ROWS) + 12
    parts = [
        svg.text(16, 30, finding(rows), size=18, font_weight="bold"),
        svg.text(16, 54, f"{rows.n} seeds per line. Brackets: 95 % interval, seed by seed.", size=13, fill=svg.SOFT),
    ]
    for step in range(FIRST, LAST + 1, 40):
        parts.append(svg.line(_x(step), TOP - 14, _x(step), bottom, stroke=svg.FAINT, width=1))
        parts.append(svg.text(_x(step), bottom + 18, str(step), text_anchor="middle"))
    parts.append(svg.line(LEFT, bottom, RIGHT, bottom, width=1))
    label = f"training steps until {rows.share} of the unseen sums are right (one dot = one seed)"
    parts.append(svg.text((LEFT + RIGHT) / 2, bottom + 40, label, text_anchor="middle"))
    for place, (name, arm, than) in enumerate(ROWS):
        parts += _line(rows, name, arm, than, TOP + 20 + 52 * place)
    return svg.picture(WIDTH, bottom + 54, finding(rows), parts)


def _x(step: float) -> float:
    return LEFT + (step - FIRST) * (RIGHT - LEFT) / (LAST - FIRST)


def _line(rows: Rows, name: str, arm: str, than: str, y: float) -> list[str]:
    colour = svg.ACCENT if than else svg.SOFT
    times = sorted(LAST if t is None else t for t in rows.times(arm))
    heights = [0]
    for before, now in pairwise(times):  # dots that would cover each other stand above each other
        heights.append((heights[-1] + 1) % 3 if now - before < 3 else 0)
    dots = [svg.dot(_x(t), y + 6 - 7 * up, fill=colour, fill_opacity=0.5) for t, up in zip(times, heights, strict=True)]
    middle = rows.middle(arm)
    parts = [
        svg.text(LEFT - 14, y + 5, name, size=14, text_anchor="end"),
        *dots,
        svg.line(_x(middle), y - 14, _x(middle), y + 16, stroke=colour, width=4),
        svg.text(_x(middle), y - 18, number(middle), size=14, fill=colour, text_anchor="middle", font_weight="bold"),
    ]
    if than:
        parts.append(svg.text(RIGHT + 14, y + 5, f"{rows.speed_up(arm, than)} times as fast", size=13, fill=svg.SOFT))
    return parts
