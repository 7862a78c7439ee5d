"""The first picture of the README, drawn from the rows of ``records/plateau``: ``python -m records.render`` writes it.

Left: accuracy of every run on training and on unseen sums, and below it when each run got the unseen ones right.
Right: the numbers inside one network without the penalty and one with it, at the same step.

``python -m records.hero STORE`` writes the rows from a store that was trained with
``anglewise run plateau --readings default,embedding``.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from anglewise.lab.report.format import fixed, number
from anglewise.lab.report.plots.inks import inks_of
from docs import svg
from records.rows import Rows
from records.seeds import Line, axis, row

FOLDER = Path(__file__).parent / "plateau"
PLAIN, PENALTY = "adamw", "adamw+radial"
LINES = (Line("AdamW", PLAIN), Line("+ radial penalty", PENALTY, PLAIN))
WIDTH, LEFT, RIGHT, TOP, FLOOR, BOTTOM = 1050, 150, 560, 100, 250, 362
"""Pixels: of the picture, of the axis of steps, of the curves from above, and of the axis from above."""
LAST = 2750
SEED, TABLE, STEP = 101, "embedding.0", 800
"""Of the networks on the right: their seed, their table of tokens, the step."""
RADIUS = 70
Table = Sequence[Mapping[str, str]]


def finding(rows: Rows) -> str:
    """The title: what the interval shows.

    Raises:
        ValueError: If it shows something else than the sentence that stands here.
    """
    if (word := rows.word(PENALTY, PLAIN)) != "faster":
        raise ValueError(f"the title says faster, the rows say {word}: write another title")
    return "Fitted at once, learned much later: the radial penalty shortens the wait"


def hero(rows: Rows, curves: Table, tokens: Table) -> str:
    """The picture as SVG.

    Args:
        rows: The runs.
        curves: Rows of ``curves.csv``.
        tokens: Rows of ``circles.csv``.
    """
    inks = inks_of((PLAIN, PENALTY))
    about = (
        f"A small network learns a + b mod 37. A line and a mark per seed, {rows.n} seeds. Mark: {rows.share} of the "
        "unseen sums are right. Brackets: 95 % interval."
    )
    parts = [
        svg.text(16, 30, finding(rows), size=18, font_weight="bold"),
        svg.text(16, 54, about, fill=svg.SOFT),
    ]
    parts += axis(range(0, int(LAST), 500), _x, TOP, BOTTOM)
    parts.append(svg.text((LEFT + RIGHT) / 2, BOTTOM + 40, "training steps", text_anchor="middle"))
    for share in (0, 0.5, 1):
        parts.append(svg.line(LEFT, _y(share), RIGHT, _y(share), stroke=svg.FAINT, width=1))
        parts.append(svg.text(LEFT - 10, _y(share) + 4, f"{100 * share:.0f} %", text_anchor="end", fill=svg.SOFT))
    parts.append(svg.text(16, TOP + 24, "sums that", fill=svg.SOFT))
    parts.append(svg.text(16, TOP + 40, "are right", fill=svg.SOFT))
    for arm in (PLAIN, PENALTY):
        for seed in sorted({one["seed"] for one in curves if one["arm"] == arm}):
            own = [one for one in curves if one["arm"] == arm and one["seed"] == seed]
            if arm == PLAIN:
                parts.append(_curve(own, "train_accuracy", svg.INK, 1.2, stroke_dasharray="3 3", opacity=0.5))
            parts.append(_curve(own, "test_accuracy", inks[arm].colour, 1.8, opacity=0.65))
    parts += [
        svg.text(_x(100), _y(1) - 8, "training sums (dashed)", fill=svg.SOFT),
        svg.text(_x(2060), _y(0.3), "unseen sums", fill=svg.SOFT),
    ]
    for i, line in enumerate(LINES):
        parts += row(rows, line, FLOOR + 38 + 48 * i, _x, inks[line.arm], LAST, (LEFT, _x(1150)))
    for i, arm in enumerate((PLAIN, PENALTY)):
        own = [one for one in tokens if one["arm"] == arm]
        parts += _circle(own, LINES[i].name, inks[arm].colour, 690 + 210 * i, (TOP + BOTTOM) / 2 - 8)
    told = f"The numbers 0 to {len(own) - 1} inside two networks of one seed, at step {tokens[0]['step']}"
    parts.append(svg.text(795, BOTTOM + 18, told, text_anchor="middle", fill=svg.SOFT))
    return svg.picture(WIDTH, BOTTOM + 56, finding(rows), parts)


def read(name: str) -> list[dict[str, str]]:
    """The rows of a file of the record."""
    return list(csv.DictReader((FOLDER / name).read_text(encoding="utf-8").splitlines()))


def _x(step: float) -> float:
    return LEFT + step * (RIGHT - LEFT) / LAST


def _y(share: float) -> float:
    return FLOOR - share * (FLOOR - TOP)


def _curve(points: Table, name: str, colour: str, width: float, **more: object) -> str:
    return svg.path(
        ((_x(float(one["step"])), _y(float(one[name]))) for one in points), stroke=colour, width=width, **more
    )


def _circle(tokens: Table, name: str, colour: str, x: float, y: float) -> list[str]:
    points = [(float(one["x"]), float(one["y"])) for one in tokens]
    far = max((a * a + b * b) ** 0.5 for a, b in points)
    k, n = int(float(tokens[0]["frequency"])), len(points)
    dots = [
        svg.dot(x + RADIUS * a / far, y - RADIUS * b / far, r=4, fill=f"hsl({360 * (k * i % n) / n:.0f} 55% 48%)")
        for i, (a, b) in enumerate(points)
    ]
    right = fixed(100 * float(tokens[0]["test_accuracy"]), 0)
    return [
        svg.text(x, y - RADIUS - 34, name, size=14, text_anchor="middle", fill=colour, font_weight="bold"),
        svg.text(x, y - RADIUS - 16, f"{right} % of unseen sums right", size=13, text_anchor="middle"),
        *dots,
    ]


def gather(store: str) -> dict[str, str]:
    """The record's files from a store, by name."""
    from anglewise.lab.report.results import load
    from anglewise.lab.report.runs import finishes, write_runs
    from anglewise.lab.store import Reader

    results = load(Reader(store))
    curves = ["arm,seed,step,train_accuracy,test_accuracy"]
    for arm, seed in results.planned:
        train, test = (results.curves[name][arm, seed] for name in ("train_accuracy", "test_accuracy"))
        rows = zip(train.steps, train.values, test.values, strict=True)
        curves += [f"{arm},{seed},{step},{a:.4f},{b:.4f}" for step, a, b in rows]
    circles = ["arm,seed,site,frequency,step,test_accuracy,token,x,y"]
    arrays = results.arrays(results.planned, ["circles", "circle_frequencies"])
    for arm in results.arms:
        points, ks = (arrays[name, TABLE][arm, SEED] for name in ("circles", "circle_frequencies"))
        at = list(points.steps).index(STEP)
        test = results.curves["test_accuracy"][arm, SEED]
        right = test.values[list(test.steps).index(STEP)]
        for token, (x, y) in enumerate(points.values[at, 0]):
            circles.append(
                f"{arm},{SEED},{TABLE},{number(ks.values[at, 0])},{STEP},{right:.4f},{token},{x:.3f},{y:.3f}"
            )
    files = {"curves.csv": curves, "circles.csv": circles}
    return {"runs.csv": write_runs(finishes(results))} | {name: "\n".join(rows) + "\n" for name, rows in files.items()}


if __name__ == "__main__":
    for name, text in gather(sys.argv[1]).items():
        (FOLDER / name).write_text(text, encoding="utf-8")
