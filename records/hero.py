"""The picture of the README, drawn from the rows of the quickstart: ``python -m records.render`` writes it.

Left: steps of every run.  Right: the tokens of one of these runs at two steps, in the plane of the strongest frequency.
``python -m records.hero STORE`` writes the rows of the right part from a store that was trained with
``anglewise run quickstart --readings embedding``.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path

from anglewise.lab.report.format import fixed, number
from docs import svg
from records.rows import Rows

CIRCLES = Path(__file__).parent / "quickstart" / "circles.csv"
WIDTH, LEFT, RIGHT, TOP = 1050, 190, 530, 92
FIRST, LAST = 40, 200
ROWS = (
    ("AdamW, usual settings", "adamw-common", ""),
    ("+ radial penalty", "adamw-common+radial", "adamw-common"),
    ("AdamW, tuned", "adamw-tuned", ""),
    ("+ radial penalty", "adamw-tuned+radial", "adamw-tuned"),
)
"""What a line is called, its arm, and the arm that it is compared with."""
SHOWN = ("adamw-common+radial", 0, "embedding.0", 1, (48, 96))
"""The run of the right part, its table of tokens, the frequency, and the two steps."""
RADIUS = 68


def finding(rows: Rows) -> str:
    """The title: what the intervals show.

    Raises:
        ValueError: If they show something else than the sentence that stands here.
    """
    words = {arm: rows.word(arm, than) for _, arm, than in ROWS if than}
    if set(words.values()) != {"faster"}:
        raise ValueError(f"the title says faster, the rows say {words}: write another title")
    return "The radial penalty makes an MLP learn a + b mod 113 in fewer steps"


def hero(rows: Rows, tokens: Sequence[Mapping[str, str]]) -> str:
    """One dot per seed, medians, and the ratio with its interval, as SVG; beside them one run's tokens.

    Args:
        rows: The runs.
        tokens: Rows of ``circles.csv``.
    """
    bottom = TOP + 52 * len(ROWS) + 12
    right = "Right: the numbers 0 to 112 inside one network with the penalty, coloured in their order."
    parts = [
        svg.text(16, 30, finding(rows), size=18, font_weight="bold"),
        svg.text(
            16, 54, f"{rows.n} seeds per line. Brackets: 95 % interval, seed by seed. {right}", size=13, fill=svg.SOFT
        ),
    ]
    for step in range(FIRST, LAST + 1, 40):
        parts.append(svg.line(_x(step), TOP - 14, _x(step), bottom, stroke=svg.FAINT, width=1))
        parts.append(svg.text(_x(step), bottom + 18, str(step), text_anchor="middle"))
    parts.append(svg.line(LEFT, bottom, RIGHT, bottom, width=1))
    label = f"training steps until {rows.share} of the unseen sums are right (one dot = one seed)"
    parts.append(svg.text((LEFT + RIGHT) / 2, bottom + 40, label, text_anchor="middle"))
    for place, (name, arm, than) in enumerate(ROWS):
        parts += _line(rows, name, arm, than, TOP + 20 + 52 * place)
    for place, step in enumerate(sorted({int(row["step"]) for row in tokens})):
        parts += _circle(
            [row for row in tokens if int(row["step"]) == step], 770 + 190 * place, (TOP + bottom) / 2 + 10
        )
    return svg.picture(WIDTH, bottom + 54, finding(rows), parts)


def read_tokens() -> list[dict[str, str]]:
    """The rows of the right part."""
    return list(csv.DictReader(CIRCLES.read_text(encoding="utf-8").splitlines()))


def _circle(tokens: Sequence[Mapping[str, str]], x: float, y: float) -> list[str]:
    points = [(float(row["x"]), float(row["y"])) for row in tokens]
    far = max((a * a + b * b) ** 0.5 for a, b in points)
    right = fixed(100 * float(tokens[0]["test_accuracy"]), 0)
    dots = [
        svg.dot(x + RADIUS * a / far, y - RADIUS * b / far, r=3.5, fill=f"hsl({360 * k / len(points):.0f} 55% 48%)")
        for k, (a, b) in enumerate(points)
    ]
    title = f"step {tokens[0]['step']}: {right} % right"
    return [svg.text(x, y - RADIUS - 22, title, size=14, text_anchor="middle"), *dots]


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
        parts.append(svg.text(RIGHT + 12, y + 13, "times as fast", size=13, fill=svg.SOFT))
        parts.append(svg.text(RIGHT + 12, y - 3, f"{rows.speed_up(arm, than)}", size=13, fill=svg.SOFT))
    return parts


def circles(store: str) -> str:
    """The rows of the right part, from a store."""
    from anglewise.lab import open_results

    arm, seed, site, frequency, steps = SHOWN
    results = open_results(store)
    of_run = f"arm = '{arm}' AND seed = {seed}"
    lines = ["arm,seed,site,frequency,step,test_accuracy,token,x,y"]
    for step in steps:
        (accuracy,) = results.query(f"SELECT test_accuracy FROM curves WHERE {of_run} AND step = {step}")[0].to_pylist()
        arrays = results.query(f"SELECT name, values FROM arrays WHERE {of_run} AND site = '{site}' AND step = {step}")
        values = {row["name"]: row["values"] for row in arrays.to_pylist()}
        place = [int(one) for one in values["circle_frequencies"]].index(frequency)
        count = len(values["circles"]) // len(values["circle_frequencies"])
        flat = values["circles"][place * count : (place + 1) * count]
        for token, (x, y) in enumerate(zip(flat[::2], flat[1::2], strict=True)):
            lines.append(f"{arm},{seed},{site},{frequency},{step},{accuracy:.4f},{token},{x:.3f},{y:.3f}")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    CIRCLES.write_text(circles(sys.argv[1]), encoding="utf-8")
